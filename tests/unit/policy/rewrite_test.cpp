#include "policy/illusion_world.hpp"

using namespace cmux;
using namespace cmux::policy;

TEST_CASE("illusion: Location and Content-Location") {
  const std::vector<Row> rows = {
      {"https://" DEST "/a?b=c#d", "http://localhost:3000/a?b=c#d"},
      {"https://" DEST, "http://localhost:3000"},
      {"https://" DEST "?q", "http://localhost:3000?q"},
      {"https://" DEST "#f", "http://localhost:3000#f"},
      {"https://" DEST4 "/a", "http://localhost:4000/a"},
      {"https://cmux-abc-base-80.cmux.test/a", "http://localhost/a"},
      {"https://cmux-abc-base-443.cmux.test/a", "http://localhost:443/a"},
      {"https://" DEST ":443/", "http://localhost:3000/"},
      {"HTTPS://CMUX-abc-Base-3000.CMUX.test/Path", "http://localhost:3000/Path"},
      {"https://" DEST "./", "http://localhost:3000/"},
      {"http://" DEST "/a", "http://localhost:3000/a"},
      {"http://" DEST ":80/a", "http://localhost:3000/a"},
      {"//" DEST "/a", "//localhost:3000/a"},
      {"https://" DEST "/?next=https://" DEST "/b", "http://localhost:3000/?next=https://" DEST "/b"},
      // Not this route's, or not to be read in one way alone.
      {"https://cmux-abd-base-3000.cmux.test/"},
      {"https://cmux-abc-web-3000.cmux.test/"},
      {"https://port-3000-morphvm-abc.cmux.test/"},
      {"https://" DEST ".evil.com/"},
      {"https://evil.com/" DEST},
      {"https://" DEST ":8443/"},
      {"https://" DEST ":80/"},
      {"https://" DEST ":/"},
      {"https://" DEST ":0443/x", "http://localhost:3000/x"},
      {"https://" DEST ":443x/"},
      {"https://user@" DEST "/"},
      {"https://user:pass@" DEST "/"},
      {"https://" DEST "@evil.com/"},
      {"https://" DEST ":443@evil.com/"},
      {"https://" DEST "\\@evil.com/"},
      {"https://evil.com\\." DEST "/"},
      {"https://cmux%2Dabc-base-3000.cmux.test/"},
      {"https://cmux-abc-base-3000.cmux.te\xc5\xbft/"},
      {"https://cmux-abc-base-3000.cmux%E3%80%82test/"},
      {"https:" DEST "/"},
      {"https:/" DEST "/"},
      {"https:///" DEST "/"},
      {"ftp://" DEST "/"},
      {"wss://" DEST "/"},
      {"http://localhost:3000/"},
      {"/a"},
      {"a"},
      {"?a"},
      {""},
      {"//"},
      {"https://"},
      {"https://["},
  };
  for (const Name name : {Name::location, Name::content_location}) check(illusion(cmux_route()), Going::response, name, rows);
}

TEST_CASE("illusion: the URL that the client uses: its scheme, its name for this machine, no usual port") {
  struct Case {
    Client client;
    std::string_view given, expected;
  };
  const Case cases[] = {
      {{"http", "localhost"}, "https://cmux-abc-base-80.cmux.test/", "http://localhost/"},
      {{"http", "localhost:80"}, "https://cmux-abc-base-80.cmux.test/", "http://localhost/"},
      {{"http", "localhost"}, "https://" DEST "/", "http://localhost:3000/"},
      {{"https", "localhost"}, "https://cmux-abc-base-443.cmux.test/", "https://localhost/"},
      {{"https", "localhost:3000"}, "https://" DEST "/", "https://localhost:3000/"},
      {{"https", "localhost:3000"}, "http://" DEST "/", "https://localhost:3000/"},
      {{"https", "localhost:3000"}, "https://cmux-abc-base-80.cmux.test/", "https://localhost:80/"},
      {{"http", "127.0.0.1:3000"}, "https://" DEST "/", "http://127.0.0.1:3000/"},
      {{"http", "[::1]:3000"}, "https://" DEST4 "/", "http://[::1]:4000/"},
      {{"http", "app.localhost:3000"}, "https://" DEST4 "/", "http://app.localhost:4000/"},
      {{"http", "LOCALHOST.:3000"}, "https://" DEST "/", "http://localhost:3000/"},
  };
  for (const Case& row : cases) {
    CAPTURE(row.client.scheme, row.client.authority, row.given);
    CHECK(through(illusion(cmux_route(), row.client), Going::response, Name::location, row.given) == row.expected);
  }
}

