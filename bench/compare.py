#!/usr/bin/env python3
"""CPU per request, added latency, tunnel cost and memory of cmuxproxy beside HAProxy and nghttpx, in one interleaved run.

usage: bench/compare.py [http] [latency] [tunnel] [memory] [--rounds N] [--seconds N]

Needs a release build, and from Debian: haproxy nghttp2-proxy nginx wrk curl. The proxies run on the last core, origin and clients on
core 0. CPU is user + system time of the proxy's process over a run, divided by the requests that the client counted. Compare the
ratios of one run, never figures of different runs.
"""
import argparse, json, os, socket, statistics, subprocess, time
from stage import CLIENT_CORE, PROXY_CORE, Stage, basic, cpu_seconds, free_port, memory_kb, wait_for

BIG = 100_000_000


class Bench(Stage):
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds
        os.mkdir(self.path("www"))
        with open(self.path("www/big"), "wb") as big:
            big.truncate(BIG)
        self.origin = self.nginx("""location /hello { return 200 "hello world\\n"; }""")
        haproxy, self.haproxy_raw, nghttpx = (free_port() for _ in range(3))
        theirs = basic({"username": "wc-1-0000abcd", "password": "0" * 24})
        self.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn 8000
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend http
  mode http
  bind 127.0.0.1:{haproxy}
  http-request deny deny_status 407 unless {{ req.hdr(proxy-authorization) -m str "{theirs}" }}
  http-request del-header proxy-authorization
  http-request set-header host cmux-abc-base-3000.cmux.test
  default_backend origin
backend origin
  mode http
  http-reuse always
  server origin 127.0.0.1:{self.origin}
listen raw
  mode tcp
  bind 127.0.0.1:{self.haproxy_raw}
  server origin 127.0.0.1:{self.origin}
""")
        peers = {"haproxy": (self.run(PROXY_CORE, "haproxy", "-db", "-f", self.path("haproxy.cfg")).pid, haproxy, theirs)}
        child = self.run(PROXY_CORE, "nghttpx", "--conf=/dev/null", f"-f127.0.0.1,{nghttpx};no-tls", f"-b127.0.0.1,{self.origin}", "-n1",
                         "-LERROR")
        peers["nghttpx"] = (child.pid, nghttpx, theirs)
        serve, ready = self.cmux("serve", "--dumpable")
        context = lambda *flags: json.loads(self.tell("ctx", "create", "--json", *flags))
        routed = context("--morph-id", "abc", "--scope", "base", "--cmux-proxy-origin", f"http://127.0.0.1:{self.origin}")
        self.direct = context()["proxyUrl"]
        self.proxies = {"cmuxproxy": (serve, ready["port"], basic(routed)), **peers}
        for _, port, _ in self.proxies.values():
            wait_for(port)

    def ask(self, port, credentials, connections):
        fields = {"Host": "localhost:3000", "Proxy-Authorization": credentials}
        return self.wrk(port, "http://localhost:3000/hello", fields, connections, self.seconds)

    def requests(self, connections):
        for name, (pid, port, credentials) in self.proxies.items():
            before = cpu_seconds(pid)
            count, p50, p99 = self.ask(port, credentials, connections)
            yield name, {"cpu_us": (cpu_seconds(pid) - before) * 1e6 / count, "per_s": count / self.seconds, "p50_us": p50, "p99_us": p99}
        if connections == 1:
            count, p50, p99 = self.ask(self.origin, "x", 1)
            yield "direct", {"per_s": count / self.seconds, "p50_us": p50, "p99_us": p99}

    def tunnels(self):
        targets = [f"http://127.0.0.1:{self.origin}/big", "-o", "/dev/null"] * 10
        through = {"cmuxproxy": ["-p", "-x", self.direct, *targets],
                   "haproxy": [t.replace(str(self.origin), str(self.haproxy_raw)) for t in targets]}
        for name, arguments in through.items():
            pid = self.proxies[name][0]
            before, start = cpu_seconds(pid), time.time()
            subprocess.run(["taskset", "-c", CLIENT_CORE, "curl", "-sf", *arguments], check=True)
            yield name, {"cpu_s_per_gb": cpu_seconds(pid) - before, "gbit_s": 8 * 10 * BIG / 1e9 / (time.time() - start)}

    def memory(self, connections=1500):
        for name, (pid, port, credentials) in self.proxies.items():
            before, open_ones = memory_kb(pid), []
            for _ in range(connections):
                client = socket.create_connection(("127.0.0.1", port))
                client.sendall(b"GET http://localhost:3000/hello HTTP/1.1\r\nHost: localhost:3000\r\nProxy-Authorization: "
                               + credentials.encode() + b"\r\n\r\n")
                client.recv(4096)
                open_ones.append(client)
            yield name, {"kb_per_connection": (memory_kb(pid) - before) / connections, "then_mb": memory_kb(pid) / 1024}
            for client in open_ones:
                client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT", default=[], help="http, latency, tunnel, memory; all of them without one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    arguments = parser.parse_args()
    bench = Bench(arguments.seconds)
    kinds = {"http": (lambda: bench.requests(32), "cpu_us"), "latency": (lambda: bench.requests(1), "p50_us"),
             "tunnel": (bench.tunnels, "cpu_s_per_gb"), "memory": (bench.memory, "kb_per_connection")}
    try:
        print("at rest, MB:", {name: round(memory_kb(pid) / 1024, 1) for name, (pid, _, _) in bench.proxies.items()})
        for what in arguments.what or kinds:
            measure, key = kinds[what]
            rows = {}
            for _ in range(1 if what == "memory" else arguments.rounds):
                for name, figures in measure():
                    rows.setdefault(name, []).append(figures)
            medians = {name: {k: statistics.median(r[k] for r in runs) for k in runs[0]} for name, runs in rows.items()}
            for name, figures in medians.items():
                print(f"{what:8} {name:10}", "  ".join(f"{k} {v:.2f}" for k, v in figures.items()), flush=True)
            base = medians.pop("direct", {}).get(key, 0)
            best = min(figures[key] - base for name, figures in medians.items() if name != "cmuxproxy")
            if best > 0:
                print(f"{what:8} ratio to the best peer, {key}: {(medians['cmuxproxy'][key] - base) / best:.2f}", flush=True)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
