#include "policy/route.hpp"

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::policy;

namespace {

Route cmux_route() {
  Route route;
  route.morph_id = "abc123";
  route.scope = "base";
  route.domain_suffix = "cmux.app";
  return route;
}

Route morph_route() {
  Route route;
  route.morph_id = "abc123";
  route.morph_domain_suffix = ".http.cloud.morph.so";
  return route;
}

Route origin_route(std::string_view origin = "http://127.0.0.1:39379", std::string_view scope = "") {
  Route route;
  route.cmux_proxy_origin = origin;
  route.scope = scope;
  return route;
}

Route template_route(std::string_view text) {
  Route route;
  route.url_template = text;
  return route;
}

Route with(Route route, std::string Route::*field, std::string_view value) {
  route.*field = value;
  return route;
}

Route with_header(std::string_view name, std::string_view value) {
  Route route = cmux_route();
  route.headers.emplace_back(name, value);
  return route;
}

// "" where the route passes.
std::string problem(const Route& route) {
  const auto checked = check_route(route);
  if (checked) return {};
  CHECK(checked.error().code == Errc::config);
  return checked.error().detail;
}

Destination go(const Route& route, std::string_view host, std::uint16_t port, Scheme scheme = Scheme::http) {
  CHECK(problem(route).empty());
  auto destination = destination_of(route, scheme, host, port);
  REQUIRE(destination.has_value());
  return *destination;
}

std::string url_of(const Destination& destination) {
  const std::string host = destination.host.find(':') == std::string::npos ? destination.host : "[" + destination.host + "]";
  return (destination.scheme == Scheme::https ? "https://" : "http://") + host + ":" + std::to_string(destination.port) +
         destination.path_prefix;
}

}  // namespace

