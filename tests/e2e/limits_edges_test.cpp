// Limits and times that only the whole program meets, from both sides.
#include <array>

#include "socks.hpp"

namespace e2e {
namespace {

struct Setup {
  explicit Setup(const Strings& flags = {}) : proxy(flags, &workspace) {}
  Workspace workspace;
  Proxy proxy;
  Context routed(const Strings& more = {}) const {
    Strings flags = {"--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port()), "--morph-id", "abc"};
    flags.insert(flags.end(), more.begin(), more.end());
    return proxy.context(flags);
  }
};

// An address that does not answer whoever connects: its queue is full, and the system drops what else comes.
class Unanswering {
 public:
  Unanswering() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    sockaddr* const where = reinterpret_cast<sockaddr*>(&address);
    for (int& fd : sockets_) fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    REQUIRE(bind(sockets_[0], where, size) == 0);
    REQUIRE(listen(sockets_[0], 0) == 0);
    REQUIRE(getsockname(sockets_[0], where, &size) == 0);
    port_ = ntohs(address.sin_port);
    for (const int fd : sockets_) connect(fd, where, size);
  }
  ~Unanswering() {
    for (const int fd : sockets_) ::close(fd);
  }
  std::uint16_t port() const { return port_; }

 private:
  std::array<int, 8> sockets_{};  // the first listens
  std::uint16_t port_ = 0;
};

}  // namespace

TEST_CASE("limits: bytes that may become a request line are waited for, and then they are raw") {
  Setup setup;
  const Context context = setup.routed();
  Client quick = tunnel(setup.proxy, context, "localhost:3000");
  quick.send("GE");
  CHECK(quick.ask("T / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 200);
  Client slow = tunnel(setup.proxy, context, "localhost:5432");
  slow.send("GE");
  CHECK(slow.read_exactly(2) == "GE");  // of the far side's echo, which is raw
}

TEST_CASE("limits: a workspace that is being started again is waited for, whatever the method, for --refused-timeout") {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  sockaddr* const where = reinterpret_cast<sockaddr*>(&address);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(bind(fd, where, size) == 0);  // it refuses who connects until it listens
  REQUIRE(getsockname(fd, where, &size) == 0);
  const std::string url = fmt::format("http://127.0.0.1:{}/", ntohs(address.sin_port));
  const auto open = [](const Proxy& proxy) {
    return number_in(proxy.api("GET", "/v1/status").json().at("requests").as_object(), "open");
  };
  Proxy hasty({"--refused-timeout", "0"}), patient({"--refused-timeout", "30s"});
  CHECK(hasty.get(hasty.context(), url).status == 502);
  Client client = patient.connect();
  client.send(request_text("POST", url, patient.context(), "", "once"));
  REQUIRE(eventually([&] { return open(patient) == 1; }));
  REQUIRE(listen(fd, 8) == 0);
  Peer peer(accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
  CHECK(peer.read_until("once").starts_with("POST / HTTP/1.1\r\n"));
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(client.read_response().status == 200);
  ::close(fd);
}

TEST_CASE("limits: an upstream has --tls-timeout to shake hands") {
  Upstream upstream;
  Setup setup({"--tls-timeout", "3s", "--resolve", fmt::format("*.late.test=127.0.0.1:{}", upstream.port())});
  const Context late = setup.proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "late.test"});
  const Response answer = setup.proxy.get(late, "http://localhost:3000/");
  CHECK(answer.status == 504);
  CHECK(answer.header("Proxy-Status").find("connection_timeout") != std::string::npos);
  CHECK(setup.proxy.get(setup.proxy.routed(), "http://localhost:3000/").status == 200);
}

TEST_CASE("limits: a stop ends in time, also where a connection attempt does not") {
  const Unanswering nobody;
  Proxy proxy({"--connect-timeout", "10m", "--drain-timeout", "100ms", "--refused-timeout", "0"});
  Client client = proxy.connect();
  client.send(request_text("GET", fmt::format("http://127.0.0.1:{}/", nobody.port()), proxy.context()));
  REQUIRE(eventually([&] { return number_in(proxy.api("GET", "/v1/status").json().at("requests").as_object(), "open") == 1; }));
  CHECK(proxy.process().stop() == 0);
}

TEST_CASE("limits: of what a refused SOCKS client still sends so much is read, and no more") {
  Setup setup;
  const bool much = GENERATE(false, true);
  CAPTURE(much);
  Client client = setup.proxy.connect();
  client.send(kGreetNone);
  CHECK(client.read_exactly(2) == "\x05\xff"s);
  const std::string piece(64 * 1024, 'x');
  if (much) {
    bool taken = true;
    for (int i = 0; i < 1'000 && taken; ++i) taken = client.send(piece);  // 64 MB, which no socket holds
    CHECK_FALSE(taken);
  } else {
    for (int i = 0; i < 8; ++i) CHECK(client.send(piece));
    CHECK(client.read_all_until_close().empty());
    CHECK_FALSE(client.was_reset());
  }
}

}  // namespace e2e
