// Where machines are, and what stands in requests that is not the dev server's.
#include "gateway/machines.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "gateway/network.hpp"
#include "gateway/presented.hpp"
#include "policy/credentials.hpp"

using namespace cmux;
using namespace cmux::gateway;

TEST_CASE("gateway machines: a table, and a template for the others") {
  Machines machines;
  REQUIRE(machines.set_template("https://port-39379-morphvm-{id}.http.cloud.morph.so").has_value());
  REQUIRE(machines.set_port_template("https://port-{port}-morphvm-{id}.http.cloud.morph.so").has_value());
  REQUIRE(machines.read_table("abc = \"http://10.0.0.7:39379\"\nDEF = \"h2c://[::1]\" # in lower case\n").has_value());
  CHECK(machines.find("abc")->origin.text() == "http://10.0.0.7:39379");
  CHECK(machines.find("def")->origin.text() == "h2c://[::1]:80");
  CHECK(machines.find("def")->authority == "[::1]");
  CHECK(machines.find("x-1")->origin.text() == "https://port-39379-morphvm-x-1.http.cloud.morph.so:443");
  CHECK(machines.find("x-1")->authority == "port-39379-morphvm-x-1.http.cloud.morph.so");
  CHECK(machines.find_port("x-1", 3000)->authority == "port-3000-morphvm-x-1.http.cloud.morph.so");
  CHECK_FALSE(machines.find(std::string(60, 'a')));  // the name would be too long
  Machines table;
  REQUIRE(table.read_table("[machines]\nabc = \"https://a.test/\"\n").has_value());
  CHECK(table.find("abc")->authority == "a.test");
  CHECK_FALSE(table.find("other"));
}

TEST_CASE("gateway machines: what is bad says where, and changes nothing") {
  Machines machines;
  REQUIRE(machines.read_table("abc = \"http://10.0.0.7\"\n").has_value());
  for (const std::string_view bad : {"abc = 1", "abc = \"10.0.0.7:1\"", "abc = \"ftp://a\"", "abc = \"http://a/path\"",
                                     "abc = \"http://\"", "abc = \"http://user@a\"", "abc = \"http://a:0\"",
                                     "abc = \"http://a\"\nABC = \"http://b\"", "abc", "[machines]\nabc = {}"}) {
    CAPTURE(bad);
    const auto read = machines.read_table(bad);
    REQUIRE(read.has_error());
    CHECK(read.error().detail.starts_with("line "));
    CHECK(machines.find("abc")->authority == "10.0.0.7");
  }
  for (const std::string_view bad : {"", "# nothing yet\n", "b = \"http://b\"\n[machines]\na = \"http://a\"\n"}) {
    CAPTURE(bad);
    CHECK(machines.read_table(bad).has_error());
    CHECK(machines.find("abc")->authority == "10.0.0.7");
  }
  for (const std::string_view bad : {"https://a.test", "{id}", "ftp://{id}", "https://{id}/path", "https://{id}-{port}.test"}) {
    CAPTURE(bad);
    CHECK(machines.set_template(std::string(bad)).has_error());
  }
  CHECK(machines.set_port_template("https://{id}.test").has_error());
}

TEST_CASE("gateway machines: a table holds so many, and no more") {
  std::string text;
  for (std::size_t i = 0; i < kMostMachines; ++i) text += fmt::format("m{} = \"http://a\"\n", i);
  Machines machines;
  REQUIRE(machines.read_table(text).has_value());
  CHECK(machines.size() == kMostMachines);
  CHECK(machines.read_table(text + "more = \"http://a\"\n").error().detail.find("more than 100000") != std::string::npos);
  CHECK(machines.size() == kMostMachines);
}

