// --forward auto: ports of the workspace are forwarded as they appear there; and which listen is told by `ctx show`, `ctx list
// --ports`.
#include <algorithm>

#include "gateway.hpp"
#include "h1_origin.hpp"
#include "rows.hpp"
#include "support.hpp"

using namespace e2e;

namespace {

namespace json = boost::json;

Strings operator+(Strings one, const Strings& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

// A far end that says what it is told to say.
struct FakeEnd : RecordingOrigin {
  void tell(const std::string& body, std::string_view status = "200 OK") {
    answer(fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body));
  }
  Strings route() const { return {"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", port())}; }
  Strings automatic() const { return route() + Strings{"--forward", "auto"}; }
};

// A port that was free on both addresses; and one that is taken while this lives.
struct TakenPort {
  TakenPort() {
    const int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 1) != 0) FAIL("no port is free");
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  ~TakenPort() { free(); }
  TakenPort(const TakenPort&) = delete;
  void free() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t port = 0;
};

std::uint16_t free_port() { return TakenPort().port; }

json::object shown(const Proxy& proxy, const Context& context) {
  return json::parse(proxy.api("GET", "/v1/contexts/" + context.id).body).as_object();
}

bool lists(const json::object& context, std::string_view key, std::uint16_t port) {
  const json::object& now = context.at("autoForward").as_object();
  const json::array& ports = now.at({key.data(), key.size()}).as_array();
  return std::find(ports.begin(), ports.end(), json::value(port)) != ports.end();
}

bool becomes(const Proxy& proxy, const Context& context, std::string_view key, std::uint16_t port, bool wanted) {
  return eventually([&] { return lists(shown(proxy, context), key, port) == wanted; });
}

bool refuses(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool refused = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0;
  close(fd);
  return refused;
}

// A machine whose seventh workspace has processes of its own at 127.18.0.7, and a proxy.
struct Machine {
  Machine()
      : gateway({"machine"}, {"--token", [&] {
                                write_file(dir / "token", secret);
                                return dir / "token";
                              }()}) {}
  Strings route(std::string_view token) const {
    return {"--cmux-proxy-origin",
            fmt::format("http://127.0.0.1:{}", gateway.port()),
            "--scope",
            "ws7",
            "--morph-id",
            "abc",
            "--header",
            fmt::format("X-Cmux-Token: {}", token)};
  }
  Strings automatic() const { return route(secret) + Strings{"--forward", "auto"}; }

  const std::string secret = std::string(32, 's');
  TempDir dir;
  Gateway gateway;
  Proxy proxy;
};

Response home(std::uint16_t port) { return ask(port, "GET", "/echo", {fmt::format("Host: localhost:{}", port)}); }

}  // namespace

TEST_CASE("auto forward: a dev server's port is forwarded under its own number while it listens there") {
  Machine machine;
  std::uint16_t first = 0, second = 0;
  std::unique_ptr<Workspace> early = std::make_unique<Workspace>(Strings{"--sniff-port-header", "--bind", "127.18.0.7"});
  first = early->http_port();
  const Context context = machine.proxy.context(machine.automatic());
  // What listens already is there from the answer on.
  CHECK(lists(context.json, "forwarded", first));
  CHECK(home(first).status == 200);
  {
    const Workspace late({"--sniff-port-header", "--bind", "127.18.0.7"});
    second = late.http_port();
    REQUIRE(becomes(machine.proxy, context, "forwarded", second, true));
    CHECK(lists(shown(machine.proxy, context), "listening", second));
    CHECK(home(second).json().at("headers").as_array().size() > 0);
    CHECK(home(first).status == 200);
  }
  REQUIRE(becomes(machine.proxy, context, "forwarded", second, false));
  CHECK(eventually([&] { return refuses(second); }));
  CHECK(home(first).status == 200);
  CHECK(machine.proxy.cli({"ctx", "release", context.id}).exit == 0);
  CHECK(eventually([&] { return refuses(first); }));
}