TEST_CASE("illusion: Refresh") {
  check(illusion(cmux_route()), Going::response, Name::refresh,
        {{"5; url=https://" DEST "/a", "5; url=http://localhost:3000/a"},
         {"0;URL=https://" DEST4 "/a", "0;URL=http://localhost:4000/a"},
         {"5; URL=\"https://" DEST "/a\"", "5; URL=\"http://localhost:3000/a\""},
         {"5; url='https://" DEST "/a' trailing", "5; url='http://localhost:3000/a' trailing"},
         {"5; url='https://" DEST "/a", "5; url='http://localhost:3000/a"},
         {" 1.5 ,\tUrl \t= https://" DEST, " 1.5 ,\tUrl \t= http://localhost:3000"},
         {"5 url=https://" DEST "/", "5 url=http://localhost:3000/"},
         {"5; https://" DEST "/", "5; http://localhost:3000/"},
         {"5; \"https://" DEST "/\"", "5; \"http://localhost:3000/\""},
         {"5; url=https://" DEST ".evil.com/"},
         {"5; url=/a"},
         {"5; url="},
         {"5; url"},
         {"5; url=\"\""},
         {"5"},
         {"5;"},
         {""},
         {"url=https://" DEST "/"},
         {"; url=https://" DEST "/"},
         {"5x; url=https://" DEST "/"},
         {"5; curl=https://" DEST "/"}});
}

TEST_CASE("illusion: Link") {
  check(illusion(cmux_route()), Going::response, Name::link,
        {{"<https://" DEST "/a.css>; rel=preload", "<http://localhost:3000/a.css>; rel=preload"},
         {"<https://" DEST "/1>; rel=next, <https://example.com/>;rel=x ,<https://" DEST4 "/2>",
          "<http://localhost:3000/1>; rel=next, <https://example.com/>;rel=x ,<http://localhost:4000/2>"},
         {"</a>; rel=a, <https://" DEST "/b>", "</a>; rel=a, <http://localhost:3000/b>"},
         {"<https://x.test/>; title=\"a, <https://" DEST "/>\", <https://" DEST "/b>",
          "<https://x.test/>; title=\"a, <https://" DEST "/>\", <http://localhost:3000/b>"},
         {"<https://" DEST "/>; title=\"\\\", <https://" DEST "/>\"",
          "<http://localhost:3000/>; title=\"\\\", <https://" DEST "/>\""},
         {" , <https://" DEST "/>, ,", " , <http://localhost:3000/>, ,"},
         {"<https://" DEST "/a,b;c>", "<http://localhost:3000/a,b;c>"},
         {"</a>; anchor=\"https://" DEST "/\""},
         {"</a>; rel=\"https://" DEST "/rels/x\""},
         {"<https://" DEST ".evil.com/>"},
         {"<https://" DEST "/"},
         {"https://" DEST "/"},
         {"<https://" DEST "/>, https://" DEST "/"},
         {"<https://" DEST "/>; title=\"open"},
         {"<>"},
         {""},
         {","}});
  http::Head head;
  head.status = 103;
  head.fields.add("Link", "<https://" DEST "/1>");
  head.fields.add("Location", "/");
  head.fields.add("Link", "<https://" DEST "/2>");
  illusion(cmux_route()).response(head);
  CHECK(head.fields[0].value == "<http://localhost:3000/1>");
  CHECK(head.fields[1].value == "/");
  CHECK(head.fields[2].value == "<http://localhost:3000/2>");
}

