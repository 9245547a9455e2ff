// --upstream-proxy: what goes through a parent proxy and what does not, and what a parent can do wrong. The parent that does
// things right is cmuxproxy itself.
#include "support.hpp"
#include "websocket.hpp"

namespace e2e {
namespace {

// A workspace and a raw server that the parent alone finds.
struct Chain {
  explicit Chain(std::string_view scheme, const Strings& extra = {}) {
    write_file(home / "ca.pem", read_file(text_in(parent.ready, "caFile")) + read_file(pki() + "/ca.crt"));
    // Its certificate is for localhost.
    url = fmt::format("{}://{}:{}@localhost:{}", scheme, account.username, account.password, parent.port());
    Strings flags{"--threads", "1", "--upstream-proxy", url, "--upstream-ca", home / "ca.pem"};  // a pool a worker
    flags.insert(flags.end(), extra.begin(), extra.end());
    proxy = std::make_unique<Proxy>(flags);
  }
  std::int64_t parents(std::string_view counter) const {
    const auto status = parent.api("GET", "/v1/status").json();
    return counter == "requests" ? number_in(status.at("requests").as_object(), "total") : number_in(status, counter);
  }

  TempDir home;
  Workspace workspace{{"--alpn", "h2,http/1.1", "--sniff-port-header"}};
  RawServer raw;
  Proxy parent{{"--resolve", fmt::format("plain.test=127.0.0.1:{}", workspace.http_port()), "--resolve",
                fmt::format("raw.test=127.0.0.1:{}", raw.port())},
               &workspace};
  Context account = parent.context();
  std::string url;
  std::unique_ptr<Proxy> proxy;
};

boost::json::object probed(const Proxy& proxy, const Context& context, std::string_view url) {
  return proxy.cli({"probe", std::string(url), "--ctx", context.id, "--json"}).json().at("requests").at(0).as_object();
}

// A context's password of the parent's, which nobody may see.
bool holds(const std::string& text, std::string_view secret) { return text.find(secret) != std::string::npos; }

}  // namespace

TEST_CASE("parent: requests, HTTP/2, WebSockets and raw bytes go through it") {
  const std::string scheme = GENERATE("http", "https", "socks5", "socks5h");
  INFO(scheme);
  Chain chain(scheme);
  const std::string name = fmt::format("{}://localhost:{}", scheme == "socks5h" ? "socks5" : scheme, chain.parent.port());

  const Context routed = chain.proxy->routed();
  for (int i = 0; i < 2; ++i) {
    const auto https = probed(*chain.proxy, routed, "http://localhost:3000/");
    INFO(boost::json::serialize(https));
    CHECK(number_in(https, "status") == 200);
    CHECK(text_in(https, "upstream") == "h2");
    CHECK(text_in(https, "parent") == name);
    CHECK(https.at("reused") == (i > 0));
  }
  CHECK(chain.parents("tunnels") == 1);

  const Context plain = chain.proxy->context();
  const auto requests = chain.parents("requests");
  for (int i = 0; i < 2; ++i) {
    const auto http = probed(*chain.proxy, plain, "http://plain.test/");
    INFO(boost::json::serialize(http));
    CHECK(number_in(http, "status") == 200);
    CHECK(text_in(http, "parent") == name);
    CHECK(http.at("reused") == (i > 0));
  }
  const bool absolute = !scheme.starts_with("socks");
  CHECK(chain.parents("tunnels") == (absolute ? 1 : 2));
  CHECK(chain.parents("requests") == requests + (absolute ? 2 : 1));
  const Strings fields = echoed_fields(chain.proxy->get(plain, "http://plain.test/echo").json());
  for (const std::string& field : fields) {
    CHECK_FALSE(field.starts_with("Proxy-"));
    CHECK_FALSE(field.starts_with("X-Cmux-Proxied"));
    CHECK_FALSE(field.starts_with("Connection"));
  }

  // The connection that is kept carries requests that the parent reads: no WebSocket.
  const auto tunnels = chain.parents("tunnels");
  WebSocket socket(chain.proxy->connect(), "plain.test", "http://plain.test/ws",
                   {"Proxy-Authorization: Basic " + base64(plain.username + ":" + plain.password)});
  CHECK(socket.echo("hello") == "hello");
  CHECK(chain.parents("tunnels") == tunnels + (absolute ? 1 : 0));

  Client client = tunnel(*chain.proxy, plain, "raw.test:5432");
  CHECK(client.read_until("\r\n") == "220 ready\r\n");
  client.send("the end");
  client.half_close();
  CHECK(client.read_all_until_close() == "the end");

  // A raw tunnel to a workspace: a CONNECT of its own, inside that to the route's proxy.
  const Context inner = chain.proxy->context({"--cmux-proxy-origin", "http://plain.test"});
  Client database = tunnel(*chain.proxy, inner, "localhost:5432");
  database.send(std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8));
  CHECK(database.read_exactly(8).size() == 8);
}

