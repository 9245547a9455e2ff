"""The crowd: idle clients, tunnels, WebSockets and requests, all there at once, who then leave at once."""
import threading, time
import clients

IDLE, TUNNELS, WEBSOCKETS, RATE = 10_000, 5_000, 5_000, 1_000
OPENERS, ASKERS, CONTEXTS = 8, 20, 4


class Crowd:
    def __init__(self, stage, over, scale, done, failures):
        self.stage, self.scale, self.done, self.failures = stage, scale, done, failures
        self.wires, self.lock = [], threading.Lock()
        # Several views: a context may have `max-context-requests` open.
        origin = f"{dict(h1='http', h2c='h2c')[over]}://127.0.0.1:{stage.workspace_port}"
        self.contexts = [stage.context(cmuxProxyOrigin=origin) for _ in range(CONTEXTS)]

    def fail(self, what, error):
        self.failures.put((what, f"{type(error).__name__}: {error}"))

    def idle(self, context):
        wire = clients.Wire(self.stage.port)
        wire.send(clients.request(context, "/bytes/12"))
        wire.answer()
        return wire

    def tunnel(self, context):
        wire = clients.Wire(self.stage.port)
        clients.connect(wire, context, "localhost:5432")
        clients.echo(wire, 1)
        return wire

    def websocket(self, context):
        wire = clients.ws_open(self.stage, context)
        clients.ws_echo(wire, b"hello")
        return wire

    def arrive(self):
        """How many of each are there then."""
        wanted = [(self.idle, IDLE), (self.tunnel, TUNNELS), (self.websocket, WEBSOCKETS)]
        todo = [how for how, count in wanted for _ in range(int(count * self.scale))]

        def opener():
            while True:
                with self.lock:
                    if not todo:
                        return
                    how, context = todo.pop(), self.contexts[len(todo) % CONTEXTS]
                try:
                    wire = how(context)
                    with self.lock:
                        self.wires.append((how, wire))
                except Exception as error:
                    self.fail(f"crowd: {how.__name__}", error)

        self.together(opener, OPENERS)
        return {how.__name__: sum(each == how for each, _ in self.wires) for how, _ in wanted}

    def ask(self, seconds):
        """RATE requests a second, on kept connections; how many were answered, a second."""
        start, answered = time.time(), [0] * ASKERS
        pause = ASKERS / (RATE * self.scale)

        def asker(index):
            wire, at = None, start + pause * index / ASKERS
            while at < start + seconds:
                time.sleep(max(0, at - time.time()))
                at += pause
                try:
                    wire = wire or clients.Wire(self.stage.port)
                    wire.send(clients.request(self.contexts[index % CONTEXTS], "/bytes/2000"))
                    clients.must_have(wire.answer(), 2_000)
                    answered[index] += 1
                except Exception as error:
                    self.fail("crowd: request", error)
                    wire = None
            if wire:
                wire.socket.close()

        self.together(asker, ASKERS, True)
        self.done[-1] += sum(answered)
        return sum(answered) / (time.time() - start)

    def still_there(self):
        """Who was only there all the time still is, and can be heard."""
        for how, wire in self.wires:
            try:
                if how == self.tunnel:
                    clients.echo(wire, 1)
                elif how == self.websocket:
                    clients.ws_echo(wire, b"still here")
                else:
                    wire.send(clients.request(self.contexts[0], "/bytes/12"))
                    wire.answer()
            except Exception as error:
                self.fail(f"crowd: {how.__name__} that had been silent", error)

    def leave(self):
        for index, (_, wire) in enumerate(self.wires):
            wire.abort() if index % 2 else wire.socket.close()
        self.wires.clear()

    @staticmethod
    def together(what, count, numbered=False):
        threads = [threading.Thread(target=what, args=(index,) if numbered else ()) for index in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
