#!/usr/bin/env python3
"""What it costs that exchanges are kept for the inspector: CPU per request of `serve` with each `--capture`, and its memory.

usage: bench/capture.py [cpu] [memory] [--rounds N] [--seconds N] [--rate N]

cpu: one instance whose capture is switched between runs, in rounds of changing order, HTTP/1 to HTTP/1 and HTTP/2 (h2c) to HTTP/1, 12-byte body: `off`, `auto`
while nobody watches, `heads` and `bodies`; medians, and their ratio to `off`.
memory: --rate requests a second (10,000) of HTTP/2 for a minute into --capture-memory 64m, with bodies of 1 kB; what the capture says that it
holds, and what the process has more than before. Exit status 1: it was over its setting.
Needs a release build, nginx, wrk and h2load (nghttp2-client). Compare the ratios of one run, never figures of different runs.
"""
import argparse, json, random, statistics, sys, threading, time, urllib.request
from stage import Stage, basic, cpu_seconds, memory_kb

MODES = ["off", "auto", "heads", "bodies"]
SETTING = 64 * 1024 * 1024


class Subject(Stage):
    def __init__(self):
        super().__init__()
        origin = self.nginx(f"""location /hello {{ return 200 "hello world\\n"; }} location /page {{ return 200 "{'0123456789abcdef' * 64}"; }}""")
        self.pid, ready = self.cmux("serve", "--dumpable", "--capture-memory", str(SETTING))
        self.port, self.admin = ready["port"], ready["admin"]
        self.token = json.load(open(self.path("run/default.json")))["token"]
        context = json.loads(self.tell("ctx", "create", "--json", "--cmux-proxy-origin", f"http://127.0.0.1:{origin}"))
        self.credentials = {"Proxy-Authorization": basic(context)}

    def capture(self, mode=None):
        request = urllib.request.Request(self.admin + "/v1/capture", headers={"Authorization": "Bearer " + self.token})
        if mode:
            request = urllib.request.Request(request.full_url, json.dumps({"mode": mode}).encode(), method="PUT",
                                             headers={**request.headers, "Content-Type": "application/json"})
        return json.load(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request))

    def h1(self, seconds):
        fields = {"Host": "localhost:3000", **self.credentials}
        return self.wrk(self.port, "http://localhost:3000/hello", fields, 32, seconds)[0]

    def h2(self, seconds, path="/hello", clients=4, *flags):
        fields = {":authority": "localhost:3000", **{k.lower(): v for k, v in self.credentials.items()}}
        return self.h2load(self.port, path, fields, f"-c{clients}", "-m8", f"-D{seconds}", *flags)


def cpu(subject, arguments):
    for way in (subject.h1, subject.h2):
        runs = {mode: [] for mode in MODES}
        for _ in range(arguments.rounds):
            for mode in random.sample(MODES, len(MODES)):
                subject.capture(mode)
                before = cpu_seconds(subject.pid)
                count = way(arguments.seconds)
                runs[mode].append((cpu_seconds(subject.pid) - before) * 1e6 / count)
        medians = {mode: statistics.median(values) for mode, values in runs.items()}
        for mode, value in medians.items():
            print(f"{way.__name__} {mode:7} {value:6.2f} µs of CPU a request, {value / medians['off']:.3f} of off", flush=True)
    return True


def memory(subject, arguments):
    subject.capture("off")
    subject.h2(2, "/page")
    at_rest, most, held, done = memory_kb(subject.pid), 0, 0, threading.Event()

    def load():
        nonlocal count
        try:
            count = subject.h2(60, "/page", 10, f"--rps={arguments.rate // 10}")
        finally:
            done.set()

    count = 0
    subject.capture("bodies")
    loading = threading.Thread(target=load)
    loading.start()
    while not done.is_set():
        held = max(held, subject.capture()["memory"]["used"])
        most = max(most, memory_kb(subject.pid))
        time.sleep(0.2)
    loading.join()
    now = subject.capture()
    print(f"memory {count / 60:.0f} requests a second for a minute: the capture held {held / SETTING:.3f} of its setting at the most, "
          f"{now['exchanges']} exchanges at the end; the process had {(most - at_rest) * 1024 / SETTING:.3f} of it more than before", flush=True)
    return count > 0 and held <= SETTING


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WAY", default=["cpu", "memory"], help="cpu, memory; both without one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=10_000)
    arguments = parser.parse_args()
    subject = Subject()
    try:
        good = [{"cpu": cpu, "memory": memory}[what](subject, arguments) for what in arguments.what]
    finally:
        subject.close()
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
