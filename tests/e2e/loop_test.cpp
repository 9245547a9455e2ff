// Never a loop: what would come back to the proxy's own listeners is answered 508.
#include <fmt/format.h>

#include "rows.hpp"
#include "support.hpp"

using namespace e2e;
using namespace std::string_literals;

namespace {

void check_508(const Response& response) {
  check_own_answer(response, 508);
  CHECK(response.header("Proxy-Status").find("proxy_loop_detected") != std::string::npos);
  CHECK_FALSE(response.has("Connection"));
}

}  // namespace

TEST_CASE("508: the proxy's own port and its admin port, by every name that reaches them") {
  Workspace workspace;
  Proxy proxy({"--resolve", "me.test=127.0.0.1", "--resolve", "mapped.test=::ffff:127.0.0.1"}, &workspace);
  const Context routed = proxy.routed(), plain = proxy.context();
  for (const std::uint16_t port : {proxy.port(), proxy.admin_port()})
    for (const std::string& host :
         {"127.0.0.1"s, "localhost"s, "LOCALHOST."s, "app.localhost"s, "[::ffff:127.0.0.1]"s, "[::ffff:127.0.0.1%25lo]"s,
          "[::ffff:127.0.0.1%251]"s, "[::ffff:7f00:1%25lo]"s, "0.0.0.0"s, "me.test"s, "mapped.test"s})
      for (const Context* const context : {&routed, &plain})
        each(fmt::format("{}:{}, {}", host, port == proxy.port() ? "proxy" : "admin", context == &routed ? "routed" : "plain"),
             [&] {
               const std::string target = fmt::format("{}:{}", host, port);
               Client client = proxy.connect();
               check_508(client.ask(request_text("GET", "http://" + target + "/healthz", *context)));
               check_508(client.ask(request_text("GET", "https://" + target + "/", *context)));
               check_508(client.ask(request_text("POST", "http://" + target + "/", *context, {}, "body")));
               check_508(client.ask(request_text("GET", "ws://" + target + "/", *context,
                                                 "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                                                 "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")));
               check_508(client.ask(fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n{1}\r\n", target, context->auth_line())));
               CHECK(client.ask(request_text("GET", "https://a.cmux.test/echo", *context)).status == 200);  // still in step
             });
  CHECK(proxy.api("GET", "/v1/status").status == 200);
}

TEST_CASE("508: routes that lead back to the proxy") {
  Workspace workspace;
  Proxy proxy({"--resolve", "me.cmux.test=127.0.0.1"}, &workspace);
  for (const std::uint16_t port : {proxy.port(), proxy.admin_port()})
    for (const std::string& host : {"127.0.0.1"s, "localhost"s, "0.0.0.0"s, "[::ffff:127.0.0.1]"s, "me.cmux.test"s})
      each(fmt::format("cmuxProxyOrigin {}:{}", host, port == proxy.port() ? "proxy" : "admin"), [&] {
        const std::string origin = fmt::format("http://{}:{}", host, port);
        const Context context = proxy.context({"--cmux-proxy-origin", origin});
        Client client = proxy.connect();
        check_508(client.ask(request_text("GET", "http://localhost:3000/", context)));
        check_508(client.ask(request_text("GET", "http://localhost:3001/", context)));
        // A raw tunnel has been answered before it is opened: it can only be closed.
        Client inside = tunnel(proxy, context, "localhost:2222");
        inside.send("\x01\x02raw");
        CHECK(inside.closed_by_peer());
      });
  each("template", [&] {
    const Context context = proxy.context({"--template", "http://me.cmux.test:{port}"});
    check_508(proxy.get(context, fmt::format("http://localhost:{}/", proxy.port())));
    check_508(proxy.get(context, fmt::format("http://127.0.0.2:{}/", proxy.port())));
    check_508(proxy.get(context, fmt::format("http://app.localhost:{}/", proxy.admin_port())));
  });
}

TEST_CASE("508: a proxy that listens on every address is reached by all of them") {
  Workspace workspace;
  Proxy proxy({"--listen", "0.0.0.0:0", "--allow-remote"}, &workspace);
  const Context routed = proxy.routed(), plain = proxy.context();
  for (const std::string& host : {"127.0.0.1"s, "127.0.0.2"s, "localhost"s, "0.0.0.0"s, "[::ffff:127.0.0.1]"s})
    for (const Context* const context : {&routed, &plain})
      each(host, [&] { check_508(proxy.get(*context, fmt::format("http://{}:{}/", host, proxy.port()))); });
  CHECK(eventually([&] { return proxy.process().stderr_text().find("other machines") != std::string::npos; }));
}

TEST_CASE("the same port elsewhere is no loop") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  // Bound to 127.0.0.1 alone: 127.0.0.2 is another place, where nobody listens.
  check_own_answer(proxy.get(proxy.context(), fmt::format("http://127.0.0.2:{}/", proxy.port())), 502);
  const Response response = proxy.get(proxy.routed(), fmt::format("http://127.0.0.2:{}/echo", proxy.port()));
  CHECK(response.status == 200);
  // A workspace's name is not this machine's, whatever the port.
  CHECK(proxy.get(proxy.routed(), "http://localhost:3000/").status == 200);
}
