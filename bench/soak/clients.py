"""What clients do. Each kind is a function that does it once and raises where the outcome is not the one it must be."""
import os, random, socket, ssl, struct, time
import h2

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n"
BROKEN = ("reset", "close", "half-head", "short", "half-reset", "garbage", "cl-te", "switch")
BROKEN_H1 = ("half-chunk", "no-last-chunk", "chunk")
TIMEOUT = 60


class Wire:
    """A connection to the proxy."""

    def __init__(self, port):
        self.socket, self.buffer = socket.create_connection(("127.0.0.1", port), TIMEOUT), b""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"ended after {self.buffer[-100:]!r}")
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self.more()
        out, _, self.buffer = self.buffer.partition(mark)
        return out + mark

    def exactly(self, count):
        while len(self.buffer) < count:
            self.more()
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out

    def must(self, wanted):
        got = self.exactly(len(wanted))
        if got != wanted:
            raise ValueError(f"got {got[:60]!r} for {wanted[:60]!r}")

    def answer(self, status=200, body=True):
        head = self.until(b"\r\n\r\n")
        if int(head.split(b" ", 2)[1]) != status:
            raise ValueError(f"not {status}: {head.splitlines()[0]!r} {self.buffer[:200]!r}")
        if not body:
            return b""
        lower = head.lower()
        if b"content-length:" in lower:
            return self.exactly(int(lower.split(b"content-length:")[1].split(b"\r\n")[0]))
        out = b""
        while b"chunked" in lower:
            size = int(self.until(b"\r\n"), 16)
            out += self.exactly(size)
            self.must(b"\r\n")
            if size == 0:
                break
        return out

    def secure(self, ca, name, protocols=()):
        context = ssl.create_default_context(cafile=ca)
        if protocols:
            context.set_alpn_protocols(protocols)
        self.socket = context.wrap_socket(self.socket, server_hostname=name)

    def abort(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def request(context, path, method=b"GET", fields=b""):
    return method + b" http://localhost:3000" + path.encode() + b" HTTP/1.1\r\nHost: localhost:3000\r\n" + context.authorization + fields + b"\r\n"


def connect(wire, context, authority):
    name = authority.encode()
    wire.send(b"CONNECT " + name + b" HTTP/1.1\r\nHost: " + name + b"\r\n" + context.authorization + b"\r\n")
    wire.answer(200, body=False)


def any_route(stage):
    return random.choice((stage.h1, stage.h2c, stage.tls))


def raw_route(stage):
    """One that can carry raw bytes, which the public hosts cannot."""
    return random.choice((stage.h1, stage.h2c))


def must_have(body, size):
    if len(body) != size:
        raise ValueError(f"{len(body)} bytes of {size}")


def kept(stage):
    context, sizes = any_route(stage), [random.choice((0, 12, 2_000, 60_000)) for _ in range(20)]
    with Wire(stage.port) as wire:
        for size in sizes:
            wire.send(request(context, random.choice((f"/bytes/{size}", f"/chunked/{size}"))))
            must_have(wire.answer(), size)


def large(stage):
    with Wire(stage.port) as wire:
        wire.send(request(any_route(stage), "/bytes/3000000"))
        must_have(wire.answer(), 3_000_000)


def h2_fields(context, path):
    return [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"localhost:3000"), (b":path", path.encode()),
            (b"proxy-authorization", context.authorization.split(b": ", 1)[1].strip())]


def h2_requests(client, context):
    for _ in range(4):
        sizes = [random.choice((0, 12, 2_000, 60_000)) for _ in range(10)]
        answers = client.ask([h2_fields(context, f"/bytes/{size}") for size in sizes])
        if list(answers.values()) != [[True, size, True] for size in sizes]:
            raise ValueError(f"{answers} for {sizes}")


def h2c(stage):
    with Wire(stage.port) as wire:
        h2_requests(h2.Client(wire.socket), any_route(stage))


def tls(stage):
    """TLS to the proxy itself, HTTP/1 or HTTP/2 by ALPN."""
    protocol = random.choice(("h2", "http/1.1"))
    with Wire(stage.port) as wire:
        wire.secure(stage.ca, "localhost", [protocol])
        if protocol == "h2":
            return h2_requests(h2.Client(wire.socket), any_route(stage))
        wire.send(request(any_route(stage), "/bytes/2000"))
        must_have(wire.answer(), 2_000)


def intercepted(stage):
    """https://localhost in a CONNECT."""
    with Wire(stage.port) as wire:
        connect(wire, any_route(stage), "localhost:3000")
        wire.secure(stage.ca, "localhost", ["http/1.1"])
        wire.send(b"GET /bytes/2000 HTTP/1.1\r\nHost: localhost:3000\r\n\r\n")
        must_have(wire.answer(), 2_000)