TEST_CASE("auto forward: a number that is taken here is said, and forwarded once it is free") {
  FakeEnd end;
  Proxy proxy;
  TakenPort taken;
  end.tell(fmt::format("{{\"ports\":[{}]}}", taken.port));
  const Context context = proxy.context(end.automatic());
  CHECK(lists(context.json, "taken", taken.port));
  CHECK_FALSE(lists(context.json, "forwarded", taken.port));
  CHECK(json::serialize(context.json.at("warnings")).find(std::to_string(taken.port)) != std::string::npos);
  CHECK(eventually([&] {
    return proxy.process().stderr_text().find(fmt::format("port {} will be forwarded", taken.port)) != std::string::npos;
  }));
  taken.free();
  REQUIRE(becomes(proxy, context, "forwarded", taken.port, true));
  CHECK_FALSE(lists(shown(proxy, context), "taken", taken.port));
  CHECK_FALSE(refuses(taken.port));
  const Run table = proxy.cli({"ctx", "list"});
  CHECK(table.out.find(std::to_string(taken.port)) != std::string::npos);
}

TEST_CASE("auto forward: events say what is forwarded, and what is not") {
  FakeEnd end;
  Proxy proxy;
  const std::uint16_t port = free_port();
  end.tell("{\"ports\":[]}");
  const Context context = proxy.context(end.automatic());
  Process watch;
  watch.start({binary(), "watch", "--json", "--ctx", context.id, "--instance", proxy.instance}, proxy.environment());
  json::object event;
  // Said again and again, until somebody listens who hears a change.
  for (bool there = true;; there = !there) {
    end.tell(there ? fmt::format("{{\"ports\":[{}]}}", port) : "{\"ports\":[]}");
    REQUIRE(becomes(proxy, context, "forwarded", port, there));
    bool heard = false;
    if (there) {
      event = json::parse(watch.read_line()).as_object();
      heard = text_in(event, "event") == "context.ports";
    }
    if (heard) break;
  }
  CHECK(text_in(event, "context") == context.id);
  CHECK(event.at("taken").is_array());
  CHECK(event.at("error").is_null());
  watch.stop(SIGINT);
}

TEST_CASE("auto forward: privileged ports stay this machine's, and there is an end to how many are forwarded") {
  FakeEnd end;
  Proxy proxy;
  std::string all = "22,80,443,1023";
  for (int port = 20000; port < 65536; ++port) all += fmt::format(",{}", port);
  end.tell(fmt::format("{{\"ports\":[{}]}}", all));
  const Context context = proxy.context(end.automatic());
  const json::object now = shown(proxy, context).at("autoForward").as_object();
  CHECK(now.at("listening").as_array().size() == 1000);
  CHECK(now.at("forwarded").as_array().size() + now.at("taken").as_array().size() == 64);
  for (const std::uint16_t port : {22, 80, 443, 1023}) {
    CHECK_FALSE(lists(shown(proxy, context), "forwarded", port));
    CHECK_FALSE(lists(shown(proxy, context), "taken", port));
  }
}

TEST_CASE("auto forward: a far end that talks nonsense forwards nothing, and takes away nothing either") {
  FakeEnd end;
  Proxy proxy;
  const std::uint16_t port = free_port();
  end.tell(fmt::format("{{\"ports\":[{}]}}", port));
  const Context context = proxy.context(end.automatic());
  REQUIRE(lists(context.json, "forwarded", port));
  const auto says = [&](std::string_view what) {
    return eventually([&] {
      const json::value error = shown(proxy, context).at("autoForward").as_object().at("error");
      return error.is_string() &&
             std::string_view(error.as_string().data(), error.as_string().size()).find(what) != std::string_view::npos;
    });
  };
  for (const char* const body : {"", "[]", "{}", "{\"ports\":1}", "{\"ports\":[0]}", "{\"ports\":[65536]}", "{\"ports\":[-1]}",
                                 "{\"ports\":[3000.5]}", "{\"ports\":[\"3000\"]}", "<html>", "{\"ports\":[3000"}) {
    INFO(body);
    const Context nonsense = [&] {
      end.tell(body);
      return proxy.context(end.automatic());
    }();
    const json::object now = nonsense.json.at("autoForward").as_object();
    CHECK(now.at("forwarded").as_array().empty());
    CHECK(now.at("error").is_string());
    proxy.cli({"ctx", "release", nonsense.id});
  }
  end.tell("no", "403 Forbidden");
  CHECK(says("403"));
  CHECK(lists(shown(proxy, context), "forwarded", port));
  CHECK_FALSE(refuses(port));
  end.tell("{\"ports\":[]}");
  CHECK(becomes(proxy, context, "forwarded", port, false));
}

