// A context's life: made, expired, orphaned, released, sent elsewhere; and what of it must never be seen.
#include "support.hpp"

namespace e2e {
namespace {

const std::string kUrl = "http://localhost:3000";
const Strings kRoute{"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"};

Strings operator+(Strings left, const Strings& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

bool is_there(const Proxy& proxy, const Context& context) { return proxy.api("GET", "/v1/contexts/" + context.id).status == 200; }

// Its credentials are worth nothing, on the connection where they were good before too.
void check_worthless(const Proxy& proxy, const Context& context) {
  const Response refused = proxy.get(context, kUrl + "/");
  CHECK(refused.status == 407);
  CHECK(refused.header("proxy-authenticate") == "Basic realm=\"Cmux Preview Proxy\"");
  CHECK(refused.body == "Proxy Authentication Required");
}

}  // namespace

TEST_CASE("context: expires") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context longer = proxy.context(kRoute + Strings{"--ttl", "1h"});
  Client client = proxy.connect();
  const Context context = proxy.context(kRoute + Strings{"--ttl", "4s"});
  CHECK(client.ask(request_text("GET", kUrl + "/", context)).status == 200);
  Client hanging = tunnel(proxy, context, "localhost:3000");
  hanging.send("GET /hang HTTP/1.1\r\nHost: localhost:3000\r\n\r\n");
  CHECK(eventually([&] { return !is_there(proxy, context); }));
  CHECK(hanging.closed_by_peer());
  CHECK(client.ask(request_text("GET", kUrl + "/", context)).status == 407);
  CHECK(client.ask(request_text("GET", kUrl + "/", longer)).status == 200);
}

TEST_CASE("context: ends with its owner, a zombie too") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const bool reaped = GENERATE(true, false);
  Process owner;
  owner.start({"sleep", "600"});
  const Context context = proxy.context(kRoute + Strings{"--owner-pid", std::to_string(owner.pid())});
  CHECK(proxy.get(context, kUrl + "/").status == 200);
  if (reaped) owner.stop(SIGKILL);
  else kill(owner.pid(), SIGKILL);  // nobody waits for it now
  CHECK(eventually([&] { return !is_there(proxy, context); }));
  check_worthless(proxy, context);
}

TEST_CASE("context: an owner that is gone already makes none") {
  Proxy proxy;
  std::string owner = run({"/bin/sh", "-c", "echo $$"}).out;
  owner.pop_back();
  const Run refused = proxy.cli({"ctx", "create", "--owner-pid", owner});
  if (refused.exit == 0)
    CHECK(eventually([&] { return proxy.api("GET", "/v1/contexts").json().at("contexts").as_array().empty(); }));
  else CHECK(refused.exit == 2);
}

