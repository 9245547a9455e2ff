// Listeners that contexts have of their own: dedicated and forwarded ports.
#include "support.hpp"
#include "websocket.hpp"

namespace e2e {
namespace {

const Strings kRoute = {"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"};

Context made(const Proxy& proxy, Strings flags) {
  flags.insert(flags.end(), kRoute.begin(), kRoute.end());
  return proxy.context(flags);
}

std::uint16_t dedicated(const Context& context) { return static_cast<std::uint16_t>(number_in(context.json, "dedicatedPort")); }
std::uint16_t forwarded(const Context& context, std::size_t index = 0) {
  return static_cast<std::uint16_t>(number_in(context.json.at("forwards").as_array().at(index).as_object(), "local"));
}

bool is_home(const std::string& body, int port) { return body.ends_with(fmt::format("scope base port {}\n", port)); }

Run curl(const Proxy& proxy, Strings args) {
  Strings all = {"curl", "-sS", "--max-time", "20", "--noproxy", ""};
  all.insert(all.end(), args.begin(), args.end());
  return run(all, proxy.environment());
}

// Nobody accepts there any more.
bool refuses(std::uint16_t port, const char* ip = "127.0.0.1") {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, ip, &address.sin_addr);
  address.sin_port = htons(port);
  const bool refused = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0;
  close(fd);
  return refused;
}

}  // namespace

TEST_CASE("doors: a dedicated port asks for no credentials, and speaks all that the main one does") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = made(proxy, {"--dedicated-port"});
  const std::string address = fmt::format("127.0.0.1:{}", dedicated(context));
  CHECK(text_in(context.json, "proxy") == address);
  CHECK(text_in(context.json, "proxyUrl") == "http://" + address);
  CHECK(text_in(context.json, "socksUrl") == "socks5h://" + address);
  CHECK(text_in(context.json, "pacUrl") == "http://" + address + "/proxy.pac");
  const std::string ca = text_in(proxy.ready, "caFile");

  SECTION("HTTP/1") { CHECK(is_home(curl(proxy, {"-x", "http://" + address, "http://localhost:3000/"}).out, 3000)); }
  SECTION("over TLS") {
    CHECK(is_home(curl(proxy, {"-x", "https://" + address, "--proxy-cacert", ca, "http://localhost:3000/"}).out, 3000));
  }
  SECTION("HTTP/2 by prior knowledge") {
    const Run answer = curl(
        proxy, {"--http2-prior-knowledge", "-H", "Host: localhost:3000", "-w", " %{http_version}", "http://" + address + "/"});
    CHECK(answer.out.ends_with("port 3000\n 2"));
  }
  SECTION("https inside CONNECT") {
    CHECK(is_home(curl(proxy, {"-x", "http://" + address, "--cacert", ca, "https://localhost:3443/"}).out, 3443));
  }
  SECTION("a WebSocket as the very first request") {
    Client client(dedicated(context));
    CHECK(client.ask("CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost:3000\r\n\r\n", "CONNECT").status == 200);
    WebSocket socket(std::move(client), "localhost:3000", "/ws");
    socket.send("one");
    CHECK(socket.read() == "one");
  }
  SECTION("origin form is for a web server, not for a proxy") {
    Client client(dedicated(context));
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: " + address + "\r\n\r\n").status == 508);
  }
  SECTION("credentials do no harm, and do not go on") {
    const auto echo = curl(proxy, {"-x", "http://a:b@" + address, "http://localhost:3000/echo"}).json().as_object();
    for (const std::string& field : echoed_fields(echo)) CHECK(field.find("roxy-") == std::string::npos);
  }
}

