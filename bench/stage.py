"""What the benches start and end: children on cores of their own in a folder of their own, an nginx origin, cmuxproxy, and clients; and
what these have cost. The programs under test run on the last core, origin and clients on core 0."""
import base64, json, os, re, shutil, socket, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.environ.get("CMUXPROXY_BIN", os.path.join(ROOT, "build/release/cmuxproxy"))
PROXY_CORE, CLIENT_CORE = str((os.cpu_count() or 1) - 1), "0"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, seconds=30):
    until = time.time() + seconds
    while time.time() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"nothing answers on port {port}")


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
    """Of user and system together, by the scheduler's clock; of threads that live."""
    threads = (f"/proc/{each}/task/{thread}" for each in processes_of(pid) for thread in os.listdir(f"/proc/{each}/task"))
    return sum(int(open(f"{thread}/schedstat").read().split()[0]) for thread in threads) / 1e9


def memory_kb(pid):
    return sum(int(re.search(r"Pss:\s+(\d+)", open(f"/proc/{each}/smaps_rollup").read()).group(1)) for each in processes_of(pid))


def basic(context):
    """What a client shows, of what `ctx create --json` has printed."""
    return "Basic " + base64.b64encode(f"{context['username']}:{context['password']}".encode()).decode()


class Stage:
    def __init__(self):
        self.children, self.dir = [], tempfile.mkdtemp(prefix="cmuxproxy-bench-")
        os.chmod(self.dir, 0o755)  # nginx's worker is another user
        self.environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.environment |= {"CMUXPROXY_RUNTIME_DIR": self.path("run"), "CMUXPROXY_STATE_DIR": self.path("state"), "HOME": self.dir}

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def run(self, core, *command, **more):
        child = subprocess.Popen(["taskset", "-c", core, *command], env=self.environment, stderr=subprocess.DEVNULL,
                                 **{"stdout": subprocess.DEVNULL, **more})
        self.children.append(child)
        return child

    def nginx(self, locations):
        """An origin; its port."""
        port = free_port()
        temporary = " ".join(f"{kind}_temp_path {self.path(kind)};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = self.write("nginx.conf", f"""
            worker_processes 1; daemon off; pid {self.path('nginx.pid')}; error_log {self.path('nginx.log')};
            events {{ worker_connections 16000; }}
            http {{ access_log off; sendfile on; keepalive_requests 1000000000; keepalive_timeout 1h; {temporary}
              server {{ listen 127.0.0.1:{port}; root {self.path('www')}; {locations} }} }}""")
        self.run(CLIENT_CORE, "nginx", "-p", self.dir, "-c", config)
        wait_for(port)
        return port

    def cmux(self, *command, listen="127.0.0.1:0"):
        """`serve` or a gateway on the core of its own: its pid, and what it says when it is ready."""
        child = self.run(PROXY_CORE, BINARY, *command, "--json", "--listen", listen, stdout=subprocess.PIPE, text=True)
        return child.pid, json.loads(child.stdout.readline())

    def tell(self, *command):
        return subprocess.run([BINARY, *command], env=self.environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True).stdout

    def wrk(self, port, path, fields, connections, seconds):
        """HTTP/1 on kept connections: how many requests, and the times that a half and 99 of 100 of them took at the most, in µs."""
        lua = f'wrk.path = "{path}"\n' + "".join(f'wrk.headers["{k}"] = "{v}"\n' for k, v in fields.items())
        out = subprocess.run(["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s",
                              self.write("wrk.lua", lua), f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in out or "Socket errors" in out:
            sys.exit(f"the run on port {port} had errors:\n{out}")
        unit = {"us": 1, "ms": 1e3, "s": 1e6}
        micros = {p: float(v) * unit[u] for p, v, u in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", out)}
        return int(re.search(r"(\d+) requests in", out).group(1)), micros["50"], micros["99"]

    def h2load(self, port, path, fields, *flags):
        """HTTP/2 without TLS: how many requests."""
        argv = [part for k, v in fields.items() for part in ("-H", f"{k}: {v}")]
        out = subprocess.run(["taskset", "-c", CLIENT_CORE, "h2load", *flags, *argv, f"http://127.0.0.1:{port}{path}"],
                             capture_output=True, text=True, check=True).stdout
        codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", out)
        if not codes or int(codes.group(1)) == 0 or any(int(codes.group(i)) for i in (2, 3, 4)):
            sys.exit(f"the run on port {port} had errors:\n{out}")
        return int(codes.group(1))

    def close(self):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            child.wait()
        shutil.rmtree(self.dir)
