// What stands in a fleet's store, read from replies of every shape; and lists of revoked tokens.
#include "gateway/fleet.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "gateway/labels.hpp"

using namespace cmux;
using namespace cmux::gateway;
using redis::Reply;

namespace {

Reply text(std::string_view value) { return {Reply::Kind::text, std::string(value), 0, {}}; }
Reply number(std::int64_t value) { return {Reply::Kind::number, {}, value, {}}; }
Reply list(std::vector<Reply> items) { return {Reply::Kind::list, {}, 0, std::move(items)}; }
const Reply kNothing, kRefused{Reply::Kind::error, "WRONGTYPE", 0, {}};

}  // namespace

TEST_CASE("fleet: a machine's entry, and what is none") {
  const auto read = fleet::read_machine(text("h2c://10.0.0.7:39379"), number(1'500));
  REQUIRE(read.has_value());
  REQUIRE(read->has_value());
  CHECK((*read)->machine.origin.text() == "h2c://10.0.0.7:39379");
  CHECK((*read)->left == milliseconds(1'500));
  CHECK_FALSE((*fleet::read_machine(text("http://a"), number(-1)))->left);  // set by hand, without an end
  CHECK_FALSE(fleet::read_machine(text(""), number(-2))->has_value());
  CHECK_FALSE(fleet::read_machine(text("http://a"), number(-2))->has_value());  // its lease has ended between the two
  for (const auto& bad : {fleet::read_machine(text("what?"), number(1)), fleet::read_machine(kRefused, number(1)),
                          fleet::read_machine(kNothing, number(1)), fleet::read_machine(text("http://a"), kRefused),
                          fleet::read_machine(list({}), list({})), fleet::read_machine(text("http://a/b"), number(1)),
                          fleet::read_machine(text("http://" + std::string(fleet::kLongestUrl, 'a')), number(1))})
    CHECK(bad.has_error());
}

TEST_CASE("fleet: rounds of a walk, without what can be no machine's or token's") {
  const auto scanned = fleet::read_machines(
      list({text("17"), list({text("cmux:machine:abc"), text("cmux:machine:"), text("cmux:machine:A"), text("other"), number(3),
                              text("cmux:machine:x-1"), text("cmux:machine:" + std::string(64, 'a'))})}));
  REQUIRE(scanned.has_value());
  CHECK(scanned->cursor == "17");
  CHECK(scanned->ids == std::vector<std::string>{"abc", "x-1"});
  const auto revoked = fleet::read_revoked(list(
      {text("0"), list({text("one"), text("1764536400"), text("two"), text("inf"), text("three"), text("1.8e+09"), text("four"),
                        text("nan"), text("five"), text("-1"), text("a b"), text("1"), text("six"), number(1), text("odd")})}));
  REQUIRE(revoked.has_value());
  REQUIRE(revoked->ids.size() == 3);
  CHECK(revoked->ids[0] == std::pair(std::string("one"), wall_time(1'764'536'400)));
  CHECK(revoked->ids[1].second == kNever);
  CHECK(revoked->ids[2].second == wall_time(1'800'000'000));
  for (const Reply& bad :
       {kNothing, number(1), list({}), list({text("0")}), list({number(0), list({})}), list({text("0"), text("x")})}) {
    CHECK(fleet::read_machines(bad).has_error());
    CHECK(fleet::read_revoked(bad).has_error());
  }
}

TEST_CASE("fleet: changes name what to look at, each once, and nonsense names nothing") {
  const auto changes = fleet::read_changes(list(
      {list({text("cmux:changes"),
             list({list({text("1-0"), list({text("machine"), text("abc")})}),
                   list({text("2-0"), list({text("machine"), text("abc"), text("revoked"), text("t1"), text("odd")})}),
                   list({text("3-0")}), kNothing,
                   list({text("4-0"),
                         list({text("machine"), text("not an id"), text("x"), text("y"), text("revoked"), number(1)})})})})}));
  CHECK(changes.last == "4-0");
  CHECK(changes.machines == std::vector<std::string>{"abc"});
  CHECK(changes.tokens == std::vector<std::string>{"t1"});
  for (const Reply& none : {kNothing, number(1), list({}), list({list({})}), list({list({text("a"), text("b")})})})
    CHECK(fleet::read_changes(none).last.empty());
  CHECK(fleet::read_last_change(list({})) == "0-0");
  CHECK(fleet::read_last_change(kNothing) == "0-0");
  CHECK(fleet::read_last_change(list({list({text("9-1"), list({})})})) == "9-1");
  CHECK(fleet::read_until(text("5")) == wall_time(5));
  CHECK_FALSE(fleet::read_until(kNothing));
  CHECK_FALSE(fleet::read_until(kRefused));
}

TEST_CASE("fleet: ids are labels' parts") {
  for (const std::string_view good : {"a", "abc-1", "0"}) CHECK(is_id(good));
  CHECK(is_id(std::string(63, 'a')));
  for (const std::string& bad : {std::string(), std::string(64, 'a'), std::string("A"), std::string("-a"), std::string("a-"),
                                 std::string("a.b"), std::string("a b"), std::string("\xc3\xbc"), std::string("a\n")})
    CHECK_FALSE(is_id(bad));
}

TEST_CASE("gateway revoked: a file of ids, and what is wrong with it by its line") {
  const auto read = parse_revoked("# leaked\r\n\n one 1764536400 # by mail\r\ntwo\n\tthree\t5");
  REQUIRE(read.has_value());
  CHECK((*read)->size() == 3);
  CHECK((*read)->at("one") == wall_time(1'764'536'400));
  CHECK((*read)->at("two") == kNever);
  CHECK(parse_revoked("")->get()->empty());
  std::string written;
  for (const auto& [id, until] : **read) written += print_revoked(id, until);
  CHECK(**parse_revoked(written) == **read);
  for (const std::string& bad : {std::string("a b"), std::string("a 1 2"), std::string("a -1"),
                                 std::string("a 99999999999999999999"), std::string(129, 'a'), std::string("\xc3\xbc")}) {
    CAPTURE(bad);
    const auto refused = parse_revoked("fine\n" + bad);
    REQUIRE(refused.has_error());
    CHECK_THAT(refused.error().detail, Catch::StartsWith("line 2: "));
  }
  const auto a = std::make_shared<const Revoked>(Revoked{{"a", kNever}}),
             b = std::make_shared<const Revoked>(Revoked{{"b", kNever}});
  CHECK(joined(nullptr, nullptr) == nullptr);
  CHECK(joined(a, nullptr) == a);
  CHECK(joined(nullptr, b) == b);
  CHECK(joined(a, b)->size() == 2);
}

TEST_CASE("gateway revoked: a list holds so many, and no more") {
  std::string text;
  for (std::size_t i = 0; i < kMostRevoked; ++i) text += fmt::format("t{}\n", i);
  CHECK(parse_revoked(text).has_value());
  CHECK_THAT(parse_revoked(text + "more").error().detail, Catch::Contains("more than 100000"));
}

TEST_CASE("gateway token: its id is in it, and can be read without its key") {
  const WallTime now = wall_time(1'764'536'400);
  Keys keys;
  keys.keys.push_back(*make_key(Algorithm::ed25519, now));
  const std::string token = *sign(keys.keys.front(), {"abc", now + std::chrono::hours(1), {}, "the-id"}, now);
  CHECK(verify(token, keys, now)->id == "the-id");
  CHECK(read_claims(token)->id == "the-id");
  CHECK(read_claims(token)->expires == now + std::chrono::hours(1));
  CHECK(read_claims(*sign(keys.keys.front(), {"abc", now, {}}, now))->id.empty());
  for (const std::string_view bad : {"", "a.b", "a.b.c", "...", "a.e30.c"}) CHECK(read_claims(bad).has_error());
  // An id that could not be written down anywhere.
  for (const std::string_view bad : {R"("")", R"("a b")", "7", R"("a#b")", "null"}) {
    const std::string odd = *sign_text(keys.keys.front(), fmt::format(R"({{"sub":"abc","exp":1964536400,"jti":{}}})", bad));
    CHECK_THAT(verify(odd, keys, now).error().detail, Catch::Contains("\"jti\""));
  }
}

TEST_CASE("gateway machines: the table goes before what has registered itself, and that before the template") {
  Machines machines;
  REQUIRE(machines.set_template("https://{id}.test").has_value());
  REQUIRE(machines.read_table("a = \"http://table\"").has_value());
  machines.set_registered(std::make_shared<const MachineTable>(
      MachineTable{{"a", *parse_machine("http://registered")}, {"b", *parse_machine("http://registered")}}));
  CHECK(machines.find("a")->authority == "table");
  CHECK(machines.find("b")->authority == "registered");
  CHECK(machines.find("c")->authority == "c.test");
}