TEST_CASE("check_route names the field and the reason") {
  using Texts = std::vector<std::string>;
  struct Row {
    Route base;
    std::string Route::*field;
    std::string_view name;
    Texts good, bad;
  };
  const std::string nul("a\0b", 3), b60(60, 'b'), long_domain = b60 + "." + b60 + "." + b60;
  const Route template_with_suffix = template_route("https://{port}.{suffix}.dev");
  const Row rows[] = {
      {cmux_route(),
       &Route::morph_id,
       "morphId: ",
       {"a", "7", "a-b--c", std::string(47, 'a')},
       {"", "-a", "a-", "-", "Abc", "a.b", "a_b", "a b", "a/../b", "a@evil.com", "a\r\nb", "\xc3\xa4", nul,
        std::string(48, 'a')}},
      {morph_route(), &Route::morph_id, "morphId: ", {"a-b", std::string(44, 'a')}, {"", "-", "A", std::string(45, 'a')}},
      {origin_route(), &Route::morph_id, "morphId: ", {"", std::string(60, 'a')}, {"-a"}},
      {cmux_route(), &Route::scope, "scope: ", {"base", "ws12", "1"}, {"", "a-b", "Base", "a.b", "a_b", "a b", "a\r\nX: y", nul}},
      {origin_route(), &Route::scope, "scope: ", {"", "base"}, {"a-b"}},
      {cmux_route(),
       &Route::domain_suffix,
       "domainSuffix: ",
       {"Cmux.App", "localhost", "a-b.c", long_domain + ".cccccccccc"},
       {"", ".cmux.app", "cmux.app.", "cmux..app", "cmux.app:80", "cmux.app/x", "-cmux.app", "u@cmux.app", "127.0.0.1", "[::1]",
        nul, long_domain + "." + std::string(50, 'c')}},
      {morph_route(),
       &Route::morph_domain_suffix,
       "morphDomainSuffix: ",
       {"http.cloud.morph.so", ".morph.so"},
       {".", "..morph.so", ".morph_so", ".morph.so/", ".evil.com#", "@evil.com", ".1"}},
      {template_with_suffix, &Route::suffix, "suffix: ", {"usw2", "42", "a.b"}, {"", "evil.com/", ".a", "a.", "a b", "a@b"}},
      {Route{},
       &Route::cmux_proxy_origin,
       "cmuxProxyOrigin: ",
       {"http://host", "HTTPS://Host.Example:8443", "http://my_service:80", "http://[::1]:39379", "http://127.0.0.1:1"},
       {"http://h/",
        "http://h/path",
        "http://h?q",
        "http://h#f",
        "http://user@h",
        "http://user:pass@h",
        "http://@h",
        "http://",
        "http:///x",
        "http://:80",
        "http://h:",
        "http://h:0",
        "http://h:65536",
        "http://h:abc",
        "http://h%20x",
        "http://h x",
        "http://h\r\n",
        "ftp://h",
        "ws://h",
        "http:h",
        "//h",
        "h:80",
        "h",
        "http://[::1",
        "http://::1"}},
      {Route{},
       &Route::url_template,
       "template: ",
       {"https://x-{port}.example.dev", "HTTP://127.0.0.1:{port}", "http://[::1]:{port}", "http://my_service:{port}",
        "https://h/proxy/{port}/", "https://{port}-" + std::string(57, 'a') + ".dev"},
       {"https://x.example.dev", "https://{Port}.example.dev", "https://{port}-{name}.dev", "https://{port}-{}.dev",
        "https://{port}-{id.dev", "https://{port}-id}.dev", "https://{{port}}.dev", "https://{port}.dev:1{port}",
        "https://{port}.exa mple", "https://user@{port}.dev", "https://{port}@dev", "https://dev/?port={port}",
        "https://dev/#{port}", "https://dev/%{port}", "ftp://{port}.dev", "{port}.dev", "{scope}://{port}.dev",
        "https://{port}-" + std::string(58, 'a') + ".dev"}},
  };
  for (const Row& row : rows) {
    for (const std::string& good : row.good) {
      CAPTURE(row.name, good);
      CHECK(problem(with(row.base, row.field, good)) == "");
    }
    for (const std::string& bad : row.bad) {
      const std::string found = problem(with(row.base, row.field, bad));
      CAPTURE(row.name, bad, found);
      CHECK(found.starts_with(row.name));
    }
  }
  CHECK(problem(Route{}).starts_with("morphId: is required"));
  CHECK(problem(with(with(cmux_route(), &Route::morph_id, "a"), &Route::scope, std::string(50, 'a'))) == "");
  CHECK(problem(with(with(cmux_route(), &Route::morph_id, "a"), &Route::scope, std::string(51, 'a')))
            .starts_with("morphId: is too long"));
}

TEST_CASE("a template asks for the fields it names") {
  CHECK(problem(template_route("https://{id}-{port}.dev")).starts_with("morphId: is required"));
  CHECK(problem(template_route("https://{scope}-{port}.dev")).starts_with("scope: is required"));
  CHECK(problem(template_route("https://{port}.{suffix}")).starts_with("suffix: is required"));
  CHECK(problem(with(template_route("https://{id}-{port}.dev"), &Route::morph_id, "a-b")) == "");
  CHECK(problem(with(template_route("https://{scope}-{port}.dev"), &Route::scope, "ws")) == "");
  CHECK(problem(with(template_route("https://{port}.{suffix}"), &Route::domain_suffix, "cmux.app")) == "");
}

TEST_CASE("route headers are tokens with clean values") {
  using namespace std::string_view_literals;
  using Header = std::pair<std::string_view, std::string_view>;
  for (const auto& [name, value] :
       {Header{"X-Token", "secret"}, Header{"x-token", ""}, Header{"X-Tunnel-Authorization", "tunnel abc.def"},
        Header{"Cookie", "a=b; c=\"d\"\te"}, Header{"X-Cmux-Mine", "yes"}, Header{"Authorization", "Bearer x"},
        Header{"X-Utf8", "\xc3\xa4"}}) {
    CAPTURE(name, value);
    CHECK(problem(with_header(name, value)) == "");
  }
  for (const auto& [name, value] :
       {Header{"", "x"}, Header{":authority", "x"}, Header{"X Token", "x"}, Header{"X-Token:", "x"}, Header{"X-T\xc3\xb6", "x"},
        Header{"X-Token\r\n", "x"}, Header{"X-Token", "a\r\nEvil: b"}, Header{"X-Token", "a\rb"}, Header{"X-Token", "a\nb"},
        Header{"X-Token", "a\0b"sv}, Header{"X-Token", "a\x7f"}, Header{"X-Token", " a"}, Header{"X-Token", "a\t"}}) {
    CAPTURE(name, value);
    CHECK(problem(with_header(name, value)).starts_with("headers: "));
  }
}

