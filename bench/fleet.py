#!/usr/bin/env python3
"""A fleet whose parts are killed: two gateways behind HAProxy, a Redis that keeps nothing, 10,000 machines and 1,000 requests a second.

usage: bench/fleet.py [--machines N] [--rate N] [--rounds N]

Measures how long a change takes to reach both gateways, and then kills, in turn and with SIGKILL, the Redis, a gateway and the balancer, each of
which is started again two seconds later. A request is sent again until it is answered 200, for five seconds at the most; one that is not is lost.
Meanwhile both gateways are asked with a revoked token, which must never let in. Needs a release build, redis-server, haproxy and nginx.
"""
import argparse, asyncio, json, os, shutil, statistics, subprocess, sys, tempfile, time
from stage import BINARY, free_port

LEASE, RENEWAL, PATIENCE, AWAY = 30, 10, 5.0, 2.0


def command(*words):
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


class Fleet:
    def __init__(self, machines):
        self.machines, self.running, self.dir = machines, {}, tempfile.mkdtemp(prefix="cmuxproxy-fleet-")
        os.chmod(self.dir, 0o755)
        self.environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.environment |= {"CMUXPROXY_RUNTIME_DIR": self.path("run"), "CMUXPROXY_STATE_DIR": self.path("state"), "HOME": self.dir}
        self.redis, self.balancer, self.origin, self.one, self.two, self.machine = (free_port() for _ in range(6))
        temporary = " ".join(f"{kind}_temp_path {self.path(kind)};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.write("nginx.conf", f"""
            worker_processes 1; daemon off; pid {self.path('nginx.pid')}; error_log {self.path('nginx.log')};
            events {{ worker_connections 4000; }}
            http {{ access_log off; keepalive_requests 1000000000; {temporary}
              server {{ listen 127.0.0.1:{self.origin}; location / {{ return 200 "hello world\\n"; }} }} }}""")
        self.write("haproxy.cfg", f"""
            defaults
              mode http
              timeout connect 1s
              timeout client 60s
              timeout server 60s
              retries 3
              option redispatch 1
              retry-on conn-failure empty-response 503
            frontend in
              bind 127.0.0.1:{self.balancer}
              default_backend gateways
            backend gateways
              option httpchk
              http-check send meth GET uri /health ver HTTP/1.1 hdr Host gw.test
              default-server check inter 200ms fall 2 rise 1
              server one 127.0.0.1:{self.one}
              server two 127.0.0.1:{self.two}
""")
        self.tell("gateway", "key", "make", self.path("keys.json"))
        names = [BINARY, "gateway", "names", "--domain", "gw.test", "--store", self.store, "--keys", self.path("keys.json"), "--listen"]
        self.how = {"redis": ["redis-server", "--bind", "127.0.0.1", "--port", str(self.redis), "--save", "", "--dir", self.dir],
                    "nginx": ["nginx", "-p", self.dir, "-c", self.path("nginx.conf")],
                    "machine": [BINARY, "gateway", "machine", "--listen", f"127.0.0.1:{self.machine}", "--store", self.store, "--register", "live"],
                    "one": [*names, f"127.0.0.1:{self.one}", "--instance", "one"],
                    "two": [*names, f"127.0.0.1:{self.two}", "--instance", "two"],
                    "balancer": ["haproxy", "-db", "-f", self.path("haproxy.cfg")]}

    @property
    def store(self):
        return f"redis://127.0.0.1:{self.redis}"

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def tell(self, *words):
        return subprocess.run([BINARY, *words], env=self.environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def token(self):
        made = json.loads(self.tell("gateway", "token", "--keys", self.path("keys.json"), "--id", "live", "--json"))
        return made["token"], made["tokenId"]

    def start(self, name):
        log = open(self.path(name + ".log"), "a")
        self.running[name] = subprocess.Popen(self.how[name], env=self.environment, stdout=log, stderr=log)

    def kill(self, name):
        self.running[name].kill()
        self.running[name].wait()

    def close(self):
        for child in self.running.values():
            child.terminate()
        for child in self.running.values():
            child.wait()
        shutil.rmtree(self.dir)


async def ask(port, fields, reuse=None):
    """The status, and the connection for the next request; raises OSError or EOFError where there is none."""
    reader, writer = reuse or await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET / HTTP/1.1\r\n{fields}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        await reader.readexactly(length)
    except (OSError, EOFError):
        writer.close()
        raise
    if b"\r\nconnection: close" in head.lower():
        writer.close()
        return int(head[9:12]), None
    return int(head[9:12]), (reader, writer)


async def redis_do(port, commands):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(commands) + command("PING"))
    while b"+PONG\r\n" not in await reader.readline():
        pass
    writer.close()


class Trial:
    def __init__(self, fleet, rate):
        self.fleet, self.rate = fleet, rate
        self.good, _ = fleet.token()
        self.bad, self.bad_id = fleet.token()
        self.sent = self.lost = self.again = self.breaches = self.probes = 0
        self.times, self.idle, self.over = [], [], False

    def fields(self, token, machine="live"):
        return f"Host: cmux-{machine}-{self.fleet.origin}.gw.test\r\nAuthorization: Bearer {token}\r\n"

    # As so many registrars do: each renews its lease every ten seconds, and says so where it was not there.
    async def register(self):
        ids = [f"m{i}" for i in range(self.fleet.machines)]
        known, step = set(), 0
        while not self.over:
            part = ids[step % RENEWAL :: RENEWAL] if known else ids
            url = f"h2c://127.0.0.1:{self.fleet.machine}"
            try:
                await redis_do(self.fleet.redis,
                               [command("SET", f"cmux:machine:{id}", url, "PX", LEASE * 1000) for id in part] +
                               [command("XADD", "cmux:changes", "MAXLEN", "~", 10000, "*", "machine", id) for id in part if id not in known])
                known.update(part)
                step += 1
            except (OSError, EOFError):
                known.clear()
            await asyncio.sleep(1)

    async def until(self, port, token, wanted, machine="live"):
        start = time.monotonic()
        while time.monotonic() - start < 30:
            try:
                status, open_now = await ask(port, self.fields(token, machine))
                if open_now:
                    open_now[1].close()
                if status in wanted:
                    return time.monotonic() - start
            except (OSError, EOFError):
                pass
            await asyncio.sleep(0.005)
        sys.exit(f"port {port} does not answer {wanted} to {machine}")

    async def both(self, token, wanted, machine="live"):
        return max(await asyncio.gather(*(self.until(port, token, wanted, machine) for port in (self.fleet.one, self.fleet.two))))

    async def request(self):
        self.sent += 1
        start, fields = time.monotonic(), self.fields(self.good)
        while time.monotonic() - start < PATIENCE:
            try:
                status, kept = await asyncio.wait_for(ask(self.fleet.balancer, fields, self.idle.pop() if self.idle else None), PATIENCE)
                if kept:
                    self.idle.append(kept)
                if status == 200:
                    self.times.append(time.monotonic() - start)
                    return
            except (OSError, EOFError, asyncio.TimeoutError):
                pass
            self.again += 1
            await asyncio.sleep(0.05)
        self.lost += 1

    async def load(self):
        tasks, start, count = set(), time.monotonic(), 0
        while not self.over:
            due = int((time.monotonic() - start) * self.rate)
            for _ in range(due - count):
                task = asyncio.create_task(self.request())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            count = due
            await asyncio.sleep(0.002)
        await asyncio.gather(*tasks)

    async def probe(self):
        while not self.over:
            for port in (self.fleet.one, self.fleet.two):
                try:
                    status, kept = await ask(port, self.fields(self.bad))
                    if kept:
                        kept[1].close()
                    self.probes += 1
                    self.breaches += status == 200
                except (OSError, EOFError):
                    pass
            await asyncio.sleep(0.01)

    async def run(self, rounds):
        fleet = self.fleet
        for name in fleet.how:
            fleet.start(name)
        renewing = asyncio.create_task(self.register())
        began = time.monotonic()
        await self.both(self.good, (200,))
        while any(json.loads(fleet.tell("status", "--json", "--instance", name))["store"]["machines"] <= fleet.machines for name in ("one", "two")):
            await asyncio.sleep(0.05)
        print(f"{fleet.machines} machines known to both gateways {time.monotonic() - began:.1f} s after the start of all", flush=True)
        load = asyncio.create_task(self.load())
        await asyncio.sleep(2)

        url, came, went = f"h2c://127.0.0.1:{fleet.machine}", [], []
        for i in range(rounds * 5):
            token = json.loads(fleet.tell("gateway", "token", "--keys", fleet.path("keys.json"), "--id", f"new{i}", "--json"))["token"]
            await redis_do(fleet.redis, [command("SET", f"cmux:machine:new{i}", url, "PX", 60000), command("XADD", "cmux:changes", "*", "machine", f"new{i}")])
            came.append(await self.both(token, (200,), f"new{i}"))
            await redis_do(fleet.redis, [command("DEL", f"cmux:machine:new{i}"), command("XADD", "cmux:changes", "*", "machine", f"new{i}")])
            went.append(await self.both(token, (503,), f"new{i}"))
        revoked = []
        for token, id in [fleet.token() for _ in range(rounds * 5)] + [(self.bad, self.bad_id)]:
            await self.both(token, (200,))
            await asyncio.to_thread(fleet.tell, "gateway", "revoke", id, "--store", fleet.store)
            revoked.append(await self.both(token, (401,)))
        for what, times in (("a machine that comes", came), ("a machine that goes", went), ("a token that is revoked", revoked)):
            print(f"{what}: both gateways know after {statistics.median(times) * 1000:.0f} ms, {max(times) * 1000:.0f} ms at the most of {len(times)}", flush=True)

        probing = asyncio.create_task(self.probe())
        for _ in range(rounds):
            for name in ("redis", "one", "balancer", "two"):
                before = self.sent, self.again, self.lost
                fleet.kill(name)
                await asyncio.sleep(AWAY)
                fleet.start(name)
                await asyncio.sleep(AWAY + 2)
                sent, again, lost = (now - then for now, then in zip((self.sent, self.again, self.lost), before))
                print(f"{name} killed: {sent} requests, {again} sent again, {lost} lost", flush=True)
        await self.both(self.good, (200,))
        await self.both(self.bad, (401,))
        self.over = True
        await asyncio.gather(load, probing, renewing)
        times = sorted(self.times)
        print(f"in all {self.sent} requests, {self.again} sent again, {self.lost} lost; 50 % took {times[len(times) // 2] * 1000:.1f} ms, "
              f"99 % {times[len(times) * 99 // 100] * 1000:.1f} ms, the last {times[-1] * 1000:.0f} ms")
        print(f"a revoked token was shown {self.probes} times, and let in {self.breaches} times")
        return self.lost + self.breaches


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    fleet = Fleet(arguments.machines)
    try:
        sys.exit(1 if asyncio.run(Trial(fleet, arguments.rate).run(arguments.rounds)) else 0)
    finally:
        fleet.close()


if __name__ == "__main__":
    main()
