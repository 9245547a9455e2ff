#!/usr/bin/env python3
"""POSTs at random pauses through cmuxproxy, HAProxy and nghttpx to Node servers that close a connection after 5 s of rest: how many are lost
to a connection that closes while the request is on its way, and how many reach the server twice.

usage: bench/keepalive.py [--posts N] [--clients N] [--least SECONDS] [--most SECONDS] [cmuxproxy] [haproxy] [nghttpx] [straight]

Each client has a server port of its own, so that its pauses (--least to --most, 0 to 12 s) are those of the connection upstream, and keeps its connection to the
proxy. `straight` is a client without a proxy that does what a proxy must not: it uses its connection again whenever it looks open. All run at once,
each with a Node process of its own: 10,000 POSTs by 300 clients take some 3.5 minutes. `--least 4.9 --most 5.1` looks for the race. Needs a release build, node, and from Debian: haproxy
nghttp2-proxy. Exit status 0: cmuxproxy has lost none, and sent none twice.
"""
import argparse, asyncio, collections, json, os, random, subprocess, sys, tempfile
from stage import BINARY, basic, free_port, wait_for

ALL = ["cmuxproxy", "haproxy", "nghttpx", "straight"]
PATIENCE = 30  # seconds for an answer

# Default settings throughout: keepAliveTimeout is 5 s. Prints its ports; a GET tells how often each POST has come.
SERVER = """
const http = require('http'), seen = {};
const serve = (request, response) => {
  let body = '';
  request.on('data', piece => body += piece).on('end', () => {
    if (request.method === 'POST') seen[body] = (seen[body] || 0) + 1;
    response.end(request.method === 'POST' ? body : JSON.stringify(seen));
  });
};
const ports = [], count = Number(process.argv[1]);
for (let i = 0; i < count; ++i) {
  const server = http.createServer(serve).listen(0, '127.0.0.1', () => {
    ports.push(server.address().port);
    if (ports.length === count) console.log(JSON.stringify(ports));
  });
}
"""


class Way:
    """One way to the servers: starts what it needs, and says how a client is to ask for a port."""

    def __init__(self, name, count, folder):
        self.name, self.folder, self.children = name, os.path.join(folder, name), []
        os.mkdir(self.folder)
        server = self.start(["node", "-e", SERVER, str(count)], stdout=subprocess.PIPE)
        self.ports = json.loads(server.stdout.readline())
        getattr(self, "start_" + name)()

    def start(self, argv, **more):
        child = subprocess.Popen(argv, stderr=open(os.path.join(self.folder, "log"), "a"), **more)
        self.children.append(child)
        return child

    def stop(self):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            child.wait()

    def address(self, port):
        return ("127.0.0.1", port) if self.name == "straight" else ("127.0.0.1", self.proxy)

    def head(self, port):
        host = "localhost" if self.name == "cmuxproxy" else f"p{port}.test"
        target = f"http://{host}:{port}/" if self.name == "cmuxproxy" else "/"
        return f"POST {target} HTTP/1.1\r\nHost: {host}:{port}\r\n" + self.credentials

    credentials = ""

    def start_straight(self):
        pass

    def start_cmuxproxy(self):
        environment = {**os.environ, "CMUXPROXY_RUNTIME_DIR": self.folder, "CMUXPROXY_STATE_DIR": self.folder}
        child = self.start([BINARY, "serve", "--json", "--listen", "127.0.0.1:0", "--instance", "bench"], stdout=subprocess.PIPE,
                           env=environment)
        self.proxy = json.loads(child.stdout.readline())["port"]
        made = subprocess.run([BINARY, "ctx", "create", "--json", "--instance", "bench", "--template", "http://127.0.0.1:{port}"],
                              check=True, capture_output=True, env=environment)
        self.credentials = f"Proxy-Authorization: {basic(json.loads(made.stdout))}\r\n"

    def start_haproxy(self):
        self.proxy = free_port()
        config = f"global\n  maxconn 8000\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        config += f"frontend all\n  bind 127.0.0.1:{self.proxy}\n  use_backend %[req.hdr(host),field(1,:),lower]\n"
        for port in self.ports:
            config += f"backend p{port}.test\n  server node 127.0.0.1:{port}\n"
        self.run_with(config, lambda path: ["haproxy", "-db", "-f", path])

    def start_nghttpx(self):
        self.proxy = free_port()
        config = f"frontend=127.0.0.1,{self.proxy};no-tls\nworkers=1\n"
        for port in self.ports:
            config += f"backend=127.0.0.1,{port};p{port}.test/\n"
        config += f"backend=127.0.0.1,{self.ports[0]}\n"
        self.run_with(config, lambda path: ["nghttpx", f"--conf={path}"])

    def run_with(self, config, argv):
        path = os.path.join(self.folder, "config")
        with open(path, "w") as file:
            file.write(config)
        self.start(argv(path), stdout=subprocess.DEVNULL)
        wait_for(self.proxy)


