#include "policy/inverse.hpp"

#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::policy;

namespace {

Route cmux_route(std::string_view id = "abc", std::string_view scope = "base", std::string_view suffix = "cmux.test") {
  Route route;
  route.morph_id = id;
  route.scope = scope;
  route.domain_suffix = suffix;
  return route;
}
Route morph_route() {
  Route route;
  route.morph_id = "abc";
  route.morph_domain_suffix = ".http.cloud.morph.so";
  return route;
}
Route origin_route(std::string_view origin) {
  Route route;
  route.cmux_proxy_origin = origin;
  return route;
}
Route template_route(std::string_view text) {
  Route route;
  route.url_template = text;
  route.morph_id = "vm1";
  return route;
}

Inverse inverse_of(const Route& route, std::uint16_t port) {
  REQUIRE(check_route(route).has_value());
  const auto destination = destination_of(route, Scheme::http, "localhost", port);
  REQUIRE(destination.has_value());
  return Inverse(route, Scheme::http, "localhost", port, *destination);
}

struct Url {
  std::optional<Scheme> scheme;
  net::Authority authority;
  std::string rest;
};
Url split(std::string_view url) {
  Url out;
  if (url.starts_with("https:")) out.scheme = Scheme::https;
  else if (url.starts_with("http:")) out.scheme = Scheme::http;
  url.remove_prefix(url.find("//") + 2);
  const std::size_t end = std::min(url.find_first_of("/?#"), url.size());
  const auto authority = net::parse_authority(url.substr(0, end));
  REQUIRE(authority.has_value());
  out.authority = *authority;
  out.rest = url.substr(end);
  return out;
}

// "PORT REST", with what is left of the URL behind the route's own prefix; "-" where there is no port.
std::string found(const Inverse& inverse, std::string_view url) {
  const Url parts = split(url);
  const auto at = inverse.find(parts.scheme, parts.authority, parts.rest);
  return at ? std::to_string(at->port) + " " + parts.rest.substr(at->prefix) : "-";
}
std::string found_origin(const Inverse& inverse, std::string_view url) {
  const Url parts = split(url);
  const auto at = inverse.find_origin(*parts.scheme, parts.authority);
  return at ? std::to_string(*at) : "-";
}

}  // namespace

