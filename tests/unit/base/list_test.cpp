#include "base/list.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

using namespace cmux;

namespace {

struct Item : Link {
  explicit Item(char c) : name(c) {}
  char name;
};

std::string names(const Link& head) {
  std::string out;
  for (const Link* link = head.next(); link != &head; link = link->next()) out += static_cast<const Item*>(link)->name;
  return out;
}

}  // namespace

TEST_CASE("links go on a list and off it") {
  Link head;
  CHECK_FALSE(head.linked());
  Item a('a'), b('b'), c('c');
  a.link_after(head);
  b.link_after(a);
  c.link_after(head);
  CHECK(names(head) == "cab");
  CHECK(a.linked());
  a.unlink();
  CHECK_FALSE(a.linked());
  CHECK(names(head) == "cb");
  a.unlink();  // twice is nothing
  CHECK(names(head) == "cb");
  a.link_after(c);
  CHECK(names(head) == "cab");
}

TEST_CASE("a link that is put elsewhere leaves its list") {
  Link one, two;
  Item a('a'), b('b');
  a.link_after(one);
  b.link_after(a);
  a.link_after(two);
  CHECK(names(one) == "b");
  CHECK(names(two) == "a");
  a.link_after(two);  // where it is
  CHECK(names(two) == "a");
}

TEST_CASE("a destroyed link leaves its list, a destroyed head leaves its links") {
  auto head = std::make_unique<Link>();
  Item a('a');
  a.link_after(*head);
  {
    Item b('b');
    b.link_after(a);
    CHECK(names(*head) == "ab");
  }
  CHECK(names(*head) == "a");
  head.reset();
  CHECK_FALSE(a.linked());
}
