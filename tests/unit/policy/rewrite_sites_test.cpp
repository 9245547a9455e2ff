// Where the illusion meets other sites, other names of this machine, and what frameworks compare.
#include "policy/illusion_world.hpp"

using namespace cmux;
using namespace cmux::policy;

TEST_CASE("illusion: the route's own URLs in the query of a Location to another site") {
#define ENC "https%3A%2F%2F" DEST
#define LOCAL "http%3A%2F%2Flocalhost%3A3000"
  const std::vector<Row> rows = {
      {"https://idp.test/authorize?client_id=a&redirect_uri=" ENC "%2Fcb%3Fx%3D1&state=s",
       "https://idp.test/authorize?client_id=a&redirect_uri=" LOCAL "%2Fcb%3Fx%3D1&state=s"},
      {"https://idp.test/?next=https://" DEST "/a", "https://idp.test/?next=http://localhost:3000/a"},
      {"https://idp.test/?return_to=" ENC, "https://idp.test/?return_to=" LOCAL},
      {"https://idp.test?a=https%3a%2f%2f" DEST "%2f&b=https%3A//cmux-abc-base-4000.cmux.test:443%2Fx+y#f",
       "https://idp.test?a=" LOCAL "%2f&b=http%3A%2F%2Flocalhost%3A4000%2Fx+y#f"},
      {"//idp.test/?n=http%3A%2F%2F" DEST "/", "//idp.test/?n=" LOCAL "/"},
      {"http://localhost:9/?n=" ENC, "http://localhost:9/?n=" LOCAL},
      {"https://idp.test/?a=" ENC "&&b&c=&=" ENC, "https://idp.test/?a=" LOCAL "&&b&c=&=" LOCAL},
      // Not a whole value, encoded twice, of another route, or not to be read in one way alone.
      {"https://idp.test/?next=x" ENC},
      {"https://idp.test/?" ENC},
      {"https://idp.test/?next=%20" ENC},
      {"https://idp.test/?next=https%253A%252F%252F" DEST},
      {"https://idp.test/?next=%2F%2F" DEST},
      {"https://idp.test/?next=" DEST},
      {"https://idp.test/?next=" ENC ".evil.com"},
      {"https://idp.test/?next=" ENC "%40evil.com"},
      {"https://idp.test/?next=https%3A%2F%2Fu%40" DEST},
      {"https://idp.test/?next=https%3A%2F%2Fcmux-abd-base-3000.cmux.test"},
      {"https://idp.test/?next=" ENC "%2"},
      {"https://idp.test/?next=" ENC "%zz"},
      {"https://idp.test/?next=" ENC "%00"},
      {"https://idp.test/#?next=" ENC},
      {"https://idp.test/next=" ENC},
      // The workspace's own hosts know what they mean, and no other site reads it.
      {"/login?next=" ENC},
      {"?next=" ENC},
  };
  check(illusion(plain_route()), Going::response, Name::location, rows);
  check(illusion(plain_route()), Going::response, Name::location,
        {{"https://" DEST "/?next=" ENC, "http://localhost:3000/?next=" ENC}});
  check(illusion(plain_route()), Going::response, Name::content_location, {{"https://idp.test/?next=" ENC}});
  check(illusion(template_route("http://dev.test/p/{port}/")), Going::response, Name::location,
        {{"https://idp.test/?n=http%3A%2F%2Fdev.test%2Fp%2F3000%2Fcb&m=http%3A%2F%2Fdev.test%2Fother",
          "https://idp.test/?n=" LOCAL "%2Fcb&m=http%3A%2F%2Fdev.test%2Fother"}});
  const Client forwarded{"http", "localhost:3000", std::vector<Forward>{{3000, 18000}}, "localhost:18000"};
  check(illusion(plain_route(), forwarded), Going::response, Name::location,
        {{"https://idp.test/?n=" ENC, "https://idp.test/?n=http%3A%2F%2Flocalhost%3A18000"}});
}