TEST_CASE("parent: HTTP/2 without TLS goes through a tunnel") {
  Chain chain("http", {"--upstream-h2c", "plain.test"});
  const auto got = probed(*chain.proxy, chain.proxy->context(), "http://plain.test/");
  INFO(boost::json::serialize(got));
  CHECK(number_in(got, "status") == 200);
  CHECK(text_in(got, "upstream") == "h2");
  CHECK(chain.parents("tunnels") == 1);
}

TEST_CASE("parent: loopback goes straight, and so does what --resolve places") {
  Chain chain("http", {"--resolve", "here.test=127.0.0.1"});
  const Context context = chain.proxy->context();
  const std::uint16_t port = chain.workspace.http_port();
  for (const char* const host : {"127.0.0.1", "here.test", "localhost"}) {
    INFO(host);
    const auto got = probed(*chain.proxy, context, fmt::format("http://{}:{}/", host, port));
    CHECK(number_in(got, "status") == 200);
    CHECK(got.at("parent").is_null());
  }
  Client client = tunnel(*chain.proxy, context, fmt::format("127.0.0.1:{}", chain.raw.port()));
  CHECK(client.read_until("\r\n") == "220 ready\r\n");
  CHECK(chain.parents("requests") == 0);
}

TEST_CASE("parent: one that refuses its credentials is a 502 that shows none") {
  Chain chain("http");
  const std::string scheme = GENERATE("http", "socks5");
  const std::string parent = fmt::format("{}://localhost:{}", scheme, chain.parent.port());
  const auto check = [&](const Proxy& proxy) {
    const Context context = proxy.context();
    for (const char* const url : {"http://plain.test/", "CONNECT raw.test:22"}) {
      INFO(url);
      const Response answer =
          std::string(url).starts_with("CONNECT")
              ? proxy.connect().ask(fmt::format("{} HTTP/1.1\r\nHost: raw.test:22\r\n{}\r\n", url, context.auth_line()),
                                    "CONNECT")
              : proxy.get(context, url);
      INFO(answer.head << answer.body);
      CHECK(answer.status == 502);
      CHECK(answer.header("Proxy-Status").starts_with("cmuxproxy; error=proxy_configuration_error"));
      CHECK(holds(answer.body, "through the parent proxy " + parent));
      CHECK_FALSE(holds(answer.head + answer.body, "s3cret"));
      CHECK_FALSE(answer.has("Proxy-Authenticate"));
    }
  };
  check(Proxy({"--upstream-proxy", fmt::format("{}://me:s3cret@localhost:{}", scheme, chain.parent.port())}));
  check(Proxy({"--upstream-proxy", parent}));
}

namespace {

struct Wrong {
  std::string name, answer;  // what the parent says to whatever comes
  int status;
  std::string error, detail;
};

// Asks for https through the parent, which answers with those bytes and closes.
Response asked(const Upstream& parent, const Proxy& proxy, const Context& context, const std::string& answer) {
  Client client = proxy.connect();
  client.send(fmt::format("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n", context.auth_line()));
  {
    Peer peer = parent.accept();
    CHECK(peer.read_until("\r\n\r\n").starts_with("CONNECT cmux-abc-base-3000.cmux.test:443 HTTP/1.1\r\n"));
    peer.send(answer);
    peer.half_close();
    peer.wait_for_end();
  }
  return client.read_response();
}

}  // namespace

