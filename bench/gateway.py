#!/usr/bin/env python3
"""CPU per request of both gateways beside `serve` on the same leg: HTTP/1, 32 kept connections, 12-byte body, in interleaved rounds.

usage: bench/gateway.py [--rounds N] [--seconds N]

`names with token` is `names` where each request shows an access token (Ed25519), which is checked once a connection: the difference of the two
is what a token costs a request. Needs a release build, nginx and wrk. Compare the ratios of one run, never figures of different runs.
"""
import argparse, base64, json, os, re, shutil, statistics, subprocess, sys, tempfile
from compare import BINARY, CLIENT_CORE, PROXY_CORE, cpu_seconds, free_port


class Gateways:
    def __init__(self):
        self.children, self.dir = [], tempfile.mkdtemp(prefix="cmuxproxy-bench-")
        os.chmod(self.dir, 0o755)  # the origin's worker is another user
        self.environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.environment |= {"CMUXPROXY_RUNTIME_DIR": self.path("run"), "CMUXPROXY_STATE_DIR": self.path("state"), "HOME": self.dir}
        origin = free_port()
        temporary = " ".join(f"{kind}_temp_path {self.path(kind)};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.write("nginx.conf", f"""
            worker_processes 1; daemon off; pid {self.path('nginx.pid')}; error_log {self.path('nginx.log')};
            events {{ worker_connections 4000; }}
            http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; {temporary}
              server {{ listen 127.0.0.1:{origin}; location /hello {{ return 200 "hello world\\n"; }} }} }}""")
        self.children.append(subprocess.Popen(["taskset", "-c", CLIENT_CORE, "nginx", "-p", self.dir, "-c", self.path("nginx.conf")],
                                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        self.write("machines.toml", f'abc = "http://127.0.0.1:{origin}"\n')
        self.tell("gateway", "key", "make", self.path("keys.json"))
        token = self.tell("gateway", "token", "--keys", self.path("keys.json"), "--id", "abc").strip()
        names = ["gateway", "names", "--domain", "gw.test", "--machines", self.path("machines.toml")]
        host = "cmux-abc-3000.gw.test"
        serve, port = self.start("serve")
        route = json.loads(self.tell("ctx", "create", "--json", "--cmux-proxy-origin", f"http://127.0.0.1:{origin}"))
        basic = base64.b64encode(f"{route['username']}:{route['password']}".encode()).decode()
        self.subjects = {"serve": (serve, port, "http://localhost:3000/hello",
                                   {"Host": "localhost:3000", "Proxy-Authorization": f"Basic {basic}"}),
                         "machine": (*self.start("gateway", "machine"), "/hello", {"Host": "machine.test", "X-Cmux-Port-Internal": str(origin)}),
                         "names": (*self.start(*names), "/hello", {"Host": host}),
                         "names with token": (*self.start(*names, "--keys", self.path("keys.json"), "--instance", "tokens"), "/hello",
                                              {"Host": host, "Authorization": f"Bearer {token}"})}

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def tell(self, *command):
        return subprocess.run([BINARY, *command], env=self.environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True).stdout

    def start(self, *command):
        child = subprocess.Popen(["taskset", "-c", PROXY_CORE, BINARY, *command, "--json", "--listen", "127.0.0.1:0"],
                                 env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.children.append(child)
        return child.pid, json.loads(child.stdout.readline())["port"]

    def measure(self, name, seconds):
        pid, port, path, fields = self.subjects[name]
        self.write("wrk.lua", f'wrk.path = "{path}"\n' + "".join(f'wrk.headers["{k}"] = "{v}"\n' for k, v in fields.items()))
        before = cpu_seconds(pid)
        out = subprocess.run(["taskset", "-c", CLIENT_CORE, "wrk", "-t1", "-c32", f"-d{seconds}", "-s", self.path("wrk.lua"),
                              f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in out or "Socket errors" in out:
            sys.exit(f"{name} had errors:\n{out}")
        return (cpu_seconds(pid) - before) * 1e6 / int(re.search(r"(\d+) requests in", out).group(1))

    def close(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait()
        shutil.rmtree(self.dir)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    arguments = parser.parse_args()
    gateways = Gateways()
    try:
        runs = {name: [] for name in gateways.subjects}
        for _ in range(arguments.rounds):
            for name in runs:
                runs[name].append(gateways.measure(name, arguments.seconds))
        medians = {name: statistics.median(values) for name, values in runs.items()}
        for name, value in medians.items():
            print(f"{name:17} {value:6.2f} µs of CPU a request, {value / medians['serve']:.3f} of serve's")
        print(f"a token costs {medians['names with token'] - medians['names']:.2f} µs a request")
    finally:
        gateways.close()


if __name__ == "__main__":
    main()
