// Sending a request again from the inspector, as it was or edited; and what it has as HAR.
#include <filesystem>

#include "inspector.hpp"
#include "schema.hpp"
#include "websocket.hpp"

namespace e2e {
namespace {

bool contains(const std::string& text, std::string_view piece) { return text.find(piece) != std::string::npos; }

struct Setup {
  Workspace workspace;
  Proxy proxy{{"--capture", "bodies"}, &workspace};
  Context context = proxy.context(
      {"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--header", "X-Route: route-secret"});

  Response replay(const boost::json::object& of, std::string_view edit = {}) const {
    return proxy.api("POST", "/v1/exchanges/" + text_in(of, "id") + "/replay", edit);
  }
  // The exchange that it made, at its end.
  boost::json::object made_by(const Response& answer) const {
    CHECK(answer.status == 202);
    const std::string id = text_in(answer.json(), "id");
    boost::json::object made;
    REQUIRE(eventually([&] {
      made = proxy.api("GET", "/v1/exchanges/" + id).json();
      return text_in(made, "state") != "open";
    }));
    return made;
  }
  boost::json::object echo_of(const boost::json::object& exchange) const {
    return boost::json::parse(body_text(exchange, "response")).as_object();
  }
};

}  // namespace

TEST_CASE("replay: a POST as it was gives the same answer, by the same context's route, and says whose replay it is") {
  Setup setup;
  const std::string fields = "Authorization: Bearer header-secret\r\nCookie: a=1\r\nX-Odd: \xe9\r\nContent-Type: text/plain\r\n";
  CHECK(setup.proxy.get(setup.context, "http://localhost:3000/").status == 200);
  Client client = setup.proxy.connect();
  CHECK(client.ask(request_text("POST", "http://localhost:3000/echo?code=1", setup.context, fields, "the body")).status == 200);
  const auto first = details(setup.proxy, exchange_to(setup.proxy, "/echo"));
  const auto again = setup.made_by(setup.replay(first));
  fits_schema("Exchange", again);
  CHECK(text_in(again, "replayOf") == text_in(first, "id"));
  CHECK(text_in(again, "downstream") == "replay");
  CHECK(text_in(again, "context") == setup.context.id);
  CHECK(text_in(again, "state") == "done");
  auto before = setup.echo_of(first), after = setup.echo_of(again);
  for (const char* const differs : {"connection", "request", "resumed"}) before.erase(differs), after.erase(differs);
  CHECK(before == after);
  CHECK(contains(boost::json::serialize(after), "route-secret"));
  CHECK(contains(boost::json::serialize(after), "Bearer header-secret"));
  CHECK(contains(setup.proxy.cli({"logs"}).out,
                 fmt::format("exchange {} is sent again as {}", text_in(first, "id"), text_in(again, "id"))));
  // A replay can be sent again, too; with capture off it is recorded all the same.
  CHECK(setup.proxy.api("PUT", "/v1/capture", R"({"mode":"off"})").status == 200);
  CHECK(text_in(setup.made_by(setup.replay(again)), "replayOf") == text_in(again, "id"));
}

TEST_CASE("replay: edited, with what is hidden taken from the original") {
  Setup setup;
  const std::string fields = "Authorization: Bearer header-secret\r\nX-Keep: yes\r\n";
  Client client = setup.proxy.connect();
  CHECK(client.ask(request_text("POST", "http://localhost:3000/echo?code=query-secret&n=1", setup.context, fields, "the body"))
            .status == 200);
  const auto first = exchange_to(setup.proxy, "/echo");
  const auto edited = setup.made_by(setup.replay(first, R"({"method":"PUT","url":"http://localhost:3000/echo?code=•••&n=2",
      "fields":[["Authorization","Bearer •••"],["X-New","1"],["Host","evil.example"],["Content-Length","999"],["Transfer-Encoding","chunked"]],
      "body":"YWJj"})"));
  const auto echo = setup.echo_of(edited);
  CHECK(text_in(echo, "method") == "PUT");
  CHECK(text_in(echo, "target") == "/echo?code=query-secret&n=2");
  CHECK(number_in(echo, "length") == 3);
  const Strings sent = echoed_fields(echo);
  const auto has = [&](std::string_view line) { return std::find(sent.begin(), sent.end(), line) != sent.end(); };
  CHECK(has("Authorization: Bearer header-secret"));
  CHECK(has("X-New: 1"));
  CHECK_FALSE(has("X-Keep: yes"));
  CHECK_FALSE(contains(boost::json::serialize(echo), "evil.example"));
  // To another port of the workspace.
  const auto elsewhere = setup.made_by(setup.replay(first, R"({"url":"http://localhost:4000/echo"})"));
  CHECK(number_in(setup.echo_of(elsewhere), "port") == 4000);
  CHECK(number_in(setup.echo_of(elsewhere), "length") == 8);

  for (const char* const bad :
       {R"({"url":"ftp://x/"})", R"({"url":"http://"})", R"({"url":"http://a b/"})", R"({"url":"http://u:p@localhost/"})",
        R"({"url":"nonsense"})", R"({"url":"http://localhost:99999/"})", R"({"method":""})", R"({"method":"A B"})",
        R"({"method":"CONNECT"})", R"({"fields":[["A\r\nB","1"]]})", R"({"fields":[["A","1\r\nB: 2"]]})", R"({"fields":[["A"]]})",
        R"({"fields":{}})", R"({"fields":[["","1"]]})", R"({"body":"%"})", R"({"body":1})", R"({"what":1})", "[]", "{"}) {
    INFO(bad);
    CHECK(setup.replay(first, bad).status == 400);
  }
  CHECK(setup.replay(first, "{\"url\":\"http://localhost:3000/" + std::string(40'000, 'x') + "\"}").status == 400);
  CHECK(setup.proxy.api("POST", "/v1/exchanges/x-fffff/replay").status == 404);
}

TEST_CASE("replay: never to the proxy's own ports, never a tunnel, never half a body") {
  Setup setup;
  CHECK(setup.proxy.get(setup.context, "http://localhost:3000/").status == 200);
  const auto first = exchange_to(setup.proxy, "localhost:3000/");
  const Context direct = setup.proxy.context();
  CHECK(setup.proxy.get(direct, fmt::format("http://127.0.0.1:{}/connections", setup.workspace.http_port())).status == 200);
  const auto plain = exchange_to(setup.proxy, "/connections");
  for (const std::uint16_t port : {setup.proxy.port(), setup.proxy.admin_port()})
    for (const char* const host : {"127.0.0.1", "localhost", "[::1]", "127.1.2.3"}) {
      const Response refused = setup.replay(plain, fmt::format(R"({{"url":"http://{}:{}/v1/status"}})", host, port));
      INFO(host << " " << refused.body);
      if (host != std::string("127.1.2.3") && host != std::string("[::1]")) CHECK(refused.status == 508);
      else if (refused.status == 202) CHECK(setup.made_by(refused).at("status") != 200);
    }
  {
    WebSocket socket(setup.proxy.connect(), "localhost:3000", "ws://localhost:3000/ws", {setup.context.auth_line()});
    CHECK(setup.replay(exchange_to(setup.proxy, "/ws", false)).status == 409);
    CHECK(socket.close(1000) == 1000);
  }
  Client client = setup.proxy.connect();
  CHECK(client.ask(request_text("POST", "http://localhost:3000/upload", setup.context, {}, std::string(2'000'000, 'x'))).status ==
        200);
  const auto large = exchange_to(setup.proxy, "/upload");
  const Response refused = setup.replay(large);
  CHECK(refused.status == 409);
  CHECK(contains(refused.body, "1048576 of 2000000 bytes"));
  CHECK(setup.made_by(setup.replay(large, R"({"body":""})")).at("status") == 200);
}

TEST_CASE("replay: an answer without end is given up when the context goes, and a stop does not wait for ever") {
  Setup setup;
  Client client = setup.proxy.connect();
  client.send(request_text("GET", "http://localhost:3000/sse?count=0&gap=10", setup.context));
  client.read_until("data:");
  client.close();
  const auto first = exchange_to(setup.proxy, "/sse");
  const Response begun = setup.replay(first);
  CHECK(begun.status == 202);
  const std::string path = "/v1/exchanges/" + text_in(begun.json(), "id");
  REQUIRE(eventually([&] { return number_in(part(setup.proxy.api("GET", path).json(), "response", "body"), "size") > 0; }));
  CHECK(setup.proxy.cli({"ctx", "release", setup.context.id}).exit == 0);
  REQUIRE(eventually([&] { return text_in(setup.proxy.api("GET", path).json(), "state") == "failed"; }));
}

TEST_CASE("replay: an answer is taken up to its bound") {
  Setup setup;
  Client client = setup.proxy.connect();
  client.send(request_text("GET", "http://localhost:3000/bytes/100000000", setup.context));
  client.read_some();
  client.close();
  const auto first = exchange_to(setup.proxy, "/bytes/");
  const auto again = setup.made_by(setup.replay(first));
  CHECK(text_in(again, "state") == "failed");
  CHECK(text_in(again, "error") == "too-large");
  CHECK(number_in(again, "received") > 60'000'000);
  CHECK(number_in(again, "received") < 70'000'000);
}

TEST_CASE("har: what is kept is valid HAR 1.2, by the API and by cmuxproxy inspect, and hides what is secret") {
  Setup setup;
  const std::string fields = "Authorization: Bearer header-secret\r\nCookie: sid=cookie-secret\r\nContent-Type: text/plain\r\n";
  Client client = setup.proxy.connect();
  CHECK(client.ask(request_text("POST", "http://localhost:3000/echo?code=query-secret", setup.context, fields, "the body"))
            .status == 200);
  CHECK(setup.proxy.get(setup.context, "http://localhost:3000/cookies").status == 200);
  CHECK(setup.proxy.get(setup.context, "http://localhost:3000/bytes/3000").status == 200);
  CHECK(setup.proxy.get(setup.proxy.context(), "http://127.0.0.1:1/\xc3").status == 400);
  CHECK(setup.proxy.connect().ask("nonsense\r\n\r\n").status == 400);
  Client hanging = setup.proxy.connect();
  hanging.send(request_text("GET", "http://localhost:3000/hang", setup.context));
  WebSocket socket(setup.proxy.connect(), "localhost:3000", "ws://localhost:3000/ws", {setup.context.auth_line()});
  CHECK(socket.echo("message") == "message");
  exchange_to(setup.proxy, "/hang", false);
  REQUIRE(eventually([&] { return number_in(exchange_to(setup.proxy, "/ws", false), "messages") == 2; }));
  const Response har = setup.proxy.api("GET", "/v1/har");
  CHECK(har.status == 200);
  CHECK(contains(har.header("Content-Disposition"), "attachment"));
  const auto check = [](const std::string& document) {
    const Run checked = run({"python3", source("tests/e2e/python/har.py"), source("tests/e2e/node/node_modules")}, {}, document);
    INFO(checked.out << checked.err << document);
    CHECK(checked.exit == 0);
    return checked.out;
  };
  CHECK(check(har.body) == "7 entries\n");
  for (const char* const secret : {"header-secret", "query-secret", "\"route-secret\""})
    CHECK_FALSE(contains(har.body.substr(0, har.body.find("\"postData\"")), secret));
  CHECK(contains(har.body, R"("_webSocketMessages":[{"type":"send")"));
  CHECK(contains(har.body, R"("data":"message")"));
  CHECK(contains(har.body, R"("text":"the body")"));
  const std::string id = text_in(exchange_to(setup.proxy, "/bytes"), "id");
  CHECK(check(setup.proxy.api("GET", "/v1/har?ids=" + id + ",x-fffff,nonsense").body) == "1 entries\n");
  CHECK(check(setup.proxy.api("GET", "/v1/har?context=ctx-0-0123456789abcdef").body) == "0 entries\n");

  const std::string path = setup.proxy.home / "traffic.har";
  const Run saved = setup.proxy.cli({"inspect", "--har", path, "--ctx", setup.context.id});
  INFO(saved.err);
  CHECK(saved.exit == 0);
  CHECK(check(read_file(path)) == "5 entries\n");
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK(check(setup.proxy.cli({"inspect", "--har", "-"}).out) == "7 entries\n");
  const Run nowhere = setup.proxy.cli({"inspect", "--har", "/no/such/folder/x.har"});
  CHECK(nowhere.exit == 1);
  CHECK(contains(nowhere.err, "/no/such/folder"));
  CHECK(socket.close(1000) == 1000);
}

TEST_CASE("cmuxproxy inspect: the page's URL for a browser, which never sees it as an argument; --json follows") {
  Setup setup;
  const Run printed = setup.proxy.cli({"inspect", "--print"});
  CHECK(printed.exit == 0);
  CHECK(printed.out.starts_with(fmt::format("http://127.0.0.1:{}/inspector/#key=", setup.proxy.admin_port())));
  // The browser of this test.
  const std::string opened = setup.proxy.home / "opened";
  std::filesystem::create_directory(setup.proxy.home / "bin");
  write_file(setup.proxy.home / "bin/xdg-open", "#!/bin/sh\necho \"$1\" > " + opened + "\ncat \"$1\" >> " + opened + "\n");
  std::filesystem::permissions(setup.proxy.home / "bin/xdg-open", std::filesystem::perms::owner_all);
  Strings environment = setup.proxy.environment();
  environment.push_back(fmt::format("PATH={}:{}", setup.proxy.home / "bin", std::getenv("PATH")));
  const Run run_it = run({binary(), "inspect", "--instance", setup.proxy.instance}, environment);
  INFO(run_it.err);
  CHECK(run_it.exit == 0);
  CHECK_FALSE(contains(run_it.out + run_it.err, "key="));
  const std::string seen = read_file(opened);
  CHECK(seen.starts_with("/"));
  CHECK(contains(seen, fmt::format("url=http://127.0.0.1:{}/inspector/#key=", setup.proxy.admin_port())));
  CHECK((std::filesystem::status(seen.substr(0, seen.find('\n'))).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  environment.back() = "PATH=/nowhere";
  CHECK(contains(run({binary(), "inspect", "--instance", setup.proxy.instance}, environment).err, "inspect --print"));

  Process follower;
  follower.start({binary(), "inspect", "--json", "--instance", setup.proxy.instance}, setup.proxy.environment());
  std::string lines = follower.read_line() + "\n";
  CHECK(text_in(boost::json::parse(lines).as_object(), "event") == "capture");
  CHECK(setup.proxy.get(setup.context, "http://localhost:3000/echo?followed=").status == 200);
  while (true) {
    lines += follower.read_line() + "\n";
    const auto line = boost::json::parse(std::string_view(lines).substr(lines.rfind('\n', lines.size() - 2) + 1)).as_object();
    if (text_in(line, "event") != "exchange" || text_in(line, "state") == "open") continue;
    CHECK(text_in(line, "url") == "http://localhost:3000/echo?followed=");
    break;
  }
  fits("cli.schema.yaml#/inspect-lines", lines);
  CHECK(setup.proxy.process().stop() == 0);
  CHECK(follower.wait() == 0);
}

}  // namespace e2e
