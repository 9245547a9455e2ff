// What the tests of the illusion share: routes of every kind, and a head's field as it is behind it.
#pragma once

#include <catch2/catch.hpp>

#include "policy/rewrite.hpp"

namespace cmux::policy {

using http::Name;

inline Route cmux_route() {
  Route route;
  route.morph_id = "abc";
  route.scope = "base";
  route.domain_suffix = "cmux.test";
  return route;
}
// The same where the dev server is not told of localhost.
inline Route plain_route() {
  Route route = cmux_route();
  route.host_override = Choice::off;
  return route;
}
inline Route morph_route() {
  Route route;
  route.morph_id = "abc";
  route.morph_domain_suffix = ".http.cloud.morph.so";
  return route;
}
inline Route origin_route() {
  Route route;
  route.cmux_proxy_origin = "http://127.0.0.1:39379";
  return route;
}
inline Route template_route(std::string_view text) {
  Route route;
  route.url_template = text;
  return route;
}

struct Client {
  std::string_view scheme = "http", authority = "localhost:3000";
  std::optional<std::vector<Forward>> forwards = {};
  std::string_view sees = {};  // where it is not `authority`
};

inline Illusion illusion(const Route& route, const Client& client = {}, const Rewrites& rewrites = {}) {
  const Scheme scheme = client.scheme == "https" ? Scheme::https : Scheme::http;
  const auto target = net::parse_authority(client.authority);
  REQUIRE(target.has_value());
  const auto destination = route.hosts.empty()
                               ? destination_of(route, scheme, target->host, target->port.value_or(default_port(scheme)))
                               : destination_of_host(route, scheme, *target);
  REQUIRE(destination.has_value());
  const auto seen = client.sees.empty() ? target : net::parse_authority(client.sees);
  return Illusion(route, *target, *destination, {scheme, *seen, client.forwards, false, {}}, rewrites);
}

// A field's value behind the illusion; "(gone)" where it is no more.
enum class Going { request, response };
inline std::string through(const Illusion& made, Going way, Name name, std::string_view value) {
  http::Head head;
  head.status = way == Going::response ? 200 : 0;
  head.fields.add("X-Before", "1");
  head.fields.add(http::text_of(name), value);
  head.fields.add("X-After", "2");
  if (way == Going::response) made.response(head);
  else made.request(head);
  CHECK(head.fields.get("X-Before") == "1");
  CHECK(head.fields.get("X-After") == "2");
  return std::string(head.fields.get(name).value_or("(gone)"));
}

struct Row {
  std::string_view value, expected = {};  // empty: as it was
};
inline void check(const Illusion& made, Going way, Name name, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(http::text_of(name), row.value);
    CHECK(through(made, way, name, row.value) == (row.expected.empty() ? row.value : row.expected));
  }
}
#define DEST "cmux-abc-base-3000.cmux.test"
#define DEST4 "cmux-abc-base-4000.cmux.test"

}  // namespace cmux::policy