TEST_CASE("parent: whatever it answers wrongly is a 502 or 504 that names it") {
  Upstream parent;
  Proxy proxy(
      {"--upstream-proxy", fmt::format("http://me:s3cret@127.0.0.1:{}", parent.port()), "--upstream-ca", pki() + "/ca.crt"});
  const Context context = proxy.routed();
  std::string flood;
  for (int i = 0; i < 9; ++i) flood += "HTTP/1.1 103 Early Hints\r\n\r\n";
  const std::vector<Wrong> rows{
      {"407",
       "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 2\r\n\r\nno", 502,
       "proxy_configuration_error", "it refuses the user and password (407)"},
      {"403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 502, "connection_refused",
       "it answered CONNECT with 403 Forbidden"},
      {"503", "HTTP/1.1 503 Nope\r\n\r\n", 502, "connection_refused", "it answered CONNECT with 503 Service Unavailable"},
      {"504", "HTTP/1.1 504 Gateway Timeout\r\n\r\n", 504, "connection_timeout", "it answered CONNECT with 504"},
      {"a redirect", "HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\n\r\n", 502, "connection_refused", "302 Found"},
      {"200 with a body", "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", 502, "http_protocol_error", "and a body"},
      {"200 with chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n<html></html>\r\n0\r\n\r\n", 502,
       "tls_protocol_error", ""},
      {"200, and then nothing", "HTTP/1.1 200 OK\r\n\r\n", 502, "tls_protocol_error", "unexpected eof"},
      {"garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n", 502, "http_protocol_error", ""},
      {"half a line", "HTTP/1.1 200", 502, "connection_terminated", "closed within the response header"},
      {"nothing", "", 502, "connection_terminated", "closed without a response"},
      {"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 502, "http_protocol_error", "101"},
      {"interim responses without end", flood, 502, "http_protocol_error", "interim responses without end"},
      {"a head without an end", "HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x'), 502, "http_response_header_section_size",
       ""},
  };
  for (const Wrong& row : rows) {
    INFO(row.name);
    const Response answer = asked(parent, proxy, context, row.answer);
    INFO(answer.head << answer.body);
    CHECK(answer.status == row.status);
    CHECK(answer.header("Proxy-Status").starts_with("cmuxproxy; error=" + row.error + ";"));
    CHECK(holds(answer.body, fmt::format("through the parent proxy http://127.0.0.1:{}: ", parent.port())));
    CHECK(holds(answer.body, row.detail));
    CHECK_FALSE(answer.has("Proxy-Authenticate"));
    CHECK_FALSE(holds(answer.head + answer.body, "s3cret"));
  }
  CHECK_FALSE(holds(proxy.process().stderr_text(), "s3cret"));
}

TEST_CASE("parent: one that is slow, or goes on for ever, has connect-timeout") {
  Upstream parent;
  const std::string scheme = GENERATE("http", "https", "socks5");
  Proxy proxy({"--upstream-proxy", fmt::format("{}://127.0.0.1:{}", scheme, parent.port()), "--connect-timeout", "300ms"});
  const Context context = proxy.routed();
  Client client = proxy.connect();
  client.send(fmt::format("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n{}\r\n", context.auth_line()));
  Peer peer = parent.accept();
  const bool talks = scheme == "http" && GENERATE(false, true);
  if (talks) {
    // A head that has no end, and does not come to its bound either.
    peer.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
    while (peer.fd() >= 0 && client.silent(20ms) && ::send(peer.fd(), "X: x\r\n", 6, MSG_NOSIGNAL) > 0) {}
  }
  const Response answer = client.read_response();
  INFO(answer.head << answer.body);
  CHECK(answer.status == 504);
  CHECK(answer.header("Proxy-Status").starts_with("cmuxproxy; error=connection_timeout"));
  CHECK(holds(answer.body, fmt::format("through the parent proxy {}://127.0.0.1:{}: ", scheme, parent.port())));
}

TEST_CASE("parent: one that is not there is named, and so is one that is this proxy itself") {
  std::uint16_t closed = 0;
  { closed = Upstream().port(); }
  Proxy proxy({"--upstream-proxy", fmt::format("http://127.0.0.1:{}", closed), "--refused-timeout", "0"});
  const Response answer = proxy.get(proxy.routed(), "http://localhost:3000/");
  INFO(answer.head << answer.body);
  CHECK(answer.status == 502);
  CHECK(answer.header("Proxy-Status").starts_with("cmuxproxy; error=connection_refused"));
  CHECK(holds(answer.body, fmt::format("through the parent proxy http://127.0.0.1:{}: ", closed)));

  const Proxy itself({"--listen", fmt::format("127.0.0.1:{}", closed), "--port-attempts", "1", "--upstream-proxy",
                      fmt::format("http://127.0.0.1:{}", closed)});
  const Response loop = itself.get(itself.context(), "http://far.test/");
  INFO(loop.head << loop.body);
  CHECK(loop.status == 508);
  CHECK(holds(loop.body, "through the parent proxy"));
}

TEST_CASE("parent: two that are each other's answer 508 at once, and say so to each other alone") {
  const std::string scheme = GENERATE("http", "https");
  INFO(scheme);
  TempDir home;
  const std::string config = home / "config.toml";
  write_file(config, "");
  Proxy one({"--config", config});
  const auto url_of = [&](const Proxy& proxy, const Context& context) {
    return fmt::format("{}://{}:{}@localhost:{}", scheme, context.username, context.password, proxy.port());
  };
  const Context at_one = one.context();
  Proxy two({"--upstream-proxy", url_of(one, at_one), "--upstream-ca", text_in(one.ready, "caFile")});
  write_file(config, fmt::format("upstream-proxy = \"{}\"\nupstream-ca = \"{}\"\n", url_of(two, two.context()),
                                 text_in(two.ready, "caFile")));
  one.process().signal(SIGHUP);
  REQUIRE(eventually([&] { return holds(one.process().stderr_text(), "changed are upstream-ca, upstream-proxy"); }));

  const auto total = [&] { return number_in(one.api("GET", "/v1/status").json().at("requests").as_object(), "total"); };
  const Context routed = one.routed();
  for (const std::string_view asked : {"http://far.test/", "CONNECT far.test:443", "http://localhost:3000/"}) {
    INFO(asked);
    const auto before = total();
    const Response answer =
        asked.starts_with("CONNECT")
            ? one.connect().ask(fmt::format("{} HTTP/1.1\r\nHost: far.test:443\r\n{}\r\n", asked, routed.auth_line()), "CONNECT")
            : one.get(routed, asked);
    INFO(answer.head << answer.body);
    CHECK(answer.status == 508);
    CHECK(answer.header("Proxy-Status").starts_with("cmuxproxy; error=proxy_loop_detected"));
    CHECK(total() == before + 2);
  }
}

TEST_CASE("parent: requests in absolute form end as badly as CONNECT does, and pages of its own reach the client") {
  Upstream parent;
  Proxy proxy({"--upstream-proxy", fmt::format("http://me:s3cret@127.0.0.1:{}", parent.port())});
  const Context context = proxy.context();
  const std::string named = fmt::format("http://far.test:80 through the parent proxy http://127.0.0.1:{}: ", parent.port());
  const auto ask = [&](const std::string& said) {
    Client client = proxy.connect();
    client.send(request_text("POST", "http://far.test/x?y", context, "X-Cmux-Proxied: before\r\n", "body"));
    {
      Peer peer = parent.accept();
      const std::string request = peer.read_until("body");
      CHECK(request.starts_with(
          "POST http://far.test/x?y HTTP/1.1\r\nHost: far.test\r\nProxy-Authorization: Basic bWU6czNjcmV0\r\n"));
      // ... and who it comes from, for this proxy and nobody behind it.
      const std::size_t mark = request.find("\r\nX-Cmux-Proxied: before, ");
      REQUIRE(mark != std::string::npos);
      CHECK(request.find("\r\n", mark + 2) == mark + 42);
      CHECK(holds(request, "\r\nConnection: X-Cmux-Proxied\r\n"));
      peer.send(said);
      peer.half_close();
      peer.wait_for_end();
    }
    return client.read_response("POST");
  };
  const Response refused = ask("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno");
  CHECK(refused.status == 502);
  CHECK(holds(refused.body, named + "it refuses the user and password (407)"));
  const Response garbage = ask("220 smtp.test ESMTP\r\n");
  CHECK(garbage.status == 502);
  CHECK(holds(garbage.body, named));
  const Response gone = ask("");
  CHECK(gone.status == 502);
  CHECK(holds(gone.body, named + "connection closed without a response"));
  const Response own = ask("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndown");
  CHECK(own.status == 503);
  CHECK(own.body == "down");
}

TEST_CASE("parent: origins share no connection to it") {
  Chain chain("http");
  const Context context = chain.proxy->context();
  CHECK(probed(*chain.proxy, context, "http://plain.test/").at("reused") == false);
  CHECK(probed(*chain.proxy, context, "http://plain.test:8080/").at("reused") == false);
  CHECK(probed(*chain.proxy, context, "http://plain.test/").at("reused") == true);
}

TEST_CASE("parent: its password is in no output, and its URL may be in a variable or the file") {
  constexpr std::string_view kUrl = "http://me:s3cret@proxy.example:3128";
  TempDir folder;
  write_file(folder / "config.toml", fmt::format("upstream-proxy = \"{}\"\n", kUrl));
  const auto check = [&](const Strings& flags, const Strings& environment, std::string_view shown) {
    Strings argv{binary(), "serve", "--check"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    const Run run = e2e::run(argv, environment);
    INFO(run.out << run.err);
    CHECK_FALSE(holds(run.out + run.err, "s3cret"));
    CHECK(holds(run.out + run.err, shown));
    return run.exit;
  };
  const std::string redacted = "upstream-proxy = \"http://***@proxy.example:3128\"";
  CHECK(check({"--upstream-proxy", std::string(kUrl)}, {}, redacted) == 0);
  CHECK(check({"--config", folder / "config.toml"}, {}, redacted) == 0);
  CHECK(check({}, {fmt::format("CMUXPROXY_UPSTREAM_PROXY={}", kUrl)}, redacted) == 0);
  CHECK(check({"--upstream-proxy", "env:E2E_PARENT"}, {fmt::format("E2E_PARENT={}", kUrl)},
              "upstream-proxy = \"env:E2E_PARENT\"") == 0);
  CHECK(check({"--upstream-proxy", "env:E2E_PARENT"}, {}, "there is no variable E2E_PARENT") == 2);
  CHECK(check({"--upstream-proxy", "auto"}, {fmt::format("https_proxy={}", kUrl)}, "upstream-proxy = \"auto\"") == 0);
  CHECK(check({"--upstream-proxy", "auto"}, {"HTTPS_PROXY=ftp://me:s3cret@proxy.example"}, "HTTPS_PROXY: expected") == 2);
  CHECK(check({"--upstream-proxy", "http://me:s3cret@/"}, {}, "--upstream-proxy: expected") == 2);

  Proxy proxy({"--upstream-proxy", std::string(kUrl)});
  const Run status = proxy.cli({"status"}), json = proxy.cli({"status", "--json"}), checked = proxy.cli({"probe"});
  INFO(status.out << json.out << checked.out);
  CHECK(holds(status.out, "http://proxy.example:3128"));
  CHECK(json.json().at("upstreamProxy").at("tunnels") == "http://proxy.example:3128");
  CHECK(holds(checked.out, "through http://proxy.example:3128"));
  CHECK_FALSE(holds(status.out + json.out + checked.out + proxy.process().stderr_text(), "s3cret"));
}

}  // namespace e2e
