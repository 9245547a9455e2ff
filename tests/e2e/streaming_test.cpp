// Bodies while they are on their way: in pieces, large, and faster than who reads them.
#include <fcntl.h>

#include "support.hpp"

namespace e2e {
namespace {

constexpr std::size_t kPeakKb = 20'000;  // however large the body is
constexpr std::int64_t kGigabyte = 1 << 30;

// The fixture's bytes: byte i is 33 + i % 89. Any whole number of periods repeats.
std::string pattern() {
  std::string out(89 * 1024, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(33 + i % 89);
  return out;
}

// Writes until the other end has taken nothing for a while, `most` bytes at the most. Says how much it was.
std::size_t write_until_blocked(int fd, std::size_t most) {
  const std::string block = pattern();
  std::size_t sent = 0;
  while (sent < most) {
    pollfd wanted{fd, POLLOUT, 0};
    if (poll(&wanted, 1, 500) <= 0) break;
    const std::size_t at = sent % block.size();
    const ssize_t count = send(fd, block.data() + at, std::min(block.size() - at, most - sent), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count <= 0) break;
    sent += static_cast<std::size_t>(count);
  }
  return sent;
}

// The digest of the next `size` bytes that arrive.
std::string digest_of(int fd, std::int64_t size) {
  Digest digest;
  std::vector<char> block(1 << 18);
  while (size > 0) {
    pollfd wanted{fd, POLLIN, 0};
    if (poll(&wanted, 1, 10'000) <= 0) FAIL(size << " bytes never arrive");
    const ssize_t count = recv(fd, block.data(), std::min<std::size_t>(block.size(), static_cast<std::size_t>(size)), 0);
    if (count <= 0) FAIL("the end comes " << size << " bytes early");
    digest.add({block.data(), static_cast<std::size_t>(count)});
    size -= count;
  }
  return digest.hex();
}

std::string pattern_digest(std::int64_t size) {
  const std::string block = pattern();
  Digest digest;
  for (; size > 0; size -= static_cast<std::int64_t>(block.size()))
    digest.add(
        std::string_view(block).substr(0, static_cast<std::size_t>(std::min(size, static_cast<std::int64_t>(block.size())))));
  return digest.hex();
}

// A response's head, byte for byte: nothing of the body is taken from the socket.
std::string read_head(Client& client) {
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    pollfd wanted{client.fd(), POLLIN, 0};
    char c = 0;
    if (poll(&wanted, 1, 10'000) <= 0 || recv(client.fd(), &c, 1, 0) != 1) FAIL("no response head: " << head);
    head += c;
  }
  return head;
}

}  // namespace

TEST_CASE("streaming: a download of 1 GB, in bounded memory") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::int64_t size = scaled(kGigabyte);
  Client client = proxy.connect();
  client.send(request_text("GET", fmt::format("http://localhost:3000/bytes/{}", size), context));
  CHECK(read_head(client).find(fmt::format("Content-Length: {}\r\n", size)) != std::string::npos);
  CHECK(digest_of(client.fd(), size) == pattern_digest(size));
  if (!slow()) CHECK(proxy.process().peak_kb() < kPeakKb);
}

TEST_CASE("streaming: an upload of 1 GB, in bounded memory") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::int64_t size = scaled(kGigabyte);
  Client client = proxy.connect();
  client.send(request_text("PUT", "http://localhost:3000/upload", context, fmt::format("Content-Length: {}\r\n", size)));
  const std::string block = pattern();
  for (std::int64_t left = size; left > 0; left -= static_cast<std::int64_t>(block.size()))
    REQUIRE(client.send(
        std::string_view(block).substr(0, static_cast<std::size_t>(std::min(left, static_cast<std::int64_t>(block.size()))))));
  const auto answer = client.read_response().json();
  CHECK(number_in(answer, "length") == size);
  CHECK(text_in(answer, "sha256") == pattern_digest(size));
  if (!slow()) CHECK(proxy.process().peak_kb() < kPeakKb);
}

TEST_CASE("streaming: 100 MB in chunks, through curl") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::int64_t size = scaled(100 << 20);
  TempDir folder;
  const Run fetched = run({"curl", "-sS", "--noproxy", "", "-x", context.proxy_url, "-o", folder / "body",
                           fmt::format("http://localhost:3000/chunked/{}", size)});
  REQUIRE(fetched.exit == 0);
  const Run sent = run({"curl", "-sS", "--noproxy", "", "-x", context.proxy_url, "-H", "Transfer-Encoding: chunked", "-T",
                        folder / "body", "http://localhost:3000/upload"});
  REQUIRE(sent.exit == 0);
  CHECK(number_in(sent.json().as_object(), "length") == size);
  CHECK(text_in(sent.json().as_object(), "sha256") == pattern_digest(size));
  if (!slow()) CHECK(proxy.process().peak_kb() < kPeakKb);
}

// Each event is awaited before the next one is written: one that is held back never comes.
TEST_CASE("streaming: every piece of a response arrives before the next one is there") {
  Proxy proxy;
  const Context context = proxy.context();
  Upstream upstream;
  Client client = proxy.connect();
  client.send(request_text("GET", upstream.url(), context));
  Peer peer = upstream.accept();
  peer.read_until("\r\n\r\n");
  SECTION("chunks, as server-sent events mostly come") {
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < 20; ++i) {
      const std::string event = fmt::format("data: event {}\n\n", i);
      peer.send(fmt::format("{:x}\r\n{}\r\n", event.size(), event));
      client.read_until(event, 5s);
    }
    peer.send("0\r\n\r\n");
    client.read_until("0\r\n\r\n");
  }
  SECTION("the first of them together with the head, and two at once") {
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    client.read_until("first", 5s);
    peer.send("6\r\nsecond\r\n5\r\nthird\r\n");
    client.read_until("second", 5s);
    client.read_until("third", 5s);
  }
  SECTION("chunks that are cut anywhere") {
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const char* const size : {"6", "6\r", "6\r\n"}) {
      peer.send(fmt::format("5\r\nwhole\r\n{}", size));
      client.read_until("whole", 5s);
      peer.send(fmt::format("{}par", std::string_view("6\r\n").substr(std::string_view(size).size())));
      client.read_until("par", 5s);
      peer.send("ted\r");
      client.read_until("ted", 5s);
      peer.send("\n");
    }
  }
  SECTION("a body of known length") {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nfirst");
    client.read_until("first", 5s);
    for (int i = 0; i < 10; ++i) {
      peer.send(fmt::format("data: event {}\n\n", i));
      client.read_until(fmt::format("data: event {}\n\n", i), 5s);
    }
  }
  SECTION("a body that ends with the connection") {
    peer.send("HTTP/1.1 200 OK\r\n\r\nfirst");
    client.read_until("first", 5s);
    peer.send("second");
    client.read_until("second", 5s);
    peer.close();
    client.read_until("0\r\n\r\n");
  }
}