TEST_CASE("route headers may not touch what the proxy or the connection owns") {
  for (const std::string_view name :
       {"Connection", "keep-alive", "Proxy-Connection", "Proxy-Authenticate", "PROXY-AUTHORIZATION", "TE", "Trailer",
        "Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Host", "hOST", "Content-Length", "Expect", "X-Cmux-Port-Internal",
        "x-cmux-host-override", "X-CMUX-WORKSPACE-INTERNAL", "X-Cmux-Target-Internal", "X-Cmux-Proxied"}) {
    CAPTURE(name);
    const std::string found = problem(with_header(name, "x"));
    CHECK(found.starts_with("headers: "));
    CHECK(found.find(name) != std::string::npos);
  }
  Route twice = with_header("X-Token", "a");
  twice.headers.emplace_back("x-token", "b");
  CHECK(problem(twice).starts_with("headers: "));
}

TEST_CASE("errors hold no secrets") {
  CHECK(problem(with_header("X-Token", "hunter2\n")).find("hunter2") == std::string::npos);
  CHECK(problem(origin_route("http://user:hunter2@h")).find("hunter2") == std::string::npos);
  CHECK(problem(template_route("http://user:hunter2@h:{port}")).find("hunter2") == std::string::npos);
}

TEST_CASE("a cmux route") {
  const Destination destination = go(cmux_route(), "localhost", 3000);
  CHECK(url_of(destination) == "https://cmux-abc123-base-3000.cmux.app:443");
  CHECK(destination.authority == "cmux-abc123-base-3000.cmux.app");
  CHECK(destination.headers == HeaderList{{"X-Cmux-Host-Override", "localhost:3000"}});
  CHECK(destination.host_override);
  CHECK_FALSE(destination.tunnels);
  CHECK(go(with(cmux_route(), &Route::domain_suffix, "Cmux.App"), "::1", 1).host == "cmux-abc123-base-1.cmux.app");
}

TEST_CASE("a morph route shows the dev server its own Host") {
  const Destination destination = go(morph_route(), "localhost", 3000);
  CHECK(url_of(destination) == "https://port-3000-morphvm-abc123.http.cloud.morph.so:443");
  CHECK(destination.host_override);
  CHECK_FALSE(destination.tunnels);
  CHECK(destination.headers.empty());
  CHECK(go(with(morph_route(), &Route::morph_domain_suffix, "Morph.so"), "localhost", 3000).host ==
        "port-3000-morphvm-abc123.morph.so");

  struct Row {
    std::string_view host;
    std::uint16_t port;
    Scheme scheme;
    std::string_view authority;
  };
  for (const Row& row : {Row{"localhost", 3000, Scheme::http, "localhost:3000"}, Row{"localhost", 80, Scheme::http, "localhost"},
                         Row{"localhost", 80, Scheme::https, "localhost:80"}, Row{"localhost", 443, Scheme::https, "localhost"},
                         Row{"localhost", 443, Scheme::http, "localhost:443"}, Row{"::1", 3000, Scheme::http, "[::1]:3000"},
                         Row{"::1", 80, Scheme::http, "[::1]"}, Row{"127.0.0.1", 5173, Scheme::https, "127.0.0.1:5173"}}) {
    CAPTURE(row.authority);
    CHECK(go(morph_route(), row.host, row.port, row.scheme).authority == row.authority);
  }
}