TEST_CASE("auto forward: another route's ports are another's, and what a page asks for changes nothing") {
  FakeEnd end, other;
  Proxy proxy;
  const std::uint16_t port = free_port(), theirs = free_port();
  end.tell(fmt::format("{{\"ports\":[{}]}}", port));
  other.tell(fmt::format("{{\"ports\":[{}]}}", theirs));
  const Context context = proxy.context(end.automatic());
  REQUIRE(lists(context.json, "forwarded", port));
  // A page may ask for any port through the proxy, and for the far end's own path: that opens nothing.
  const std::uint16_t asked = free_port();
  proxy.get(context, fmt::format("http://localhost:{}/_cmux/ports", asked));
  CHECK(refuses(asked));
  CHECK(proxy.cli(Strings{"ctx", "update", context.id} + other.route()).exit == 0);
  CHECK(eventually([&] { return refuses(port); }));
  CHECK(becomes(proxy, context, "forwarded", theirs, true));
  CHECK_FALSE(lists(shown(proxy, context), "forwarded", port));
  CHECK(proxy.cli({"ctx", "update", context.id, "--no-route"}).exit == 0);
  CHECK(eventually([&] { return refuses(theirs); }));
}

TEST_CASE("auto forward: a route whose far end can be no gateway is refused, naming the field") {
  Proxy proxy;
  for (const char* const body :
       {R"({"forwardAuto":true})", R"({"forwardAuto":true,"route":{"template":"https://{id}-{port}.example.dev","morphId":"a"}})",
        R"({"forwardAuto":true,"fromUrl":"https://space-3000.app.github.dev"})", R"({"forwardAuto":1})"}) {
    INFO(body);
    const Response answer = proxy.api("POST", "/v1/contexts", body);
    CHECK(answer.status == 400);
    CHECK(answer.body.find("forwardAuto") != std::string::npos);
  }
}

TEST_CASE("auto forward: run has the ports before its command begins, and takes them along") {
  Machine machine;
  const Workspace server({"--sniff-port-header", "--bind", "127.18.0.7"});
  const Strings command{"--", "curl", "-sS", "--noproxy", "*", fmt::format("http://localhost:{}/echo", server.http_port())};
  const Run done = machine.proxy.cli(Strings{"run"} + machine.automatic() + command);
  INFO(done.err);
  CHECK(done.exit == 0);
  CHECK(done.out.find("headers") != std::string::npos);
  CHECK(eventually([&] { return refuses(server.http_port()); }));
}

TEST_CASE("ctx show: the ports that listen in the workspace are told, of its own far end, or why not") {
  Machine machine;
  const Workspace server({"--sniff-port-header", "--bind", "127.18.0.7"});
  const auto told = [&](const json::object& context) {
    const json::value& listening = context.at("listening");
    return listening.is_array() && std::find(listening.as_array().begin(), listening.as_array().end(),
                                             json::value(server.http_port())) != listening.as_array().end();
  };
  const Context context = machine.proxy.context(machine.route(machine.secret));
  CHECK(told(machine.proxy.cli({"ctx", "show", context.id, "--json"}).json().as_object()));
  CHECK(machine.proxy.cli({"ctx", "show", context.id}).out.find("listening") != std::string::npos);
  const auto list = machine.proxy.cli({"ctx", "list", "--ports", "--json"}).json().as_object().at("contexts").as_array();
  CHECK(told(list.at(0).as_object()));
  CHECK_FALSE(machine.proxy.cli({"ctx", "list", "--json"})
                  .json()
                  .as_object()
                  .at("contexts")
                  .as_array()
                  .at(0)
                  .as_object()
                  .contains("listening"));

  const Context stranger = machine.proxy.context(machine.route("wrong"));
  const Run shown = machine.proxy.cli({"ctx", "show", stranger.id, "--json"});
  CHECK(shown.json().as_object().at("listening").is_null());
  CHECK(shown.err.find("403") != std::string::npos);
  CHECK(machine.proxy.api("GET", "/v1/contexts/" + stranger.id + "/ports").status == 502);
  const Context none = machine.proxy.context();
  CHECK(machine.proxy.api("GET", "/v1/contexts/" + none.id + "/ports").status == 409);
  CHECK(machine.proxy.cli({"ctx", "show", none.id}).err.empty());
  CHECK(machine.proxy.api("GET", "/v1/contexts/ctx-0-0000000000000000/ports").status == 404);
}

TEST_CASE("ctx show: a far end that says nothing, or without end, holds up nobody for long") {
  FakeEnd end;
  Proxy proxy;
  const Context context = proxy.context(end.route());
  end.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{");
  const Response silent = proxy.api("GET", "/v1/contexts/" + context.id + "/ports");
  CHECK(silent.status == 502);
  CHECK(silent.body.find("in time") != std::string::npos);
  end.tell("{\"ports\":[" + std::string(600 * 1024, ' ') + "]}");
  const Response endless = proxy.api("GET", "/v1/contexts/" + context.id + "/ports");
  CHECK(endless.status == 502);
  CHECK(endless.body.find("without end") != std::string::npos);
}

TEST_CASE("gateway ports: through names who has access is told the machine's ports; a page's cookie is not enough") {
  const std::string secret(32, 's');
  TempDir dir;
  write_file(dir / "token", secret);
  const Gateway machine({"machine"}, {"--token", dir / "token"});
  const Workspace server({"--sniff-port-header", "--bind", "127.18.0.7"});
  run({binary(), "gateway", "key", "make", dir / "keys.json"}, machine.environment());
  std::string token = run({binary(), "gateway", "token", "--keys", dir / "keys.json", "--id", "abc"}, machine.environment()).out;
  while (token.ends_with('\n')) token.pop_back();
  write_file(dir / "machines.toml", fmt::format("abc = \"http://127.0.0.1:{}\"\n", machine.port()));
  const Strings flags{"--domain", "cmux.test", "--machines", dir / "machines.toml", "--machine-token", dir / "token"};
  const Gateway open({"names"}, flags);
  const Strings closed{"--keys", dir / "keys.json", "--tls-cert", pki() + "/srv.crt", "--tls-key", pki() + "/srv.key"};
  const Gateway names({"names"}, flags + closed);

  Proxy proxy({"--resolve", fmt::format("cmux-abc-*.cmux.test=127.0.0.1:{}", names.port())}, &server);
  const Strings route{"--morph-id", "abc", "--scope", "ws7", "--domain-suffix", "cmux.test"};
  const Context context = proxy.context(route + Strings{"--header", "Authorization: Bearer " + token, "--forward", "auto"});
  CHECK(lists(context.json, "forwarded", server.http_port()));
  CHECK(home(server.http_port()).status == 200);

  const Context stranger = proxy.context(route);
  const Response refused = proxy.api("GET", "/v1/contexts/" + stranger.id + "/ports");
  CHECK(refused.status == 502);
  CHECK(refused.body.find("401") != std::string::npos);
  // A page that shows the cookie gets what the dev server has under that path; so does everybody where no access is asked for.
  const std::string host = fmt::format("Host: cmux-abc-ws7-{}.cmux.test", server.http_port());
  CHECK(ask(open.port(), "GET", "/_cmux/ports", {host}).body == "nothing at /_cmux/ports\n");
  const Response page = proxy.get(stranger, fmt::format("http://localhost:{}/_cmux/ports", server.http_port()),
                                  fmt::format("Cookie: __Host-cmux_token={}\r\n", token));
  CHECK(page.body == "nothing at /_cmux/ports\n");
}
