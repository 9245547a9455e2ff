// Requests that the proxy answers itself: SPEC 5's list of answers and SPEC 6's list of ambiguities, downstream.
#include <fmt/format.h>

#include "rows.hpp"
#include "support.hpp"

using namespace e2e;
using namespace std::string_literals;

namespace {

// A request to the workspace whose head ends in `fields`.
std::string with(const std::string& fields, const std::string& body = {}, const std::string& path = "/upload") {
  return "POST http://localhost:3000" + path + " HTTP/1.1\r\nHost: localhost:3000\r\n$A" + fields + "\r\n" + body;
}
std::string line(const std::string& request_line) { return request_line + "\r\nHost: localhost:3000\r\n$A\r\n"; }
std::string chunked(const std::string& body) { return with("Transfer-Encoding: chunked\r\n", body); }

}  // namespace

TEST_CASE("credentials: missing or wrong is 407, and the connection stays open") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed(), other = proxy.routed();
  const auto basic = [](const std::string& text) { return "Proxy-Authorization: Basic " + base64(text) + "\r\n"; };
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"missing", ""},
      {"wrong password", basic(context.username + ":000000000000000000000000")},
      {"another context's password", basic(context.username + ":" + other.password)},
      {"a part of the password", basic(context.username + ":" + context.password.substr(0, 23))},
      {"more than the password", basic(context.username + ":" + context.password + "0")},
      {"unknown user", basic("wc-0-00000000:" + context.password)},
      {"no colon", basic(context.username + context.password)},
      {"empty user and password", basic(":")},
      {"another scheme", "Proxy-Authorization: Bearer " + base64(context.username + ":" + context.password) + "\r\n"},
      {"scheme alone", "Proxy-Authorization: Basic\r\n"},
      {"empty", "Proxy-Authorization:\r\n"},
      {"not base64", "Proxy-Authorization: Basic !!!" + context.password + "\r\n"},
      {"base64 cut short",
       "Proxy-Authorization: Basic " + base64(context.username + ":" + context.password).substr(0, 21) + "\r\n"},
      {"for the origin only", "Authorization: Basic " + base64(context.username + ":" + context.password) + "\r\n"},
  };
  const std::string good = filled("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n$A\r\n", context.auth_line());
  for (const auto& [name, auth] : lines)
    for (const std::string& start : {"GET http://localhost:3000/ HTTP/1.1"s, "CONNECT localhost:3000 HTTP/1.1"s,
                                     "CONNECT example.com:443 HTTP/1.1"s, "HEAD http://localhost:3000/ HTTP/1.1"s})
      each(name + ", " + start, [&] {
        const auto seen = workspace.requests();
        Client client = proxy.connect();
        const std::string host = start.find("example.com") == std::string::npos ? "localhost:3000" : "example.com:443";
        client.send(start + "\r\nHost: " + host + "\r\n" + auth + "\r\n");
        const bool head = start.starts_with("HEAD");
        const Response response = client.read_response(head ? "HEAD" : "GET");
        check_own_answer(response, 407);
        CHECK(response.header("Proxy-Authenticate") == "Basic realm=\"Cmux Preview Proxy\"");
        CHECK(response.body == (head ? "" : "Proxy Authentication Required"));
        CHECK(response.header("Content-Length") == "29");
        CHECK_FALSE(response.has("Connection"));
        CHECK(workspace.requests() == seen);
        CHECK(client.ask(good).status == 200);
      });
}

TEST_CASE("credentials: the scheme's case and the space behind it do not matter, and they go no further") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::string secret = base64(context.username + ":" + context.password);
  for (const std::string& scheme : {"basic "s, "BASIC "s, "bAsIc   "s})
    each(scheme, [&] {
      Client client = proxy.connect();
      const Response response =
          client.ask("GET http://localhost:3000/echo HTTP/1.1\r\nHost: localhost:3000\r\nProxy-Authorization: " + scheme +
                     secret + "\r\nConnection: Proxy-Authorization\r\n\r\n");
      CHECK(response.status == 200);
      CHECK(response.body.find(secret) == std::string::npos);
      CHECK(response.body.find("roxy-") == std::string::npos);
    });
}