TEST_CASE("inverse: which URLs are the route's, and which port they mean") {
  struct Row {
    Route route;
    std::uint16_t port;
    std::vector<std::pair<std::string_view, std::string_view>> urls;
  };
  const Row rows[] = {
      {cmux_route(),
       3000,
       {{"https://cmux-abc-base-3000.cmux.test", "3000 "},
        {"https://cmux-abc-base-3000.cmux.test/a?b#c", "3000 /a?b#c"},
        {"https://cmux-abc-base-3000.cmux.test?b", "3000 ?b"},
        {"https://cmux-abc-base-4000.cmux.test/", "4000 /"},
        {"https://cmux-abc-base-1.cmux.test/", "1 /"},
        {"https://cmux-abc-base-65535.cmux.test/", "65535 /"},
        {"https://CMUX-ABC-base-3000.Cmux.Test/A", "3000 /A"},
        {"https://cmux-abc-base-3000.cmux.test./", "3000 /"},
        {"https://cmux-abc-base-3000.cmux.test:443/", "3000 /"},
        {"http://cmux-abc-base-3000.cmux.test/", "3000 /"},
        {"http://cmux-abc-base-3000.cmux.test:80/", "3000 /"},
        {"//cmux-abc-base-3000.cmux.test/", "3000 /"},
        {"https://cmux-abc-base-3000.cmux.test:80/", "-"},
        {"https://cmux-abc-base-3000.cmux.test:3000/", "-"},
        {"http://cmux-abc-base-3000.cmux.test:8080/", "-"},
        {"https://cmux-abc-base-0.cmux.test/", "-"},
        {"https://cmux-abc-base-03000.cmux.test/", "-"},
        {"https://cmux-abc-base-65536.cmux.test/", "-"},
        {"https://cmux-abc-base-30000000.cmux.test/", "-"},
        {"https://cmux-abc-base-.cmux.test/", "-"},
        {"https://cmux-abc-base-3000x.cmux.test/", "-"},
        {"https://cmux-abc-base-3000-1.cmux.test/", "-"},
        {"https://cmux-abd-base-3000.cmux.test/", "-"},
        {"https://cmux-abc-web-3000.cmux.test/", "-"},
        {"https://cmux-xabc-base-3000.cmux.test/", "-"},
        {"https://x.cmux-abc-base-3000.cmux.test/", "-"},
        {"https://xcmux-abc-base-3000.cmux.test/", "-"},
        {"https://cmux-abc-base-3000.cmux.test.evil.com/", "-"},
        {"https://cmux-abc-base-3000.cmux.testy/", "-"},
        {"https://cmux-abc-base-3000.cmux.app/", "-"},
        {"https://cmux.test/", "-"},
        {"https://evil.com/cmux-abc-base-3000.cmux.test/", "-"}}},
      {cmux_route("a-3000-b", "s3000"),
       3000,
       {{"https://cmux-a-3000-b-s3000-3000.cmux.test/", "3000 /"},
        {"https://cmux-a-3000-b-s3000-80.cmux.test/", "80 /"},
        {"https://cmux-a-80-b-s80-80.cmux.test/", "-"}}},
      {cmux_route(),
       65535,
       {{"https://cmux-abc-base-65535.cmux.test/", "65535 /"}, {"https://cmux-abc-base-9.cmux.test/", "9 /"}}},
      {cmux_route(), 9, {{"https://cmux-abc-base-9.cmux.test/", "9 /"}, {"https://cmux-abc-base-29999.cmux.test/", "29999 /"}}},
      {cmux_route("abc", "base", "CMUX.Test"), 22, {{"https://cmux-abc-base-22.cmux.test/", "22 /"}}},
      {morph_route(),
       3000,
       {{"https://port-3000-morphvm-abc.http.cloud.morph.so/x", "3000 /x"},
        {"https://port-80-morphvm-abc.http.cloud.morph.so/x", "80 /x"},
        {"https://port-3000-morphvm-abcd.http.cloud.morph.so/x", "-"},
        {"https://morphvm-abc.http.cloud.morph.so/x", "-"}}},
      {origin_route("http://127.0.0.1:39379"),
       3000,
       {{"http://127.0.0.1:39379/x", "3000 /x"},
        {"http://127.0.0.1:39379", "3000 "},
        {"//127.0.0.1:39379/x", "3000 /x"},
        {"https://127.0.0.1:39379/x", "-"},
        {"http://127.0.0.1/x", "-"},
        {"http://localhost:39379/x", "-"},
        {"http://127.0.0.1:3937/x", "-"},
        {"http://127.0.0.1:3000/x", "-"}}},
      {origin_route("h2c://[::1]"),
       80,
       {{"http://[::1]/x", "80 /x"}, {"http://[::1]:80/x", "80 /x"}, {"http://[::1]:81/x", "-"}}},
      {origin_route("https://proxy.test:8443"),
       3000,
       {{"https://proxy.test:8443/", "3000 /"}, {"http://proxy.test:8443/", "3000 /"}, {"http://proxy.test/", "-"}}},
      {template_route("https://{id}-{port}.app.github.dev"),
       3000,
       {{"https://vm1-3000.app.github.dev/", "3000 /"},
        {"https://vm1-8080.app.github.dev/", "8080 /"},
        {"https://vm2-3000.app.github.dev/", "-"}}},
      {template_route("http://dev.test:{port}/"),
       80,
       {{"http://dev.test/x", "80 /x"}, {"http://dev.test:4000/x", "4000 /x"}, {"https://dev.test/x", "-"}}},
      {template_route("https://1{port}1.test"),
       1111,
       {{"https://111111.test/", "1111 /"},
        {"https://131.test/", "3 /"},
        {"https://11.test/", "-"},
        {"https://1012.test/", "-"}}},
      {template_route("https://{port}{port}.test"),
       12,
       {{"https://1111.test/", "11 /"}, {"https://3030.test/", "30 /"}, {"https://3031.test/", "-"}, {"https://303.test/", "-"}}},
      {template_route("http://dev.test:8088/p/{port}/"),
       3000,
       {{"http://dev.test:8088/p/3000/x?y", "3000 /x?y"},
        {"http://dev.test:8088/p/3000", "3000 "},
        {"http://dev.test:8088/p/4000?x", "4000 ?x"},
        {"http://dev.test:8088/p/3000x", "-"},
        {"http://dev.test:8088/p/", "-"},
        {"http://dev.test:8088/", "-"},
        {"http://dev.test:8088/p/3000/../4000/", "-"},
        {"http://dev.test:8088/P/3000/", "-"}}},
      {template_route("https://{port}.dev.test/base"),
       3000,
       {{"https://3000.dev.test/base/x", "3000 /x"},
        {"https://4000.dev.test/base", "4000 "},
        {"https://3000.dev.test/basement", "-"},
        {"https://3000.dev.test/login", "-"}}},
  };
  for (const Row& row : rows) {
    const Inverse inverse = inverse_of(row.route, row.port);
    for (const auto& [url, expected] : row.urls) {
      CAPTURE(url, row.port);
      CHECK(found(inverse, url) == expected);
    }
  }
}

