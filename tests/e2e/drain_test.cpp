// An instance that is told to end: its last responses are whole, and say that they are the last where they still can; tunnels
// that rest end at once; the admin API answers all the while.
#include "matrix.hpp"
#include "websocket.hpp"

namespace e2e {
namespace {

struct Draining {
  Upstream upstream;
  Proxy proxy{{"--threads", "1"}};
  Context context = proxy.context();
  Client client = proxy.connect();

  std::string ask() const { return request_text("GET", upstream.url("/x"), context); }
  // Returns when every open connection knows.
  void begin() {
    Client idle = proxy.connect();
    CHECK(idle.ask("GET http://l/ HTTP/1.1\r\nHost: l\r\n\r\n").status == 407);
    proxy.process().signal(SIGTERM);
    CHECK(idle.read_all_until_close().empty());
  }
};

}  // namespace

TEST_CASE("drain: a response that begins while it goes on is the last, says so, and is whole") {
  Draining drain;
  drain.client.send(drain.ask());
  Peer peer = drain.upstream.accept();
  peer.read_until("\r\n\r\n");
  drain.begin();
  // More than the proxy reads with a request: what is left unread would reset the connection when it is closed.
  for (int i = 0; i < 100; ++i) drain.client.send(drain.ask());
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  const Response response = drain.client.read_response();
  CHECK(response.status == 200);
  CHECK(response.header("Connection") == "close");
  CHECK(response.body == "hello");
  CHECK(drain.client.read_all_until_close().empty());
  CHECK_FALSE(drain.client.was_reset());
}

TEST_CASE("drain: a response that has begun before is whole") {
  Draining drain;
  drain.client.send(drain.ask());
  Peer peer = drain.upstream.accept();
  peer.read_until("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  CHECK(drain.client.read_until("hello\r\n").find("Connection:") == std::string::npos);
  drain.begin();
  peer.send("3\r\nend\r\n0\r\n\r\n");
  CHECK(drain.client.read_all_until_close() == "3\r\nend\r\n0\r\n\r\n");
  CHECK_FALSE(drain.client.was_reset());
}

// No test here waits this long.
const Strings kLong{"--threads", "1", "--drain-timeout", "10m"};

TEST_CASE("drain: WebSockets that rest end in order, every way through the proxy") {
  Stage stage(kLong);
  std::vector<std::unique_ptr<Near>> nears;
  std::vector<Opened> open;
  Strings names;
  matrix(stage, kinds(kNear, kTunnelled), [&](const Cell& cell) {
    nears.push_back(std::make_unique<Near>(cell));
    Opened opened = nears.back()->websocket("/ws");
    opened.must_stand();
    opened.bytes.send(frame(1, "one"));
    CHECK(opened.bytes.read_exactly(5) == plain_frame(1, "one"));
    open.push_back(std::move(opened));
    names.push_back(fmt::format("client {}, workspace {}", cell.near().name, cell.far().name));
  });
  stage.proxy.process().signal(SIGTERM);
  for (std::size_t i = 0; i < open.size(); ++i) {
    INFO(names[i]);
    CHECK(open[i].bytes.read_all_until_close().empty());
    CHECK_FALSE(open[i].bytes.was_reset());
  }
  CHECK(stage.proxy.process().wait() == 0);
}

TEST_CASE("drain: tunnels that rest end in order, whoever has spoken last") {
  Upstream upstream;
  Proxy proxy(kLong);
  const Context plain = proxy.context();
  Client answered = tunnel(proxy, plain, fmt::format("127.0.0.1:{}", upstream.port()));
  Peer first = upstream.accept();
  Client asking = tunnel(proxy, plain, fmt::format("127.0.0.1:{}", upstream.port()));
  Peer second = upstream.accept();
  for (Client* const client : {&answered, &asking}) client->send("question");
  first.read_until("question");
  second.read_until("question");
  first.send("answer");
  answered.read_until("answer");
  CHECK(proxy.api("GET", "/v1/status").json().at("openTunnels") == 2);
  proxy.process().signal(SIGTERM);
  for (Client* const client : {&answered, &asking}) {
    CHECK(client->read_all_until_close().empty());
    CHECK_FALSE(client->was_reset());
  }
  for (Peer* const peer : {&first, &second}) {
    CHECK(peer->read_some().empty());
    CHECK_FALSE(peer->was_reset());
  }
  CHECK(proxy.process().wait() == 0);
}

TEST_CASE("drain: raw tunnels of a route that rest end too, where the workspace has spoken first as well") {
  Workspace workspace;
  Proxy proxy(kLong);
  const Context context = proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test",
                                         "--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port())});
  Client silent = tunnel(proxy, context, "localhost:2222"), spoken = tunnel(proxy, context, "localhost:5432");
  silent.read_until("SSH-2.0-fake\r\n");
  const std::string startup("\0\0\0\x08", 4);
  spoken.send(startup);
  CHECK(spoken.read_exactly(startup.size()) == startup);
  proxy.process().signal(SIGTERM);
  for (Client* const client : {&silent, &spoken}) {
    CHECK(client->read_all_until_close().empty());
    CHECK_FALSE(client->was_reset());
  }
  CHECK(proxy.process().wait() == 0);
}

TEST_CASE("drain: the admin API answers until the end, and says what is open") {
  Upstream upstream;
  Proxy proxy(kLong);
  const Context context = proxy.context();
  CHECK(proxy.api("GET", "/v1/status").json().at("draining") == false);
  Client client = proxy.connect();
  client.send(request_text("GET", upstream.url("/"), context));
  Peer peer = upstream.accept();
  peer.read_until("\r\n\r\n");
  CHECK(number_in(proxy.api("POST", "/v1/shutdown").json(), "timeoutSeconds") == 600);
  const boost::json::object status = proxy.api("GET", "/v1/status").json();
  CHECK(status.at("draining") == true);
  CHECK(status.at("requests").at("open") == 1);
  CHECK(proxy.api("GET", "/metrics").body.find("\ncmuxproxy_draining 1\n") != std::string::npos);
  CHECK(proxy.cli({"ctx", "show", context.id}).exit == 0);
  const Response refused = proxy.api("POST", "/v1/contexts", "{}");
  CHECK(refused.status == 503);
  CHECK(refused.body.find("stopping") != std::string::npos);
  CHECK(proxy.api("POST", "/v1/shutdown").status == 202);  // once more: it goes on as it was
  CHECK(proxy.process().running());
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  CHECK(client.read_response().body == "ok");
  CHECK(proxy.process().wait() == 0);
}

TEST_CASE("drain: stop --now and --timeout bound what is under way, also of a stop that has begun") {
  const Strings flags =
      GENERATE(Strings{"stop", "--now"}, Strings{"stop", "--timeout", "100ms"}, Strings{"stop", "--timeout", "0"});
  const bool begun = GENERATE(false, true);
  Upstream upstream;
  Proxy proxy(kLong);
  Client client = proxy.connect();
  client.send(request_text("GET", upstream.url("/"), proxy.context()));
  Peer peer = upstream.accept();
  peer.read_until("\r\n\r\n");
  if (begun) CHECK(proxy.api("POST", "/v1/shutdown").status == 202);
  CHECK(proxy.cli(flags).exit == 0);
  CHECK(proxy.process().wait() == 0);
  CHECK(client.closed_by_peer());
}

TEST_CASE("drain: stop's flags are checked") {
  Proxy proxy;
  for (const Strings& flags : {Strings{"stop", "--now", "--timeout", "1s"}, Strings{"stop", "--timeout", "soon"},
                               Strings{"stop", "--timeout", ""}, Strings{"stop", "--timeout", "366d"}})
    CHECK(proxy.cli(flags).exit == 2);
  CHECK(proxy.process().running());
}

}  // namespace e2e