TEST_CASE("streaming: events of a workspace arrive one by one") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  client.send(request_text("GET", "http://localhost:3000/sse?gap=3600000", context));
  client.read_until("id: 1\ndata: event 1\n\n", 5s);  // the second comes in an hour
  Client paced = proxy.connect();
  paced.send(request_text("GET", "http://localhost:3000/sse?count=5&gap=100", context));
  const Response all = paced.read_response();
  CHECK(all.body.find("id: 5\ndata: event 5\n\n") != std::string::npos);
}

TEST_CASE("streaming: every piece of a request's body arrives before the next one is there") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  SECTION("chunks") {
    client.send(request_text("POST", "http://localhost:3000/mirror", context, "Transfer-Encoding: chunked\r\n") +
                "5\r\nfirst\r\n");
    client.read_until("first", 5s);
    for (int i = 0; i < 20; ++i) {
      client.send(fmt::format("8\r\npiece {:02}\r\n", i));
      client.read_until(fmt::format("piece {:02}", i), 5s);
    }
    client.send("0\r\n\r\n");
    client.read_until("0\r\n\r\n");
  }
  SECTION("a body of known length") {
    client.send(request_text("POST", "http://localhost:3000/mirror", context, "Content-Length: 165\r\n") + "first");
    client.read_until("first", 5s);
    for (int i = 0; i < 20; ++i) {
      client.send(fmt::format("piece {:02}", i));
      client.read_until(fmt::format("piece {:02}", i), 5s);
    }
    client.read_until("0\r\n\r\n");
  }
}

TEST_CASE("streaming: a client that reads slowly holds the upstream back, not the proxy's memory") {
  Proxy proxy;
  const Context context = proxy.context();
  Upstream upstream;
  Client client;
  client.receive_buffer(64 * 1024);
  client.connect(proxy.port());
  constexpr std::size_t kSize = 100 << 20;
  client.send(request_text("GET", upstream.url(), context));
  Peer peer = upstream.accept();
  peer.read_until("\r\n\r\n");
  const std::size_t before = proxy.process().anonymous_kb();
  peer.send(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", kSize));
  const std::size_t taken = write_until_blocked(peer.fd(), kSize);
  CHECK(taken < kSize / 2);  // what the kernel's buffers hold, and a little
  if (!slow()) CHECK(proxy.process().anonymous_kb() < before + 2'000);
  // It goes on where it stopped.
  read_head(client);
  CHECK(digest_of(client.fd(), static_cast<std::int64_t>(taken)) == pattern_digest(static_cast<std::int64_t>(taken)));
}

TEST_CASE("streaming: an upstream that reads slowly holds the client back") {
  Proxy proxy;
  const Context context = proxy.context();
  Upstream upstream;
  constexpr std::size_t kSize = 100 << 20;
  Client client = proxy.connect();
  client.send(request_text("POST", upstream.url(), context, fmt::format("Content-Length: {}\r\n", kSize)));
  Peer peer = upstream.accept();
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    char c = 0;
    REQUIRE(recv(peer.fd(), &c, 1, 0) == 1);
    head += c;
  }
  const std::size_t before = proxy.process().anonymous_kb();
  const std::size_t taken = write_until_blocked(client.fd(), kSize);
  CHECK(taken < kSize / 2);
  if (!slow()) CHECK(proxy.process().anonymous_kb() < before + 2'000);
  CHECK(digest_of(peer.fd(), static_cast<std::int64_t>(taken)) == pattern_digest(static_cast<std::int64_t>(taken)));
}

}  // namespace e2e
