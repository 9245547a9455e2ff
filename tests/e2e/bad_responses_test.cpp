// Upstreams that refuse, lie or break: 502, which says what was wrong and where, or a response that is seen to be cut short.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rows.hpp"
#include "support.hpp"

using namespace e2e;
using namespace std::string_literals;

namespace {

std::string get(const std::string& path, const Context& context) {
  return request_text("GET", "http://localhost:3000" + path, context);
}

// What a client sees of a response that is not whole: everything until the connection's end. Complete ones are recognised.
bool looks_complete(const std::string& text) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = text.substr(0, end + 4), body = text.substr(end + 4);
  if (head.find("chunked") != std::string::npos) return body.ends_with("0\r\n\r\n");
  const std::size_t length = head.find("Content-Length: ");
  if (length != std::string::npos) return body.size() >= std::stoul(head.substr(length + 16));
  return true;  // it ends with the connection
}

// A port of this machine that refuses connections for as long as this lives.
class RefusingPort {
 public:
  RefusingPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~RefusingPort() { close(fd_); }
  std::uint16_t port() const { return port_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

void check_502(const Response& response, const std::string& error, const std::string& where) {
  check_own_answer(response, 502);
  INFO(response.head << response.body);
  CHECK(response.header("Proxy-Status").find("error=" + error) != std::string::npos);
  CHECK(response.body.find(where) != std::string::npos);
}

}  // namespace

TEST_CASE("502: responses that are malformed or ambiguous, with the client's connection kept") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  for (const std::string& name :
       Strings{"garbage",  "version",    "status",       "cl-te",       "two-cl",   "bad-cl", "te-gzip",
               "te-twice", "bad-header", "bad-name",     "space-colon", "no-colon", "nul",    "bare-cr",
               "bare-lf",  "big-header", "many-headers", "switch",      "reset",    "close",  "half-head"})
    each(name, [&] {
      const Response response = client.ask(get("/broken/" + name, context));
      check_own_answer(response, 502);
      CHECK(response.body.find("cmux-abc-base-3000.cmux.test") != std::string::npos);
      CHECK_FALSE(response.has("Connection"));
      CHECK(client.ask(get("/", context)).status == 200);
    });
}

TEST_CASE("502: refused and broken WebSocket handshakes") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::string handshake =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  for (const std::string& name : Strings{"ws-accept", "ws-no-accept", "ws-other", "garbage", "close"})
    each(name, [&] {
      Client client = proxy.connect();
      check_own_answer(client.ask(request_text("GET", "http://localhost:3000/broken/" + name, context, handshake)), 502);
      CHECK(client.ask(get("/", context)).status == 200);
    });
}

TEST_CASE("a response that breaks off behind its head never looks complete") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  for (const std::string& name : Strings{"short", "half-reset", "truncate", "chunk", "chunk-end", "half-chunk", "no-last-chunk"})
    for (const std::string& version : {"1.1"s, "1.0"s})
      each(fmt::format("{} for HTTP/{}", name, version), [&] {
        Client client = proxy.connect();
        // A 502 would leave the connection open.
        client.send(
            fmt::format("GET http://localhost:3000/broken/{} HTTP/{}\r\nHost: localhost:3000\r\nConnection: close\r\n{}\r\n",
                        name, version, context.auth_line()));
        const std::string text = client.read_all_until_close();
        INFO(text);
        if (client.was_reset()) return;      // that is clear enough
        CHECK(text.starts_with("HTTP/1."));  // some answer, even if only a 502
        if (text.find(" 502 ") == std::string::npos) CHECK_FALSE(looks_complete(text));
      });
}

TEST_CASE("what follows a response is never taken for the next one") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  for (const std::string& name : Strings{"long", "late-junk", "204-body", "unasked-100"})
    each(name, [&] {
      Response response = client.ask(get("/broken/" + name, context));
      if (response.status == 100) response = client.read_response();
      CHECK(response.status == (name == "204-body" ? 204 : 200));
      CHECK(response.body.find("smuggled") == std::string::npos);
      if (name == "late-junk") CHECK(client.silent(200ms));
      for (int i = 0; i < 3; ++i) CHECK(client.ask(get("/", context)).body.starts_with("workspace abc"));
    });
  each("head-body", [&] {
    const Response response = client.ask(request_text("HEAD", "http://localhost:3000/broken/head-body", context), "HEAD");
    CHECK(response.status == 200);
    for (int i = 0; i < 3; ++i) CHECK(client.ask(get("/", context)).body.starts_with("workspace abc"));
  });
}

TEST_CASE("ten thousand interim responses are an answer, or are refused; the proxy stays small") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  client.send(get("/broken/many-1xx", context));
  Response response = client.read_response();
  int interim = 0;
  for (; response.status == 103; ++interim) response = client.read_response();
  const bool all_of_it = response.status == 200 && interim == 10'000 && response.body == "at last\n";
  const bool refused = response.status == 502 && response.header("Proxy-Status").starts_with("cmuxproxy;");
  CHECK((all_of_it || refused));
  CHECK(client.ask(get("/", context)).status == 200);
}

