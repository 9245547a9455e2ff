"""get.py urllib|requests URL, get.py http.client PORT: prints what is there, as a program that knows of no proxy.

PORT is the workspace's: `run --forward` says in CMUXPROXY_FORWARDS which one it is here; else it is the same.
"""
import os
import sys

way, where = sys.argv[1:]
if way == "urllib":
    import urllib.request

    sys.stdout.buffer.write(urllib.request.urlopen(where).read())
elif way == "requests":
    import requests

    sys.stdout.write(requests.get(where).text)
else:
    import http.client

    ports = dict(pair.split(":") for pair in os.environ.get("CMUXPROXY_FORWARDS", "").split(",") if pair)
    connection = http.client.HTTPConnection("localhost", int(ports.get(where, where)))
    connection.request("GET", "/")
    sys.stdout.buffer.write(connection.getresponse().read())
