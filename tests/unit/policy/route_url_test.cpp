// The second half of policy/route.hpp: which hosts are routed, and routes from preview URLs.
#include <catch2/catch.hpp>

#include "policy/route.hpp"

using namespace cmux;
using namespace cmux::policy;

TEST_CASE("names under the known domains are never loopback") {
  const std::vector<std::string> more = {"mine.localhost", "example.com"};
  for (const std::string_view host : {"localhost", "app.localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "notcmux.localhost",
                                      "xmanaflow.localhost", "cmux.localhost.localhost", "notmine.localhost"}) {
    CAPTURE(host);
    CHECK(is_loopback_target(host, more));
  }
  for (const std::string_view host : {"cmux.localhost", "foo.cmux.localhost", "cmux-abc-base-3000.cmux.localhost",
                                      "manaflow.localhost", "a.b.manaflow.localhost", "mine.localhost", "a.mine.localhost",
                                      "cmux.app", "example.com", "127.evil.com", "localhost.evil.com", "127.0.0.1.nip.io"}) {
    CAPTURE(host);
    CHECK_FALSE(is_loopback_target(host, more));
  }
  CHECK(is_loopback_target("mine.localhost", {}));
  CHECK(known_domains().size() == 10);
}

TEST_CASE("routes from cmux URLs") {
  const std::vector<std::string> more = {"cmux.test"};
  struct Row {
    std::string_view url, id, scope, domain;
    int port;
  };
  for (const Row& row : {
           Row{"https://cmux-abc123-base-3000.cmux.app", "abc123", "base", "cmux.app", 3000},
           Row{"http://cmux-abc123-base-3000.cmux.app/", "abc123", "base", "cmux.app", 3000},
           Row{"https://cmux-abc123-base-3000.cmux.app/path?query=1#fragment", "abc123", "base", "cmux.app", 3000},
           Row{"HTTPS://CMUX-ABC123-BASE-3000.CMUX.APP", "abc123", "base", "cmux.app", 3000},
           Row{"https://cmux-abc123-base-3000.cmux.app.", "abc123", "base", "cmux.app", 3000},
           Row{"https://cmux-a-b--c-ws2-1.cmux.sh", "a-b--c", "ws2", "cmux.sh", 1},
           Row{"https://manaflow-x-base-65535.manaflow.com", "x", "base", "manaflow.com", 65535},
           Row{"https://cmux-x-1-2.autobuild.app", "x", "1", "autobuild.app", 2},
           Row{"http://cmux-x-base-80.cmux.localhost", "x", "base", "cmux.localhost", 80},
           Row{"https://cmux-x-base-80.cmux.test", "x", "base", "cmux.test", 80},
           Row{"https://cmux-port-1-morphvm-x-base-80.cmux.app", "port-1-morphvm-x", "base", "cmux.app", 80},
       }) {
    CAPTURE(row.url);
    const auto found = route_from_url(row.url, more);
    REQUIRE(found.has_value());
    CHECK(found->route.morph_id == row.id);
    CHECK(found->route.scope == row.scope);
    CHECK(found->route.domain_suffix == row.domain);
    CHECK(found->route.morph_domain_suffix.empty());
    CHECK(found->port == row.port);
  }
}

TEST_CASE("routes from morph URLs") {
  struct Row {
    std::string_view url, id, suffix;
    int port;
  };
  for (const Row& row : {
           Row{"https://port-3000-morphvm-abc123.http.cloud.morph.so", "abc123", ".http.cloud.morph.so", 3000},
           Row{"https://Port-80-MorphVM-a-b.Morph.so/x?y", "a-b", ".morph.so", 80},
           Row{"http://port-1-morphvm-a-morphvm-b.test", "a-morphvm-b", ".test", 1},
       }) {
    CAPTURE(row.url);
    const auto found = route_from_url(row.url, {});
    REQUIRE(found.has_value());
    CHECK(found->route.morph_id == row.id);
    CHECK(found->route.morph_domain_suffix == row.suffix);
    CHECK(found->route.scope.empty());
    CHECK(found->route.domain_suffix.empty());
    CHECK(found->port == row.port);
  }
}

