#include "inspect/replay.hpp"

#include <catch2/catch.hpp>

using namespace cmux::inspect;
using cmux::http::Fields;

namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

// A request that holds secrets in its URL and its fields; through a forwarded port, where it was called by that.
Capture request(std::string_view authority = "localhost:3000") {
  Capture out;
  out.number = 7;
  out.context = "ctx-1";
  out.target = "http://localhost:3000";
  out.request.ended = true;
  cmux::http::Head head;
  head.method = "GET";
  head.scheme = "http";
  head.authority = authority;
  head.path = "/p/http://u:pw@h/x?code=1&s3cr3t";
  head.fields.add("Authorization", "Bearer abc");
  head.fields.add("Cookie", "sid=1");
  head.fields.add("Referer", "http://localhost:3000/?t=1");
  head.fields.add("X-Odd", "\xe9");
  out.heads.keep(Heads::request_received, head);
  return out;
}

Lines fields_of(const Replay& replay) {
  Lines out;
  for (const auto field : replay.head.fields) out.emplace_back(field.name, field.value);
  return out;
}

// "status detail" of what is refused.
std::string refusal(const Capture& capture, const Edit& edit) {
  const auto made = replay_of(capture, edit);
  return made ? "it is sent" : std::to_string(made.error().status) + " " + made.error().detail;
}

const Lines kShown{
    {"Authorization", "Bearer •••"}, {"Cookie", "sid=•••"}, {"Referer", "http://localhost:3000/?t=•••"}, {"X-Odd", "é"}};
const Lines kMeant{
    {"Authorization", "Bearer abc"}, {"Cookie", "sid=1"}, {"Referer", "http://localhost:3000/?t=1"}, {"X-Odd", "\xe9"}};

}  // namespace

TEST_CASE("replay: what was left as it is shown is what stood there, for the same server") {
  const Capture capture = request();
  for (const char* const url :
       {"http://localhost:3000/p/http://h/x?code=•••&•••", "http://LOCALHOST:3000/p/http://•••@h/x?code=•••&•••"}) {
    const auto made = replay_of(capture, {{}, url, {}, kShown});
    REQUIRE(made.has_value());
    CHECK(made->head.path == "/p/http://u:pw@h/x?code=1&s3cr3t");
    CHECK(fields_of(*made) == kMeant);
  }
  const auto other_path = replay_of(capture, {{}, "http://localhost:3000/y?n=1#f", {}, {}});
  REQUIRE(other_path.has_value());
  CHECK(other_path->head.path == "/y?n=1");
  CHECK(fields_of(*other_path) == kMeant);
  // By the name that a forwarded port has for the browser, and by its own.
  for (const char* const url : {"http://127.0.0.1:5000/y", "http://localhost:3000/y"}) {
    const auto made = replay_of(request("127.0.0.1:5000"), {{}, url, {}, {}});
    REQUIRE(made.has_value());
    CHECK(made->head.authority == "localhost:3000");
    CHECK(fields_of(*made) == kMeant);
  }
}

TEST_CASE("replay: another server gets nothing of what is hidden") {
  const Capture capture = request();
  for (const std::string server :
       {"http://localhost:4000", "https://localhost:3000", "http://evil.example", "http://localhost"}) {
    const auto made = replay_of(capture, {{}, server + "/y?code=2", {}, {}});
    REQUIRE(made.has_value());
    CHECK(fields_of(*made) == Lines{{"X-Odd", "\xe9"}});
    CHECK(made->head.path == "/y?code=2");
    for (const auto& line : kShown) {
      if (line.first == "X-Odd") continue;
      CHECK(refusal(capture, {{}, server + "/", {}, Lines{line}}).starts_with("409 fields: " + line.first));
    }
    CHECK(refusal(capture, {{}, server + "/?code=•••", {}, {}}).starts_with("409 url:"));
    // What somebody writes is meant.
    const auto written = replay_of(capture, {{}, server + "/?code=1", {}, kMeant});
    REQUIRE(written.has_value());
    CHECK(fields_of(*written) == kMeant);
  }
}

TEST_CASE("replay: dots that stand for nothing are not sent") {
  const Capture capture = request();
  for (const auto& line : Lines{{"Cookie", "•••"}, {"X-New", "•••"}, {"Authorization", "Basic •••"}, {"Cookie", "sid=•••; b=1"}})
    CHECK(refusal(capture, {{}, {}, {}, Lines{line}}).starts_with("400 fields: " + line.first));
  CHECK(refusal(capture, {{}, {}, {}, Lines{{"Cookie", "sid=•••"}, {"Cookie", "sid=•••"}}}).starts_with("400 fields: Cookie"));
  CHECK(refusal(capture, {{}, "http://localhost:3000/?other=•••", {}, {}}).starts_with("400 url:"));
  for (const char* const url : {"http://•••@localhost:3000/", "http", "http:localhost:3000"})
    CHECK(refusal(capture, {{}, url, {}, {}}).starts_with("400 url:"));
}