TEST_CASE("502: connection refused, reset, and names that do not resolve") {
  Workspace workspace;
  RefusingPort refusing;
  Proxy proxy({"--resolve", fmt::format("refusing.cmux.test=127.0.0.1:{}", refusing.port()), "--connect-timeout", "3s"},
              &workspace);
  const Context plain = proxy.context();
  const Context routed = proxy.context({"--template", "http://refusing.cmux.test/{port}"});
  check_502(proxy.get(plain, fmt::format("http://127.0.0.1:{}/", refusing.port())), "connection_refused",
            fmt::format("127.0.0.1:{}", refusing.port()));
  check_502(proxy.get(plain, "https://refusing.cmux.test/"), "connection_refused", "refusing.cmux.test");
  check_502(proxy.get(routed, "http://localhost:3000/"), "connection_refused", "refusing.cmux.test");
  check_502(proxy.get(plain, "https://a.cmux.test/broken/reset"), "connection_terminated", "a.cmux.test");
  each("CONNECT", [&] {
    Client client = proxy.connect();
    const std::string target = fmt::format("127.0.0.1:{}", refusing.port());
    const Response response = client.ask(fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n{1}\r\n", target, plain.auth_line()));
    check_502(response, "connection_refused", target);
    CHECK_FALSE(response.has("Connection"));
    CHECK(client.ask(request_text("GET", "https://a.cmux.test/echo", plain)).status == 200);
  });
  each("a name that does not exist", [&] {
    const Response response = proxy.get(plain, "http://no-such-name.invalid/");
    INFO(response.head << response.body);
    CHECK((response.status == 502 || response.status == 504));  // 504 where no name server answers in time
    CHECK(response.header("Proxy-Status").starts_with("cmuxproxy; error="));
    CHECK(response.body.find("no-such-name.invalid") != std::string::npos);
  });
}

TEST_CASE("502: certificates that are expired, for another name, or signed by nobody") {
  Workspace expired({}, "expired"), wrong({}, "wrongname"), self({}, "selfsigned"), good;
  const Strings places = {"--resolve", fmt::format("expired.cmux.test=127.0.0.1:{}", expired.https_port()),
                          "--resolve", fmt::format("wrong.cmux.test=127.0.0.1:{}", wrong.https_port()),
                          "--resolve", fmt::format("self.cmux.test=127.0.0.1:{}", self.https_port())};
  struct Case {
    std::string host, says;
    const Workspace* workspace;
  };
  const std::vector<Case> cases = {
      {"expired.cmux.test", "expired", &expired}, {"wrong.cmux.test", "name", &wrong}, {"self.cmux.test", "self-signed", &self}};
  SECTION("are refused, and the answer says why") {
    Proxy proxy(places, &good);
    const Context context = proxy.context();
    for (const Case& each_case : cases)
      each(each_case.host, [&] {
        const Response response = proxy.get(context, "https://" + each_case.host + "/echo");
        check_502(response, "tls_certificate_error", each_case.host);
        CHECK((response.body.find(each_case.says) != std::string::npos || response.body.find("mismatch") != std::string::npos));
        CHECK(each_case.workspace->requests() == 0);
      });
    CHECK(proxy.get(context, "https://good.cmux.test/echo").status == 200);
  }
  SECTION("are refused for the routes of contexts too") {
    Proxy proxy({"--resolve", fmt::format("*.cmux.test=127.0.0.1:{}", expired.https_port())}, &good);
    check_502(proxy.get(proxy.routed(), "http://localhost:3000/"), "tls_certificate_error", "cmux-abc-base-3000.cmux.test");
    CHECK(expired.requests() == 0);
  }
  SECTION("are all refused without --upstream-ca") {
    Strings extra = places;
    extra.insert(extra.end(), {"--resolve", fmt::format("good.cmux.test=127.0.0.1:{}", good.https_port())});
    Proxy proxy(extra);
    check_502(proxy.get(proxy.context(), "https://good.cmux.test/echo"), "tls_certificate_error", "good.cmux.test");
    CHECK(good.requests() == 0);
  }
  SECTION("are taken with --insecure-upstream, which warns") {
    Strings extra = places;
    extra.push_back("--insecure-upstream");
    Proxy proxy(extra, &good);
    const Context context = proxy.context();
    for (const Case& each_case : cases) CHECK(proxy.get(context, "https://" + each_case.host + "/echo").status == 200);
    CHECK(eventually([&] { return proxy.process().stderr_text().find("insecure-upstream") != std::string::npos; }));
  }
}

TEST_CASE("502, 504: an upstream that speaks no TLS where it should, or no HTTP") {
  Workspace workspace;
  RawServer raw;
  Proxy proxy({"--resolve", fmt::format("raw.cmux.test=127.0.0.1:{}", raw.port()), "--resolve",
               fmt::format("plain.cmux.test=127.0.0.1:{}", workspace.http_port()), "--tls-timeout", "500ms"},
              &workspace);
  const Context context = proxy.context();
  check_502(proxy.get(context, "https://raw.cmux.test/"), "tls_protocol_error", "raw.cmux.test");
  // It waits for the end of a line, which a ClientHello does not have.
  const Response silent = proxy.get(context, "https://plain.cmux.test/");
  check_own_answer(silent, 504);
  CHECK(silent.body.find("plain.cmux.test") != std::string::npos);
  check_502(proxy.get(context, "http://raw.cmux.test/"), "http_protocol_error", "raw.cmux.test");
}

TEST_CASE("error pages from upstream pass as they are") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  for (const int status : {400, 401, 403, 404, 407, 413, 421, 429, 431, 500, 501, 502, 503, 504, 508, 599, 999})
    each(fmt::format("{}", status), [&] {
      const Response response = client.ask(get(fmt::format("/status/{}", status), context));
      CHECK(response.status == status);
      CHECK_FALSE(response.has("Proxy-Status"));
    });
}
