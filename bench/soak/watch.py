"""Looks at the proxy every second, and asks it something meanwhile as a patient client would: descriptors, memory, latency. What was
seen becomes a CSV file and a plot."""
import csv, threading, time
import clients

COLUMNS = ("seconds", "phase", "descriptors", "pss_kb", "connections", "requests", "tunnels", "done", "failed", "p50_ms", "p99_ms", "max_ms")
PROBES = 20  # a second
PLOTTED = (("descriptors", "descriptors in use"), ("pss_kb", "memory (PSS), KB"), ("connections", "clients' connections"),
           ("p50_ms", "latency, median, ms"), ("p99_ms", "latency, 99 %, ms"))


class Watch:
    def __init__(self, stage, done, failed):
        self.stage, self.done, self.failed = stage, done, failed
        self.rows, self.phase, self.begin, self.over, self.errors = [], "", time.time(), threading.Event(), []
        self.times, self.lock = [], threading.Lock()
        self.threads = [threading.Thread(target=each, daemon=True) for each in (self.probe, self.sample)]
        for thread in self.threads:
            thread.start()

    def probe(self):
        """One kept connection, one small request at a time."""
        wire = None
        while not self.over.wait(1 / PROBES):
            start = time.perf_counter()
            try:
                wire = wire or clients.Wire(self.stage.port)
                wire.send(clients.request(self.stage.h1, "/bytes/12"))
                wire.answer()
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")
                wire = None
            with self.lock:
                self.times.append((time.perf_counter() - start) * 1000)
        if wire:
            wire.socket.close()

    def sample(self):
        while not self.over.wait(1):
            try:
                descriptors, status = self.stage.descriptors()
                with self.lock:
                    times, self.times = sorted(self.times) or [0.0], []
                at = lambda share: round(times[min(len(times) - 1, int(len(times) * share))], 3)
                self.rows.append(dict(zip(COLUMNS, (
                    round(time.time() - self.begin, 1), self.phase, descriptors, self.stage.pss_kb(), status["connections"]["open"],
                    status["requests"]["open"], status["openTunnels"], sum(self.done), self.failed(), at(0.5), at(0.99), at(1)))))
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def of(self, phase, column):
        return [row[column] for row in self.rows if row["phase"] == phase]

    def write(self, path):
        with open(path + ".csv", "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)
        with open(path + ".svg", "w") as file:
            file.write(plot(self.rows))


def plot(rows):
    """One chart under the other, over the same seconds; a shade tells the phases apart."""
    width, height, left, gap = 900, 130, 70, 40
    end = max(row["seconds"] for row in rows) or 1
    x = lambda seconds: left + (width - left - 10) * seconds / end
    total = len(PLOTTED) * (height + gap) + 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{total}" fill="white"/>']
    phases = []
    for row in rows:
        if not phases or phases[-1][0] != row["phase"]:
            phases.append([row["phase"], row["seconds"], row["seconds"]])
        phases[-1][2] = row["seconds"]
    for index, (name, start, stop) in enumerate(phases):
        last = x(start) > width - 100  # its name ends where it ends
        label, anchor = (width - 10, "end") if last else (x(start), "start")
        out.append(f'<rect x="{x(start):.1f}" y="30" width="{max(1, x(stop) - x(start)):.1f}" height="{total - 55}" '
                   f'fill="{("#e3ecf7", "#f7f2e3")[index % 2]}"/>'
                   f'<text x="{label:.1f}" y="{12 + 13 * (index % 2)}" text-anchor="{anchor}">{name}</text>')
    for index, (column, title) in enumerate(PLOTTED):
        top, most = 40 + index * (height + gap), max(row[column] for row in rows) or 1
        y = lambda value: top + 15 + (height - 15) * (1 - value / most)
        points = " ".join(f'{x(row["seconds"]):.1f},{y(row[column]):.1f}' for row in rows)
        out.append(f'<text x="{left}" y="{top + 8}" font-weight="bold">{title}</text>'
                   f'<text x="{left - 5}" y="{top + 20}" text-anchor="end">{most:g}</text>'
                   f'<text x="{left - 5}" y="{top + height}" text-anchor="end">0</text>'
                   f'<line x1="{left}" x2="{width - 10}" y1="{top + height}" y2="{top + height}" stroke="#888"/>'
                   f'<polyline points="{points}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>')
    out.append(f'<text x="{width - 10}" y="{total - 8}" text-anchor="end">{end:.0f} s</text></svg>')
    return "\n".join(out)
