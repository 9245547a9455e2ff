// Which names are loopback, and routes from preview URLs.
#include <catch2/catch.hpp>

#include "policy/hosts.hpp"
#include "policy/preset.hpp"
#include "policy/route_url.hpp"

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
           Row{"https://cmux-abc123-3000.cmux.app", "abc123", "base", "cmux.app", 3000},
           Row{"https://cmux-base-3000.cmux.app", "base", "base", "cmux.app", 3000},
           Row{"https://manaflow-x-80.manaflow.com", "x", "base", "manaflow.com", 80},
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

TEST_CASE("the other labels of the cmux domains") {
  const auto port = route_from_url("https://port-3000-a-b.cmux.app/x", {});
  REQUIRE(port.has_value());
  CHECK(port->port == 3000);
  CHECK(destination_of(port->route, Scheme::http, "localhost", 4000)->host == "port-4000-morphvm-a-b.http.cloud.morph.so");

  // The proxy in the machine takes the field that the public one hands through.
  const auto workspace = route_from_url("http://My-ws-3000-vm7.CMUX.sh", {});
  REQUIRE(workspace.has_value());
  CHECK(workspace->port == 3000);
  CHECK(workspace->route.morph_id == "vm7");
  const auto destination = destination_of(workspace->route, Scheme::http, "localhost", 4000);
  CHECK(destination->host == "my-ws-4000-vm7.cmux.sh");
  CHECK(destination->headers == HeaderList{{"X-Cmux-Host-Override", "localhost:4000"}});
}

TEST_CASE("routes from the presets' URLs lead back to them") {
  struct Row {
    std::string_view url, preset, id, scope, suffix, other;
    int port;
  };
  for (const Row& row : {
           Row{"https://my-space-x7-3000.app.github.dev/a?b", "codespaces", "my-space-x7", "", "",
               "my-space-x7-4000.app.github.dev", 3000},
           Row{"https://abc-x-3000.usw2.devtunnels.ms", "devtunnels", "abc-x", "", "usw2", "abc-x-4000.usw2.devtunnels.ms", 3000},
           Row{"https://3000-me-repo-abc.ws-eu45.gitpod.io", "gitpod", "me-repo-abc", "", "eu45",
               "4000-me-repo-abc.ws-eu45.gitpod.io", 3000},
           Row{"HTTPS://3000-ABC.e2b.app.", "e2b", "abc", "", "", "4000-abc.e2b.app", 3000},
           Row{"https://3000-a-b.proxy.daytona.work", "daytona", "a-b", "", "", "4000-a-b.proxy.daytona.work", 3000},
           Row{"https://abc-3000.csb.app", "codesandbox", "abc", "", "", "abc-4000.csb.app", 3000},
           Row{"https://8080--main--ws--me.coder.example.com", "coder", "ws--me", "main", "coder.example.com",
               "4000--main--ws--me.coder.example.com", 8080},
       }) {
    CAPTURE(row.url);
    const auto found = route_from_url(row.url, {});
    REQUIRE(found.has_value());
    REQUIRE(found->preset);
    CHECK(found->preset->name == row.preset);
    CHECK(found->port == row.port);
    CHECK(found->route.morph_id == row.id);
    CHECK(found->route.scope == row.scope);
    CHECK(found->route.suffix == row.suffix);
    CHECK(destination_of(found->route, Scheme::http, "localhost", 4000)->host == row.other);
    CHECK_FALSE(destination_of(found->route, Scheme::http, "localhost", 4000)->host_override);
  }
}

