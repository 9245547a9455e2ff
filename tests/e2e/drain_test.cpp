// The last responses of an instance that is told to end: whole, and saying that they are the last where they still can.
#include "support.hpp"

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

}  // namespace e2e
