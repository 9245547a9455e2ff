// The admin API from outside: who may ask, and how it says what is wrong (SPEC 8).
#include <fmt/format.h>
#include <sys/stat.h>

#include "harness.hpp"
#include "rows.hpp"
#include "support.hpp"

using namespace e2e;
using namespace std::string_literals;

namespace {

const std::vector<std::pair<std::string, std::string>> kOperations = {
    {"GET", "/v1/status"},
    {"GET", "/v1/contexts"},
    {"POST", "/v1/contexts"},
    {"DELETE", "/v1/contexts?all=true"},
    {"GET", "/v1/contexts/ctx-0-0"},
    {"PATCH", "/v1/contexts/ctx-0-0"},
    {"DELETE", "/v1/contexts/ctx-0-0"},
    {"GET", "/v1/events"},
    {"GET", "/metrics"},
    {"POST", "/v1/shutdown"},
};

// A refusal, in the form of RFC 9457, that pages of the web cannot read.
boost::json::object check_problem(const Response& response, int status) {
  INFO(response.head << response.body);
  CHECK(response.status == status);
  CHECK(response.header("Content-Type") == "application/problem+json");
  CHECK_FALSE(response.has("Access-Control-Allow-Origin"));
  const auto document = response.json();
  CHECK(number_in(document, "status") == status);
  CHECK_FALSE(text_in(document, "title").empty());
  CHECK_FALSE(text_in(document, "detail").empty());
  return document;
}

std::size_t contexts(const Proxy& proxy) { return proxy.api("GET", "/v1/contexts").json().at("contexts").as_array().size(); }

}  // namespace

TEST_CASE("admin: nothing without the token but /healthz") {
  Proxy proxy;
  const Context context = proxy.context();
  CHECK(proxy.api("GET", "/healthz", {}, {}, false).status == 200);
  CHECK(proxy.api("HEAD", "/healthz", {}, {}, false).status == 200);
  std::string changed = proxy.token;
  changed.back() = changed.back() == '0' ? '1' : '0';
  const Strings wrong = {"",
                         "Authorization: Bearer " + changed,
                         "Authorization: Bearer " + proxy.token.substr(0, proxy.token.size() - 1),
                         "Authorization: Bearer " + proxy.token + "0",
                         "Authorization: Bearer",
                         "Authorization: Bearer ",
                         "Authorization: " + proxy.token,
                         "Authorization: Basic " + base64("user:" + proxy.token),
                         "Authorization: Basic " + base64(context.username + ":" + context.password),
                         "Proxy-Authorization: Bearer " + proxy.token};
  auto operations = kOperations;
  operations.insert(operations.end(), {{"GET", "/"}, {"GET", "/v1/nothing"}, {"PUT", "/v1/contexts"}, {"POST", "/healthz"}});
  for (const auto& [method, path] : operations)
    for (const std::string& line : wrong) {
      INFO(method << " " << path << " with '" << line << "'");
      const Response response = proxy.api(method, path, {}, line.empty() ? Strings{} : Strings{line}, false);
      check_problem(response, 401);
      CHECK(response.header("WWW-Authenticate").starts_with("Bearer"));
      CHECK(response.body.find(proxy.token) == std::string::npos);
    }
  CHECK(contexts(proxy) == 1);
  CHECK(proxy.api("GET", "/v1/status", {}, {"Authorization: bearer " + proxy.token}).status == 200);
  CHECK(proxy.api("GET", "/v1/status?token=" + proxy.token, {}, {}, false).status == 401);
}

// It takes so many connections that their descriptors fit into those that are kept back.
TEST_CASE("admin: who finds all places taken waits for one, and is not reset") {
  Proxy proxy;
  std::vector<Client> idle;
  for (int i = 0; i < 48; ++i) idle.emplace_back(proxy.admin_port());
  Client late(proxy.admin_port());
  late.send(fmt::format("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", proxy.admin_port()));
  idle.front().close();
  CHECK(late.read_response().status == 200);
}

// Of 3,000 connections in a row some found the places of their forerunners not yet free.
TEST_CASE("admin: connections that come as fast as they go are all served") {
  Proxy proxy;
  const std::string request = fmt::format("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", proxy.admin_port());
  for (int i = 0; i < 3'000; ++i) {
    CAPTURE(i);
    Client client(proxy.admin_port());
    client.send(request);
    REQUIRE(client.read_response().status == 200);
  }
}