TEST_CASE("a preset's headers: its own, and the token's") {
  struct Row {
    std::string_view preset;
    HeaderList headers;
  };
  for (const Row& row : {
           Row{"codespaces", {{"X-Github-Token", "t0k"}}},
           Row{"devtunnels", {{"X-Tunnel-Skip-AntiPhishing-Page", "true"}, {"X-Tunnel-Authorization", "tunnel t0k"}}},
           Row{"e2b", {{"e2b-traffic-access-token", "t0k"}}},
           Row{"daytona", {{"X-Daytona-Skip-Preview-Warning", "true"}, {"x-daytona-preview-token", "t0k"}}},
           Row{"coder", {{"Coder-Session-Token", "t0k"}}},
           Row{"codesandbox", {{"csb-preview-token", "t0k"}}},
       }) {
    CAPTURE(row.preset);
    const Preset* const preset = find_preset(row.preset);
    REQUIRE(preset);
    Route route;
    REQUIRE(apply_preset(*preset, "t0k", route).has_value());
    CHECK(route.headers == row.headers);
    CHECK(route.url_template == preset->url);
    // What the route says itself goes before, and nothing is there twice.
    Route own;
    own.headers = {{net::to_lower(row.headers.back().first), "mine"}};
    REQUIRE(apply_preset(*preset, "t0k", own).has_value());
    REQUIRE(apply_preset(*preset, "t0k", own).has_value());
    CHECK(own.headers.size() == row.headers.size());
    CHECK(own.headers.front().second == "mine");
  }
  Route route;
  CHECK(apply_preset(*find_preset("gitpod"), "t0k", route).error().detail.starts_with("token: "));
  const auto bad = apply_preset(*find_preset("e2b"), "t0k\r\nX: y", route);
  CHECK(bad.error().detail.starts_with("token: "));
  CHECK(bad.error().detail.find("t0k") == std::string::npos);
  CHECK(find_preset("gitlab") == nullptr);
  CHECK(find_preset("Codespaces") == nullptr);
  CHECK(presets().size() == 7);
}

TEST_CASE("straight to the machine") {
  struct Row {
    std::string_view url, suffix, origin, scope;
  };
  for (const Row& row : {
           Row{"https://cmux-abc-base-3000.cmux.app", "", "https://port-39379-morphvm-abc.http.cloud.morph.so", "base"},
           Row{"https://cmux-abc-web2-3000.cmux.app", ".morph.test", "https://port-39379-morphvm-abc.morph.test", "web2"},
           Row{"https://cmux-abc-3000.cmux.app", "morph.test", "https://port-39379-morphvm-abc.morph.test", "base"},
           Row{"https://port-3000-morphvm-a-b.my.suffix", "", "https://port-39379-morphvm-a-b.my.suffix", ""},
           Row{"https://port-3000-abc.cmux.app", "", "https://port-39379-morphvm-abc.http.cloud.morph.so", ""},
       }) {
    CAPTURE(row.url);
    Route route = route_from_url(row.url, {})->route;
    if (!row.suffix.empty()) route.morph_domain_suffix = row.suffix;
    route.hosts = {"*.internal"};
    const auto direct = direct_route(route);
    REQUIRE(direct.has_value());
    CHECK(direct->cmux_proxy_origin == row.origin);
    CHECK(direct->scope == row.scope);
    CHECK(direct->domain_suffix.empty());
    CHECK(direct->morph_domain_suffix.empty());
    CHECK(check_route(*direct).has_value());
  }
  Route route = route_from_url("https://cmux-abc-base-3000.cmux.app", {})->route;
  route.morph_domain_suffix = "@evil.com";
  CHECK(direct_route(route).error().detail.starts_with("morphDomainSuffix: "));
  CHECK(direct_route(Route{}).error().detail.starts_with("direct: "));
  CHECK(direct_route(route_from_url("https://abc-3000.csb.app", {})->route).error().detail.starts_with("direct: "));
}

