#include "policy/route_json.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

using namespace cmux;
using namespace cmux::policy;

namespace {

Result<Route> read(std::string_view text) { return route_from_json(boost::json::parse({text.data(), text.size()})); }

std::string write(const Route& route, bool redacted) { return boost::json::serialize(route_to_json(route, redacted)); }

}  // namespace

TEST_CASE("routes survive JSON") {
  for (
      const std::string_view text : {
          R"({"morphId":"abc123","scope":"base","domainSuffix":"cmux.app"})",
          R"({"morphId":"abc123","morphDomainSuffix":".http.cloud.morph.so"})",
          R"({"scope":"ws2","cmuxProxyOrigin":"http://127.0.0.1:39379"})",
          R"({"morphId":"a-b","template":"https://{id}-{port}.{suffix}.devtunnels.ms","suffix":"usw2","headers":{"X-Token":"s3cret","X-B":""}})",
          R"({"morphId":"a","scope":"b","domainSuffix":"c.d","morphDomainSuffix":"e.f","cmuxProxyOrigin":"https://g","template":"http://h:{port}","suffix":"i","headers":{"j":"k"}})",
          R"({"morphId":"a","cmuxProxyOrigin":"https://g","hosts":["*.internal","10.0.0.7"],"hostOverride":"off","rewriteOrigin":"on"})",
          R"({"template":"http://h:{port}","hostHeader":true,"hostOverride":"on","rewriteOrigin":"off"})",
      }) {
    CAPTURE(text);
    const auto route = read(text);
    REQUIRE(route.has_value());
    CHECK(write(*route, false) == text);
  }
}

TEST_CASE("null counts as not set") {
  const auto route = read(R"({"morphId":"abc","scope":"base","domainSuffix":"cmux.app","template":null,"headers":null})");
  REQUIRE(route.has_value());
  CHECK(write(*route, false) == R"({"morphId":"abc","scope":"base","domainSuffix":"cmux.app"})");
}

TEST_CASE("what is as it is by default is not written; hosts are in lower case") {
  const auto route = read(
      R"({"cmuxProxyOrigin":"https://g","hosts":["*.Internal"],"hostHeader":false,"hostOverride":"auto","rewriteOrigin":"auto","suffix":null})");
  REQUIRE(route.has_value());
  CHECK(write(*route, false) == R"({"cmuxProxyOrigin":"https://g","hosts":["*.internal"]})");
  CHECK(read(R"({"cmuxProxyOrigin":"https://g","hosts":null,"hostHeader":null,"hostOverride":null,"rewriteOrigin":null})")
            .has_value());
}

TEST_CASE("redacted routes show header names only") {
  const auto route = read(R"({"morphId":"abc","scope":"base","domainSuffix":"cmux.app","headers":{"X-Token":"s3cret"}})");
  REQUIRE(route.has_value());
  const std::string text = write(*route, true);
  CHECK(text.find(R"("headers":{"X-Token":"***"})") != std::string::npos);
  CHECK(text.find("s3cret") == std::string::npos);
}

TEST_CASE("errors in JSON routes name the field") {
  struct Row {
    std::string_view text, field, hint;
  };
  const Row rows[] = {
      {R"(null)", "route: ", "object"},
      {R"([])", "route: ", "object"},
      {R"("cmux")", "route: ", "object"},
      {R"({})", "morphId: ", "required"},
      {R"({"morphid":"abc"})", R"("morphid": )", "allowed are morphId, scope, domainSuffix"},
      {R"({"morphId":"abc","scope":"base","domainSuffix":"cmux.app","x":null})", R"("x": )",
       "cmuxProxyOrigin, template, suffix, headers, hosts, hostHeader, hostOverride, rewriteOrigin"},
      {R"({"a\nb":1})", R"("a\nb": )", "allowed"},
      {R"({"morphId":1})", "morphId: ", "string"},
      {R"({"scope":["base"]})", "scope: ", "string"},
      {R"({"template":{}})", "template: ", "string"},
      {R"({"morphId":"A","scope":"base","domainSuffix":"cmux.app"})", "morphId: ", "lower-case"},
      {R"({"cmuxProxyOrigin":"ftp://h"})", "cmuxProxyOrigin: ", "http"},
      {R"({"cmuxProxyOrigin":"http://h","headers":[]})", "headers: ", "object"},
      {R"({"cmuxProxyOrigin":"http://h","headers":"a: b"})", "headers: ", "object"},
      {R"({"cmuxProxyOrigin":"http://h","headers":{"X-A":1}})", "headers: ", R"("X-A" must be a string)"},
      {R"({"cmuxProxyOrigin":"http://h","headers":{"Host":"x"}})", "headers: ", "Host"},
      {R"({"cmuxProxyOrigin":"http://h","hostOverride":"yes"})", "hostOverride: ", "auto, on, off"},
      {R"({"cmuxProxyOrigin":"http://h","hostOverride":"On"})", "hostOverride: ", "auto, on, off"},
      {R"({"cmuxProxyOrigin":"http://h","hostOverride":"on\r\nX: y"})", "hostOverride: ", "auto, on, off"},
      {R"({"cmuxProxyOrigin":"http://h","hostOverride":["on"]})", "hostOverride: ", "auto, on, off"},
      {R"({"cmuxProxyOrigin":"http://h","hostOverride":true})", "hostOverride: ", "auto, on, off"},
      {R"({"cmuxProxyOrigin":"http://h","hostOverride":"localhost:4000"})", "hostOverride: ", "auto, on, off"},
      {R"({"cmuxProxyOrigin":"http://h","rewriteOrigin":""})", "rewriteOrigin: ", "auto, on, off"},
      {R"({"cmuxProxyOrigin":"http://h","hostHeader":"yes"})", "hostHeader: ", "true or false"},
      {R"({"cmuxProxyOrigin":"http://h","hosts":"*.internal"})", "hosts: ", "list"},
      {R"({"cmuxProxyOrigin":"http://h","hosts":[1]})", "hosts: ", "list"},
      {R"({"cmuxProxyOrigin":"http://h","hosts":["*"]})", "hosts: ", "far more"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto route = read(row.text);
    REQUIRE(route.has_error());
    CAPTURE(route.error().detail);
    CHECK(route.error().code == Errc::config);
    CHECK(route.error().detail.starts_with(row.field));
    CHECK(route.error().detail.find(row.hint) != std::string::npos);
  }
}
