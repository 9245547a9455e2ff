"""The proxy and what stands behind it, as processes that end with this one; and what the proxy says of itself."""
import base64, collections, http.client, json, os, re, resource, shutil, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CMUX_BUILD", os.path.join(ROOT, "build/release"))

Context = collections.namedtuple("Context", "id username password authorization")


def context_of(made):
    pair = base64.b64encode(f"{made['username']}:{made['password']}".encode()).decode()
    return Context(made["id"], made["username"], made["password"], f"Proxy-Authorization: Basic {pair}\r\n".encode())


def raise_descriptors(wanted):
    """As many as the system gives, for this process and its children; root may have more than its limit was."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Stage:
    def __init__(self, flags):
        self.dir, self.children = tempfile.mkdtemp(prefix="cmuxproxy-soak-"), []
        subprocess.run(["sh", os.path.join(ROOT, "fixtures/certs.sh"), self.dir], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith("CMUXPROXY_")}
        self.environment |= {"CMUXPROXY_RUNTIME_DIR": self.path("run"), "CMUXPROXY_STATE_DIR": self.path("state"), "HOME": self.dir}
        workspace = self.start(os.path.join(BUILD, "fixtures/fake-workspace"), "--exit-with-stdin", "--http", "0", "--https", "0", "--cert",
                               self.path("srv.crt"), "--key", self.path("srv.key"), "--alpn", "h2,http/1.1")
        self.workspace_port = workspace["http"]
        ready = self.start(os.path.join(BUILD, "cmuxproxy"), "serve", "--json", "--dumpable", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                           "--log-level", "error", "--upstream-ca", self.path("ca.crt"), "--resolve", f"*.cmux.test=127.0.0.1:{workspace['https']}", *flags)
        self.pid, self.port, self.ca = ready["pid"], ready["port"], ready["caFile"]
        self.admin = int(ready["admin"].rpartition(":")[2])
        self.token = json.load(open(self.path("run/default.json")))["token"]
        self.h1 = self.context(cmuxProxyOrigin=f"http://127.0.0.1:{self.workspace_port}")
        self.h2c = self.context(cmuxProxyOrigin=f"h2c://127.0.0.1:{self.workspace_port}")
        self.tls = self.context(domainSuffix="cmux.test")
        self.breaking = self.context(domainSuffix="cmux.test", morphId="breaking")

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, *command):
        """Its ready line."""
        log = open(self.path("log"), "a")
        child = subprocess.Popen(command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.children.append(child)
        line = child.stdout.readline()
        if not line:
            sys.exit(f"{command[0]} does not start:\n{open(self.path('log')).read()}")
        return json.loads(line)

    def api(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=30)
        try:
            fields = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), fields)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
            return json.loads(text) if text else None
        finally:
            connection.close()

    def context(self, **route):
        return context_of(self.api("POST", "/v1/contexts", {"route": {"morphId": "abc", "scope": "base", **route}}))

    def descriptors(self):
        """Those in use. Connections that wait in the pool for the next request are no leak, and are not among them."""
        status = self.api("GET", "/v1/status")
        return len(os.listdir(f"/proc/{self.pid}/fd")) - status["upstream"]["idle"], status

    def pss_kb(self):
        return int(re.search(r"^Pss:\s+(\d+)", open(f"/proc/{self.pid}/smaps_rollup").read(), re.M).group(1))

    def lives(self):
        try:
            return bool(os.listdir(f"/proc/{self.pid}/fd"))  # who has ended has none
        except OSError:
            return False

    def log(self):
        return open(self.path("log")).read()

    def close(self):
        """The proxy's exit status."""
        for child in reversed(self.children):
            child.terminate()
        status = self.children[-1].wait(30)
        for child in self.children:
            child.wait(30)
        shutil.rmtree(self.dir)
        return status
