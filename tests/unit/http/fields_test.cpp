#include "http/fields.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace cmux::http;

namespace {

std::string text(const Fields& fields) {
  std::string out;
  for (const auto field : fields) out += std::string(field.name) + "=" + std::string(field.value) + ";";
  return out;
}

Fields some() {
  Fields fields;
  fields.add("A", "1");
  fields.add("Set-Cookie", "x");
  fields.add("b", "2");
  fields.add("set-cookie", "y");
  fields.add("a", "3");
  return fields;
}

}  // namespace

TEST_CASE("every known name is found in any case") {
  for (int i = 1; i <= static_cast<int>(Name::x_cmux_workspace_internal); ++i) {
    const Name name = static_cast<Name>(i);
    std::string known(text_of(name));
    CAPTURE(known);
    REQUIRE_FALSE(known.empty());
    CHECK(name_of(known) == name);
    std::string upper = known, lower = known;
    std::transform(known.begin(), known.end(), upper.begin(), [](unsigned char c) { return static_cast<char>(toupper(c)); });
    std::transform(known.begin(), known.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(tolower(c)); });
    CHECK(name_of(upper) == name);
    CHECK(name_of(lower) == name);
    for (std::size_t at = 0; at < known.size(); ++at) {
      std::string other = known;
      other[at] = '!';
      CHECK(name_of(other) == Name::other);
    }
    CHECK(name_of(known + "s") == Name::other);
    CHECK(name_of(known.substr(1)) != name);
  }
  CHECK(name_of("") == Name::other);
  CHECK(name_of("x") == Name::other);
  CHECK(text_of(Name::other).empty());
}

TEST_CASE("lines keep their order, their case and their repetitions") {
  const Fields fields = some();
  CHECK(fields.size() == 5);
  CHECK(text(fields) == "A=1;Set-Cookie=x;b=2;set-cookie=y;a=3;");
  CHECK(fields[3].known == Name::set_cookie);
  CHECK(fields.count(Name::set_cookie) == 2);
  CHECK(fields.get(Name::set_cookie) == "x");
  CHECK(fields.get("SET-COOKIE") == "x");
  CHECK(fields.get("B") == "2");
  CHECK(fields.contains(Name::set_cookie));
  CHECK_FALSE(fields.contains(Name::host));
  CHECK_FALSE(fields.get(Name::host).has_value());
  CHECK_FALSE(fields.get("c").has_value());
}

TEST_CASE("set replaces the first line and removes the others") {
  Fields fields = some();
  fields.set("a", "new");
  CHECK(text(fields) == "A=new;Set-Cookie=x;b=2;set-cookie=y;");
  fields.set(Name::set_cookie, "z");
  CHECK(text(fields) == "A=new;Set-Cookie=z;b=2;");
  fields.set("SET-COOKIE", "by text");
  CHECK(text(fields) == "A=new;Set-Cookie=by text;b=2;");
  fields.set(Name::host, "h");
  fields.set("New", "n");
  CHECK(text(fields) == "A=new;Set-Cookie=by text;b=2;Host=h;New=n;");
  CHECK(fields.get(Name::host) == "h");
}

TEST_CASE("lines are removed by name or by what they are") {
  Fields fields = some();
  fields.remove("A");
  CHECK(text(fields) == "Set-Cookie=x;b=2;set-cookie=y;");
  fields.remove(Name::set_cookie);
  CHECK(text(fields) == "b=2;");
  fields.remove("nothing");
  fields.remove_if([](const Fields::Field& field) { return field.value == "2"; });
  CHECK(fields.empty());
  fields.add("c", "");
  CHECK(text(fields) == "c=;");
  fields.clear();
  CHECK(fields.empty());
}

TEST_CASE("replace changes one line") {
  Fields fields = some();
  fields.replace(3, "a longer value than it was before");
  fields.replace(0, "");
  CHECK(text(fields) == "A=;Set-Cookie=x;b=2;set-cookie=a longer value than it was before;a=3;");
  CHECK(fields[3].known == Name::set_cookie);
}

TEST_CASE("values may come from the same fields") {
  Fields fields;
  fields.add("First", "a value that is long enough to make the text move now and then");
  for (int i = 0; i < 100; ++i) {
    fields.add(fields[0].name, fields[0].value);
    fields.replace(0, fields[0].value);
    fields.set(Name::host, fields[0].value);
  }
  CHECK(fields.size() == 102);
  for (const auto field : fields) CHECK(field.value == "a value that is long enough to make the text move now and then");
  CHECK(fields[101].name == "First");
}

TEST_CASE("many lines stay what they were") {
  Fields fields;
  for (int i = 0; i < 1'000; ++i) fields.add("X-" + std::to_string(i), std::string(static_cast<std::size_t>(i % 50), 'v'));
  for (int i = 0; i < 1'000; ++i) {
    CHECK(fields[static_cast<std::size_t>(i)].name == "X-" + std::to_string(i));
    CHECK(fields[static_cast<std::size_t>(i)].value.size() == static_cast<std::size_t>(i % 50));
  }
}

TEST_CASE("a parser's block is indexed in place") {
  Fields fields;
  fields.add("Old", "gone");
  fields.assign_text("Host: a\r\nX: bc\r\n");
  fields.index(0, 4, 6, 1);
  fields.index(9, 1, 12, 2);
  CHECK(text(fields) == "Host=a;X=bc;");
  CHECK(fields[0].known == Name::host);
}

TEST_CASE("lists are taken apart at commas") {
  std::vector<std::string> items;
  const auto split = [&](std::string_view list) {
    items.clear();
    for_each_token(list, [&](std::string_view item) { items.emplace_back(item); });
    return items;
  };
  using Items = std::vector<std::string>;
  CHECK(split("").empty());
  CHECK(split(" ,\t, ,").empty());
  CHECK(split("a") == Items{"a"});
  CHECK(split("a,b , \tc d\t,,e") == Items{"a", "b", "c d", "e"});
  CHECK(has_token("keep-alive, Upgrade", "upgrade"));
  CHECK_FALSE(has_token("keep-alive, Upgrades", "upgrade"));
  CHECK_FALSE(has_token("", "upgrade"));
}

TEST_CASE("case is ignored in ASCII letters alone") {
  CHECK(equal_ignoring_case("AbZ", "aBz"));
  CHECK_FALSE(equal_ignoring_case("a", "ab"));
  CHECK_FALSE(equal_ignoring_case("[", "{"));
  CHECK_FALSE(equal_ignoring_case("@", "`"));
}

// Hidden: set() goes on using the name after the text that it is a view of has moved.
TEST_CASE("names of set() may come from the same fields", "") {
  Fields fields;
  fields.add("X-Some-Longer-Name-Of-A-Field", "1");
  fields.add("x-some-longer-name-of-a-field", "2");
  fields.set(fields[0].name, std::string(1'000, 'v'));
  CHECK(fields.size() == 1);
}

TEST_CASE("an order that ignores case") {
  CHECK(less_ignoring_case("a", "B"));
  CHECK(less_ignoring_case("A", "b"));
  CHECK(less_ignoring_case("a", "AA"));
  CHECK_FALSE(less_ignoring_case("a", "A"));
  CHECK_FALSE(less_ignoring_case("A", "a"));
  CHECK_FALSE(less_ignoring_case("b", "A"));
}