TEST_CASE("a route from a URL leads back to the URL") {
  for (const std::string_view host : {"cmux-a-b-base-3000.cmux.app", "port-3000-morphvm-abc.http.cloud.morph.so"}) {
    const auto found = route_from_url("https://" + std::string(host), {});
    REQUIRE(found.has_value());
    CHECK(destination_of(found->route, Scheme::http, "localhost", found->port).value().host == host);
  }
}

TEST_CASE("URLs that are no preview") {
  for (const std::string_view url : {"",
                                     "cmux-abc-base-3000.cmux.app",
                                     "//cmux-abc-base-3000.cmux.app",
                                     "ftp://cmux-abc-base-3000.cmux.app",
                                     "ws://cmux-abc-base-3000.cmux.app",
                                     " https://cmux-abc-base-3000.cmux.app",
                                     "https://cmux-abc-base-3000.cmux.app ",
                                     "https://user@cmux-abc-base-3000.cmux.app",
                                     "https://user:pass@cmux-abc-base-3000.cmux.app",
                                     "https://cmux-abc-base-3000.cmux.app:443",
                                     "https://cmux-abc-base-3000.cmux.app:8443/",
                                     "https://cmux-abc-base-3000.cmux.app:",
                                     "https://cmux-abc-base-3000.evil.com",
                                     "https://cmux-abc-base-3000.cmux.app.evil.com",
                                     "https://cmux-abc-base-3000.notcmux.app",
                                     "https://cmux-abc-base-3000.sub.cmux.app",
                                     "https://cmux-abc-base-3000.app",
                                     "https://cmux-abc-base-3000",
                                     "https://x.cmux-abc-base-3000.cmux.app",
                                     "https://cmux.app",
                                     "https://abc-base-3000.cmux.app",
                                     "https://xcmux-abc-base-3000.cmux.app",
                                     "https://cmux-base-3000.cmux.app",
                                     "https://cmux--base-3000.cmux.app",
                                     "https://cmux--a-base-3000.cmux.app",
                                     "https://cmux-a--base-3000.cmux.app",
                                     "https://cmux-abc--3000.cmux.app",
                                     "https://cmux-abc-base-.cmux.app",
                                     "https://cmux-abc-base.cmux.app",
                                     "https://cmux-abc-base-0.cmux.app",
                                     "https://cmux-abc-base-65536.cmux.app",
                                     "https://cmux-abc-base-03000.cmux.app",
                                     "https://cmux-abc-base-3x.cmux.app",
                                     "https://cmux-a_b-base-3000.cmux.app",
                                     "https://cmux-abc-ba_se-3000.cmux.app",
                                     "https://cmux-%61bc-base-3000.cmux.app",
                                     "https://port-0-morphvm-abc.morph.so",
                                     "https://port-x-morphvm-abc.morph.so",
                                     "https://port-3000-morphvm-.morph.so",
                                     "https://port-3000-morphvm--a.morph.so",
                                     "https://port--morphvm-a.morph.so",
                                     "https://port-morphvm-a.morph.so",
                                     "https://port-3000-morphvm-abc",
                                     "https://port-3000-abc.morph.so",
                                     "https://port-3000-morphvm-abc.127.0.0.1",
                                     "https://port-3000-morphvm-abc.mo_rph.so",
                                     "https://127.0.0.1",
                                     "https://[::1]",
                                     "https://"}) {
    CAPTURE(url);
    const auto found = route_from_url(url, {});
    REQUIRE(found.has_error());
    CHECK(found.error().code == Errc::config);
    CHECK(found.error().detail.starts_with("url: "));
  }
  CHECK(route_from_url("http://user:hunter2@h", {}).error().detail.find("hunter2") == std::string::npos);
  CHECK(route_from_url("https://x", {}).error().detail.find("cmux-<morphId>-<scope>-<port>.<domain>") != std::string::npos);
  CHECK(route_from_url("nonsense", {}).error().detail.find("cmux-<morphId>-<scope>-<port>.<domain>") != std::string::npos);
  const std::vector<std::string> more = {"cmux.test"};
  CHECK(route_from_url("https://cmux-a-b-1.evil.com", more).error().detail.find("autobuild.app, cmux.test") != std::string::npos);
}

TEST_CASE("a URL whose id leaves no room for longer ports is refused") {
  const auto found = route_from_url("https://cmux-" + std::string(49, 'a') + "-base-80.cmux.app", {});
  REQUIRE(found.has_error());
  CHECK(found.error().detail.find("morphId: is too long") != std::string::npos);
}