TEST_CASE("admin: an Origin is refused, token or not; no CORS") {
  Proxy proxy;
  auto operations = kOperations;
  operations.emplace_back("GET", "/healthz");
  for (const auto& [method, path] : operations)
    for (const std::string& origin : {"https://evil.example"s, "null"s, fmt::format("http://127.0.0.1:{}", proxy.admin_port()),
                                      fmt::format("http://localhost:{}", proxy.admin_port())}) {
      INFO(method << " " << path << " from " << origin);
      check_problem(proxy.api(method, path, {}, {"Origin: " + origin}), 403);
    }
  const Response preflight =
      proxy.api("OPTIONS", "/v1/contexts", {}, {"Origin: https://evil.example", "Access-Control-Request-Method: POST"}, false);
  CHECK(preflight.status == 403);
  for (const std::string& name : {"Access-Control-Allow-Origin"s, "Access-Control-Allow-Methods"s})
    CHECK_FALSE(preflight.has(name));
  CHECK_FALSE(proxy.api("GET", "/v1/status").has("Access-Control-Allow-Origin"));
  CHECK(contexts(proxy) == 0);
}

TEST_CASE("admin: Host must be the bound address or localhost") {
  Proxy proxy;
  const std::string port = fmt::format("{}", proxy.admin_port());
  for (const std::string& host : {"evil.example"s, "evil.example:" + port, "127.0.0.1"s, "127.0.0.1:1"s, "localhost"s,
                                  "127.0.0.2:" + port, "localhost.evil.example:" + port, "127.0.0.1.nip.io:" + port}) {
    INFO("Host: " << host);
    check_problem(proxy.api("GET", "/v1/status", {}, {"Host: " + host}), 421);
    check_problem(proxy.api("GET", "/healthz", {}, {"Host: " + host}, false), 421);
  }
  check_problem(proxy.api("GET", "http://evil.example/v1/status"), 421);
  check_problem(proxy.api("GET", "/healthz", {}, {"Host:"}, false), 400);
  for (const std::string& host : {"127.0.0.1:" + port, "localhost:" + port, "LOCALHOST:" + port})
    CHECK(proxy.api("GET", "/v1/status", {}, {"Host: " + host}).status == 200);
}

TEST_CASE("admin: paths and methods that do not exist") {
  Proxy proxy;
  for (const std::string& path : {"/"s, "/v1"s, "/v1/"s, "/v1/context"s, "/v1/contexts/"s, "/v1/contexts/a/b"s, "/V1/status"s,
                                  "/healthz/"s, "/v1/../v1/status"s, "/v1/status%2f"s})
    for (const std::string& method : {"GET"s, "POST"s, "DELETE"s}) {
      INFO(method << " " << path);
      check_problem(proxy.api(method, path), 404);
    }
  const std::vector<std::tuple<std::string, std::string, std::string>> wrong = {
      {"POST", "/v1/status", "GET"}, {"PUT", "/v1/contexts", "POST"},          {"GET", "/v1/shutdown", "POST"},
      {"POST", "/healthz", "GET"},   {"PUT", "/v1/contexts/ctx-0-0", "PATCH"}, {"OPTIONS", "/v1/contexts", "GET"},
      {"get", "/v1/status", "GET"}};
  for (const auto& [method, path, allowed] : wrong) {
    INFO(method << " " << path);
    const Response response = proxy.api(method, path);
    check_problem(response, 405);
    CHECK(response.header("Allow").find(allowed) != std::string::npos);
  }
  for (const std::string& method : {"GET"s, "PATCH"s, "DELETE"s}) {
    INFO(method);
    const std::string body = method == "PATCH" ? R"({"route":null})" : "";
    check_problem(proxy.api(method, "/v1/contexts/ctx-7-0123456789abcdef", body), 404);
  }
  const auto unknown = check_problem(proxy.api("GET", "/v1/status?verbose=1"), 400);
  CHECK(text_in(unknown, "detail").find("verbose") != std::string::npos);
  check_problem(proxy.api("DELETE", "/v1/contexts"), 400);
  check_problem(proxy.api("DELETE", "/v1/contexts?webContentsId=x"), 400);
  check_problem(proxy.api("DELETE", "/v1/contexts?all=false"), 400);
}

