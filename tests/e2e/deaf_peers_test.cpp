// Who does not read what waits for it holds its exchange for a time alone, on HTTP/1 and in tunnels. (HTTP/2: h2_hoarders_test.)
#include "support.hpp"

namespace e2e {
namespace {

struct Setup {
  Workspace workspace;
  Proxy proxy{{"--send-timeout", "300ms"}, &workspace};
  Context context =
      proxy.context({"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()), "--morph-id", "abc"});

  std::int64_t open() const { return number_in(proxy.api("GET", "/v1/status").json().at("requests").as_object(), "open"); }
  bool is_quiet() const {
    return eventually([&] { return open() == 0; });
  }
};

// Sends until the connection takes no more, because it has ended.
bool ends(Client& client) {
  const std::string bytes(64 * 1024, 'x');
  return eventually([&] { return !client.send(bytes); });
}

}  // namespace

TEST_CASE("deaf peers: a client that does not read its response loses it in time, and the workspace is rid of it") {
  Setup setup;
  Client client;
  client.receive_buffer(4'096);
  client.connect(setup.proxy.port());
  client.send(request_text("GET", "http://localhost:3000/bytes/100000000", setup.context));
  CHECK(eventually([&] { return setup.open() == 1; }));
  CHECK(setup.is_quiet());
  client.read_all_until_close();
  CHECK(client.was_reset());
  CHECK(setup.proxy.get(setup.context, "http://localhost:3000/").status == 200);
}

TEST_CASE("deaf peers: a tunnel whose client does not read ends in time") {
  Setup setup;
  RawServer server;
  Client direct = tunnel(setup.proxy, setup.proxy.context(), fmt::format("127.0.0.1:{}", server.port()));
  CHECK(ends(direct));
  Client routed = tunnel(setup.proxy, setup.context, "localhost:5432");
  CHECK(routed.send(std::string(8, '\0')));
  CHECK(ends(routed));
  Client upgraded = setup.proxy.connect();
  upgraded.send(
      request_text("GET", "http://localhost:3000/upgrade/echo", setup.context, "Connection: Upgrade\r\nUpgrade: echo\r\n"));
  CHECK(upgraded.read_response().status == 101);
  CHECK(ends(upgraded));
  CHECK(setup.is_quiet());
}

TEST_CASE("deaf peers: a workspace that does not read a request is answered for with 504") {
  Setup setup;
  Client client = setup.proxy.connect();
  client.send(request_text("POST", "http://localhost:3000/hang", setup.context, "Transfer-Encoding: chunked\r\n"));
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  while (client.silent(0ms)) client.send(chunk);
  CHECK(client.read_response().status == 504);
}

TEST_CASE("deaf peers: a client that stalls in its request is told so with 408, on either protocol upstream") {
  Workspace workspace({"--alpn", "h2,http/1.1"});
  Proxy proxy({"--response-timeout", "300ms"}, &workspace);
  const Context h1 =
      proxy.context({"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()), "--morph-id", "abc"});
  for (const Context& context : {h1, proxy.routed()}) {
    Client client = proxy.connect();
    client.send(request_text("POST", "http://localhost:3000/upload", context, "Content-Length: 100\r\n") + "some");
    CHECK(client.read_response().status == 408);
  }
}

}  // namespace e2e
