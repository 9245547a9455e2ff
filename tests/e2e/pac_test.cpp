// GET /proxy.pac on a context's own port.
#include "rows.hpp"
#include "socks.hpp"

namespace e2e {
namespace {

struct Setup {
  Workspace workspace;
  Proxy proxy{{"--resolve", "evil.test=127.0.0.1", "--domains", "mine.localhost"}, &workspace};
  Context context = proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--dedicated-port"});
  std::uint16_t port = dedicated_port(context);

  Response ask(const std::string& host, std::string_view fields = {}, std::string_view target = "/proxy.pac") const {
    Client client(port);
    return client.ask(fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", target, host, fields));
  }
  std::string own(std::string_view host = "127.0.0.1") const { return fmt::format("{}:{}", host, port); }
};

}  // namespace

TEST_CASE("pac: a dedicated port answers a file that sends loopback to it") {
  Setup setup;
  const Response answer = setup.ask(setup.own());
  CHECK(answer.status == 200);
  CHECK(answer.header("Content-Type") == "application/x-ns-proxy-autoconfig");
  CHECK(answer.header("Cache-Control") == "no-store");
  for (const char* const name : {"localhost", "[::1]", "LOCALHOST."}) CHECK(setup.ask(setup.own(name)).body == answer.body);
  CHECK(setup.ask(setup.own(), {}, "/proxy.pac?now").body == answer.body);

  TempDir home;
  write_file(home / "pac.js", answer.body +
                                  "for (const host of ['localhost', '127.0.0.9', '::1', 'x.mine.localhost', 'example.com'])"
                                  " console.log(FindProxyForURL(`http://${host}/`, host));\n");
  const Run asked = run({"node", home / "pac.js"});
  const std::string proxy = "PROXY " + setup.own() + "\n";
  CHECK(asked.out == proxy + proxy + proxy + "DIRECT\nDIRECT\n");

  Client client(setup.port);
  client.send("HEAD /proxy.pac HTTP/1.1\r\nHost: " + setup.own() + "\r\n\r\n");
  const Response head = client.read_response("HEAD");
  CHECK(head.header("Content-Length") == std::to_string(answer.body.size()));
  // The connection stays a proxy's.
  CHECK(client.ask("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 200);
}

TEST_CASE("pac: a web page learns nothing from it") {
  Setup setup;
  // Browsers that do not say who asks keep it from pages, and from scripts above all.
  const Response plain = setup.ask(setup.own());
  CHECK(plain.header("X-Content-Type-Options") == "nosniff");
  CHECK(plain.header("Cross-Origin-Resource-Policy") == "same-origin");
  CHECK_FALSE(plain.has("Access-Control-Allow-Origin"));
  for (const char* const fields : {"Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n",
                                   "Origin: http://localhost:3000\r\n", "Origin: null\r\n"}) {
    INFO(fields);
    check_own_answer(setup.ask(setup.own(), fields), 403);
  }
  CHECK(setup.ask(setup.own(), "Sec-Fetch-Site: none\r\n").status == 200);
  // Under a name of the page's owner (DNS rebinding) it is a request like any other: one that leads back here.
  check_own_answer(setup.ask(setup.own("evil.test")), 508);
  check_own_answer(setup.ask(setup.own("app.localhost")), 508);
  check_own_answer(setup.ask(setup.own("0.0.0.0")), 508);
  // Nor through the proxy itself.
  check_own_answer(setup.ask(setup.own(), {}, fmt::format("http://{}/proxy.pac", setup.own())), 508);
}

TEST_CASE("pac: only a dedicated port has one") {
  Setup setup;
  Client main = setup.proxy.connect();
  check_own_answer(main.ask(fmt::format("GET /proxy.pac HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", setup.proxy.port())), 421);
  // What a workspace has under that name stays its own.
  CHECK(setup.ask("localhost:3000").header("Content-Type") != "application/x-ns-proxy-autoconfig");
  CHECK(setup.workspace.requests() == 1);
  Client posting(setup.port);
  CHECK(posting.ask("POST /proxy.pac HTTP/1.1\r\nHost: " + setup.own() + "\r\nContent-Length: 0\r\n\r\n").status == 508);
}

}  // namespace e2e