TEST_CASE("doors: a dedicated port is a loop to itself and taken for others, and goes with its context") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = made(proxy, {"--dedicated-port"});
  const std::string port = std::to_string(dedicated(context));
  CHECK(proxy.get(proxy.routed(), "http://localhost:" + port + "/").status == 508);
  CHECK(proxy.get(proxy.context(), "http://127.0.0.1:" + port + "/").status == 508);
  const Run taken = proxy.cli({"ctx", "create", "--dedicated-port=" + port});
  CHECK(taken.exit == 1);
  CHECK(taken.err.find("dedicatedPort") != std::string::npos);
  CHECK(taken.err.find("in use") != std::string::npos);

  Client idle(dedicated(context));
  CHECK(idle.ask("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 200);
  CHECK(proxy.cli({"ctx", "release", context.id}).exit == 0);
  CHECK(idle.closed_by_peer());
  CHECK(eventually([&] { return refuses(dedicated(context)); }));
  // The number can be had again.
  CHECK(number_in(made(proxy, {"--dedicated-port=" + port}).json, "dedicatedPort") == dedicated(context));
}

TEST_CASE("doors: they are for this machine alone, whatever the proxy listens on, and on both its loopback addresses") {
  Workspace workspace;
  Proxy proxy({"--listen", "0.0.0.0:0", "--allow-remote"}, &workspace);
  const Context context = made(proxy, {"--dedicated-port", "--forward", "3000:0"});
  CHECK(text_in(context.json, "proxy") == fmt::format("127.0.0.1:{}", dedicated(context)));
  CHECK_FALSE(refuses(proxy.port(), "127.0.0.2"));  // which is how every address but 127.0.0.1 would do
  for (const std::uint16_t port : {dedicated(context), forwarded(context)}) {
    CHECK(refuses(port, "127.0.0.2"));
    CHECK_FALSE(refuses(port));
  }
  if (read_file("/proc/net/if_inet6").find("00000000000000000000000000000001 ") == std::string::npos) return;
  CHECK(is_home(curl(proxy, {"-x", fmt::format("http://[::1]:{}", dedicated(context)), "http://localhost:3000/"}).out, 3000));
  CHECK(is_home(curl(proxy, {fmt::format("http://[::1]:{}/", forwarded(context))}).out, 3000));
}

TEST_CASE("doors: none leads to itself, by any spelling of its address") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = made(proxy, {"--dedicated-port"});
  for (const char* const host :
       {"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:127.0.0.1%25lo]", "[::1]", "[::1%25lo]", "[::1%251]"}) {
    INFO(host);
    Client client(dedicated(context));
    const std::string target = fmt::format("{}:{}", host, dedicated(context));
    CHECK(client.ask(fmt::format("GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\n\r\n", target)).status == 508);
    CHECK(proxy.get(proxy.context(), "http://" + target + "/").status == 508);
  }
}

TEST_CASE("doors: a connection to a dedicated port survives a new route, and follows it") {
  Workspace first, second;
  Proxy proxy({}, &first);
  const auto route = [](const Workspace& workspace) {
    return fmt::format(R"({{"route":{{"cmuxProxyOrigin":"http://127.0.0.1:{}"}}}})", workspace.http_port());
  };
  const Context context =
      proxy.context({"--dedicated-port", "--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", first.http_port())});
  Client client(dedicated(context));
  const std::string request = "GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n\r\n";
  CHECK(client.ask(request).status == 200);
  const auto before = second.requests();
  CHECK(proxy.api("PATCH", "/v1/contexts/" + context.id, route(second)).status == 200);
  CHECK(client.ask(request).status == 200);
  CHECK(second.requests() == before + 1);
}

TEST_CASE("doors: a forwarded port is the workspace's port, for programs that use no proxy") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = made(proxy, {"--forward", "3000:0", "--forward", "4000:0"});
  const std::string port = std::to_string(forwarded(context)), other = std::to_string(forwarded(context, 1));
  for (const char* const host : {"localhost", "127.0.0.1"})
    CHECK(is_home(curl(proxy, {fmt::format("http://{}:{}/", host, port)}).out, 3000));
  CHECK(is_home(curl(proxy, {"http://localhost:" + other + "/"}).out, 4000));
  CHECK(is_home(curl(proxy, {"--http2-prior-knowledge", "http://localhost:" + port + "/"}).out, 3000));
  CHECK(is_home(curl(proxy, {"--cacert", text_in(proxy.ready, "caFile"), "https://localhost:" + port + "/"}).out, 3000));

  // A web page whose host's name has been made to lead here gets nothing.
  Client client(forwarded(context));
  CHECK(client.ask("GET / HTTP/1.1\r\nHost: evil.example:" + port + "\r\n\r\n").status == 421);
  CHECK(client.ask("GET / HTTP/1.1\r\nHost: localhost:" + port + "\r\n\r\n").status == 200);
  CHECK(client.ask("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n", "CONNECT").status == 400);

  // The number of a forwarded port is the workspace's for who comes through the proxy.
  CHECK(is_home(proxy.get(context, "http://localhost:" + port + "/").body, forwarded(context)));

  Client tunnel(forwarded(context));
  CHECK(proxy.cli({"ctx", "release", context.id}).exit == 0);
  CHECK(tunnel.closed_by_peer());
  CHECK(eventually([&] { return refuses(forwarded(context)) && refuses(forwarded(context, 1)); }));
}