TEST_CASE("admin: bodies that are no JSON, or not the right one") {
  Proxy proxy;
  for (const std::string& body : {"{"s, "nonsense"s, "{\"label\":}"s, "{} {}"s, "{'label':'x'}"s, "[]"s, "null"s, "7"s,
                                  "\"text\""s, "{\"label\":\"\xff\"}"s, std::string(5000, '[')}) {
    INFO(body.substr(0, 80));
    check_problem(proxy.api("POST", "/v1/contexts", body), 400);
  }
  check_problem(proxy.api("POST", "/v1/contexts", "{}", {"Content-Type: text/plain"}), 415);
  check_problem(proxy.api("POST", "/v1/contexts", "label=x", {"Content-Type: application/x-www-form-urlencoded"}), 415);
  CHECK(contexts(proxy) == 0);
  CHECK(proxy.api("POST", "/v1/contexts", "{}", {"Content-Type: Application/JSON; charset=utf-8"}).status == 201);
  CHECK(proxy.api("POST", "/v1/contexts").status == 201);  // nothing to say is fine
}

TEST_CASE("admin: a wrong field is named, with what is allowed, and no context is made") {
  Proxy proxy;
  const std::string base = R"("morphId":"abc","scope":"base","domainSuffix":"cmux.test")";
  struct Case {
    std::string body, field, says;
  };
  const std::vector<Case> cases = {
      {R"({"lable":"x"})", "lable", "label"},
      {R"({"label":7})", "label", "string"},
      {R"({"label":"a\u001b[31m"})", "label", "control"},
      {R"({"label":"a\u009b31m"})", "label", "control"},
      {R"({"label":"a\u202eb"})", "label", "formatting"},
      {R"({"webContentsId":-1})", "webContentsId", "number"},
      {R"({"webContentsId":1.5})", "webContentsId", "number"},
      {R"({"webContentsId":"1"})", "webContentsId", "number"},
      {R"({"ttlSeconds":0})", "ttlSeconds", "above 0"},
      {R"({"ttlSeconds":"1h"})", "ttlSeconds", "number"},
      {R"({"ownerPid":0})", "ownerPid", ""},
      {R"({"ownerPid":"self"})", "ownerPid", "number"},
      {R"({"route":7})", "route", "object"},
      {R"({"route":{}})", "route.morphId", "required"},
      {R"({"route":{)" + base + R"(,"morphID":"x"}})", "route.morphID", "morphId"},
      {R"({"route":{)" + base + R"(,"color":"x"}})", "route.color", "cmuxProxyOrigin"},
      {R"({"route":{"morphId":7}})", "route.morphId", "string"},
      {R"({"route":{"morphId":"-abc","scope":"base","domainSuffix":"cmux.test"}})", "route.morphId", "dashes"},
      {R"({"route":{"morphId":"Abc","scope":"base","domainSuffix":"cmux.test"}})", "route.morphId", "lower-case"},
      {R"({"route":{"morphId":"a.b","scope":"base","domainSuffix":"cmux.test"}})", "route.morphId", "dashes"},
      {R"({"route":{"morphId":"abc","scope":"a-b","domainSuffix":"cmux.test"}})", "route.scope", "lower-case"},
      {R"({"route":{"morphId":"abc","domainSuffix":"cmux.test"}})", "route.scope", "required"},
      {R"({"route":{"morphId":"abc","scope":"base"}})", "route.domainSuffix", "required"},
      {R"({"route":{"morphId":"abc","scope":"base","domainSuffix":"cmux_test/"}})", "route.domainSuffix", "DNS"},
      {R"({"route":{"morphId":"abc","scope":"base","domainSuffix":"10.0.0.1"}})", "route.domainSuffix", "DNS"},
      {R"({"route":{"morphId":")" + std::string(60, 'a') + R"(","scope":"base","domainSuffix":"cmux.test"}})", "route.morphId",
       "63"},
      {R"({"route":{"morphId":"abc","morphDomainSuffix":"..x"}})", "route.morphDomainSuffix", "DNS"},
      {R"({"route":{"cmuxProxyOrigin":"ftp://x"}})", "route.cmuxProxyOrigin", "http://"},
      {R"({"route":{"cmuxProxyOrigin":"https://x/path"}})", "route.cmuxProxyOrigin", "nothing more"},
      {R"({"route":{"cmuxProxyOrigin":"https://user:pw@x"}})", "route.cmuxProxyOrigin", "user info"},
      {R"({"route":{"cmuxProxyOrigin":"https://x:0"}})", "route.cmuxProxyOrigin", "port"},
      {R"({"route":{"template":"https://x.test/"}})", "route.template", "{port}"},
      {R"({"route":{"template":"https://{port}.{color}.test"}})", "route.template", "{scope}"},
      {R"({"route":{"template":"https://{port}-{id}.test"}})", "route.morphId", "required"},
      {R"({"route":{"template":"gopher://{port}.test"}})", "route.template", "http://"},
      {R"({"route":{)" + base + R"(,"headers":[]}})", "route.headers", "object"},
      {R"({"route":{)" + base + R"(,"headers":{"X-A":7}}})", "route.headers", "string"},
      {R"({"route":{)" + base + R"(,"headers":{"X A":"b"}}})", "route.headers", "name"},
      {R"({"route":{)" + base + R"(,"headers":{"X-A":"b\r\nX-B: c"}}})", "route.headers", "control"},
      {R"({"route":{)" + base + R"(,"headers":{"Host":"evil"}}})", "route.headers", "Host"},
      {R"({"route":{)" + base + R"(,"headers":{"transfer-encoding":"chunked"}}})", "route.headers", "transfer-encoding"},
      {R"({"route":{)" + base + R"(,"headers":{"X-Cmux-Port-Internal":"1"}}})", "route.headers", "X-Cmux-Port-Internal"},
      {R"({"fromUrl":"https://example.com/"})", "fromUrl", "cmux-"},
      {R"({"fromUrl":"https://cmux-abc-base-3000.evil.example/"})", "fromUrl", "cmux.app"},
  };
  for (const Case& given : cases) {
    INFO(given.body);
    const auto document = check_problem(proxy.api("POST", "/v1/contexts", given.body), 400);
    if (document.contains("field")) CHECK(text_in(document, "field") == given.field);
    else FAIL_CHECK("no field is named");
    CHECK(text_in(document, "detail").find(given.says) != std::string::npos);
  }
  CHECK(contexts(proxy) == 0);
  const auto patched = check_problem(proxy.api("PATCH", "/v1/contexts/" + proxy.context().id, R"({"label":"x"})"), 400);
  CHECK(text_in(patched, "detail").find("route") != std::string::npos);
}

TEST_CASE("admin: bodies over 1 MiB are refused, by their length or by their chunks") {
  Proxy proxy;
  const std::string large = R"({"label":")" + std::string(1024 * 1024, 'x') + R"("})";
  check_problem(proxy.api("POST", "/v1/contexts", large), 413);
  // Announced only: nothing has to arrive.
  check_problem(proxy.api("POST", "/v1/contexts", {}, {"Content-Type: application/json", "Content-Length: 999999999999"}), 413);
  Client client(proxy.admin_port());
  client.send(
      fmt::format("POST /v1/contexts HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\nContent-Type: "
                  "application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                  proxy.admin_port(), proxy.token, large.size(), large));
  check_problem(client.read_response(), 413);
  CHECK(contexts(proxy) == 0);
}

TEST_CASE("admin: malformed HTTP is refused like anywhere else") {
  Proxy proxy;
  for (const std::string& bytes :
       {"GET /healthz HTTP/1.1\r\n\r\n"s, "GET /healthz HTTP/1.1\nHost: l\n\n"s, "nonsense\r\n\r\n"s,
        "POST /v1/contexts HTTP/1.1\r\nHost: l\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"s}) {
    INFO(bytes);
    Client client(proxy.admin_port());
    client.send(bytes);
    CHECK(client.read_response().status == 400);
    CHECK(client.read_all_until_close() == "");
  }
  CHECK(proxy.api("GET", "/v1/status").status == 200);
}

TEST_CASE("admin: over a Unix socket it is reached by the command line, and by nobody else's user") {
  TempDir folder;
  const std::string path = folder / "admin.sock";
  Proxy proxy({"--admin", "unix:" + path});
  CHECK(proxy.cli({"status"}).exit == 0);
  CHECK_FALSE(proxy.context({"--label", "over the socket"}).id.empty());
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 077) == 0);
}