TEST_CASE("illusion: Set-Cookie loses the destination's Domain, and nothing else") {
  check(illusion(cmux_route()), Going::response, Name::set_cookie,
        {{"a=b; Domain=" DEST "; Path=/", "a=b; Path=/"},
         {"a=b; Path=/;  DOMAIN = ." DEST " ;HttpOnly", "a=b; Path=/;HttpOnly"},
         {"a=b;domain=CMUX.Test", "a=b"},
         {"a=\"x;y\"; Domain=cmux.test; Secure; SameSite=None", "a=\"x;y\"; Secure; SameSite=None"},
         {"a=b; Domain=cmux.test; Path=/; Domain=" DEST, "a=b; Path=/"},
         {"=; Domain=cmux.test", "="},
         {"a=b; Domain=" DEST4},
         {"a=b; Domain=example.com"},
         {"a=b; Domain=x." DEST},
         {"a=b; Domain=mux.test"},
         {"a=b; Domain=cmux.test.evil.com"},
         {"a=b; Domain=test"},
         {"a=b; Domain=localhost"},
         {"a=b; Domain="},
         {"a=b; Domain"},
         {"a=b; Domain=.."},
         {"a=b; XDomain=cmux.test"},
         {"Domain=cmux.test; Path=/"},
         {"a=Domain=cmux.test"},
         {"a=b"},
         {""}});
  check(illusion(origin_route()), Going::response, Name::set_cookie,
        {{"a=b; Domain=127.0.0.1", "a=b"}, {"a=b; Domain=0.0.1"}, {"a=b; Domain=localhost"}});
}

TEST_CASE("illusion: Strict-Transport-Security goes, all of it") {
  http::Head head;
  head.fields.add("strict-transport-security", "max-age=1");
  head.fields.add("X-A", "1");
  head.fields.add("Strict-Transport-Security", "max-age=2");
  illusion(cmux_route()).response(head);
  CHECK(head.fields.size() == 1);
  CHECK(head.fields.get("X-A") == "1");
}

TEST_CASE("illusion: Access-Control-Allow-Origin") {
  check(illusion(cmux_route()), Going::response, Name::access_control_allow_origin,
        {{"https://" DEST, "http://localhost:3000"},
         {"https://" DEST4, "http://localhost:4000"},
         {"https://" DEST ":443", "http://localhost:3000"},
         {"http://" DEST, "http://localhost:3000"},
         {"https://" DEST "/"},
         {"//" DEST},
         {DEST},
         {"https://" DEST ".evil.com"},
         {"https://" DEST ", https://" DEST4},
         {"http://localhost:3000"},
         {"*"},
         {"null"},
         {""}});
}

TEST_CASE("illusion: Origin and Referer of the target become the destination's") {
  const Illusion made = illusion(plain_route());
  check(made, Going::request, Name::origin,
        {{"http://localhost:3000", "https://" DEST},
         {"http://LOCALHOST:3000", "https://" DEST},
         {"https://localhost:3000"},
         {"http://localhost:4000"},
         {"http://localhost"},
         {"http://127.0.0.1:3000"},
         {"http://app.localhost:3000"},
         {"http://localhost:3000.evil.com"},
         {"http://localhost:3000/"},
         {"https://example.com"},
         {"https://" DEST},
         {"null"},
         {""}});
  check(made, Going::request, Name::referer,
        {{"http://localhost:3000/a?b=c", "https://" DEST "/a?b=c"},
         {"http://localhost:3000/", "https://" DEST "/"},
         {"http://localhost:3000", "https://" DEST},
         {"http://localhost:4000/a"},
         {"http://u@localhost:3000/a"},
         {"https://example.com/?r=http://localhost:3000/"},
         {"/a"},
         {"about:blank"},
         {""}});
  const Illusion usual = illusion(plain_route(), {"http", "localhost"}),
                 secure = illusion(plain_route(), {"https", "[::1]:3000"});
  check(usual, Going::request, Name::origin,
        {{"http://localhost", "https://cmux-abc-base-80.cmux.test"},
         {"http://localhost:80", "https://cmux-abc-base-80.cmux.test"}});
  check(secure, Going::request, Name::origin, {{"https://[::1]:3000", "https://" DEST}, {"http://[::1]:3000"}});
  // What belongs to responses stays in requests, and the other way round.
  CHECK(through(made, Going::request, Name::link, "<https://" DEST "/>") == "<https://" DEST "/>");
  CHECK(through(made, Going::request, Name::strict_transport_security, "x") == "x");
  CHECK(through(made, Going::response, Name::origin, "http://localhost:3000") == "http://localhost:3000");
}

TEST_CASE("illusion: templates, with their scheme, port and path") {
  const Illusion made = illusion(template_route("http://dev.test:8088/p/{port}/"));
  check(made, Going::response, Name::location,
        {{"http://dev.test:8088/p/3000/a?b", "http://localhost:3000/a?b"},
         {"http://dev.test:8088/p/4000", "http://localhost:4000"},
         {"https://dev.test:8088/p/3000/a"},
         {"http://dev.test:8088/login"},
         {"/p/3000/a"}});
  check(made, Going::response, Name::access_control_allow_origin, {{"http://dev.test:8088", "http://localhost:3000"}});
  check(made, Going::request, Name::origin, {{"http://localhost:3000", "http://dev.test:8088"}});
  check(made, Going::request, Name::referer, {{"http://localhost:3000/a", "http://dev.test:8088/p/3000/a"}});
}