TEST_CASE("illusion: what a dev server compares Origin with differs by path") {
  struct Case {
    Choice rule;
    std::string_view path;
    bool mapped;
  };
  const Rewrites none{true, true, true, true, true, false};
  for (const Case& row : {
           Case{Choice::automatic, "/", true},
           Case{Choice::automatic, "/api/kernels/1/channels", true},
           Case{Choice::automatic, "/_next/webpack-hmr?page=%2F", false},
           Case{Choice::automatic, "/docs/_next/static/a.js", false},
           Case{Choice::automatic, "/__nextjs_original-stack-frames", false},
           Case{Choice::automatic, "/_nextgen", true},
           Case{Choice::automatic, "/a?b=/_next/", true},
           Case{Choice::on, "/_next/webpack-hmr", true},
           Case{Choice::off, "/", false},
       }) {
    CAPTURE(row.path, static_cast<int>(row.rule));
    Route route = template_route("https://t{port}.example");
    route.rewrite_origin = row.rule;
    const auto origin_of = [&](const Rewrites& rewrites) {
      http::Head head;
      head.path = row.path;
      head.fields.add("Origin", "http://localhost:3000");
      head.fields.add("Referer", "http://localhost:3000/r");
      illusion(route, {}, rewrites).request(head);
      CHECK((head.fields.get(Name::referer) == "http://localhost:3000/r") ==
            (head.fields.get(Name::origin) == "http://localhost:3000"));
      return std::string(*head.fields.get(Name::origin));
    };
    CHECK(origin_of({}) == (row.mapped ? "https://t3000.example" : "http://localhost:3000"));
    // The route's word goes before the instance's.
    CHECK(origin_of(none) == (row.rule == Choice::on ? "https://t3000.example" : "http://localhost:3000"));
  }
}

TEST_CASE("illusion: a page under another name of this machine is allowed by that name") {
  const std::vector<std::string> domains = {"mine.localhost"};
  const auto target = net::parse_authority("localhost:4000");
  const auto destination = destination_of(plain_route(), Scheme::http, "localhost", 4000);
  const Illusion made(plain_route(), *target, *destination, {Scheme::http, *target, {}, false, domains}, {});
  struct Case {
    std::string_view origin, allowed, expected;
  };
  for (const Case& row : {
           Case{"http://app.localhost:3000", "https://" DEST, "http://app.localhost:3000"},
           Case{"https://app.localhost:3000", "https://" DEST, "https://app.localhost:3000"},
           Case{"http://127.0.0.1:3000", "https://" DEST, "http://127.0.0.1:3000"},
           Case{"http://[::1]:3000", "https://" DEST, "http://[::1]:3000"},
           Case{"http://app.localhost", "https://cmux-abc-base-80.cmux.test", "http://app.localhost"},
           Case{"http://app.localhost:3001", "https://" DEST, "http://localhost:3000"},
           Case{"http://app.localhost", "https://" DEST, "http://localhost:3000"},
           Case{"http://app.mine.localhost:3000", "https://" DEST, "http://localhost:3000"},
           Case{"http://a.cmux.localhost:3000", "https://" DEST, "http://localhost:3000"},
           Case{"http://127.evil.com:3000", "https://" DEST, "http://localhost:3000"},
           Case{"http://u@app.localhost:3000", "https://" DEST, "http://localhost:3000"},
           Case{"http://app.localhost:3000/", "https://" DEST, "http://localhost:3000"},
           Case{"null", "https://" DEST, "http://localhost:3000"},
           Case{"", "https://" DEST, "http://localhost:3000"},
           Case{"http://app.localhost:3000", "http://localhost:3000", "http://localhost:3000"},
           Case{"http://app.localhost:3000", "*", "*"},
           Case{"http://app.localhost:3000", "https://example.com", "https://example.com"},
       }) {
    CAPTURE(row.origin, row.allowed);
    http::Head request, response;
    request.fields.add("Origin", row.origin);
    const std::string origin = made.request(request);
    CHECK(origin == row.origin);
    response.status = 200;
    response.fields.add("Access-Control-Allow-Origin", row.allowed);
    made.response(response, origin);
    CHECK(response.fields.get(Name::access_control_allow_origin) == row.expected);
  }
}

TEST_CASE("illusion: a host of the workspace's network keeps its own name") {
  Route route = origin_route();
  route.hosts = {"*.internal"};
  const Illusion made = illusion(route, {"http", "api.internal:8080"});
  check(made, Going::request, Name::origin, {{"http://api.internal:8080"}, {"http://localhost:3000"}});
  check(made, Going::response, Name::location,
        {{"http://127.0.0.1:39379/a", "http://api.internal:8080/a"}, {"http://api.internal:8080/a"}, {"/a"}});
}