class Client:
    def __init__(self, way, number, posts, pauses, results):
        self.way, self.number, self.posts, self.pauses, self.results = way, number, posts, pauses, results
        self.reader = self.writer = None

    async def run(self):
        for turn in range(self.posts):
            await asyncio.sleep(random.uniform(*self.pauses))
            self.results[await self.post(f"{self.number}-{turn}")] += 1
        self.leave()

    def leave(self):
        if self.writer:
            self.writer.close()
        self.writer = None

    # "200", what else the answer was, or how the connection ended.
    async def post(self, body):
        port = self.way.ports[self.number]
        try:
            if self.writer and self.reader.at_eof():
                self.leave()
            if not self.writer:
                self.reader, self.writer = await asyncio.open_connection(*self.way.address(port))
            self.writer.write((self.way.head(port) + f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
            return await asyncio.wait_for(self.answer(body), PATIENCE)
        except asyncio.TimeoutError:
            how = "no answer"
        except (OSError, asyncio.IncompleteReadError, EOFError):
            how = "closed"
        self.leave()
        return how

    async def answer(self, body):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = head.split()[1]
        if "transfer-encoding: chunked" in head:
            text = b""
            while size := int(await self.reader.readline(), 16):
                text += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
        else:
            text = await self.reader.readexactly(int(head.split("content-length:")[1].split()[0]))
        if "connection: close" in head:
            self.leave()
        return status if status != "200" or text == body.encode() else "another's answer"


async def twice(way):
    reader, writer = await asyncio.open_connection("127.0.0.1", way.ports[0])
    writer.write(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
    seen = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
    writer.close()
    return sum(count > 1 for count in seen.values())


async def measure(ways, arguments):
    results = {way.name: collections.Counter() for way in ways}
    each = -(-arguments.posts // arguments.clients)
    await asyncio.gather(*(Client(way, number, each, (arguments.least, arguments.most), results[way.name]).run()
                           for way in ways for number in range(arguments.clients)))
    good = True
    print(f"{'':<10} {'POSTs':>7} {'lost':>6} {'twice':>6}  how")
    for way in ways:
        counts = results[way.name]
        total, again = sum(counts.values()), await twice(way)
        lost = total - counts["200"]
        good = good and (way.name != "cmuxproxy" or lost + again == 0)
        print(f"{way.name:<10} {total:>7} {lost:>6} {again:>6}  {', '.join(f'{n} {how}' for how, n in counts.items() if how != '200')}")
    return good


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("ways", nargs="*", metavar="WAY", default=ALL)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--least", type=float, default=0)
    parser.add_argument("--most", type=float, default=12)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cmuxproxy-bench-") as folder:
        ways = []
        try:
            for name in arguments.ways:
                ways.append(Way(name, arguments.clients, folder))
            good = asyncio.run(measure(ways, arguments))
        finally:
            for way in ways:
                way.stop()
    sys.exit(0 if good else 1)


main()
