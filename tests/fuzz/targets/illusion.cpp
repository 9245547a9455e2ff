// What is rewritten in heads: fields stay fields, and what names the workspace in the fields that are mapped is gone or left
// alone.
#include "../fuzz.hpp"
#include "policy/rewrite.hpp"

namespace {

using namespace cmux;
using http::Name;

policy::Illusion made(unsigned kind) {
  policy::Route route;
  if (kind == 0) route.morph_id = "abc", route.scope = "base", route.domain_suffix = "cmux.test";
  else if (kind == 1) route.morph_id = "abc", route.morph_domain_suffix = ".http.cloud.morph.so";
  else if (kind == 2) route.cmux_proxy_origin = "http://127.0.0.1:39379";
  else route.url_template = "https://abc-{port}.example.dev/base";
  const auto target = net::parse_authority("localhost:3000");
  const auto there = policy::destination_of(route, policy::Scheme::http, "localhost", 3000);
  if (!target || !there) fuzz::broken("the routes of this target are routes");
  return {route, *target, *there, {policy::Scheme::http, *target, {}, false, {}}, {}};
}

void run(std::string_view bytes) {
  static const policy::Illusion illusions[] = {made(0), made(1), made(2), made(3)};
  static constexpr Name names[] = {Name::location, Name::content_location, Name::refresh,
                                   Name::link,     Name::set_cookie,       Name::access_control_allow_origin,
                                   Name::origin,   Name::referer};
  fuzz::Source source(bytes);
  const policy::Illusion& illusion = source.one_of(illusions);
  http::Head head;
  const bool response = source.below(2) == 0;
  head.status = response ? 302 : 0;
  while (!source.empty()) {
    const Name name = source.one_of(names);
    std::string value(source.take(source.below(255)));
    for (char& c : value)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    head.fields.add(http::text_of(name), value);
  }
  const std::size_t before = head.fields.count(Name::set_cookie);
  if (response) illusion.response(head, "http://localhost:3000");
  else illusion.request(head);
  fuzz::check(head.fields.count(Name::set_cookie) == before, "no cookie is lost");
  (response ? fuzz::check_response : fuzz::check_request)(head.method.empty() && !response ? (head.method = "GET", head) : head);
}
CMUX_FUZZ_TARGET("illusion", run);

}  // namespace