TEST_CASE("doors: a forwarded port carries raw bytes through a cmuxProxyOrigin") {
  Workspace workspace;
  Proxy proxy;
  const Context context =
      proxy.context({"--forward", "2222:0", "--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port())});
  Client client(forwarded(context));
  CHECK(client.read_until("SSH-2.0-fake") == "SSH-2.0-fake");
}

TEST_CASE("doors: a forward needs a route, and its port must be free") {
  Proxy proxy;
  const Run without = proxy.cli({"ctx", "create", "--forward", "3000:0"});
  CHECK(without.exit == 2);
  CHECK(without.err.find("need a route") != std::string::npos);
  Upstream taken;
  const Run busy =
      proxy.cli({"ctx", "create", "--template", "http://127.0.0.1:{port}", "--forward", fmt::format("3000:{}", taken.port())});
  CHECK(busy.exit == 1);
  CHECK(busy.err.find("forwards") != std::string::npos);
  // Nothing is left of it.
  CHECK(proxy.cli({"ctx", "list", "--json"}).json().as_object().at("contexts").as_array().empty());
  for (const char* const bad : {"x", "0", "70000", "3000:", "3000:x", ":1"}) {
    INFO(bad);
    CHECK(proxy.cli({"ctx", "create", "--forward", bad}).exit == 2);
  }
  for (const char* const bad : {"x", "65536", "-1"})
    CHECK(proxy.cli({"ctx", "create", fmt::format("--dedicated-port={}", bad)}).exit == 2);
}

TEST_CASE("doors: what Chromium and Electron need") {
  Proxy proxy;
  const std::string spki = text_in(proxy.cli({"status", "--json"}).json().as_object(), "caSpki");
  const std::string main_port = fmt::format("127.0.0.1:{}", proxy.port());

  const Run chromium = proxy.cli({"ctx", "create", "--format", "chromium"});
  CHECK(chromium.out == fmt::format("--proxy-server=https://{}\n--proxy-bypass-list=<-loopback>\n"
                                    "--ignore-certificate-errors-spki-list={}\n",
                                    main_port, spki));
  CHECK(chromium.err.find("--dedicated-port") != std::string::npos);
  const Run own = proxy.cli({"ctx", "create", "--format", "chromium", "--dedicated-port"});
  CHECK(own.out.starts_with("--proxy-server=https://127.0.0.1:"));
  CHECK(own.out.find(main_port) == std::string::npos);
  CHECK(own.err.empty());

  const auto electron = proxy.cli({"ctx", "create", "--format", "electron"}).json().as_object();
  CHECK(text_in(electron.at("setProxy").as_object(), "proxyRules") == "http://" + main_port);
  CHECK(text_in(electron.at("setProxy").as_object(), "proxyBypassRules") == "<-loopback>");
  CHECK(text_in(electron.at("setSecureProxy").as_object(), "proxyRules") == "https://" + main_port);
  CHECK(text_in(electron, "spki") == spki);
  CHECK(text_in(electron.at("login").as_object(), "username").starts_with("wc-0-"));
  CHECK(text_in(electron.at("login").as_object(), "password").size() == 24);
  CHECK(proxy.cli({"ctx", "create", "--format", "electron", "--dedicated-port"}).json().as_object().at("login").is_null());
}

}  // namespace e2e
