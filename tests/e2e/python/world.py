"""world.py serve ADDRESS…: on each a TCP server (port 8080) that says who was asked, and one for UDP port 53 that answers in upper
case; prints "ready". world.py ask ADDRESS…: asks them, and prints what comes and from where; or the error's name.
"""
import errno
import socket
import sys
import threading


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve_tcp(server, address):
    while True:
        connection, _ = server.accept()
        connection.sendall(f"world {address}\n".encode())
        connection.close()


def serve_udp(server):
    while True:
        query, client = server.recvfrom(4096)
        server.sendto(query.upper(), client)


mode, *addresses = sys.argv[1:]
if mode == "serve":
    for address in addresses:
        tcp = socket.create_server((address, 8080), family=family(address))
        threading.Thread(target=serve_tcp, args=(tcp, address), daemon=True).start()
        udp = socket.socket(family(address), socket.SOCK_DGRAM)
        udp.bind((address, 53))
        threading.Thread(target=serve_udp, args=(udp,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
else:
    for address in addresses:
        try:
            with socket.create_connection((address, 8080), 20) as connection:
                print("tcp", connection.makefile().read().strip())
            with socket.socket(family(address), socket.SOCK_DGRAM) as udp:
                udp.settimeout(20)
                for i in range(3):
                    udp.sendto(f"query {i}".encode(), (address, 53))
                answers = sorted(udp.recvfrom(4096) for _ in range(3))
                print("udp", *[f"{answer.decode()} from {source[0]}" for answer, source in answers])
        except OSError as error:
            print(address, errno.errorcode.get(error.errno, error))