TEST_CASE("inverse: origins, of routes with a path too") {
  const Inverse cmux = inverse_of(cmux_route(), 3000);
  CHECK(found_origin(cmux, "https://cmux-abc-base-4000.cmux.test") == "4000");
  CHECK(found_origin(cmux, "https://cmux-abd-base-4000.cmux.test") == "-");
  // One origin for all ports: the target's.
  const Inverse by_path = inverse_of(template_route("http://dev.test:8088/p/{port}/"), 3000);
  CHECK(found_origin(by_path, "http://dev.test:8088") == "3000");
  CHECK(found_origin(by_path, "http://dev.test") == "-");
  const Inverse with_path = inverse_of(template_route("https://{port}.dev.test/base"), 3000);
  CHECK(found_origin(with_path, "https://4000.dev.test") == "4000");
  CHECK(found_origin(with_path, "https://4000.dev.test:1") == "-");
}

TEST_CASE("inverse: every port finds back, of every kind of route") {
  const Route routes[] = {cmux_route(), morph_route(), template_route("https://{port}-{id}.x{port}.test"),
                          template_route("http://h.test:{port}"), template_route("https://h.test/{port}/{port}")};
  for (const Route& route : routes)
    for (const std::uint16_t target : {1, 9, 10, 22, 80, 443, 999, 2999, 3000, 9999, 10000, 29999, 65535}) {
      const Inverse inverse = inverse_of(route, target);
      for (const std::uint16_t port : {1, 2, 11, 80, 443, 3000, 9090, 12345, 65535}) {
        const auto destination = destination_of(route, Scheme::http, "localhost", port);
        REQUIRE(destination.has_value());
        net::Authority authority;
        authority.host = destination->host;
        authority.port = destination->port;
        const auto at = inverse.find(destination->scheme, authority, destination->path_prefix + "/x");
        CAPTURE(destination->authority, destination->path_prefix, target);
        REQUIRE(at.has_value());
        CHECK(at->port == port);
        CHECK(at->prefix == destination->path_prefix.size());
      }
    }
}

TEST_CASE("inverse: one that was never made finds nothing") {
  const Inverse none;
  CHECK(found(none, "https://cmux-abc-base-3000.cmux.test/") == "-");
  CHECK(found_origin(none, "https://cmux-abc-base-3000.cmux.test") == "-");
}
