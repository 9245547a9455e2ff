#include "admin/api.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "admin/client.hpp"
#include "api_fixture.hpp"
#include "source.hpp"

using namespace cmux;
using namespace cmux::admin;

namespace {

std::string field_of(const RawAnswer& answer) {
  const boost::json::value problem = answer.json();
  const boost::json::value* const field = problem.as_object().if_contains("field");
  return field ? std::string(field->as_string().c_str()) : std::string();
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The operations of docs/openapi.yaml: paths are indented by two, methods by four.
std::set<std::string> documented_operations() {
  std::ifstream file(source("docs/openapi.yaml"));
  REQUIRE(file);
  std::set<std::string> out;
  std::string line, path;
  while (std::getline(file, line)) {
    if (line.starts_with("components:")) break;
    if (line.starts_with("  /")) path = line.substr(2, line.size() - 3);
    if (path.empty() || !line.starts_with("    ") || line.starts_with("     ") || line.starts_with("    parameters")) continue;
    std::string method = line.substr(4, line.find(':') - 4);
    for (char& c : method) c = static_cast<char>(std::toupper(c));
    method += " " + path;
    out.insert(method);
  }
  return out;
}

}  // namespace

TEST_CASE("the API answers what it must, and refuses the rest") {
  ApiFixture fixture;
  const std::string id = fixture.make_context();
  const std::string host = "Host: " + fixture.host + "\r\n", port = fixture.host.substr(fixture.host.find(':'));
  const std::string token = "Authorization: Bearer " + std::string(kToken) + "\r\n";
  struct Row {
    std::string request;
    unsigned status;
    std::string_view part;
  };
  const std::vector<Row> rows = {
      // Who asks.
      {"GET /healthz HTTP/1.1\r\n" + host, 200, "{\"status\":\"ok\"}"},
      {"HEAD /healthz HTTP/1.1\r\n" + host, 200, "Content-Length: 16"},
      {"GET /v1/status HTTP/1.1\r\n" + host, 401, "WWW-Authenticate: Bearer"},
      {"GET /v1/status HTTP/1.1\r\n" + host + "Authorization: Bearer 0123456789abcdef0123456789abcdeF\r\n", 401,
       "not this instance"},
      {"GET /v1/status HTTP/1.1\r\n" + host + "Authorization: Bearer\r\n", 401, "instance file"},
      {"GET /v1/status HTTP/1.1\r\n" + host + "Authorization: Basic " + std::string(kToken) + "\r\n", 401, ""},
      {"GET /v1/status HTTP/1.1\r\n" + host + "authorization: bEARER " + std::string(kToken) + "\r\n", 200, "\"test\""},
      {"GET /healthz HTTP/1.1\r\nOrigin: http://evil.test\r\n" + host, 403, "Origin"},
      {"GET /healthz HTTP/1.1\r\nOrigin: null\r\n" + host, 403, "Origin"},
      {"GET /v1/status HTTP/1.1\r\nOrigin: http://" + fixture.host + "\r\n" + host + token, 403, "Origin"},
      // Where it is.
      {"GET /healthz HTTP/1.1\r\nHost: localhost" + port + "\r\n", 200, ""},
      {"GET /healthz HTTP/1.1\r\nHost: LocalHost" + port + "\r\n", 200, ""},
      {"GET /healthz HTTP/1.1\r\nHost: [::1]" + port + "\r\n", 200, ""},
      {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", 421, "\"Host\""},
      {"GET /healthz HTTP/1.1\r\nHost: localhost:1\r\n", 421, "\"Host\""},
      {"GET /healthz HTTP/1.1\r\nHost: evil.test" + port + "\r\n", 421, "\"Host\""},
      {"GET /v1/status HTTP/1.1\r\nHost: localhost.evil.test" + port + "\r\n" + token, 421, ""},
      {"GET http://evil.test/v1/status HTTP/1.1\r\n" + host + token, 421, ""},
      {"GET /healthz HTTP/1.1\r\n", 400, "no Host"},
      // What it is.
      {"GET /v1/status\r\n" + host, 400, "problem+json"},
      {"GET /nothing HTTP/1.1\r\n" + host + token, 404, "'/nothing'"},
      {"GET /nothing HTTP/1.1\r\n" + host, 401, ""},
      {"GET /v1/contexts/ HTTP/1.1\r\n" + host + token, 404, ""},
      {"GET /v1/contexts/a/b HTTP/1.1\r\n" + host + token, 404, ""},
      {"GET /v1/contexts/ctx-0-0 HTTP/1.1\r\n" + host + token, 404, "no such context"},
      {"PUT /v1/contexts HTTP/1.1\r\nContent-Length: 0\r\n" + host + token, 405, "Allow: GET, POST, DELETE"},
      {"POST /v1/contexts/" + id + " HTTP/1.1\r\nContent-Length: 0\r\n" + host + token, 405, "Allow: GET, PATCH, DELETE"},
      {"HEAD /v1/events HTTP/1.1\r\n" + host + token, 405, "Allow: GET"},
      {"OPTIONS * HTTP/1.1\r\n" + host + token, 404, ""},
      {"CONNECT " + fixture.host + " HTTP/1.1\r\n" + host + token, 404, ""},
      {"GET /v1/status?x=1 HTTP/1.1\r\n" + host + token, 400, "'x'"},
      {"GET /v1/contexts/" + id + "?secrets=1 HTTP/1.1\r\n" + host + token, 400, "secrets"},
      {"GET /v1/contexts/" + id + "?secrets=true&secrets=true HTTP/1.1\r\n" + host + token, 400, "twice"},
      {"GET /v1/events?type=x HTTP/1.1\r\n" + host + token, 400, "context.created"},
      {"GET /v1/events?context=ctx-0-0 HTTP/1.1\r\n" + host + token, 404, ""},
      {"DELETE /v1/contexts HTTP/1.1\r\n" + host + token, 400, "all=true"},
      {"DELETE /v1/contexts?all=yes HTTP/1.1\r\n" + host + token, 400, "all"},
      {"DELETE /v1/contexts?all=true&webContentsId=1 HTTP/1.1\r\n" + host + token, 400, "either"},
      {"DELETE /v1/contexts?webContentsId=x HTTP/1.1\r\n" + host + token, 400, "webContentsId"},
      {"POST /v1/contexts HTTP/1.1\r\nContent-Length: 2\r\n" + host + token + "\r\n{}", 415, "Content-Type"},
      {"POST /v1/contexts HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n" + host + token + "\r\n{}", 415, ""},
      {"POST /v1/contexts HTTP/1.1\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n" + host + token +
           "\r\n{}",
       201, "Location: /v1/contexts/ctx-0-"},
      {"POST /v1/contexts HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1\r\n" + host + token + "\r\n{", 400,
       "not JSON"},
      {"POST /v1/contexts HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n" + host + token + "\r\n", 413,
       ""},
      {"GET /metrics HTTP/1.1\r\n" + host + token, 200, "text/plain; version=0.0.4"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.request);
    std::string request = row.request;
    // The connection's end is the answer's.
    request.insert(request.find("\r\n") + 2, "Connection: close\r\n");
    if (!has(request, "\r\n\r\n")) request += "\r\n";
    const RawAnswer answer = fixture.raw(request);
    CAPTURE(answer.text);
    CHECK(answer.status == row.status);
    CHECK(has(answer.text, row.part));
    if (answer.status >= 400 && !answer.body.empty()) CHECK(has(answer.text, "application/problem+json"));
  }
}

TEST_CASE("a body without a length is bounded too") {
  ApiFixture fixture;
  std::string body = "{\"label\":\"";
  std::string request = "POST /v1/contexts HTTP/1.1\r\nHost: " + fixture.host + "\r\nAuthorization: Bearer " +
                        std::string(kToken) + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string piece(64 * 1024, 'a');
  for (int i = 0; i < 17; ++i) request += "10000\r\n" + piece + "\r\n";
  CHECK(fixture.raw(request + "0\r\n\r\n").status == 413);
}

TEST_CASE("what a context may be made of") {
  ApiFixture fixture;
  struct Row {
    std::string_view body;
    unsigned status;
    std::string_view field, part;
  };
  const Row rows[] = {
      {R"([])", 400, "", "object"},
      {R"({"webContentsId":-1})", 400, "webContentsId", "whole number"},
      {R"({"webContentsId":1.5})", 400, "webContentsId", ""},
      {R"({"webContentsId":9007199254740992})", 400, "webContentsId", ""},
      {R"({"webContentsId":"1"})", 400, "webContentsId", ""},
      {R"({"label":7})", 400, "label", "string"},
      {R"({"label":"a\nb"})", 400, "label", "control"},
      {R"({"ttlSeconds":0})", 400, "ttlSeconds", ""},
      {R"({"ttlSeconds":-5})", 400, "ttlSeconds", ""},
      {R"({"ttlSeconds":"1h"})", 400, "ttlSeconds", "number"},
      {R"({"ttlSeconds":1e300})", 400, "ttlSeconds", "ten years"},
      {R"({"ownerPid":0})", 400, "ownerPid", ""},
      {R"({"ownerPid":2147483647})", 400, "ownerPid", "no process"},
      {R"({"bogus":1})", 400, "bogus",
       "allowed are webContentsId, route, fromUrl, preset, token, direct, label, ttlSeconds, ownerPid, dedicatedPort, forwards, "
       "forwardAuto, transparent"},
      {R"({"transparent":true})", 400, "transparent", "path of a Unix socket"},
      {R"({"dedicatedPort":"x"})", 400, "dedicatedPort", "0 (any) to 65535"},
      {R"({"dedicatedPort":65536})", 400, "dedicatedPort", ""},
      {R"({"forwards":{}})", 400, "forwards", "list"},
      {R"({"forwards":[{"port":0}]})", 400, "forwards", ""},
      {R"({"forwards":[{"port":1,"local":70000}]})", 400, "forwards", ""},
      {R"({"forwards":[{"port":1,"lokal":1}]})", 400, "forwards", ""},
      {R"({"forwards":[{"port":3000}]})", 400, "forwards", "need a route"},
      {R"({"forwardAuto":1})", 400, "forwardAuto", "true or false"},
      {R"({"forwardAuto":true})", 400, "forwardAuto", "needs a route"},
      {R"({"forwardAuto":true,"route":{"template":"https://{id}-{port}.a.dev","morphId":"a"}})", 400, "forwardAuto",
       "no gateway"},
      {R"({"forwardAuto":true,"route":{"cmuxProxyOrigin":"http://127.0.0.1:1"}})", 201, "", R"("autoForward":null)"},
      {R"({"dedicatedPort":false,"forwards":[]})", 201, "", R"("dedicatedPort":null,"forwards":[])"},
      {R"({"dedicatedPort":4444})", 201, "",
       R"("proxyUrl":"http://127.0.0.1:4444","proxy":"127.0.0.1:4444","dedicatedPort":4444)"},
      {R"({"fromUrl":"https://cmux-a-b-3000.cmux.app/","forwards":[{"port":3000},{"port":1,"local":2}]})", 201, "",
       R"("forwards":[{"port":3000,"local":3000},{"port":1,"local":2}])"},
      {R"({"route":7})", 400, "route", "object"},
      {R"({"route":{"morphid":"a"}})", 400, "route.morphid", "allowed are"},
      {R"({"route":{"morphId":"a","scope":"A","domainSuffix":"cmux.app"}})", 400, "route.scope", "lower-case"},
      {R"({"fromUrl":1})", 400, "fromUrl", "string"},
      {R"({"fromUrl":"https://example.com/"})", 400, "fromUrl", ""},
      {R"({"fromUrl":"https://cmux-a-b-3000.cmux.app/","route":{"headers":{"Host":"x"}}})", 400, "route.headers", "Host"},
      {R"({"fromUrl":""})", 400, "fromUrl", "empty"},
      {R"({"fromUrl":"https://u:hunter2@cmux-a-b-3000.cmux.app/"})", 400, "fromUrl", "user info"},
      {R"({"preset":"gitlab"})", 400, "preset", "codespaces, devtunnels, gitpod"},
      {R"({"preset":7})", 400, "preset", ""},
      {R"({"preset":""})", 400, "preset", ""},
      {R"({"preset":"codespaces"})", 400, "route.morphId", "required"},
      {R"({"preset":"codespaces","token":"t0k","route":{"morphId":"my-space"}})", 201, "",
       R"("route":{"morphId":"my-space","template":"https://{id}-{port}.app.github.dev","headers":{"X-Github-Token":"t0k"}})"},
      {R"({"fromUrl":"https://3000-a.proxy.daytona.work","token":"t0k"})", 201, "",
       R"("headers":{"X-Daytona-Skip-Preview-Warning":"true","x-daytona-preview-token":"t0k"})"},
      {R"({"preset":"gitpod","token":"t","route":{"morphId":"a","suffix":"eu"}})", 400, "token", "gitpod"},
      {R"({"token":"t"})", 400, "token", "preset"},
      {R"({"token":""})", 400, "token", "empty"},
      {R"({"token":"t","fromUrl":"https://cmux-a-b-3000.cmux.app"})", 400, "token", "preset"},
      {R"({"direct":true})", 400, "direct", "route"},
      {R"({"direct":"yes"})", 400, "direct", "true or false"},
      {R"({"direct":true,"route":{"morphId":"A"}})", 400, "route.morphId", "lower-case"},
      {R"({"direct":true,"preset":"e2b","route":{"morphId":"a"}})", 400, "direct", "cmux or morph"},
      {R"({"direct":true,"route":{"morphId":"a"}})", 201, "",
       R"("route":{"morphId":"a","cmuxProxyOrigin":"https://port-39379-morphvm-a.http.cloud.morph.so"})"},
      {R"({"direct":true,"fromUrl":"https://cmux-a-b-3000.cmux.app","route":{"hosts":["*.internal"],"morphDomainSuffix":".m.test"}})",
       201, "", R"({"morphId":"a","scope":"b","cmuxProxyOrigin":"https://port-39379-morphvm-a.m.test","hosts":["*.internal"]})"},
      {R"({"fromUrl":"https://cmux-a-b-3000.cmux.app","route":{"hosts":["*.internal"]}})", 400, "route.hosts", "cmuxProxyOrigin"},
      {R"({"fromUrl":"https://cmux-a-b-c-3000.cmux.app"})", 201, "", R"("warnings":["morphId a-b holds a dash)"},
      {R"({})", 201, "", R"("route":null)"},
      {R"({"route":null,"label":null,"ttlSeconds":null,"ownerPid":null,"webContentsId":null,"fromUrl":null})", 201, "",
       R"("label":null)"},
      {R"({"webContentsId":7,"label":"dev","ttlSeconds":0.5})", 201, "", R"("webContentsId":7)"},
      {R"({"fromUrl":"https://cmux-a-b-3000.example.test/x","route":{"headers":{"X-T":"secret"},"scope":"c"}})", 201, "",
       R"("route":{"morphId":"a","scope":"c","domainSuffix":"example.test","headers":{"X-T":"secret"}})"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    const RawAnswer answer = fixture.ask("POST", "/v1/contexts", row.body);
    CAPTURE(answer.text);
    CHECK(answer.status == row.status);
    CHECK(has(answer.body, row.part));
    if (answer.status >= 400) CHECK(field_of(answer) == row.field);
  }
}

TEST_CASE("contexts are made, shown, changed and released") {
  ApiFixture fixture;
  const RawAnswer made = fixture.ask("POST", "/v1/contexts",
                                     R"({"webContentsId":3,"route":{"cmuxProxyOrigin":"http://h","headers":{"X-T":"secret"}}})");
  REQUIRE(made.status == 201);
  const boost::json::object context = made.json().as_object();
  const std::string id = context.at("id").as_string().c_str();
  for (const char* key : {"id", "username", "password", "webContentsId", "route", "proxyUrl", "proxy", "dedicatedPort",
                          "forwards", "transparent", "label", "createdAt", "expiresAt"})
    CHECK(context.contains(key));
  const std::string url = "http://" + std::string(context.at("username").as_string().c_str()) + ":" +
                          context.at("password").as_string().c_str() + "@127.0.0.1:39385";
  CHECK(std::string(context.at("proxyUrl").as_string().c_str()) == url);
  CHECK(has(made.text, "Cache-Control: no-store"));
  CHECK(fixture.instance.settled_calls == 1);

  for (const std::string& path : {std::string("/v1/contexts"), "/v1/contexts/" + id}) {
    const RawAnswer shown = fixture.ask("GET", path);
    CHECK(shown.status == 200);
    CHECK(has(shown.body, "***"));
    CHECK_FALSE(has(shown.body, "secret"));
    CHECK_FALSE(has(shown.body, "password"));
    CHECK_FALSE(has(shown.body, "proxyUrl"));
  }
  CHECK(fixture.ask("GET", "/v1/contexts/" + id + "?secrets=true").body == made.body);

  const RawAnswer changed = fixture.ask("PATCH", "/v1/contexts/" + id, R"({"route":{"cmuxProxyOrigin":"http://other"}})");
  CHECK(changed.status == 200);
  CHECK(has(changed.body, "http://other"));
  CHECK_FALSE(has(changed.body, "password"));
  CHECK(has(fixture.ask("PATCH", "/v1/contexts/" + id, R"({"route":null})").body, R"("route":null)"));
  CHECK(fixture.ask("PATCH", "/v1/contexts/" + id, R"({})").status == 400);
  CHECK(fixture.ask("PATCH", "/v1/contexts/" + id, R"({"label":"x"})").status == 400);
  CHECK(fixture.ask("PATCH", "/v1/contexts/ctx-0-0", R"({"route":null})").status == 404);
  CHECK(fixture.instance.settled_calls == 6);

  fixture.make_context(R"({"webContentsId":3})");
  const std::string other = fixture.make_context(R"({"webContentsId":4})");
  CHECK(fixture.ask("DELETE", "/v1/contexts?webContentsId=3").json().at("released").as_array().size() == 2);
  CHECK(fixture.ask("DELETE", "/v1/contexts/" + other).body == "{\"released\":[\"" + other + "\"]}\n");
  CHECK(fixture.ask("DELETE", "/v1/contexts/" + other).status == 404);
  CHECK(fixture.ask("DELETE", "/v1/contexts?all=true").body == "{\"released\":[]}\n");
}

TEST_CASE("a context's label and forwards are bounded") {
  ApiFixture fixture;
  const auto label = [](std::size_t size) { return R"({"label":")" + std::string(size, 'l') + "\"}"; };
  CHECK(fixture.ask("POST", "/v1/contexts", label(200)).status == 201);
  CHECK(fixture.ask("POST", "/v1/contexts", label(201)).json().at("field") == "label");
  const auto forwards = [](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list += R"(,{"port":3000,"local":0})";
    return R"({"fromUrl":"https://cmux-abc-base-3000.cmux.app","forwards":[)" + list.substr(1) + "]}";
  };
  CHECK(fixture.ask("POST", "/v1/contexts", forwards(64)).status == 201);
  CHECK(fixture.ask("POST", "/v1/contexts", forwards(65)).json().at("field") == "forwards");
}

TEST_CASE("a shutdown is answered, then begun") {
  ApiFixture fixture;
  CHECK(fixture.ask("POST", "/v1/shutdown").body == "{\"status\":\"stopping\",\"timeoutSeconds\":5E0}\n");
  CHECK(fixture.instance.stopped);
  CHECK_FALSE(fixture.instance.stop_limit.has_value());
}

TEST_CASE("a shutdown says how long it may take") {
  struct Row {
    const char* body;
    std::optional<milliseconds> limit;
  };
  for (const Row& row : {Row{"{}", std::nullopt}, Row{R"({"now":false,"timeoutSeconds":null})", std::nullopt},
                         Row{R"({"now":true})", milliseconds(0)}, Row{R"({"timeoutSeconds":0})", milliseconds(0)},
                         Row{R"({"timeoutSeconds":2.5,"now":false})", milliseconds(2'500)}}) {
    CAPTURE(row.body);
    ApiFixture fixture;
    CHECK(fixture.ask("POST", "/v1/shutdown", row.body).status == 202);
    CHECK(fixture.instance.stop_limit == row.limit);
  }
  ApiFixture fixture;
  for (const char* const body :
       {"[]", R"({"now":1})", R"({"now":true,"timeoutSeconds":1})", R"({"timeoutSeconds":-1})", R"({"timeoutSeconds":"2s"})",
        R"({"timeoutSeconds":false})", R"({"timeoutSeconds":1e9})", R"({"later":true})"}) {
    CAPTURE(body);
    CHECK(fixture.ask("POST", "/v1/shutdown", body).status == 400);
  }
  CHECK_FALSE(fixture.instance.stopped);
}

TEST_CASE("events reach who listens, filtered") {
  ApiFixture fixture;
  const std::string id = fixture.make_context();
  const InstanceRecord record{"test", 1, "127.0.0.1:1", "http://" + fixture.host, std::string(kToken)};
  struct Listen {
    static Task<void> now(ApiFixture& api, const InstanceRecord& instance, std::string context, std::vector<std::string>& seen) {
      {
        EventStream events(instance);
        auto opened = co_await events.open("/v1/events?type=request&context=" + context);
        REQUIRE(opened.has_value());
        CHECK(api.instance.observed);
        const EventRecord records[] = {{"request", "ctx-9-9", "{\"n\":1}"},
                                       {"context.released", context, "{\"n\":2}"},
                                       {"request", context, "{\"n\":3}"},
                                       {"request", context, "{\"n\":4}"}};
        for (const EventRecord& record : records) api.api->publish(record);
        for (int i = 0; i < 2; ++i) {
          auto event = co_await events.next(milliseconds(2'000));
          REQUIRE(event.has_value());
          seen.push_back(event->type + " " + event->data);
        }
      }
      // The client has gone: noticed without a word to it.
      for (int i = 0; i < 300 && api.instance.observed; ++i) co_await sleep_for(milliseconds(10));
      CHECK_FALSE(api.instance.observed);
    }
  };
  std::vector<std::string> seen;
  fixture.loop.run(Listen::now(fixture, record, id, seen));
  CHECK(seen == std::vector<std::string>{"request {\"n\":3}", "request {\"n\":4}"});
}

TEST_CASE("a listener that reads nothing loses events and holds no memory") {
  ApiFixture fixture;
  struct Listen {
    static Task<void> now(ApiFixture& api, const InstanceRecord& instance, std::size_t& lost, std::size_t& got) {
      EventStream events(instance);
      auto opened = co_await events.open("/v1/events");
      REQUIRE(opened.has_value());
      // All at once, so that nothing can be sent in between.
      const EventRecord record{"request", "ctx-0-0", "{\"text\":\"" + std::string(100, 'x') + "\"}"};
      for (int i = 0; i < 3'000; ++i) api.api->publish(record);
      while (lost == 0) {
        auto event = co_await events.next(milliseconds(2'000));
        REQUIRE(event.has_value());
        if (event->type == "lost") lost = static_cast<std::size_t>(boost::json::parse(event->data).at("count").as_int64());
        else ++got;
      }
    }
  };
  const InstanceRecord record{"test", 1, "127.0.0.1:1", "http://" + fixture.host, std::string(kToken)};
  std::size_t lost = 0, got = 0;
  fixture.loop.run(Listen::now(fixture, record, lost, got));
  CHECK(got == EventSubscription::kMostQueued);
  CHECK(lost + got == 3'000);
}

TEST_CASE("the description holds what the server does") {
  const std::vector<std::string> operations = Api::operations();
  CHECK(documented_operations() == std::set<std::string>(operations.begin(), operations.end()));
}

TEST_CASE("docs/openapi.yaml knows the types of events that there are") {
  std::ifstream file(source("docs/openapi.yaml"));
  std::string line, listed;
  while (std::getline(file, line))
    if (const std::size_t at = line.find("enum: [request, "); at != std::string::npos) listed = line.substr(at + 7);
  std::string types = "context";  // all of these
  for (const std::string_view type : Api::event_types())
    types = std::string(type) == "request" ? types : types + ", " + std::string(type);
  CHECK(listed == "request, " + types + "]");
}

TEST_CASE("the log's last lines are told, and those behind a number alone") {
  ApiFixture fixture;
  log::warn("a line for the API \x1b[2J");
  const boost::json::array lines = fixture.ask("GET", "/v1/logs").json().at("lines").as_array();
  REQUIRE_FALSE(lines.empty());
  const auto& last = lines.back().as_object();
  CHECK(last.at("message") == "a line for the API \\u001b[2J");
  CHECK(last.at("level") == "warn");
  const auto number = last.at("number").to_number<std::uint64_t>();
  const auto behind = [&](std::uint64_t after) {
    return fixture.ask("GET", "/v1/logs?after=" + std::to_string(after)).json().at("lines").as_array().size();
  };
  CHECK(behind(number) == 0);
  CHECK(behind(number - 1) == 1);
  for (const char* const wrong : {"", "-1", "1x", "99999999999999999999"})
    CHECK(fixture.ask("GET", std::string("/v1/logs?after=") + wrong).status == 400);
}

TEST_CASE("a context is told of with its owner and its use") {
  ApiFixture fixture;
  const std::string id = fixture.make_context();
  fixture.instance.used = {3, 1, std::chrono::system_clock::time_point(std::chrono::milliseconds(1))};
  const boost::json::value shown = fixture.ask("GET", "/v1/contexts/" + id).json();
  CHECK(shown.at("usage") == boost::json::value({{"requests", 3}, {"open", 1}, {"lastAt", "1970-01-01T00:00:00.001Z"}}));
  CHECK(shown.at("ownerPid").is_null());
  CHECK(fixture.ask("GET", "/v1/contexts").json().at("contexts").at(0).at("usage") == shown.at("usage"));
}
