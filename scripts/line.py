#!/usr/bin/env python3
"""line.py PID NAME PID NAME RTT LOSS: a line between the network namespaces of two processes, as an interface of that name in each,
whose round trip takes RTT milliseconds and which loses LOSS percent of the packets each way. Says so when it is there, and goes with
this process. Two TUN devices and a queue between them: what the kernel's netem does, for kernels that have none. Linux alone."""
import collections, ctypes, fcntl, os, random, select, struct, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
MOST_WAITING = 1000  # packets each way, as netem has it; those that come then are lost


def open_end(pid, name):
    namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) != 0:
        sys.exit(f"line.py: the namespace of {pid}: {os.strerror(ctypes.get_errno())}")
    os.close(namespace)
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return end


def main():
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    left, right = open_end(sys.argv[1], sys.argv[2]), open_end(sys.argv[3], sys.argv[4])
    delay, loss = float(sys.argv[5]) / 2000, float(sys.argv[6]) / 100
    other = {left: right, right: left}
    waiting = {left: collections.deque(), right: collections.deque()}  # by where it came in: when it is due, and the packet
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        for end, queue in waiting.items():
            while queue and queue[0][0] <= now:
                try:
                    os.write(other[end], queue.popleft()[1])
                except OSError:
                    pass  # an interface that is down loses it
        dues = [queue[0][0] for queue in waiting.values() if queue]
        readable, _, _ = select.select([left, right], [], [], max(0, min(dues) - time.monotonic()) if dues else None)
        for end in readable:
            try:
                packet = os.read(end, 65536)
            except OSError:
                continue
            if random.random() >= loss and len(waiting[end]) < MOST_WAITING:
                waiting[end].append((time.monotonic() + delay, packet))


main()