TEST_CASE("context: releasing ends everything at once") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.context(kRoute),
                inner = proxy.context(Strings{"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port())} +
                                      kRoute);
  const Context other = proxy.context(kRoute);

  Client idle = proxy.connect();
  CHECK(idle.ask(request_text("GET", kUrl + "/", context)).status == 200);
  Client waiting = proxy.connect();
  waiting.send(request_text("GET", kUrl + "/hang", context));
  Client streaming = proxy.connect();
  streaming.send(request_text("GET", kUrl + "/slow?pieces=2&body=3600000", context));
  streaming.read_until("\r\n\r\n");
  Client carrying = tunnel(proxy, context, "localhost:3000");
  CHECK(carrying.ask("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 200);
  Client silent = tunnel(proxy, context, "localhost:3000");
  Client raw = tunnel(proxy, inner, "localhost:2222");
  CHECK(raw.read_until("\r\n") == "SSH-2.0-fake\r\n");
  Client bystander = proxy.connect();
  bystander.send(request_text("GET", kUrl + "/slow?head=500", other));

  REQUIRE(proxy.cli({"ctx", "release", context.id, inner.id}).exit == 0);
  for (Client* const client : {&waiting, &streaming, &carrying, &silent, &raw}) CHECK(client->closed_by_peer(2s));
  check_worthless(proxy, context);
  check_worthless(proxy, inner);
  CHECK(idle.ask(request_text("GET", kUrl + "/", context)).status == 407);
  CHECK(idle.ask(request_text("GET", kUrl + "/", other)).status == 200);
  CHECK(bystander.read_response().status == 200);
  CHECK(eventually([&] { return aborted(workspace) == 2 && counter(workspace, "tunnels") == 0; }));
}

TEST_CASE("context: releasing ends tunnels to anywhere, on both sides") {
  Proxy proxy;
  const Context context = proxy.context();
  Upstream upstream;
  Client client = tunnel(proxy, context, fmt::format("127.0.0.1:{}", upstream.port()));
  Peer peer = upstream.accept();
  peer.send("hello");
  CHECK(client.read_exactly(5) == "hello");
  REQUIRE(proxy.api("DELETE", "/v1/contexts/" + context.id).status == 200);
  CHECK(client.closed_by_peer(2s));
  peer.wait_for_end();
  Client again = proxy.connect();
  CHECK(again.ask(fmt::format("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{}\r\n", context.auth_line()), "CONNECT").status == 407);
  CHECK(again.ask(fmt::format("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{}\r\n", context.auth_line()), "CONNECT").status ==
        407);  // kept open
}

TEST_CASE("context: a new route holds for new requests, and old tunnels close") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.context(kRoute);
  Client client = proxy.connect(), running = proxy.connect();
  CHECK(client.ask(request_text("GET", kUrl + "/", context)).body == "workspace abc scope base port 3000\n");
  running.send(request_text("GET", kUrl + "/slow?head=800", context));
  Client old = tunnel(proxy, context, "localhost:3000");
  CHECK(old.ask("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 200);
  REQUIRE(eventually([&] { return workspace.requests() == 3; }));

  const Response changed =
      proxy.api("PATCH", "/v1/contexts/" + context.id, R"({"route":{"morphId":"new","scope":"two","domainSuffix":"cmux.test"}})");
  REQUIRE(changed.status == 200);
  CHECK(client.ask(request_text("GET", kUrl + "/", context)).body == "workspace new scope two port 3000\n");
  CHECK(old.closed_by_peer(2s));
  CHECK(running.read_response().status == 200);  // what is under way goes on
  Client fresh = tunnel(proxy, context, "localhost:3000");
  CHECK(fresh.ask("GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").body == "workspace new scope two port 3000\n");

  // Without a route it is a plain forward proxy.
  REQUIRE(proxy.api("PATCH", "/v1/contexts/" + context.id, R"({"route":null})").status == 200);
  CHECK(proxy.get(context, "https://cmux-q-base-1.cmux.test/").body == "workspace q scope base port 1\n");
  CHECK(fresh.closed_by_peer(2s));
  // A bad one changes nothing.
  CHECK(proxy.api("PATCH", "/v1/contexts/" + context.id, R"({"route":{"morphId":"Bad!"}})").status == 400);
  CHECK(proxy.api("PATCH", "/v1/contexts/ctx-0-0000000000000000", R"({"route":null})").status == 404);
}

TEST_CASE("context: a route from a preview URL") {
  Workspace workspace;
  Proxy proxy({"--domains", "cmux.test"}, &workspace);
  struct Row {
    const char* url;
    const char* answer;
  };
  for (const Row& row : {Row{"https://cmux-abc-base-3000.cmux.test/path?q", "workspace abc scope base port 4000\n"},
                         Row{"http://cmux-a-b-c-two-3000.cmux.test", "workspace a-b-c scope two port 4000\n"},
                         Row{"https://manaflow-xyz-base-80.cmux.test/", "workspace xyz scope base port 4000\n"},
                         Row{"https://port-3000-morphvm-abc.http.cloud.morph.test/", "workspace abc scope base port 4000\n"}}) {
    INFO(row.url);
    const Context context = proxy.context({"--from-url", row.url});
    CHECK(proxy.get(context, "http://localhost:4000/").body == row.answer);
  }
}

TEST_CASE("context: secrets are in no log, however much is logged") {
  Workspace workspace;
  Proxy proxy({"--log-level", "trace", "--access-log"}, &workspace);
  const Context context = proxy.context(Strings{"--header", "X-Token: s3cret-header"} + kRoute);
  const Context inner = proxy.context(Strings{"--header", "X-Token: s3cret-header", "--cmux-proxy-origin",
                                              fmt::format("http://127.0.0.1:{}", workspace.http_port())} +
                                      kRoute);
  Client client = proxy.connect();
  const std::string fields = "Authorization: Bearer s3cret-bearer\r\nCookie: sid=s3cret-cookie\r\n";
  CHECK(client.ask(request_text("POST", kUrl + "/echo?token=s3cret-query", context, fields, "s3cret-body")).status == 200);
  CHECK(client.ask(request_text("GET", kUrl + "/broken/reset?token=s3cret-query", context, fields)).status == 502);
  CHECK(client.ask(request_text("GET", kUrl + "/broken/garbage?token=s3cret-query", inner, fields)).status == 502);
  CHECK(
      client.ask(request_text("GET", "http://user:s3cret-userinfo@localhost:3000/?token=s3cret-query", context, fields)).status >=
      200);
  CHECK(proxy.get(context, "http://does-not-exist.invalid/?token=s3cret-query").status == 502);
  Client raw = tunnel(proxy, inner, "localhost:5432");
  raw.send("\x01s3cret-bytes");
  raw.read_until("s3cret-bytes");
  Client wrong = proxy.connect();
  CHECK(wrong
            .ask(fmt::format("GET {}/?token=s3cret-query HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic {}\r\n\r\n", kUrl,
                             base64("s3cret-user:s3cret-password")))
            .status == 407);
  Client malformed = proxy.connect();
  CHECK(malformed.ask(fmt::format("GET {}/?token=s3cret-query HTTP/1.1\r\nX-Bad : s3cret-bad\r\n\r\n", kUrl)).status == 400);
  CHECK(proxy.api("GET", "/v1/contexts?token=s3cret-query").status == 400);
  CHECK(proxy.api("GET", "/v1/contexts", {}, {"Authorization: Bearer s3cret-token"}).status == 401);
  CHECK(proxy.cli({"probe", kUrl + "/?token=s3cret-query", "--ctx", context.id}).exit == 0);
  CHECK(proxy.cli({"ctx", "release", "--all"}).exit == 0);
  CHECK(proxy.process().stop() == 0);

  const std::string log = proxy.process().stderr_text();
  CHECK(log.find("/echo") != std::string::npos);  // the access log is on
  CHECK(log.find("s3cret") == std::string::npos);
  for (const std::string& secret : {context.password, inner.password, proxy.token,
                                    base64(context.username + ":" + context.password), base64("s3cret-user:s3cret-password")})
    CHECK(log.find(secret) == std::string::npos);
  CHECK(log.find("s3cret") == std::string::npos);
}

}  // namespace e2e
