// The two parsers of http1/differences, on messages by hand and on generated ones.
#include <catch2/catch.hpp>
#include <map>

#include "http1/differences.hpp"
#include "http1/messages.hpp"
#include "http1/readings.hpp"

using namespace cmux;
using namespace cmux::http1;

namespace {

std::string_view agreed(Role role, std::string_view text, std::size_t step) {
  const Comparison comparison = compared(role, text, step);
  if (!comparison.disagreement.empty()) FAIL(comparison.disagreement);
  return comparison.outcome;
}

}  // namespace

TEST_CASE("differential: messages by hand, against Boost.Beast") {
  struct Row {
    Role role;
    std::string text;
    std::string_view outcome;
  };
  constexpr Role kRequest = Role::request, kResponse = Role::response;
  const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n", post = "POST / HTTP/1.1\r\nHost: a\r\n", ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const Row rows[] = {
      {kRequest, get + "\r\n", "both"},
      {kRequest, get + "A: \t b \t\r\nA:\r\n\r\nGET /", "both"},
      {kRequest, "GET http://a/x HTTP/1.0\r\n\r\n", "both"},
      {kRequest, post + "Content-Length: 5\r\n\r\nhelloPOST", "both"},
      {kRequest, chunked + "5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\nPOST", "both"},
      {kRequest, post + "Content-Length: 5\r\n\r\nhell", "neither"},
      {kRequest, post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "neither"},
      {kRequest, post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", "neither"},
      {kRequest, get + "A : b\r\n\r\n", "neither"},
      {kRequest, "\r\n" + get + "\r\n", "neither"},  // the connection's part, not the parser's
      {kResponse, ok + "Content-Length: 5\r\n\r\nhello", "both"},
      {kResponse, ok + "\r\nuntil the end", "both"},
      {kResponse, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nHTTP/1.1", "both"},
      {kResponse, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1", "both"},

      {kRequest, get + "A: b\r\n c\r\n\r\n", "obs-fold"},
      {kRequest, "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", "# in the target"},
      {kRequest, "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", "a byte above ASCII in the target"},
      {kRequest, "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", "\\ in the target, before the query"},
      {kRequest, "GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n", "\\ in the target, before the query"},
      {kRequest, "GET /?a\\b HTTP/1.1\r\nHost: a\r\n\r\n", "both"},
      {kRequest, "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "a target of no form"},
      {kRequest, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "a target without a host"},
      {kRequest, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "a target of another scheme"},
      {kRequest, get + "Host: b\r\n\r\n", "Host that is not one authority"},
      {kRequest, "GET / HTTP/1.1\r\n\r\n", "Host that is not one authority"},
      {kRequest, "GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", "Host that is not one authority"},
      {kRequest, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "both"},
      {kRequest, "CONNECT a:1 HTTP/1.1\r\nHost: b:1\r\n\r\n", "Host that is not what CONNECT asks for"},
      {kRequest, "CONNECT a:1 HTTP/1.1\r\nHost: a:2\r\n\r\n", "Host that is not what CONNECT asks for"},
      {kRequest, post + "Transfer-Encoding: gzip\r\n\r\n", "transfer codings"},
      {kRequest, post + "Transfer-Encoding: chunked, gzip\r\n\r\n", "transfer codings"},
      {kRequest, post + "Transfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "transfer codings"},
      {kRequest, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n0\r\n\r\n", "chunked in HTTP/1.0"},
      {kRequest, post + "Content-Length: 5, 5\r\n\r\nhello", "an odd Content-Length"},
      {kRequest, post + "Content-Length: 05\r\n\r\nhello", "zeros in front of Content-Length"},
      {kRequest, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\n\r\nhello", "CONNECT with a body"},
      {kResponse, "HTTP/1.1 099 x\r\n\r\n", "a status below 100"},
      {kResponse, "HTTP/1.1 101 x\r\n\r\n", "101 that was not asked for"},

      {kRequest, chunked + "5 \r\nhello\r\n0\r\n\r\n", "neither"},
      {kRequest, chunked + "5 ;a = \"b\tc\"\r\nhello\r\n0\r\n\r\n", "both"},
      {kRequest, chunked + "5;=\r\nhello\r\n0\r\n\r\n", "neither"},
      {kRequest, chunked + "5;a=\"\r\nhello\r\n0\r\n\r\n", "neither"},
      {kRequest, chunked + "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n", "a control character in a chunk's extension"},
      {kRequest, chunked + "5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n", "a control character in a chunk's extension"},
      {kRequest, chunked + "0000000000000005\r\nhello\r\n0\r\n\r\n", "both"},
      {kRequest, chunked + std::string(1022, '0') + "5\r\nhello\r\n0\r\n\r\n", "both"},
      {kRequest, chunked + std::string(1023, '0') + "5\r\nhello\r\n0\r\n\r\n", "a chunk's size line of more than 1 KB"},

      {kRequest, "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "HTTP/1.2 and above"},
      {kResponse, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "a status line without a space behind the status"},
      {kRequest, get + "Connection: a b\r\n\r\n", "Connection that is no list of tokens"},
      {kResponse, "HTTP/1.1 204 x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
       "framing fields where no body can be"},
      {kRequest, chunked + "0\r\nContent-Length: 3\r\n\r\n", "framing fields among the trailers"},
  };
  for (const Row& row : rows)
    for (const std::size_t step : {row.text.size(), std::size_t{1}}) {
      INFO(shown(row.text) << "in pieces of " << step);
      CHECK(agreed(row.role, row.text, step) == row.outcome);
    }
}

// Refused here at the line; there it is looked at once an empty line has come, which need not happen before the header's limit.
TEST_CASE("differential: Beast waits for more behind a bare LF") {
  const std::string_view text = "GET / HTTP/1.1\r\nHost: a\nA: b\r\n";
  CHECK(read_ours(Role::request, text, 1).refused == "a line ends in a bare LF");
  CHECK(read_beast(Role::request, text, 1).refused == "");
  CHECK(read_beast(Role::request, std::string(text) + "\r\n", 1).refused == "bad value");
}

TEST_CASE("differential: generated messages, against Boost.Beast") {
  std::map<std::string_view, unsigned> outcomes;
  for (const Role role : {Role::request, Role::response}) {
    MessageMaker maker(role);
    for (int i = 0; i < 50'000; ++i) {
      const std::string text = maker.next();
      const std::string_view whole = agreed(role, text, text.size()), slow = agreed(role, text, 1);
      if (whole != slow) FAIL("'" << whole << "', but '" << slow << "' byte by byte:\n" << shown(text));
      ++outcomes[whole];
    }
  }
  CHECK(outcomes["both"] > 20'000);
  CHECK(outcomes["neither"] > 10'000);
  for (const std::string_view name : known_differences()) {
    INFO(name);
    CHECK(outcomes[name] > 0);  // what no longer differs has to go from the table
  }
}