TEST_CASE("credentials: a request with a body is refused, its body dropped, and the next one served") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  check_rows(
      proxy, workspace, proxy.routed(),
      {{"content-length", "POST http://localhost:3000/ HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\n\r\nhello", 407, After::open},
       {"chunked", "POST http://localhost:3000/ HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        407, After::open}});
}

TEST_CASE("heads that are malformed or ambiguous are refused, and nothing goes upstream") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const std::string get = "GET http://localhost:3000/ HTTP/1.1\r\n";
  check_rows(
      proxy, workspace, proxy.routed(),
      {
          // Where does the message end?
          {"CL and TE", with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, After::closed},
          {"TE and CL", with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400, After::closed},
          {"differing CLs", with("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), 400, After::closed},
          {"differing CLs in one line", with("Content-Length: 5, 6\r\n", "hello!"), 400, After::closed},
          {"CL with a sign", with("Content-Length: +5\r\n", "hello"), 400, After::closed},
          {"negative CL", with("Content-Length: -5\r\n", "hello"), 400, After::closed},
          {"zeros in front of the CL", with("Content-Length: 0005\r\n", "hello"), 400, After::closed},
          {"empty CL", with("Content-Length:\r\n"), 400, After::closed},
          {"CL in hex", with("Content-Length: 0x5\r\n", "hello"), 400, After::closed},
          {"CL too large for 64 bits", with("Content-Length: 18446744073709551621\r\n", "hello"), 400, After::closed},
          {"TE gzip", with("Transfer-Encoding: gzip\r\n"), 400, After::closed},
          {"TE chunked, gzip", with("Transfer-Encoding: chunked, gzip\r\n"), 400, After::closed},
          {"TE gzip, chunked", with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, After::closed},
          {"TE chunked in front of another line", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"), 400,
           After::closed},
          {"TE with a look-alike", with("Transfer-Encoding: xchunked\r\n"), 400, After::closed},
          {"TE chunked with a parameter", with("Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n"), 400, After::closed},
          {"empty TE", with("Transfer-Encoding:\r\n"), 400, After::closed},
          {"HTTP/1.0 with TE", "POST http://localhost:3000/ HTTP/1.0\r\n$ATransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
           After::closed},
          {"CONNECT with a length", "CONNECT localhost:3000 HTTP/1.1\r\nHost: l\r\n$AContent-Length: 5\r\n\r\nhello", 400,
           After::closed},
          {"CONNECT with chunks", "CONNECT localhost:3000 HTTP/1.1\r\nHost: l\r\n$ATransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           400, After::closed},
          // Field lines.
          {"obs-fold", with("X-A: one\r\n two\r\n"), 400, After::closed},
          {"obs-fold by a tab", with("X-A: one\r\n\ttwo\r\n"), 400, After::closed},
          {"a space in front of the first field", get + " Host: l\r\n$A\r\n", 400, After::closed},
          {"bare CR in a value", with("X-A: one\rX-B: two\r\n"), 400, After::closed},
          {"bare CR at a value's end", with("X-A: one\r\r\n"), 400, After::closed},
          {"bare LF", with("X-A: one\nX-B: two\r\n"), 400, After::closed},
          {"bare LF ends the head", "GET http://localhost:3000/ HTTP/1.1\r\nHost: l\r\n$A\n", 400, After::closed},
          {"bare LF everywhere", "GET http://localhost:3000/ HTTP/1.1\nHost: l\n\n", 400, After::closed},
          {"space before the colon", with("X-A : one\r\n"), 400, After::closed},
          {"tab before the colon", with("Content-Length\t: 5\r\n", "hello"), 400, After::closed},
          {"no colon", with("X-A\r\n"), 400, After::closed},
          {"empty name", with(": one\r\n"), 400, After::closed},
          {"@ in a name", with("X@A: one\r\n"), 400, After::closed},
          {"( in a name", with("X(A: one\r\n"), 400, After::closed},
          {"a byte above ASCII in a name", with("X-\xc3\xa9: one\r\n"), 400, After::closed},
          {"NUL in a name", with("X\0A: one\r\n"s), 400, After::closed},
          {"NUL in a value", with("X-A: o\0ne\r\n"s), 400, After::closed},
          {"DEL in a value", with("X-A: o\x7fne\r\n"), 400, After::closed},
          {"ESC in a value", with("X-A: o\x1bne\r\n"), 400, After::closed},
          {"no Host", get + "$A\r\n", 400, After::closed},
          {"two Hosts", get + "Host: localhost:3000\r\nHost: localhost:3000\r\n$A\r\n", 400, After::closed},
          {"two Hosts that differ", get + "Host: localhost:3000\r\nHost: evil\r\n$A\r\n", 400, After::closed},
          {"space in Host", get + "Host: local host\r\n$A\r\n", 400, After::closed},
          {"path in Host", get + "Host: localhost/x\r\n$A\r\n", 400, After::closed},
          // The request line.
          {"HTTP/2.0", line("GET http://localhost:3000/ HTTP/2.0"), 505, After::closed},
          {"HTTP/0.9", "GET http://localhost:3000/\r\n\r\n", 400, After::closed},
          {"lower-case version", line("GET http://localhost:3000/ http/1.1"), 400, After::closed},
          {"version with two digits", line("GET http://localhost:3000/ HTTP/1.10"), 400, After::closed},
          {"version without a number", line("GET http://localhost:3000/ HTTP/1.x"), 400, After::closed},
          {"two spaces", line("GET  http://localhost:3000/ HTTP/1.1"), 400, After::closed},
          {"space in the target", line("GET http://localhost:3000/a b HTTP/1.1"), 400, After::closed},
          {"tab for a space", line("GET\thttp://localhost:3000/\tHTTP/1.1"), 400, After::closed},
          {"space behind the version", line("GET http://localhost:3000/ HTTP/1.1 "), 400, After::closed},
          {"control character in the target",
           line("GET http://localhost:3000/a\x01"
                "b HTTP/1.1"),
           400, After::closed},
          {"NUL in the target", line("GET http://localhost:3000/a\0b HTTP/1.1"s), 400, After::closed},
          {"bad method", line("G@T http://localhost:3000/ HTTP/1.1"), 400, After::closed},
          {"no method", line(" http://localhost:3000/ HTTP/1.1"), 400, After::closed},
          {"no target", line("GET HTTP/1.1"), 400, After::closed},
          {"words", "EHLO example\r\n\r\n", 400, After::closed},
          {"binary", "\x01\x02\x03\x04 \x05\r\n\r\n", 400, After::closed},
      });
}

TEST_CASE("chunked twice is malformed") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  check_rows(proxy, workspace, proxy.routed(),
             {{"in one line", with("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400, After::closed},
              {"in two", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, After::closed}});
}

TEST_CASE("targets that are none are refused, and the connection stays in step") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  check_rows(proxy, workspace, proxy.routed(),
             {
                 {"origin-form outside of a tunnel", line("GET /path HTTP/1.1"), 421, After::open},
                 {"asterisk-form for another method", line("GET * HTTP/1.1"), 400, After::closed},
                 {"another scheme", line("GET ftp://localhost/ HTTP/1.1"), 400, After::closed},
                 {"no host", line("GET http:///path HTTP/1.1"), 400, After::closed},
                 {"no scheme", line("GET localhost:3000/ HTTP/1.1"), 400, After::closed},
                 {"user info", line("GET http://user:secret@localhost:3000/ HTTP/1.1"), 400, After::open},
                 {"a fragment", line("GET http://localhost:3000/#part HTTP/1.1"), 400, After::closed},
                 {"CONNECT without a port", line("CONNECT localhost HTTP/1.1"), 400, After::open},
                 {"CONNECT to a URL", line("CONNECT http://localhost:3000/ HTTP/1.1"), 400, After::open},
                 {"CONNECT with user info", line("CONNECT user@localhost:3000 HTTP/1.1"), 400, After::open},
                 {"CONNECT without a host", line("CONNECT :3000 HTTP/1.1"), 400, After::open},
             });
}

TEST_CASE("chunks that are none end the request, and what follows is no request") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const std::string smuggled = "GET http://localhost:3000/visit/smuggled HTTP/1.1\r\nHost: l\r\n$A\r\n";
  std::vector<Row> rows = {
      {"letters", chunked("zz\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"negative", chunked("-5\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"0x", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"empty size", chunked("\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"space in front", chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"17 digits", chunked("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"64 bits and 5", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"bare LF behind the size", chunked("5\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"bare CR behind the size", chunked("5\rhello\r\n0\r\n\r\n"), 400, After::closed},
      {"no CRLF after the chunk", chunked("5\r\nhello0\r\n\r\n"), 400, After::closed},
      {"chunk longer than it says", chunked("5\r\nhello!\r\n0\r\n\r\n"), 400, After::closed},
      {"bare LF after the chunk", chunked("5\r\nhello\n0\r\n\r\n"), 400, After::closed},
      {"extension without ;", chunked("5 ext\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"bare LF in an extension", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"NUL in an extension", chunked("5;a\0b\r\nhello\r\n0\r\n\r\n"s), 400, After::closed},
      {"endless extension", chunked("5;" + std::string(8000, 'a') + "\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"endless size", chunked(std::string(8000, '0') + "5\r\nhello\r\n0\r\n\r\n"), 400, After::closed},
      {"bad trailer", chunked("5\r\nhello\r\n0\r\nX A: b\r\n\r\n"), 400, After::closed},
      {"folded trailer", chunked("5\r\nhello\r\n0\r\nX-A: b\r\n c\r\n\r\n"), 400, After::closed},
      {"bare LF in the trailers", chunked("5\r\nhello\r\n0\r\nX-A: b\n\r\n"), 400, After::closed},
  };
  for (Row& row : rows) row.bytes += smuggled;
  check_rows(proxy, workspace, proxy.routed(), rows);
  CHECK(workspace.get("/visits/smuggled").at("visits") == 0);
}

TEST_CASE("chunks that are malformed later end the request on both sides") {
  Upstream upstream;
  Proxy proxy;
  const Context context = proxy.context();
  for (const std::string& bad : {"zz\r\n"s, "5;\r\n"s, "5\r\nhello!\r\n"s, "0\r\nX A: b\r\n\r\n"s})
    each(bad, [&] {
      Client client = proxy.connect();
      client.send(request_text("POST", upstream.url("/x"), context, "Transfer-Encoding: chunked\r\n") + "2\r\nok\r\n");
      Peer peer = upstream.accept();
      peer.read_until("2\r\nok\r\n");
      client.send(bad);
      check_own_answer(client.read_response(), 400);
      CHECK(client.read_all_until_close().empty());
      std::string rest;
      for (std::string more = peer.read_some(); !more.empty(); more = peer.read_some()) rest += more;
      CHECK(rest.find("0\r\n") == std::string::npos);
    });
}

TEST_CASE("requests that are odd but right are served, and go upstream in their plain form") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"chunk extension", chunked("5;name=value\r\nhello\r\n0;last\r\n\r\n")},
      {"quoted chunk extension", chunked("5;a=\"b c\";d\r\nhello\r\n0\r\n\r\n")},
      {"leading zeros", chunked("00000001\r\nh\r\n0004\r\nello\r\n0000\r\n\r\n")},
      {"a chunk of each size", chunked("1\r\nh\r\n1\r\ne\r\n3\r\nllo\r\n0\r\n\r\n")},
      {"trailers", with("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", "/upload?by=hand")},
      {"Chunked in capitals", with("Transfer-Encoding: CHUNKED\r\n", "5\r\nhello\r\n0\r\n\r\n")},
      {"an empty list item", with("Transfer-Encoding: , chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")},
      {"the same length twice", with("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
      {"spaces around the length", with("Content-Length: \t 5 \t\r\n", "hello")},
      {"empty lines in front", "\r\n\r\n" + with("Content-Length: 5\r\n", "hello")},
      {"bytes above ASCII in a value", with("X-Name: Zo\xc3\xab\r\nContent-Length: 5\r\n", "hello")},
  };
  const std::string hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  Client client = proxy.connect();
  for (const auto& [name, bytes] : rows)
    each(name, [&] {
      const Response response = client.ask(filled(bytes, context.auth_line()));
      INFO(response.head << response.body);
      REQUIRE(response.status == 200);
      CHECK(response.json().at("sha256") == hello.c_str());
    });
  CHECK(workspace.malformed() == 0);
}
