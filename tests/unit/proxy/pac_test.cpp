#include "proxy/pac.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "policy/hosts.hpp"
#include "policy/route.hpp"

using namespace cmux;
using namespace cmux::proxy;

namespace {

std::string quoted(const std::string& text) { return boost::json::serialize(boost::json::value(text)); }

// What the script says of each host, as Node runs it: strictly, with nothing of a browser around it.
std::vector<std::string> asked(const Pac& pac, const std::vector<std::string>& hosts) {
  char path[] = "/tmp/cmux-pac-XXXXXX";
  const int file = mkstemp(path);
  REQUIRE(file >= 0);
  std::ofstream out(path);
  out << "'use strict';\n" << pac_script(pac);
  for (const std::string& host : hosts) out << fmt::format("console.log(FindProxyForURL('http://x/', {}));\n", quoted(host));
  out.close();
  close(file);
  FILE* const node = popen(fmt::format("node {} 2>&1", path).c_str(), "r");
  REQUIRE(node);
  std::vector<std::string> lines;
  char line[4096];
  while (fgets(line, sizeof line, node)) lines.emplace_back(std::string_view(line).substr(0, std::string_view(line).find('\n')));
  pclose(node);
  unlink(path);
  if (lines.size() != hosts.size()) FAIL(fmt::format("{}", fmt::join(lines, "\n")));
  return lines;
}

std::vector<std::string> spelled_hosts() {
  std::vector<std::string> hosts{"localhost",
                                 "LOCALHOST",
                                 "localhost.",
                                 "app.localhost",
                                 "a.b.LocalHost.",
                                 "127.0.0.1",
                                 "127.0.0.1.",
                                 "127.255.255.255",
                                 "0.0.0.0",
                                 "[::1]",
                                 "[::]",
                                 "[::ffff:127.0.0.1]",
                                 "[::FFFF:7F00:1]",
                                 "[0:0:0:0:0:0:0:1]",
                                 "[0000:0::0001]",
                                 "[::ffff:0.0.0.0]",
                                 "[::127.0.0.1]",
                                 "[::ffff:128.0.0.1]",
                                 "[::2]",
                                 "[::1:1]",
                                 "[1::]",
                                 "[fe80::1]",
                                 "[::1%25eth0]",
                                 "127.evil.com",
                                 "localhost.evil.com",
                                 "evillocalhost",
                                 "127.0.0.1.nip.io",
                                 "127.1",
                                 "0177.0.0.1",
                                 "127.0.0.01",
                                 "127.0.0.256",
                                 "127.0.0.0.1",
                                 "2130706433",
                                 "0x7f.0.0.1",
                                 "127",
                                 "0",
                                 "0.0.0.00",
                                 "0.0.0.1",
                                 "128.0.0.1",
                                 "12.7.0.1",
                                 "localhost.localdomain",
                                 "example.com",
                                 "cmux.localhost",
                                 "x.cmux.localhost",
                                 "xcmux.localhost",
                                 "manaflow.localhost",
                                 "cmux.app",
                                 "mine.localhost",
                                 "a.mine.localhost",
                                 "notmine.localhost",
                                 "minexlocalhost"};
  std::mt19937 random(7);
  const auto number = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  for (int i = 0; i < 300; ++i)
    hosts.push_back(fmt::format("{}.{}.{}.{}", number(2) ? 127 : number(300), number(300), number(300), number(300)));
  // IPv6 in all forms: mostly zeros, with a gap or without, with dotted octets at the end or without.
  for (int i = 0; i < 600; ++i) {
    const bool dotted = number(2), gap = number(3) != 0;
    const unsigned whole = dotted ? 6 : 8, most = gap ? whole - 1 : whole;
    const unsigned first = gap ? number(most + 1) : most, last = gap ? number(most - first + 1) : 0;
    const auto group = [&]() -> std::string {
      const char* const kinds[] = {"0", "0", "0", "ffff", "FFFF", "1", "7f00", "0000"};
      return kinds[number(8)];
    };
    std::string text;
    for (unsigned n = 0; n < first; ++n) text += (n ? ":" : "") + group();
    if (gap) text += "::";
    for (unsigned n = 0; n < last; ++n) text += (n ? ":" : "") + group();
    if (dotted && !text.empty() && !text.ends_with(':')) text += ":";
    if (dotted) text += fmt::format("{}.{}.0.{}", number(2) ? 127 : 0, number(2), number(2));
    hosts.push_back("[" + text + "]");
  }
  return hosts;
}

}  // namespace

TEST_CASE("pac: loopback is what it is for the proxy, in every spelling") {
  const std::vector<std::string> more{"mine.localhost"};
  std::vector<std::string> hosts, expected;
  for (const std::string& host : spelled_hosts()) {
    const auto parsed = net::parse_authority(host);
    if (!parsed) continue;
    hosts.push_back(host);
    expected.push_back(policy::is_loopback_target(parsed->host, more) ? "PROXY 127.0.0.1:4711" : "DIRECT");
  }
  REQUIRE(hosts.size() > 700);
  const auto found = asked({4711, {}, more}, hosts);
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    INFO(hosts[i]);
    CHECK(found[i] == expected[i]);
  }
  // Both ways it was asked about enough.
  CHECK(std::count(expected.begin(), expected.end(), "DIRECT") > 200);
  CHECK(std::count(expected.begin(), expected.end(), "DIRECT") + 100 < static_cast<std::ptrdiff_t>(expected.size()));
  // Engines differ in whether they keep the brackets.
  CHECK(asked({4711, {}, {}}, {"::1", "::ffff:127.0.0.1"}) == std::vector<std::string>(2, "PROXY 127.0.0.1:4711"));
}

TEST_CASE("pac: the route's hosts go to the port too, as globs") {
  const std::vector<std::string> globs{"*.internal", "db-?.test", "exact.test"};
  const std::vector<std::string> inside{"api.internal", "a.b.INTERNAL", "db-1.test", "exact.test", "exact.test.", "localhost"};
  const std::vector<std::string> outside{"internal", "api.internal.evil.com", "db-12.test", "xexact.test", "exactxtest"};
  CHECK(asked({1, globs, {}}, inside) == std::vector<std::string>(inside.size(), "PROXY 127.0.0.1:1"));
  CHECK(asked({1, globs, {}}, outside) == std::vector<std::string>(outside.size(), "DIRECT"));
}

TEST_CASE("pac: what a host says is never code") {
  for (const std::string& hostile : {std::string("/;throw 1;/"), std::string("\n"), std::string("a)|(.*"), std::string("[^x]"),
                                     std::string("\\"), std::string("*/x"), std::string("\xe2\x80\xa8"), std::string("$")}) {
    const std::vector<std::string> globs{hostile};
    CHECK(asked({1, globs, {}}, {"example.com", "localhost"}) == std::vector<std::string>{"DIRECT", "PROXY 127.0.0.1:1"});
  }
}
