// What happens when descriptors, or what a context may have of them, run out.
#include "support.hpp"

namespace e2e {
namespace {

std::int64_t shed(const Proxy& proxy) {
  return number_in(proxy.cli({"status", "--json"}).json().as_object().at("connections").as_object(), "shed");
}

std::string hanging(const Context& context) { return request_text("GET", "http://localhost:3000/hang", context); }

}  // namespace

TEST_CASE("limits: who connects and stays silent gives way to who speaks") {
  Workspace workspace;
  Proxy proxy({"--max-descriptors", "128", "--threads", "1"}, &workspace);
  const Context context = proxy.routed();
  // Three times what there is. The first ones go, the last ones stay.
  std::vector<Client> silent;
  for (int i = 0; i < 384; ++i) silent.push_back(proxy.connect());
  CHECK(silent.front().closed_by_peer());
  CHECK(proxy.get(context, "http://localhost:3000/").status == 200);
  CHECK(proxy.cli({"status"}).exit == 0);
  CHECK(silent.back().ask(request_text("GET", "http://localhost:3000/", context)).status == 200);
  CHECK(shed(proxy) == 0);
}

TEST_CASE("limits: more requests at once than --max-requests are answered 503") {
  Workspace workspace;
  Proxy proxy({"--max-requests", "2", "--threads", "1"}, &workspace);
  const Context context = proxy.routed();
  Client first = proxy.connect();
  first.send(hanging(context));
  REQUIRE(eventually([&] { return workspace.requests() == 1; }));
  CHECK(proxy.get(context, "http://localhost:3000/").status == 200);  // the second
  Client second = proxy.connect();
  second.send(hanging(context));
  REQUIRE(eventually([&] { return workspace.requests() == 3; }));
  const Response refused = proxy.get(context, "http://localhost:3000/");
  CHECK(refused.status == 503);
  CHECK(refused.header("proxy-status").find("connection_limit_reached") != std::string::npos);
  first.abort();
  CHECK(eventually([&] { return proxy.get(context, "http://localhost:3000/").status == 200; }));
}

TEST_CASE("limits: as long as there is room, nobody is closed for being silent") {
  Workspace workspace;
  Proxy proxy({"--silent-timeout", "1ms"}, &workspace);
  const Context context = proxy.routed();
  Client silent = proxy.connect();
  for (int i = 0; i < 20; ++i) CHECK(proxy.get(context, "http://localhost:3000/").status == 200);
  CHECK(silent.ask(request_text("GET", "http://localhost:3000/", context)).status == 200);
}

TEST_CASE("limits: with all descriptors in use the admin API still answers, and releasing a context frees them") {
  Workspace workspace;
  Proxy proxy({"--max-descriptors", "128", "--threads", "1"}, &workspace);
  const Context greedy = proxy.routed(), other = proxy.routed();
  std::vector<Client> busy;
  bool full = false;
  for (int i = 0; i < 384 && !full; ++i) {
    busy.push_back(proxy.connect());
    // It is refused at the door, or answered that nothing can be opened for it.
    full = !busy.back().send(hanging(greedy)) || (i > 20 && !busy.back().silent(100ms));
  }
  CHECK(full);
  CHECK(proxy.cli({"status"}).exit == 0);
  CHECK(proxy.cli({"ctx", "list"}).exit == 0);
  CHECK(proxy.cli({"ctx", "release", greedy.id}).exit == 0);
  CHECK(eventually([&] {
    Client client = proxy.connect();
    client.send(request_text("GET", "http://localhost:3000/", other, "Connection: close\r\n"));
    return client.read_all_until_close().find("200 OK") != std::string::npos;
  }));
}

TEST_CASE("limits: tunnels are refused before the last descriptor is gone") {
  Workspace workspace;
  Proxy proxy({"--max-descriptors", "128", "--threads", "1"}, &workspace);
  RawServer raw;
  const Context context = proxy.context(), routed = proxy.routed();
  Client early = proxy.connect();
  REQUIRE(early.ask(request_text("GET", "http://localhost:3000/", routed)).status == 200);
  const std::string target = fmt::format("127.0.0.1:{}", raw.port());
  const std::string request = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n{1}\r\n", target, context.auth_line());
  std::vector<Client> tunnels;
  std::string answer = "200";
  while (answer.find("200") != std::string::npos && tunnels.size() < 128) {
    tunnels.push_back(proxy.connect());
    tunnels.back().send(request);
    answer = tunnels.back().read_some();  // nothing: closed at the door
  }
  CHECK(tunnels.size() < 64);
  const Response refused = early.ask(request);
  CHECK(refused.status == 503);
  CHECK(refused.header("Proxy-Status").find("connection_limit_reached") != std::string::npos);
  CHECK(proxy.cli({"ctx", "release", context.id}).exit == 0);
  CHECK(tunnels.front().closed_by_peer());
  CHECK(early.ask(request_text("GET", "http://localhost:3000/", routed)).status == 200);
}

TEST_CASE("limits: a context has only so many requests and tunnels, and takes none from the others") {
  Workspace workspace;
  Proxy proxy({"--max-context-requests", "2", "--threads", "1"}, &workspace);
  const Context greedy = proxy.routed(), other = proxy.routed();
  Client one = proxy.connect(), two = tunnel(proxy, greedy, "localhost:3000"), three = proxy.connect();
  one.send(hanging(greedy));
  REQUIRE(eventually([&] { return workspace.requests() == 1; }));
  const Response refused = three.ask(request_text("GET", "http://localhost:3000/", greedy));
  CHECK(refused.status == 503);
  CHECK(refused.header("Proxy-Status").find("connection_limit_reached") != std::string::npos);
  CHECK(three.ask(request_text("GET", "http://localhost:3000/", other)).status == 200);
  two.close();
  CHECK(eventually([&] { return three.ask(request_text("GET", "http://localhost:3000/", greedy)).status == 200; }));
}

TEST_CASE("limits: a context's own port takes only so many connections") {
  Proxy proxy({"--max-context-requests", "2", "--threads", "1"});
  const Context context = proxy.context({"--dedicated-port"});
  const auto port = static_cast<std::uint16_t>(number_in(context.json, "dedicatedPort"));
  Client one(port), two(port), three(port);
  CHECK(three.closed_by_peer());
  CHECK(one.ask("GET http://localhost:1/ HTTP/1.1\r\nHost: localhost:1\r\n\r\n").status == 502);
}

}  // namespace e2e
