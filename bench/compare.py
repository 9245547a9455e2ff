#!/usr/bin/env python3
"""CPU per request, added latency, tunnel cost and memory of cmuxproxy beside HAProxy and nghttpx, in one interleaved run.

usage: bench/compare.py [http] [latency] [tunnel] [memory] [--rounds N] [--seconds N]

Needs a release build, and from Debian: haproxy nghttp2-proxy nginx wrk curl. The proxies run on the last core, origin and clients on
core 0. CPU is user + system time of the proxy's process over a run, divided by the requests that the client counted. Compare the
ratios of one run, never figures of different runs.
"""
import argparse, base64, json, os, re, shutil, socket, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.environ.get("CMUXPROXY_BIN", os.path.join(ROOT, "build/release/cmuxproxy"))
PROXY_CORE, CLIENT_CORE = str((os.cpu_count() or 1) - 1), "0"
TICKS = os.sysconf("SC_CLK_TCK")
BIG = 100_000_000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_of(pid):
    found, fresh = {pid}, True
    while fresh:
        fresh = False
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                parent = int(open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent in found and int(name) not in found:
                found.add(int(name))
                fresh = True
    return found


def cpu_seconds(pid):
    total = 0
    for each in processes_of(pid):
        times = open(f"/proc/{each}/stat").read().rpartition(")")[2].split()
        total += int(times[11]) + int(times[12])
    return total / TICKS


def memory_kb(pid):
    return sum(int(re.search(r"Pss:\s+(\d+)", open(f"/proc/{each}/smaps_rollup").read()).group(1)) for each in processes_of(pid))


class Bench:
    def __init__(self, seconds):
        self.seconds, self.children = seconds, []
        self.dir = tempfile.mkdtemp(prefix="cmuxproxy-bench-")
        os.chmod(self.dir, 0o755)  # the origin's worker is another user
        self.origin, self.haproxy, self.haproxy_raw, self.nghttpx = (free_port() for _ in range(4))
        credentials = base64.b64encode(b"wc-1-0000abcd:000000000000000000000000").decode()
        os.mkdir(self.path("www"))
        with open(self.path("www/big"), "wb") as big:
            big.truncate(BIG)
        self.write("nginx.conf", f"""
            worker_processes 1; daemon off; pid {self.path('nginx.pid')}; error_log {self.path('nginx.log')};
            events {{ worker_connections 16000; }}
            http {{ access_log off; sendfile on; keepalive_requests 1000000000; keepalive_timeout 1h;
              client_body_temp_path {self.path('b')}; proxy_temp_path {self.path('p')}; fastcgi_temp_path {self.path('f')};
              uwsgi_temp_path {self.path('u')}; scgi_temp_path {self.path('s')};
              server {{ listen 127.0.0.1:{self.origin}; root {self.path('www')}; location /hello {{ return 200 "hello world\\n"; }} }} }}""")
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
  bind 127.0.0.1:{self.haproxy}
  http-request deny deny_status 407 unless {{ req.hdr(proxy-authorization) -m str "Basic {credentials}" }}
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
        self.run(CLIENT_CORE, "nginx", "-p", self.dir, "-c", self.path("nginx.conf"))
        peers = {"haproxy": (self.run(PROXY_CORE, "haproxy", "-db", "-f", self.path("haproxy.cfg")), self.haproxy, credentials)}
        pid = self.run(PROXY_CORE, "nghttpx", "--conf=/dev/null", f"-f127.0.0.1,{self.nghttpx};no-tls", f"-b127.0.0.1,{self.origin}", "-n1",
                       "-LERROR")
        peers["nghttpx"] = (pid, self.nghttpx, credentials)
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        environment |= {"CMUXPROXY_RUNTIME_DIR": self.path("run"), "CMUXPROXY_STATE_DIR": self.path("state"), "HOME": self.dir}
        serve = subprocess.Popen(["taskset", "-c", PROXY_CORE, BINARY, "serve", "--dumpable", "--json", "--listen", "127.0.0.1:0"], env=environment,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.children.append(serve)
        ready = json.loads(serve.stdout.readline())
        context = lambda *flags: json.loads(subprocess.run([BINARY, "ctx", "create", "--json", *flags], env=environment, check=True,
                                                           stdout=subprocess.PIPE, text=True).stdout)
        routed = context("--morph-id", "abc", "--scope", "base", "--cmux-proxy-origin", f"http://127.0.0.1:{self.origin}")
        self.direct = context()["proxyUrl"]
        mine = base64.b64encode(f"{routed['username']}:{routed['password']}".encode()).decode()
        self.proxies = {"cmuxproxy": (serve.pid, ready["port"], mine), **peers}
        for _, port, _ in self.proxies.values():
            self.wait_for(port)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def run(self, core, *command):
        child = subprocess.Popen(["taskset", "-c", core, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.children.append(child)
        return child.pid

    def wait_for(self, port):
        for _ in range(200):
            try:
                return socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.02)
        sys.exit(f"nothing answers on port {port}")

    def close(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait()
        shutil.rmtree(self.dir)

    def wrk(self, port, credentials, connections):
        self.write("wrk.lua", 'wrk.path = "http://localhost:3000/hello"\nwrk.headers["Host"] = "localhost:3000"\n'
                   f'wrk.headers["Proxy-Authorization"] = "Basic {credentials}"\n')
        out = subprocess.run(["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{self.seconds}", "--latency", "-s",
                              self.path("wrk.lua"), f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in out or "Socket errors" in out:
            sys.exit(f"the run on port {port} had errors:\n{out}")
        unit = {"us": 1, "ms": 1e3, "s": 1e6}
        micros = {p: float(v) * unit[u] for p, v, u in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", out)}
        return int(re.search(r"(\d+) requests in", out).group(1)), micros["50"], micros["99"]

    def requests(self, connections):
        for name, (pid, port, credentials) in self.proxies.items():
            before = cpu_seconds(pid)
            count, p50, p99 = self.wrk(port, credentials, connections)
            yield name, {"cpu_us": (cpu_seconds(pid) - before) * 1e6 / count, "per_s": count / self.seconds, "p50_us": p50, "p99_us": p99}
        if connections == 1:
            count, p50, p99 = self.wrk(self.origin, "x", 1)
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
                client.sendall(b"GET http://localhost:3000/hello HTTP/1.1\r\nHost: localhost:3000\r\nProxy-Authorization: Basic "
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