TEST_CASE("a URL that cannot be read is answered with the forms") {
  const std::string detail = route_from_url("https://example.com", {}).error().detail;
  for (const std::string_view form :
       {"cmux-<morphId>-<scope>-<port>.<domain>", "cmux-<morphId>-<port>.<domain>", "manaflow-", "port-<port>-<morphId>.<domain>",
        "<workspace>-<port>-<vm>.<domain>", "port-<port>-morphvm-<morphId>.<suffix>", "<id>-<port>.app.github.dev",
        "<id>-<port>.<suffix>.devtunnels.ms", "<port>-<id>.ws-<suffix>.gitpod.io", "<port>-<id>.e2b.app",
        "<port>-<id>.proxy.daytona.work", "<port>--<scope>--<id>.<suffix>", "<id>-<port>.csb.app"}) {
    CAPTURE(form);
    CHECK(detail.find(form) != std::string::npos);
  }
}

TEST_CASE("hosts: globs that stay within a workspace's network") {
  for (const std::string_view good :
       {"api.internal", "*.internal", "db", "*.svc.cluster.local", "10.0.0.7", "fd00::7", "api-?.corp.example.com",
        "*.corp.example.com", "db_1.internal", "*.home.arpa", "*.local", "*.example.dev"}) {
    CAPTURE(good);
    CHECK(check_hosts({std::string(good)}).has_value());
  }
  for (const std::string_view bad : {"",
                                     "*",
                                     "**",
                                     "?",
                                     "*.*",
                                     "*.com",
                                     "*.co.uk",
                                     "a*",
                                     "*internal",
                                     "db-*",
                                     "*.",
                                     "*.dev",
                                     "*.org.au",
                                     "10.*",
                                     "10.0.0.*",
                                     "*.0.0.7",
                                     "api.*.com",
                                     "api.*",
                                     "a b",
                                     "a/b",
                                     "u@internal",
                                     "api.internal:80",
                                     "[fd00::7]",
                                     "api..internal",
                                     ".internal",
                                     "Api.internal",
                                     "internal.",
                                     "a\r\nb",
                                     "*.co\xc3\xb6.m",
                                     "a,b",
                                     "https://a.internal"}) {
    CAPTURE(bad);
    const auto checked = check_hosts({std::string(bad)});
    REQUIRE(checked.has_error());
    CHECK(checked.error().code == Errc::config);
    CHECK(checked.error().detail.starts_with("hosts: "));
  }
  CHECK(check_hosts({std::string(254, 'a')}).has_error());
  CHECK(check_hosts(std::vector<std::string>(kMostHosts, "a.internal")).has_value());
  CHECK(check_hosts(std::vector<std::string>(kMostHosts + 1, "a.internal")).has_error());
  Route route;
  route.cmux_proxy_origin = "http://127.0.0.1:39379";
  route.hosts = {"*.internal"};
  CHECK(check_route(route).has_value());
  route.cmux_proxy_origin.clear();
  route.url_template = "https://{port}.test";
  CHECK(check_route(route).error().detail.starts_with("hosts: need cmuxProxyOrigin"));
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
                                     "https://port-3000.cmux.app",
                                     "https://port-03000-abc.cmux.app",
                                     "https://port-3000--abc.cmux.app",
                                     "https://port-3000-abc.cmux.app.evil.com",
                                     "https://ws-3000-.cmux.app",
                                     "https://ws-0-vm.cmux.app",
                                     "https://-3000-vm.cmux.app",
                                     "https://ws-3000-vm.evil.com",
                                     "https://abc-3000.app.github.dev.evil.com",
                                     "https://abc-3000.app.github.dev:443",
                                     "https://u@abc-3000.app.github.dev",
                                     "https://abc-3000.xapp.github.dev",
                                     "https://abc-3000.app.github.de",
                                     "https://x.abc-3000.app.github.dev",
                                     "https://abc.app.github.dev",
                                     "https://3000.app.github.dev",
                                     "https://abc-3000.devtunnels.ms",
                                     "https://abc-3000.a.b.devtunnels.ms",
                                     "https://3000-abc.ws-eu.x.gitpod.io",
                                     "https://3000-abc.\xd0\xb5-2b.app",
                                     "https://3000-abc.xn--2b-mlc.app",
                                     "https://3000--main.coder.example",
                                     "https://99999--main--ws.coder.example",
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