def ws_frame(opcode, payload, mask=b"\1\2\3\4"):
    size = bytes([128 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
    return bytes([128 | opcode]) + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def ws_open(stage, context):
    wire = Wire(stage.port)
    wire.send(request(context, "/ws", fields=UPGRADE))
    wire.answer(101, body=False)
    return wire


def ws_echo(wire, payload):
    size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack(">H", len(payload))
    wire.send(ws_frame(2, payload))
    wire.must(b"\x82" + size + payload)


def websocket(stage):
    with ws_open(stage, any_route(stage)) as wire:
        for _ in range(10):
            ws_echo(wire, os.urandom(random.choice((1, 100, 5_000))))
        wire.send(ws_frame(8, b"\x03\xe8"))
        wire.must(b"\x88\x02\x03\xe8")


def echo(wire, rounds=5):
    for _ in range(rounds):
        data = b"\1" + os.urandom(random.choice((1, 500, 30_000)))  # which is no request, and no TLS
        wire.send(data)
        wire.must(data)


def tunnel(stage):
    with Wire(stage.port) as wire:
        connect(wire, raw_route(stage), "localhost:5432")
        echo(wire)
        wire.socket.shutdown(socket.SHUT_WR)
        while wire.socket.recv(65536):
            pass


def socks_open(stage, context, port):
    wire = Wire(stage.port)
    text = lambda value: bytes([len(value)]) + value.encode()
    wire.send(b"\5\1\2")
    wire.must(b"\5\2")
    wire.send(b"\1" + text(context.username) + text(context.password))
    wire.must(b"\1\0")
    wire.send(b"\5\1\0\3" + text("localhost") + struct.pack(">H", port))
    wire.must(b"\5\0\0\1\0\0\0\0\0\0")
    return wire


def socks(stage):
    with socks_open(stage, raw_route(stage), 5432) as wire:
        echo(wire)


def upload(stage):
    size = random.choice((10, 100_000, 2_000_000))
    with Wire(stage.port) as wire:
        wire.send(request(any_route(stage), "/upload", b"POST", b"Content-Length: %d\r\n" % size))
        for at in range(0, size, 65536):
            wire.send(b"x" * min(65536, size - at))
        if b'"length":%d' % size not in wire.answer().replace(b" ", b""):
            raise ValueError("the workspace got another length")


def aborted(stage):
    """Clients that leave at some stage of their life, by FIN or RST."""
    context = any_route(stage)
    what = random.choice(("nothing", "head", "hang", "body", "upload", "tunnel", "websocket", "events", "streams"))
    with Wire(stage.port) as wire:
        if what == "head":
            wire.send(request(context, "/")[:40])
        elif what == "hang":
            wire.send(request(context, "/hang"))
        elif what == "body":
            wire.send(request(context, "/bytes/1000000"))
            wire.more()
        elif what == "upload":
            wire.send(request(context, "/upload", b"POST", b"Content-Length: 100000\r\n") + b"x" * 5000)
        elif what == "tunnel":
            connect(wire, raw_route(stage), "localhost:5432")
        elif what == "websocket":
            wire.send(request(context, "/ws", fields=UPGRADE))
        elif what == "events":
            wire.send(request(context, "/sse?count=0&gap=1"))
            wire.until(b"event 1")
        elif what == "streams":
            client = h2.Client(wire.socket)
            wire.send(b"".join(h2.frame(1, 5, 2 * i + 1, h2.block(h2_fields(context, "/hang"))) for i in range(10)))
            client.read()
        if random.random() < 0.5:
            wire.abort()


def broken(stage):
    """Upstreams that break: 502, or an answer that is seen to be cut. Over HTTP/2 they have a host of their own: what breaks is
    the connection, which others would share."""
    context, what = random.choice(((stage.h1, BROKEN + BROKEN_H1), (stage.breaking, BROKEN)))
    with Wire(stage.port) as wire:
        wire.send(request(context, f"/broken/{random.choice(what)}"))
        got = b""
        while not (got.startswith(b"HTTP/1.1 502 ") and b"\r\n\r\n" in got):
            try:
                more = wire.socket.recv(65536)
            except ConnectionResetError:
                return
            if not more:
                return
            got += more


def contexts(stage):
    """One that is made, used, and released while a tunnel and a request of it are open."""
    context = stage.context(cmuxProxyOrigin=f"http://127.0.0.1:{stage.workspace_port}")
    with Wire(stage.port) as wire, Wire(stage.port) as other, Wire(stage.port) as late:
        connect(wire, context, "localhost:5432")
        echo(wire, 1)
        other.send(request(context, "/sse?count=0&gap=10"))
        other.until(b"event 1")
        stage.api("DELETE", f"/v1/contexts/{context.id}")
        for each in (wire, other):
            try:
                while each.socket.recv(65536):
                    pass
            except ConnectionResetError:
                pass
        late.send(request(context, "/"))
        late.answer(407)


KINDS = {"kept": (kept, 30), "large": (large, 3), "h2c": (h2c, 15), "tls": (tls, 8), "intercepted": (intercepted, 6), "websocket": (websocket, 10),
         "tunnel": (tunnel, 10), "socks": (socks, 8), "upload": (upload, 6), "aborted": (aborted, 15), "broken": (broken, 10),
         "contexts": (contexts, 3)}


def act(stage, counts, failures, until):
    """One thread's life; `counts` and `failures` are by kind and shared."""
    names, weights = list(KINDS), [weight for _, weight in KINDS.values()]
    while time.time() < until and stage.lives():
        index = random.choices(range(len(names)), weights)[0]
        try:
            KINDS[names[index]][0](stage)
            counts[index] += 1
        except Exception as error:  # whatever it is, it is a failure of this kind, and is told
            failures.put((names[index], f"{type(error).__name__}: {error}"))