TEST_CASE("a cmuxProxyOrigin route") {
  const Destination destination = go(origin_route("http://127.0.0.1:39379", "ws2"), "localhost", 3000);
  CHECK(url_of(destination) == "http://127.0.0.1:39379");
  CHECK(destination.authority == "127.0.0.1:39379");
  CHECK(destination.host_override);
  CHECK(destination.tunnels);
  CHECK(destination.headers == HeaderList{{"X-Cmux-Port-Internal", "3000"},
                                          {"X-Cmux-Host-Override", "localhost:3000"},
                                          {"X-Cmux-Workspace-Internal", "ws2"}});

  for (const std::string_view scope : {"", "base"}) {
    const Destination base = go(origin_route("https://Proxy.Example", scope), "::1", 80);
    CHECK(url_of(base) == "https://proxy.example:443");
    CHECK(base.authority == "proxy.example");
    CHECK(base.headers == HeaderList{{"X-Cmux-Port-Internal", "80"}, {"X-Cmux-Host-Override", "[::1]:80"}});
  }
  CHECK(go(origin_route("http://h:80"), "localhost", 1).authority == "h");
  CHECK(go(origin_route("http://h:443"), "localhost", 1).authority == "h:443");
  CHECK(go(origin_route("https://h:443"), "localhost", 1).authority == "h");
  const Destination six = go(origin_route("http://[::1]:39379"), "localhost", 1);
  CHECK(six.host == "::1");
  CHECK(six.authority == "[::1]:39379");
}

TEST_CASE("a template route") {
  Route route;
  route.morph_id = "my-id";
  route.scope = "main";
  route.domain_suffix = "cmux.app";
  struct Row {
    std::string_view text, url, authority;
  };
  for (const Row& row : {
           Row{"https://{id}-{port}.app.github.dev", "https://my-id-3000.app.github.dev:443", "my-id-3000.app.github.dev"},
           Row{"https://{port}--{scope}--{id}.{suffix}", "https://3000--main--my-id.cmux.app:443", "3000--main--my-id.cmux.app"},
           Row{"http://127.0.0.1:{port}", "http://127.0.0.1:3000", "127.0.0.1:3000"},
           Row{"http://[fd00::1]:{port}", "http://[fd00::1]:3000", "[fd00::1]:3000"},
           Row{"https://Host.Example:8443/proxy/{port}/", "https://host.example:8443/proxy/3000", "host.example:8443"},
           Row{"https://{port}.example/", "https://3000.example:443", "3000.example"},
           Row{"https://{port}.example:443//", "https://3000.example:443", "3000.example"},
       }) {
    CAPTURE(row.text);
    const Destination destination = go(with(route, &Route::url_template, row.text), "localhost", 3000);
    CHECK(url_of(destination) == row.url);
    CHECK(destination.authority == row.authority);
    CHECK(destination.headers.empty());
    CHECK_FALSE(destination.host_override);
    CHECK_FALSE(destination.tunnels);
  }
  route.suffix = "usw2";
  route.url_template = "https://{id}-{port}.{suffix}.devtunnels.ms";
  CHECK(go(route, "localhost", 1).host == "my-id-1.usw2.devtunnels.ms");
}

