#!/usr/bin/env python3
"""Mixed traffic through cmuxproxy for as long as one likes, while its descriptors, memory and latency are watched; then everybody leaves,
and it must be what it was before.

usage: bench/soak [--minutes N] [--clients N] [--crowd] [--scale F] [--out PATH] [-- FLAGS…]

Needs a release build with its fixtures ($CMUX_BUILD names another build). Writes PATH.csv and PATH.svg. Exit status 0: every exchange
ended as it must, and nothing was left behind; 1: the verdict says what is wrong.
"""
import argparse, collections, multiprocessing, os, statistics, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import clients, crowd, watch  # noqa: E402
from stage import Stage, raise_descriptors  # noqa: E402

PROCESSES = 2            # of clients; Python's threads share one core
WARM_UP = 20             # seconds of the same traffic, before the first look: allocators and caches keep what they once had
REST = 60                # for descriptors and memory to come back
SLACK_KB = 4_000         # of memory
SPARE = 900              # descriptors beside the crowd's


def clients_process(stage, threads, counts, failures, until):
    import threading
    running = [threading.Thread(target=clients.act, args=(stage, counts, failures, until)) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


class Soak:
    def __init__(self, arguments):
        self.arguments = arguments
        # The proxy has the most; over HTTP/2 nearly only those of its clients.
        needed = crowd.IDLE + (crowd.TUNNELS + crowd.WEBSOCKETS) * (2 if arguments.crowd_over == "h1" else 1)
        self.scale = min(arguments.scale, (raise_descriptors(needed + SPARE) - SPARE) / needed)
        self.stage = Stage(["--max-requests", "20000", "--idle-timeout", "30m", *arguments.flags])
        self.fork = multiprocessing.get_context("fork")
        self.failures, self.failed = self.fork.Queue(), []
        self.done = self.fork.Array("Q", len(clients.KINDS) + 1, lock=False)  # the last one: the crowd's requests
        self.each = [self.fork.Array("Q", len(clients.KINDS), lock=False) for _ in range(PROCESSES)]
        self.watch = watch.Watch(self.stage, self.done, lambda: len(self.failed))
        self.wrong = []

    def collect(self):
        while not self.failures.empty():
            self.failed.append(self.failures.get())
        for index in range(len(clients.KINDS)):
            self.done[index] = sum(part[index] for part in self.each)

    def traffic(self, phase, seconds):
        self.watch.phase = phase
        until, threads = time.time() + seconds, max(1, self.arguments.clients // PROCESSES)
        children = [self.fork.Process(target=clients_process, args=(self.stage, threads, part, self.failures, until)) for part in self.each]
        for child in children:
            child.start()
        while any(child.is_alive() for child in children):
            time.sleep(0.5)
            self.collect()
            if time.time() > until + 2 * clients.TIMEOUT:
                self.wrong.append(f"{phase}: clients that do not come to an end")
                for child in children:
                    child.kill()
        for child in children:
            child.join()
            if child.exitcode:
                self.wrong.append(f"{phase}: a process of clients ended with {child.exitcode}")

    def rest(self, phase, done=lambda seen: False):
        """What is in use once the last second brought no change, and where it must come back to something, once it has."""
        self.watch.phase, seen, until = phase, None, time.time() + REST
        while time.time() < until:
            time.sleep(1)
            self.collect()
            last, seen = seen, (self.stage.descriptors()[0], self.stage.pss_kb())
            if last and last[0] == seen[0] and (phase == "before" and abs(last[1] - seen[1]) < 100 or done(seen)):
                break
        return seen

    def crowd(self):
        self.watch.phase = "crowd"
        together = crowd.Crowd(self.stage, self.arguments.crowd_over, self.scale, self.done, self.failures)
        start = time.time()
        there = together.arrive()
        print(f"crowd: {there} came in {time.time() - start:.0f} s, at scale {self.scale:.2f}", flush=True)
        descriptors, memory = self.stage.descriptors()[0], self.stage.pss_kb()
        rate = together.ask(self.arguments.crowd_seconds)
        print(f"crowd: {rate:.0f} requests/s beside them, {descriptors} descriptors, {memory / 1024:.1f} MB", flush=True)
        together.still_there()
        together.leave()

    def run(self):
        self.traffic("warm-up", WARM_UP)
        before = self.rest("before")
        if self.arguments.crowd:
            self.crowd()
            self.compare("the crowd", before)
        if self.arguments.minutes:
            self.traffic("load", self.arguments.minutes * 60)
            self.compare("the load", before)

    def compare(self, what, before):
        after = self.rest(f"after {what.split()[-1]}", lambda seen: seen[0] <= before[0] and seen[1] <= before[1] + SLACK_KB)
        print(f"after {what}: {after[0]} descriptors (before: {before[0]}), {after[1] / 1024:.1f} MB (before: {before[1] / 1024:.1f})", flush=True)
        if after[0] > before[0]:
            self.wrong.append(f"{after[0] - before[0]} descriptors are left of {what}")
        if after[1] > before[1] + SLACK_KB:
            self.wrong.append(f"{(after[1] - before[1]) / 1024:.1f} MB are left of {what}")

    def finish(self):
        self.watch.stop()
        self.collect()
        status = self.stage.api("GET", "/v1/status") if self.stage.lives() else {}
        for part in ("connections", "requests"):
            if status and status[part]["open"]:
                self.wrong.append(f"{status[part]['open']} {part} are open though nobody is there")
        for index, kind in enumerate(clients.KINDS):
            if not self.done[index]:
                self.wrong.append(f"{kind}: never done")
        log = self.stage.log()
        code = self.stage.close()
        if code:
            self.wrong.append(f"the proxy ended with {code}")
        if log:
            self.wrong.append(f"the log has errors:\n{log[:2000]}")
        counted = collections.Counter(self.failed)
        for (kind, text), count in counted.most_common(20):
            self.wrong.append(f"{kind}: {count} times {text}")
        for text, count in collections.Counter(self.watch.errors).most_common(5):
            self.wrong.append(f"the watch: {count} times {text}")
        self.watch.write(self.arguments.out)
        print("done:", {kind: self.done[index] for index, kind in enumerate(clients.KINDS)}, "crowd's requests:", self.done[-1])
        for phase in dict.fromkeys(row["phase"] for row in self.watch.rows):
            of = lambda column: self.watch.of(phase, column)
            print(f"{phase:12} {len(of('seconds')):4} s  descriptors {max(of('descriptors')):6} at most  PSS {max(of('pss_kb')) / 1024:7.1f} MB at most, "
                  f"{of('pss_kb')[-1] / 1024:.1f} at its end  latency: median {statistics.median(of('p50_ms')):.2f} ms, 99 % "
                  f"{statistics.median(of('p99_ms')):.2f} ms, most {max(of('max_ms')):.1f} ms")
        print(f"written: {self.arguments.out}.csv, {self.arguments.out}.svg")
        print("verdict:", "as before" if not self.wrong else "\n  ".join(["WRONG", *self.wrong]))
        return 1 if self.wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5, help="of mixed traffic (5); 0: none")
    parser.add_argument("--clients", type=int, default=24, help="who act at once (24)")
    parser.add_argument("--crowd", action="store_true", help="first 10,000 idle clients, 5,000 tunnels, 5,000 WebSockets and 1,000 requests/s at once")
    parser.add_argument("--crowd-seconds", type=float, default=20, help="for which the crowd's requests go on (20)")
    parser.add_argument("--crowd-over", choices=("h1", "h2c"), default="h1", help="what the crowd's workspaces speak (h1)")
    parser.add_argument("--scale", type=float, default=1, help="of the crowd's numbers (1)")
    parser.add_argument("--out", default="soak", metavar="PATH", help="of the results, without an ending (soak)")
    parser.add_argument("flags", nargs="*", metavar="FLAGS", help="for `cmuxproxy serve`, behind --")
    soak = Soak(parser.parse_args())
    try:
        soak.run()
    finally:
        code = soak.finish()
    sys.exit(code)


if __name__ == "__main__":
    main()
