"""An HTTP/2 client that knows as much as a soak needs: several requests at once, their statuses and how much body came."""
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
WINDOW = 1 << 24  # larger than what is asked for at once: no accounts are kept


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def number(value, bits):
    """RFC 7541 section 5.1, the bits before it 0."""
    if value < (1 << bits) - 1:
        return bytes([value])
    out, value = [(1 << bits) - 1], value - ((1 << bits) - 1)
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def block(fields):
    """Literals without indexing."""
    return b"".join(b"\0" + number(len(n), 7) + n + number(len(v), 7) + v for n, v in fields)


class Client:
    def __init__(self, wire):
        self.wire, self.next, self.buffer = wire, 1, b""
        settings = struct.pack(">HI", 4, WINDOW) + struct.pack(">HI", 1, 0)  # and no dynamic table: blocks are read alone
        wire.sendall(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW)))

    def ask(self, heads):
        """All at once; {stream: (is 200, bytes of body, whole)}."""
        asked, out = {}, b""
        for fields in heads:
            asked[self.next] = [False, 0, False]
            out += frame(HEADERS, END_STREAM | END_HEADERS, self.next, block(fields))
            self.next += 2
        self.wire.sendall(out)
        left = set(asked)
        while left:
            kind, flags, stream, payload = self.read()
            if kind == GOAWAY:
                raise ConnectionError(f"GOAWAY {payload.hex()}")
            if kind == PING and not flags & ACK:
                self.wire.sendall(frame(PING, ACK, 0, payload))
            if kind == SETTINGS and not flags & ACK:
                self.wire.sendall(frame(SETTINGS, ACK, 0))
            if kind == HEADERS and stream in left:
                asked[stream][0] = asked[stream][0] or b"\x88" in payload[:8]  # :status 200 of the static table
            if kind == DATA:
                asked[stream][1] += len(payload)
                if payload:
                    self.wire.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))))
            if kind == RST_STREAM or kind in (DATA, HEADERS) and flags & END_STREAM:
                asked[stream][2] = kind != RST_STREAM
                left.discard(stream)
        return asked

    def read(self):
        head = self.exactly(9)
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        return kind, flags, stream & 0x7FFFFFFF, self.exactly(int.from_bytes(head[:3], "big"))

    def exactly(self, count):
        while len(self.buffer) < count:
            more = self.wire.recv(65536)
            if not more:
                raise ConnectionError("the connection ended")
            self.buffer += more
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out
