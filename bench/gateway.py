#!/usr/bin/env python3
"""CPU per request of both gateways beside `serve` on the same leg: HTTP/1, 32 kept connections, 12-byte body, in interleaved rounds.

usage: bench/gateway.py [--rounds N] [--seconds N]

`names with token` is `names` where each request shows an access token (Ed25519), which is checked once a connection: the difference of the two
is what a token costs a request. Needs a release build, nginx and wrk. Compare the ratios of one run, never figures of different runs.
"""
import argparse, json, statistics
from stage import Stage, basic, cpu_seconds


class Gateways(Stage):
    def __init__(self):
        super().__init__()
        origin = self.nginx("""location /hello { return 200 "hello world\\n"; }""")
        self.write("machines.toml", f'abc = "http://127.0.0.1:{origin}"\n')
        self.tell("gateway", "key", "make", self.path("keys.json"))
        token = self.tell("gateway", "token", "--keys", self.path("keys.json"), "--id", "abc").strip()
        names = ["gateway", "names", "--domain", "gw.test", "--machines", self.path("machines.toml")]
        host = "cmux-abc-3000.gw.test"
        serve = self.start("serve")
        route = json.loads(self.tell("ctx", "create", "--json", "--cmux-proxy-origin", f"http://127.0.0.1:{origin}"))
        self.subjects = {"serve": (*serve, "http://localhost:3000/hello", {"Host": "localhost:3000", "Proxy-Authorization": basic(route)}),
                         "machine": (*self.start("gateway", "machine"), "/hello", {"Host": "machine.test", "X-Cmux-Port-Internal": str(origin)}),
                         "names": (*self.start(*names), "/hello", {"Host": host}),
                         "names with token": (*self.start(*names, "--keys", self.path("keys.json"), "--instance", "tokens"), "/hello",
                                              {"Host": host, "Authorization": f"Bearer {token}"})}

    def start(self, *command):
        pid, ready = self.cmux(*command)
        return pid, ready["port"]

    def measure(self, name, seconds):
        pid, port, path, fields = self.subjects[name]
        before = cpu_seconds(pid)
        count = self.wrk(port, path, fields, 32, seconds)[0]
        return (cpu_seconds(pid) - before) * 1e6 / count


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
