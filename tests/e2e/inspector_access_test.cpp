// Who may see the inspector: its page by a key that works once and then a cookie; other pages by nothing.
#include "inspector.hpp"

namespace e2e {
namespace {

bool contains(const std::string& text, std::string_view piece) { return text.find(piece) != std::string::npos; }

struct Page {
  Proxy proxy{{"--capture", "bodies"}};
  std::string origin = fmt::format("http://127.0.0.1:{}", proxy.admin_port());

  std::string make_key() const {
    const auto made = proxy.api("POST", "/v1/inspector/keys").json();
    const std::string url = text_in(made, "url");
    CHECK(url.starts_with(origin + "/inspector/#key="));
    return url.substr(url.find('=') + 1);
  }
  Response open(const std::string& key, const Strings& more = {}) const {
    Strings fields{"Origin: " + origin, "Sec-Fetch-Site: same-origin"};
    fields.insert(fields.end(), more.begin(), more.end());
    return proxy.api("POST", "/inspector/session", fmt::format(R"({{"key":"{}"}})", key), fields, false);
  }
  std::string cookie() const {
    const std::string set = open(make_key()).header("Set-Cookie");
    return "Cookie: other=1; " + set.substr(0, set.find(';'));
  }
  // As the browser sends it from the page.
  Response ask(std::string_view method, std::string_view path, const std::string& cookie, const Strings& more = {},
               std::string_view body = {}) const {
    Strings fields{cookie, "Sec-Fetch-Site: same-origin"};
    if (method != "GET") fields.push_back("Origin: " + origin);
    fields.insert(fields.end(), more.begin(), more.end());
    return proxy.api(method, path, body, fields, false);
  }
};

}  // namespace

TEST_CASE("inspector access: the page is for everybody, compressed, known by its tag, and runs nothing but itself") {
  Page page;
  const Response plain = page.proxy.api("GET", "/inspector/", {}, {}, false);
  CHECK(plain.status == 200);
  CHECK(plain.header("Content-Type") == "text/html; charset=utf-8");
  CHECK(contains(plain.body, "<!doctype html>"));
  CHECK(contains(plain.header("Content-Security-Policy"), "default-src 'none'; script-src 'self';"));
  CHECK(contains(plain.header("Content-Security-Policy"), "frame-ancestors 'none'"));
  CHECK(plain.header("X-Frame-Options") == "DENY");
  CHECK(plain.header("X-Content-Type-Options") == "nosniff");
  CHECK(plain.header("Referrer-Policy") == "no-referrer");
  CHECK(plain.header("Cross-Origin-Resource-Policy") == "same-origin");
  const Response packed = page.proxy.api("GET", "/inspector/", {}, {"Accept-Encoding: gzip, br"}, false);
  CHECK(packed.header("Content-Encoding") == "gzip");
  CHECK(packed.body.starts_with("\x1f\x8b"));
  CHECK(packed.header("ETag") == plain.header("ETag"));
  const Response same = page.proxy.api("GET", "/inspector/", {}, {"If-None-Match: " + plain.header("ETag")}, false);
  CHECK(same.status == 304);
  CHECK(same.body.empty());
  CHECK(page.proxy.api("GET", "/inspector/index.html", {}, {}, false).body == plain.body);
  CHECK(page.proxy.api("GET", "/inspector", {}, {}, false).header("Location") == "/inspector/");
  for (const char* const path : {"/inspector/none.js", "/inspector/../v1/status", "/inspector/%2e%2e/x", "/inspector/a/b"})
    CHECK(page.proxy.api("GET", path, {}, {}, false).status == 404);
  CHECK(page.proxy.api("GET", "/inspector/", {}, {"Host: evil.example:80"}, false).status == 421);
}

TEST_CASE("inspector access: a folder in the place of what is in the program, and nothing beside it") {
  TempDir folder;
  write_file(folder / "index.html", "<p>mine");
  write_file(folder / ".hidden", "secret");
  write_file(folder / "x.js", "1");
  Proxy proxy({"--inspector-dir", folder.path});
  CHECK(proxy.api("GET", "/inspector/", {}, {}, false).body == "<p>mine");
  CHECK(proxy.api("GET", "/inspector/x.js", {}, {}, false).header("Content-Type").starts_with("text/javascript"));
  write_file(folder / "index.html", "<p>changed");
  const Response changed = proxy.api("GET", "/inspector/", {}, {}, false);
  CHECK(changed.body == "<p>changed");
  CHECK(contains(changed.header("Content-Security-Policy"), "frame-ancestors 'none'"));
  const std::string outside = fmt::format("/inspector/..{}/index.html", folder.path);
  for (const std::string& path : {std::string("/inspector/.hidden"), std::string("/inspector//etc/passwd"), outside,
                                  std::string("/inspector/x/../../../../../../etc/passwd"), std::string("/inspector/%2e%2e")})
    CHECK(proxy.api("GET", path, {}, {}, false).status == 404);
}

TEST_CASE("inspector access: a key works once, for its own page alone, and its cookie is the page's") {
  Page page;
  const std::string key = page.make_key();
  CHECK(page.open("0123456789abcdef0123456789abcdef").status == 401);
  CHECK(page.proxy.api("POST", "/inspector/session", fmt::format(R"({{"key":"{}"}})", key), {}, false).status == 403);
  CHECK(page.open(key, {"Origin: http://evil.example"}).status == 403);
  CHECK(page.open(key, {"Sec-Fetch-Site: cross-site"}).status == 403);
  CHECK(page.open(key, {"Host: evil.example"}).status == 421);
  CHECK(page.open(key, {"Content-Type: text/plain"}).status == 415);
  const Response opened = page.open(key);
  CHECK(opened.status == 204);
  const std::string set = opened.header("Set-Cookie");
  CHECK(set.starts_with(fmt::format("cmux_inspector_{}=", page.proxy.admin_port())));
  for (const char* const attribute : {"; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age="})
    CHECK(contains(set, attribute));
  CHECK(page.open(key).status == 401);  // stolen, say
  CHECK(contains(page.proxy.cli({"logs"}).out, "with a key that is none, or was used"));

  const std::string cookie = "Cookie: " + set.substr(0, set.find(';'));
  for (const char* const path :
       {"/v1/exchanges", "/v1/status", "/v1/contexts", "/metrics", "/v1/capture", "/v1/har", "/v1/series"})
    CHECK(page.ask("GET", path, cookie).status == 200);
  CHECK(page.ask("PUT", "/v1/capture", cookie, {}, R"({"mode":"heads"})").status == 200);
  CHECK(page.ask("DELETE", "/v1/exchanges", cookie).status == 204);
  // What makes or ends things is the token's.
  CHECK(page.ask("POST", "/v1/contexts", cookie, {}, "{}").status == 403);
  CHECK(page.ask("POST", "/v1/shutdown", cookie).status == 403);
  CHECK(page.ask("POST", "/v1/inspector/keys", cookie).status == 403);
  CHECK(page.ask("GET", "/v1/logs", cookie).status == 401);
  CHECK(page.ask("GET", "/v1/contexts/ctx-0-0123456789abcdef?secrets=true", cookie).status == 401);
}

TEST_CASE("inspector access: a cookie is worth nothing from another page, another port's server, or another instance") {
  Page page;
  const std::string cookie = page.cookie();
  CHECK(page.ask("GET", "/v1/exchanges", cookie).status == 200);
  CHECK(page.ask("GET", "/v1/exchanges", cookie, {"Sec-Fetch-Site: none"}).status == 200);
  // A page on another port of this address is of the same site, and its browser sends the cookie along.
  for (const char* const site : {"same-site", "cross-site"}) {
    CHECK(page.ask("GET", "/v1/exchanges", cookie, {fmt::format("Sec-Fetch-Site: {}", site)}).status == 403);
    CHECK(page.ask("GET", "/v1/exchanges/stream", cookie, {fmt::format("Sec-Fetch-Site: {}", site)}).status == 403);
  }
  CHECK(page.proxy.api("GET", "/v1/exchanges", {}, {cookie}, false).status == 401);  // no browser of today leaves that out
  for (const char* const origin : {"http://127.0.0.1:1", "null", "http://evil.example", "https://127.0.0.1"})
    for (const char* const method : {"GET", "PUT", "DELETE"})
      CHECK(page.ask(method, method == std::string("PUT") ? "/v1/capture" : "/v1/exchanges", cookie,
                     {fmt::format("Origin: {}", origin)}, method == std::string("PUT") ? R"({"mode":"off"})" : "")
                .status == 403);
  Strings without_origin{cookie, "Sec-Fetch-Site: same-origin"};
  CHECK(page.proxy.api("PUT", "/v1/capture", R"({"mode":"off"})", without_origin, false).status == 401);
  CHECK(page.ask("GET", "/v1/exchanges", cookie, {"Host: rebound.example"}).status == 421);
  CHECK(page.ask("GET", "/v1/exchanges", "Cookie: cmux_inspector_1=" + cookie.substr(cookie.rfind('=') + 1)).status == 401);
  Page other;
  CHECK(other.ask("GET", "/v1/exchanges", cookie).status == 401);
  // The token is for programs, which have no Origin.
  CHECK(page.proxy.api("GET", "/v1/exchanges", {}, {"Origin: " + page.origin}).status == 403);
  CHECK(contains(page.ask("GET", "/v1/exchanges", "Cookie: x=1").body, "run cmuxproxy inspect again"));
}

TEST_CASE("inspector access: it is not reached through the proxy, nor over a Unix socket by a browser") {
  Page page;
  const Context context = page.proxy.context();
  CHECK(page.proxy.get(context, page.origin + "/inspector/").status == 508);
  CHECK(page.proxy.get(context, fmt::format("http://localhost:{}/v1/exchanges", page.proxy.admin_port())).status == 508);
  TempDir home;
  Proxy local({"--admin", "unix:" + (home / "admin.sock")});
  const Run refused = local.cli({"inspect", "--print"});
  CHECK(refused.exit == 1);
  CHECK(contains(refused.err, "--admin 127.0.0.1:0"));
}

}  // namespace e2e