TEST_CASE("hostOverride: whether the dev server sees the client's own Host, and how it is told") {
  const HeaderList none, told = {{"X-Cmux-Host-Override", "[::1]:80"}};
  const auto without_port = [](HeaderList headers) {
    std::erase_if(headers, [](const auto& header) { return header.first == "X-Cmux-Port-Internal"; });
    return headers;
  };
  struct Row {
    Route route;
    Choice choice;
    bool overrides;
    HeaderList headers;
    std::string_view authority;
  };
  const std::string_view cmux = "cmux-abc123-base-80.cmux.app", morph = "port-80-morphvm-abc123.http.cloud.morph.so",
                         machine = "127.0.0.1:39379", cloud = "t80.example";
  const Route of_template = template_route("https://t{port}.example");
  for (const Row& row : {
           Row{cmux_route(), Choice::automatic, true, told, cmux},
           Row{cmux_route(), Choice::on, true, told, cmux},
           Row{cmux_route(), Choice::off, false, none, cmux},
           Row{morph_route(), Choice::automatic, true, none, "[::1]"},
           Row{morph_route(), Choice::on, true, none, "[::1]"},
           Row{morph_route(), Choice::off, false, none, morph},
           Row{origin_route(), Choice::automatic, true, told, machine},
           Row{origin_route(), Choice::on, true, told, machine},
           Row{origin_route(), Choice::off, false, none, machine},
           Row{of_template, Choice::automatic, false, none, cloud},
           Row{of_template, Choice::on, true, told, cloud},
           Row{of_template, Choice::off, false, none, cloud},
       }) {
    Route route = row.route;
    route.host_override = row.choice;
    const Destination destination = go(route, "::1", 80);
    CAPTURE(destination.host, static_cast<int>(row.choice));
    CHECK(destination.host_override == row.overrides);
    CHECK(without_port(destination.headers) == row.headers);
    CHECK(destination.authority == row.authority);
  }
  // A cloud that hands Host through is told by that.
  for (const Choice choice : {Choice::automatic, Choice::on}) {
    Route route = of_template;
    route.host_header = true;
    route.host_override = choice;
    const Destination destination = go(route, "localhost", 3000);
    CHECK(destination.host == "t3000.example");
    CHECK(destination.authority == "localhost:3000");
    CHECK(destination.host_override);
    CHECK(destination.headers.empty());
  }
  Route contradiction = of_template;
  contradiction.host_header = true;
  contradiction.host_override = Choice::off;
  CHECK(problem(contradiction).starts_with("hostHeader: contradicts"));
  for (Route route : {cmux_route(), morph_route(), origin_route()}) {
    route.host_header = true;
    CHECK(problem(route).starts_with("hostHeader: is for a template"));
  }
}

TEST_CASE("an id with a dash has two readings on the cmux row alone") {
  for (Route route : {cmux_route(), morph_route(), origin_route(), template_route("https://{id}-{port}.dev")}) {
    route.morph_id = "abc";
    CHECK(warnings_of(route).empty());
    const bool cmux = !route.domain_suffix.empty();
    route.morph_id = "a-b";
    REQUIRE(warnings_of(route).size() == (cmux ? 1 : 0));
    if (cmux) CHECK(warnings_of(route).front().find("cmux-a-b-base-PORT") != std::string::npos);
  }
}

TEST_CASE("a route that passes works for every port") {
  for (const Route& route :
       {with(cmux_route(), &Route::morph_id, std::string(47, 'a')), with(morph_route(), &Route::morph_id, std::string(44, 'a')),
        template_route("https://{port}-" + std::string(57, 'a') + ".dev"), origin_route()}) {
    for (const int port : {1, 80, 443, 3000, 10000, 65535})
      CHECK(go(route, "localhost", static_cast<std::uint16_t>(port)).host.substr(0, 64).find_first_of(".") <= 63);
  }
  CHECK(destination_of(template_route("https://{id}-{port}.dev"), Scheme::http, "localhost", 1).has_error());
  CHECK(destination_of(origin_route("nonsense"), Scheme::http, "localhost", 1).has_error());
}

TEST_CASE("the first kind that matches wins") {
  Route route = cmux_route();
  CHECK(go(route, "localhost", 3000).host == "cmux-abc123-base-3000.cmux.app");
  route.morph_domain_suffix = ".morph.so";
  CHECK(go(route, "localhost", 3000).host == "port-3000-morphvm-abc123.morph.so");
  route.url_template = "https://t{port}.example";
  CHECK(go(route, "localhost", 3000).host == "t3000.example");
  route.cmux_proxy_origin = "http://origin.example";
  CHECK(go(route, "localhost", 3000).host == "origin.example");
}

TEST_CASE("route headers go with every kind, after the proxy's own") {
  const HeaderList token = {{"X-Token", "secret"}, {"X-Other", "1"}};
  for (Route route : {cmux_route(), morph_route(), template_route("https://t{port}.example"), origin_route()}) {
    route.headers = token;
    const HeaderList headers = go(route, "localhost", 3000).headers;
    REQUIRE(headers.size() >= 2);
    CHECK(HeaderList(headers.end() - 2, headers.end()) == token);
  }
}
