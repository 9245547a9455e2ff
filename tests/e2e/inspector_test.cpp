// The inspector's API: what is kept of exchanges and how it is told.
#include <set>

#include "inspector.hpp"
#include "websocket.hpp"

namespace e2e {
namespace {

bool contains(const std::string& text, std::string_view piece) { return text.find(piece) != std::string::npos; }

}  // namespace

TEST_CASE("inspector: an exchange with its heads, what was changed of them, its body and why it went there") {
  Workspace workspace;
  Proxy proxy({"--capture", "bodies"}, &workspace);
  const Context context = proxy.context(
      {"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--header", "X-Route: route-secret"});
  Client client = proxy.connect();
  const std::string fields =
      "Authorization: Bearer header-secret\r\nCookie: a=cookie-secret; b=2\r\nOrigin: http://localhost:3000\r\nContent-Type: "
      "text/plain\r\n";
  CHECK(
      client.ask(request_text("POST", "http://localhost:3000/echo?code=query-secret&flag", context, fields, "the body")).status ==
      200);
  const auto summary = exchange_to(proxy, "/echo");
  fits_schema("ExchangeSummary", summary);
  CHECK(text_in(summary, "url") == "http://localhost:3000/echo?code=•••&•••");
  CHECK(text_in(summary, "context") == context.id);
  CHECK(text_in(summary, "destination") == "https://cmux-abc-base-3000.cmux.test:443");
  CHECK(text_in(summary, "type") == "application/json");
  CHECK(text_in(summary, "state") == "done");
  CHECK(number_in(summary, "sent") == 8);
  CHECK(number_in(summary.at("timing").as_object(), "total") > 0);
  const auto all = details(proxy, summary);
  fits_schema("Exchange", all);
  const auto& received = part(all, "request", "received");
  const auto& sent = part(all, "request", "sent");
  CHECK(text_in(received, "line") == "POST /echo?code=•••&•••");
  CHECK(field(received, "host") == "localhost:3000 changed");
  CHECK(field(sent, "host") == "cmux-abc-base-3000.cmux.test changed");
  CHECK(field(received, "proxy-authorization") == "Basic ••• removed");
  CHECK(field(sent, "proxy-authorization") == "-");
  CHECK(field(received, "authorization") == "Bearer ••• ");
  CHECK(field(sent, "cookie") == "a=•••; b=••• ");
  CHECK(field(sent, "x-route") == "••• added");
  CHECK(field(sent, "content-length") == "8 ");
  CHECK(body_text(all, "request") == "the body");
  CHECK(part(all, "request", "body").at("complete") == true);
  CHECK(text_in(part(all, "request", "body"), "type") == "text/plain");
  CHECK(contains(body_text(all, "response"), "\"method\":\"POST\""));
  CHECK(text_in(part(all, "response", "received"), "line") == "200 OK");
  CHECK(contains(text_in(all, "why"), "localhost:3000 is a loopback address: the context's route sends it to https://cmux-abc"));
  const std::string hidden = boost::json::serialize(all);
  for (const char* const secret : {"header-secret", "cookie-secret", "route-secret", "query-secret"})
    CHECK_FALSE(contains(hidden.substr(0, hidden.find("\"body\"")), secret));

  // On demand, for this one, and the log tells of it.
  const auto revealed = proxy.api("POST", "/v1/exchanges/" + text_in(summary, "id") + "/reveal").json();
  fits_schema("Exchange", revealed);
  CHECK(revealed.at("revealed") == true);
  CHECK(field(part(revealed, "request", "sent"), "authorization") == "Bearer header-secret ");
  CHECK(field(part(revealed, "request", "sent"), "x-route") == "route-secret added");
  CHECK(text_in(revealed, "url") == "http://localhost:3000/echo?code=query-secret&flag");
  CHECK(contains(proxy.cli({"logs"}).out, fmt::format("the secrets of exchange {} were shown", text_in(summary, "id"))));
  CHECK_FALSE(contains(boost::json::serialize(exchanges(proxy)), "secret"));
  CHECK(proxy.api("GET", "/v1/exchanges/x-ffff").status == 404);
  CHECK(proxy.api("GET", "/v1/exchanges/nonsense").status == 404);
  CHECK(proxy.api("POST", "/v1/exchanges/x-ffff/reveal").status == 404);
}

TEST_CASE("inspector: HTTP/2 towards the workspace, responses that were rewritten, and those of the proxy itself") {
  Workspace workspace({"--alpn", "h2"});
  Proxy proxy({"--capture", "bodies", "--refused-timeout", "0"}, &workspace);
  const Context context = proxy.routed();
  CHECK(proxy
            .get(context,
                 "http://localhost:3000/headers?h=Location:https://cmux-abc-base-3000.cmux.test/"
                 "x&h=Strict-Transport-Security:max-age=1")
            .status == 200);
  const auto rewritten = details(proxy, exchange_to(proxy, "/headers"));
  CHECK(text_in(rewritten, "upstream") == "h2");
  CHECK(field(part(rewritten, "response", "received"), "location") == "https://cmux-abc-base-3000.cmux.test/x changed");
  CHECK(field(part(rewritten, "response", "sent"), "location") == "http://localhost:3000/x changed");
  CHECK(field(part(rewritten, "response", "received"), "strict-transport-security") == "max-age=1 removed");

  CHECK(proxy.get(proxy.context(), "http://127.0.0.1:1/gone", "Accept: application/json\r\n").status == 502);
  const auto failed = details(proxy, exchange_to(proxy, "/gone"));
  fits_schema("Exchange", failed);
  CHECK(text_in(failed, "state") == "failed");
  CHECK(text_in(failed, "error") == "connection_refused");
  CHECK(contains(text_in(failed, "advice"), "nothing listens"));
  CHECK(number_in(failed, "status") == 502);
  CHECK(failed.at("response").at("received").is_null());
  CHECK(field(part(failed, "response", "sent"), "content-type") == "application/problem+json ");
  CHECK(contains(body_text(failed, "response"), "connection_refused"));

  CHECK(proxy.connect().ask("GET http://localhost:3000/denied HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 407);
  const auto denied = details(proxy, exchange_to(proxy, "/denied"));
  CHECK(denied.at("context").is_null());
  CHECK(contains(text_in(denied, "why"), "refused before"));
  CHECK(proxy.connect().ask("nonsense\r\n\r\n").status == 400);
  CHECK(eventually([&] {
    for (const auto& one : exchanges(proxy))
      if (one.at("method").is_null() && one.at("status") == 400) {
        fits_schema("Exchange", details(proxy, one.as_object()));
        return true;
      }
    return false;
  }));
}

TEST_CASE("inspector: nothing is kept while nobody watches; a stream of events is watching, and tells of begin, answer and end") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  CHECK(proxy.get(context, "http://localhost:3000/echo?before=").status == 200);
  CHECK(exchanges(proxy).empty());
  CHECK(text_in(proxy.api("GET", "/v1/capture").json(), "mode") == "off");
  {
    ExchangeStream stream(proxy);
    CHECK(text_in(stream.next("capture"), "mode") == "bodies");
    Client slow = proxy.connect();
    slow.send(request_text("GET", "http://localhost:3000/hang?one=", context));
    const auto begun = stream.exchange("/hang?one=", "open");
    fits_schema("ExchangeSummary", begun);
    CHECK(begun.at("status").is_null());
    Client events = proxy.connect();
    events.send(request_text("GET", "http://localhost:3000/sse?count=0&gap=10", context));
    CHECK(stream.next("exchange", [](const auto& one) { return one.at("status") == 200; }).at("type") == "text/event-stream");
    // What is open is shown as far as it has come.
    CHECK(
        eventually([&] { return contains(body_text(details(proxy, exchange_to(proxy, "/sse", false)), "response"), "data:"); }));
    events.close();
    CHECK(number_in(stream.exchange("/sse?count=•••&gap=•••", "failed"), "received") > 0);
    slow.close();
    CHECK(text_in(stream.exchange("/hang?one=", "failed"), "id") == text_in(begun, "id"));
    CHECK(proxy.get(context, "http://localhost:3000/echo?quick=").status == 200);
    stream.exchange("/echo?quick=", "done");
  }
  CHECK(eventually([&] { return text_in(proxy.api("GET", "/v1/capture").json(), "mode") == "off"; }));
  CHECK(proxy.get(context, "http://localhost:3000/echo?after=").status == 200);
  const auto kept = exchanges(proxy);
  CHECK(kept.size() == 3);
  CHECK(proxy.api("DELETE", "/v1/exchanges").status == 204);
  CHECK(exchanges(proxy).empty());
}

TEST_CASE("inspector: what is kept is as the setting and PUT /v1/capture say, whoever watches") {
  Workspace workspace;
  Proxy proxy({"--capture", "heads", "--capture-memory", "2m"}, &workspace);
  const Context context = proxy.routed();
  const auto state = proxy.api("GET", "/v1/capture").json();
  fits_schema("Capture", state);
  CHECK(text_in(state, "mode") == "heads");
  CHECK(number_in(state.at("memory").as_object(), "limit") == 2 * 1024 * 1024);
  CHECK(proxy.get(context, "http://localhost:3000/echo").status == 200);
  const auto heads = details(proxy, exchange_to(proxy, "/echo"));
  CHECK(body_text(heads, "response").empty());
  CHECK(field(part(heads, "response", "received"), "content-type") == "application/json ");
  CHECK(proxy.api("PUT", "/v1/capture", R"({"mode":"off"})").status == 200);
  ExchangeStream stream(proxy);
  CHECK(text_in(stream.next("capture"), "mode") == "off");
  CHECK(proxy.get(context, "http://localhost:3000/echo?unseen=").status == 200);
  CHECK(exchanges(proxy).size() == 1);
  CHECK(text_in(proxy.api("PUT", "/v1/capture", R"({"mode":"bodies"})").json(), "mode") == "bodies");
  CHECK(proxy.get(context, "http://localhost:3000/echo?seen=").status == 200);
  exchange_to(proxy, "/echo?seen=");
  for (const char* const bad : {"{}", R"({"mode":"all"})", R"({"mode":1})", R"({"mode":"off","x":1})", "[]"})
    CHECK(proxy.api("PUT", "/v1/capture", bad).status == 400);
  for (const char* const bad : {"?after=x", "?limit=-1", "?nonsense=1"})
    CHECK(proxy.api("GET", fmt::format("/v1/exchanges{}", bad)).status == 400);
}

TEST_CASE("inspector: whoever asks again is told of what has changed, each worker's, page by page") {
  Workspace workspace;
  Proxy proxy({"--capture", "heads", "--threads", "2"}, &workspace);
  const Context context = proxy.routed(), other = proxy.context();
  Client hanging = proxy.connect();
  hanging.send(request_text("GET", "http://localhost:3000/hang", context));
  REQUIRE(eventually([&] { return workspace.requests() == 1; }));
  for (int i = 0; i < 25; ++i) CHECK(proxy.get(context, fmt::format("http://localhost:3000/echo?{}=", i)).status == 200);
  CHECK(proxy.get(other, "http://127.0.0.1:" + std::to_string(workspace.http_port()) + "/connections").status == 200);
  fits_schema("Exchanges", proxy.api("GET", "/v1/exchanges?limit=4").json());
  std::set<std::int64_t> seen;
  std::int64_t after = 0;
  REQUIRE(eventually([&] {
    const auto page = proxy.api("GET", fmt::format("/v1/exchanges?limit=4&after={}", after)).json();
    CHECK(page.at("exchanges").as_array().size() <= 4);
    for (const auto& one : page.at("exchanges").as_array()) seen.insert(number_in(one.as_object(), "seq"));
    const bool done = number_in(page, "next") == after;
    after = number_in(page, "next");
    return done && seen.size() == 27;
  }));
  CHECK(proxy.api("GET", fmt::format("/v1/exchanges?after={}", after)).json().at("exchanges").as_array().empty());
  hanging.close();
  REQUIRE(eventually([&] {
    const auto page = proxy.api("GET", fmt::format("/v1/exchanges?after={}", after)).json().at("exchanges").as_array();
    return page.size() == 1 && text_in(page.at(0).as_object(), "state") == "failed";
  }));
  CHECK(exchanges(proxy, "&context=" + other.id).size() == 1);
}

TEST_CASE("inspector: the messages of a WebSocket, as they go, whole and compressed and broken") {
  Workspace workspace;
  Proxy proxy({"--capture", "bodies"}, &workspace);
  const Context context = proxy.routed();
  const auto messages = [&](std::string_view url, std::int64_t after = 0) {
    const auto summary = exchange_to(proxy, url, false);
    const auto answer = proxy.api("GET", fmt::format("/v1/exchanges/{}/messages?after={}", text_in(summary, "id"), after)).json();
    return answer;
  };
  WebSocket socket(proxy.connect(), "localhost:3000", "ws://localhost:3000/ws?first=hello", {context.auth_line()});
  CHECK(socket.read() == "hello");
  CHECK(socket.echo("one") == "one");
  CHECK(socket.echo(std::string(200'000, 'x')).size() == 200'000);
  REQUIRE(eventually([&] { return messages("/ws").at("messages").as_array().size() == 5; }));
  fits_schema("WebSocketMessages", messages("/ws"));
  const auto all = messages("/ws").at("messages").as_array();
  CHECK(text_in(all.at(0).as_object(), "from") == "server");
  CHECK(decoded(text_in(all.at(0).as_object(), "data")) == "hello");
  CHECK(text_in(all.at(1).as_object(), "from") == "client");
  CHECK(decoded(text_in(all.at(1).as_object(), "data")) == "one");
  CHECK(number_in(all.at(4).as_object(), "size") == 200'000);
  CHECK(number_in(all.at(4).as_object(), "kept") == 64 * 1024);
  CHECK(messages("/ws", 3).at("messages").as_array().size() == 2);
  const auto summary = exchange_to(proxy, "/ws", false);
  CHECK(summary.at("websocket") == true);
  CHECK(summary.at("tunnel") == true);
  CHECK(number_in(summary, "messages") == 5);
  CHECK(text_in(summary, "state") == "open");
  CHECK(socket.close(1000) == 1000);
  CHECK(text_in(exchange_to(proxy, "/ws"), "state") == "done");

  // Compressed, each upon the one before.
  const Run node = run({"node", source("tests/e2e/node/ws-client.mjs"), context.proxy_url, "all", "ws://localhost:3000"});
  INFO(node.out << node.err);
  CHECK(node.exit == 0);
  const auto packed = messages("/ws?•••").at("messages").as_array();
  REQUIRE(packed.size() >= 4);
  for (const std::size_t at : {std::size_t{0}, std::size_t{1}}) {
    CHECK(decoded(text_in(packed.at(at).as_object(), "data")) == "again and again and again");
    CHECK(text_in(packed.at(at).as_object(), "note") == "compressed; unpacked here");
  }
  CHECK(number_in(packed.at(3).as_object(), "size") == 100'000);
}

TEST_CASE("inspector: bytes that are no frames are said to be broken, and go through all the same") {
  Workspace workspace;
  Proxy proxy({"--capture", "bodies"}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  client.send(request_text("GET", "ws://localhost:3000/ws?odd=", context,
                           "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                           "dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  CHECK(client.read_response().status == 101);
  client.send(frame(1, "fine"));
  CHECK(client.read_exactly(6) == plain_frame(1, "fine"));
  client.send("GET / HTTP/1.1\r\n\r\n");  // no mask, and a reserved bit
  const auto id = text_in(exchange_to(proxy, "/ws?odd=", false), "id");
  boost::json::array all;
  REQUIRE(eventually([&] {
    all = proxy.api("GET", "/v1/exchanges/" + id + "/messages").json().at("messages").as_array();
    return all.size() >= 3 && std::any_of(all.begin(), all.end(), [](const auto& one) { return one.at("kind") == "broken"; });
  }));
  const auto one = std::find_if(all.begin(), all.end(), [](const auto& each) { return each.at("kind") == "broken"; });
  CHECK(text_in(one->as_object(), "from") == "client");
  CHECK(text_in(one->as_object(), "note") == "a client's frame is not masked");
}

TEST_CASE("inspector: tunnels are told of, raw bytes of a forwarded port with what was said") {
  Workspace workspace;
  Proxy proxy({"--capture", "bodies"});
  const Context context =
      proxy.context({"--forward", "22:0", "--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port())});
  Client client(static_cast<std::uint16_t>(number_in(context.json.at("forwards").as_array().at(0).as_object(), "local")));
  client.send("SSH-2.0-x\r\n");
  CHECK(client.read_exactly(11) == "SSH-2.0-x\r\n");
  CHECK(text_in(exchange_to(proxy, "localhost:22", false), "state") == "open");
  client.close();
  const auto raw = details(proxy, exchange_to(proxy, "localhost:22"));
  fits_schema("Exchange", raw);
  CHECK(raw.at("tunnel") == true);
  CHECK(body_text(raw, "request") == "SSH-2.0-x\r\n");
  CHECK(body_text(raw, "response") == "SSH-2.0-x\r\n");
  CHECK(proxy.api("POST", "/v1/exchanges/" + text_in(raw, "id") + "/replay").status == 409);
}

TEST_CASE("inspector: a context that was released is still shown, and none shows another's secrets") {
  Workspace workspace;
  Proxy proxy({"--capture", "bodies"}, &workspace);
  const Context context = proxy.context(
      {"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--header", "X-Route: route-secret"});
  CHECK(proxy.get(context, "http://localhost:3000/echo?kept=").status == 200);
  const auto before = details(proxy, exchange_to(proxy, "/echo?kept="));
  CHECK(proxy.cli({"ctx", "release", context.id}).exit == 0);
  CHECK(details(proxy, exchange_to(proxy, "/echo?kept=")) == before);
  CHECK_FALSE(contains(boost::json::serialize(before), "route-secret"));
  CHECK_FALSE(contains(boost::json::serialize(before), context.password));
  const Response again = proxy.api("POST", "/v1/exchanges/" + text_in(before, "id") + "/replay");
  CHECK(again.status == 404);
  CHECK(contains(again.body, "its context has gone"));
}

TEST_CASE("inspector: 32 may listen to what changes, and the next when one has left") {
  Proxy proxy;
  std::vector<std::unique_ptr<ExchangeStream>> all;
  for (int i = 0; i < 32; ++i) all.push_back(std::make_unique<ExchangeStream>(proxy));
  CHECK(proxy.api("GET", "/v1/exchanges/stream").status == 503);
  all.pop_back();
  CHECK(eventually([&] {
    Client next(proxy.admin_port());
    next.send(fmt::format("GET /v1/exchanges/stream HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\r\n",
                          proxy.admin_port(), proxy.token));
    return contains(next.read_until("\r\n"), "200");
  }));
}

TEST_CASE("inspector: the last hour in steps, by phase and by context") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  fits_schema("Series", proxy.api("GET", "/v1/series").json());
}

}  // namespace e2e
