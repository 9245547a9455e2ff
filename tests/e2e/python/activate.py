"""activate.py [--kinds KIND,...] UNIX-PATH COMMAND...: what systemd's socket activation does. Binds a TCP and a Unix socket, prints
{"port": N}, waits for the first client, and becomes COMMAND, which inherits them (sd_listen_fds(3)). --kinds: which sockets instead, of
tcp, unix, udp, bound (TCP that does not listen), abstract (a Unix socket without a path) and packets (a Unix socket of another type);
then nobody is waited for."""
import json
import os
import select
import socket
import sys

arguments = sys.argv[1:]
kinds = ["tcp", "unix"]
wait = True
if arguments[0] == "--kinds":
    kinds, wait = arguments[1].split(","), False
    arguments = arguments[2:]
path, command = arguments[0], arguments[1:]


def make(kind):
    if kind in ("unix", "abstract", "packets"):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET if kind == "packets" else socket.SOCK_STREAM)
        made.bind(b"\0cmuxproxy-%d" % os.getpid() if kind == "abstract" else path)
    else:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        made.bind(("127.0.0.1", 0))
    if kind not in ("udp", "bound"):
        made.listen(64)
    return made


sockets = [make(kind) for kind in kinds]
print(json.dumps({"port": sockets[0].getsockname()[1]}), flush=True)
if wait:
    select.select(sockets, [], [])
# Out of the way first: the descriptors that they get may be those of others of them.
high = [os.dup(made.fileno()) for made in sockets]
for number, descriptor in enumerate(high, start=3):
    os.dup2(descriptor, number)
    os.set_inheritable(number, True)
os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"] = str(os.getpid()), str(len(sockets))
os.execv(command[0], command)