TEST_CASE("gateway: ranges of addresses") {
  const auto holds = [](std::string_view range, std::string_view ip) {
    return parse_network(range)->holds(*net::Endpoint::from_ip(ip, 1));
  };
  CHECK(holds("10.0.0.0/8", "10.255.0.1"));
  CHECK_FALSE(holds("10.0.0.0/8", "11.0.0.1"));
  CHECK(holds("10.0.0.128/25", "10.0.0.129"));
  CHECK_FALSE(holds("10.0.0.128/25", "10.0.0.127"));
  CHECK(holds("10.0.0.1", "10.0.0.1"));
  CHECK_FALSE(holds("10.0.0.1", "10.0.0.2"));
  CHECK(holds("0.0.0.0/0", "1.2.3.4"));
  CHECK_FALSE(holds("0.0.0.0/0", "::1"));
  CHECK(holds("fd00::/8", "fd12::1"));
  for (const std::string_view bad : {"", "a", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/8x", "10.0.0.0/-1"}) {
    CAPTURE(bad);
    CHECK(parse_network(bad).has_error());
  }
}

TEST_CASE("gateway: a token is taken out of the request, and nothing else is") {
  Keys keys;
  keys.keys.push_back(*make_key(Algorithm::hmac_sha256, {}));
  const std::string token = *sign(keys.keys.front(), {"abc", WallTime(std::chrono::hours(500'000)), {}}, {});
  http::Head head;
  const auto take = [&](bool connect = false) { return take_token(head, connect, keys); };

  head.path = "/a?x=1&cmux_token=" + token + "&y=2&cmux_token=other";
  CHECK(take() == "other");
  CHECK(head.path == "/a?x=1&y=2");
  head.path = "/a?cmux_token=" + token;
  CHECK(take() == token);
  CHECK(head.path == "/a");
  head.path = "/a?not_cmux_token=1&cmux_tokens=2&b?cmux_token=3";
  CHECK_FALSE(take());
  CHECK(head.path == "/a?not_cmux_token=1&cmux_tokens=2&b?cmux_token=3");

  head.fields.add("Cookie", "a=b; __Host-cmux_token=" + token + "; c=d");
  head.fields.add("Cookie", "e=f");
  head.fields.add("Referer", "https://a.test/x?cmux_token=" + token + "&y=1");
  CHECK(take() == token);
  CHECK(head.fields.get("Referer") == "https://a.test/x?y=1");
  head.fields.remove("Referer");
  CHECK(head.fields.count(http::Name::cookie) == 2);
  CHECK(head.fields.get("Cookie") == "a=b; c=d");
  head.fields.clear();
  head.fields.add("Cookie", "__Host-cmux_token=" + token);
  CHECK(take() == token);
  CHECK(head.fields.empty());
  head.fields.add("Cookie", "x__Host-cmux_token=1; __Host-cmux_tokens=2");
  CHECK_FALSE(take());
  CHECK(head.fields.get("Cookie") == "x__Host-cmux_token=1; __Host-cmux_tokens=2");

  head.fields.clear();
  head.fields.add("Authorization", "bearer  " + token);
  CHECK(take() == token);
  CHECK(head.fields.empty());
  // A dev server's own stays.
  for (const char* const own : {"Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "Bearer opaque", "Basic YTpi"}) {
    head.fields.clear();
    head.fields.add("Authorization", own);
    CHECK_FALSE(take());
    CHECK(head.fields.get("Authorization") == own);
  }

  // One that is known to be ours, whatever it looks like; and an empty one is not.
  head.fields.clear();
  head.fields.add("Authorization", "Bearer opaque");
  CHECK(take_token(head, false, keys, "opaque") == "opaque");
  CHECK(head.fields.empty());
  head.fields.add("Authorization", "Bearer ");
  CHECK_FALSE(take_token(head, false, keys, ""));

  head.fields.clear();
  head.fields.add("Proxy-Authorization", policy::basic_value("any", token));
  CHECK(take(true) == token);
  CHECK(head.fields.empty());
  head.fields.add("Proxy-Authorization", policy::basic_value("any", token));
  CHECK_FALSE(take(false));
  CHECK(head.fields.empty());
}