TEST_CASE("illusion: where the dev server sees localhost, requests stay, and the destination's URLs are still mapped") {
  const Illusion morph = illusion(morph_route()), proxied = illusion(origin_route()), cmux = illusion(cmux_route());
  Route told = template_route("https://t{port}.example");
  told.host_override = Choice::on;
  const Illusion cloud = illusion(told);
  for (const Illusion* const made : {&morph, &proxied, &cmux, &cloud}) {
    check(*made, Going::request, Name::origin, {{"http://localhost:3000"}});
    check(*made, Going::request, Name::referer, {{"http://localhost:3000/a"}});
    check(*made, Going::response, Name::location, {{"http://localhost:3000/a"}, {"http://localhost:4000/a"}});
    CHECK(through(*made, Going::response, Name::strict_transport_security, "x") == "(gone)");
  }
  check(morph, Going::response, Name::location,
        {{"https://port-4000-morphvm-abc.http.cloud.morph.so/a", "http://localhost:4000/a"}});
  check(morph, Going::response, Name::set_cookie, {{"a=b; Domain=.http.cloud.morph.so", "a=b"}});
  check(proxied, Going::response, Name::location,
        {{"http://127.0.0.1:39379/a", "http://localhost:3000/a"}, {"http://127.0.0.1:3000/a"}});
}

TEST_CASE("illusion: behind a forwarded port the client's numbers count, and the ports that it reaches") {
  const Client client{"http", "localhost:3000", std::vector<Forward>{{3000, 18000}, {4000, 4000}}, "127.0.0.1:18000"};
  const Illusion made = illusion(plain_route(), client);
  check(made, Going::response, Name::location,
        {{"https://" DEST "/a", "http://127.0.0.1:18000/a"},
         {"https://" DEST4 "/a", "http://127.0.0.1:4000/a"},
         {"https://cmux-abc-base-5000.cmux.test/a"}});
  check(made, Going::response, Name::access_control_allow_origin,
        {{"https://" DEST, "http://127.0.0.1:18000"}, {"https://cmux-abc-base-5000.cmux.test"}});
  check(made, Going::request, Name::origin, {{"http://127.0.0.1:18000", "https://" DEST}, {"http://localhost:3000"}});
  // A dev server that takes itself for localhost:3000 does not know the client's number either.
  for (const Route& route : {origin_route(), cmux_route()})
    check(illusion(route, client), Going::request, Name::origin, {{"http://127.0.0.1:18000", "http://localhost:3000"}});
}

TEST_CASE("illusion: each rule has its switch") {
  const struct {
    bool Rewrites::*rule;
    Going way;
    Name name;
    std::string_view value;
  } rows[] = {
      {&Rewrites::location, Going::response, Name::location, "https://" DEST "/"},
      {&Rewrites::location, Going::response, Name::content_location, "https://" DEST "/"},
      {&Rewrites::location, Going::response, Name::refresh, "0; url=https://" DEST "/"},
      {&Rewrites::location, Going::response, Name::link, "<https://" DEST "/>"},
      {&Rewrites::callbacks, Going::response, Name::location, "https://idp.test/?next=https://" DEST "/"},
      {&Rewrites::cookies, Going::response, Name::set_cookie, "a=b; Domain=" DEST},
      {&Rewrites::hsts, Going::response, Name::strict_transport_security, "max-age=1"},
      {&Rewrites::cors, Going::response, Name::access_control_allow_origin, "https://" DEST},
      {&Rewrites::origin, Going::request, Name::origin, "http://localhost:3000"},
      {&Rewrites::origin, Going::request, Name::referer, "http://localhost:3000/"},
  };
  for (const auto& row : rows) {
    CAPTURE(http::text_of(row.name));
    Rewrites without, alone{false, false, false, false, false, false};
    without.*row.rule = false;
    alone.*row.rule = true;
    CHECK(through(illusion(plain_route(), {}, without), row.way, row.name, row.value) == row.value);
    CHECK(through(illusion(plain_route(), {}, alone), row.way, row.name, row.value) != row.value);
    CHECK(through(Illusion(), row.way, row.name, row.value) == row.value);
  }
}
