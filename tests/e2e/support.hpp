// What the tests of traffic, tunnels and load share on top of the harness.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "harness.hpp"

namespace e2e {

// Under sanitizers ($CMUX_E2E_SLOW) everything is many times slower: large numbers are then a tenth.
inline bool slow() { return std::getenv("CMUX_E2E_SLOW") != nullptr; }
inline std::int64_t scaled(std::int64_t count) { return slow() ? std::max<std::int64_t>(1, count / 10) : count; }

// A request as clients send it to a proxy. `fields` are whole lines with their ends; a body gets its Content-Length.
inline std::string request_text(std::string_view method, std::string_view url, const Context& context,
                                std::string_view fields = {}, std::string_view body = {}) {
  const std::string_view rest = url.substr(url.find("://") + 3);
  const std::string length = body.empty() ? std::string() : fmt::format("Content-Length: {}\r\n", body.size());
  return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}{}{}\r\n{}", method, url, rest.substr(0, rest.find_first_of("/?")),
                     context.auth_line(), fields, length, body);
}

// CONNECT, answered with 200.
inline Client tunnel(const Proxy& proxy, const Context& context, std::string_view authority) {
  Client client = proxy.connect();
  const Response answer =
      client.ask(fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n{1}\r\n", authority, context.auth_line()), "CONNECT");
  if (answer.status != 200) FAIL("CONNECT " << authority << ":\n" << answer.head << answer.body);
  return client;
}

inline std::int64_t number_in(const boost::json::object& object, std::string_view key) {
  const boost::json::value* const value = object.if_contains({key.data(), key.size()});
  if (!value || !value->is_number()) FAIL("no number " << std::string(key) << " in " << boost::json::serialize(object));
  return value->to_number<std::int64_t>();
}

inline std::string text_in(const boost::json::object& object, std::string_view key) {
  const boost::json::value* const value = object.if_contains({key.data(), key.size()});
  if (!value || !value->is_string()) FAIL("no text " << std::string(key) << " in " << boost::json::serialize(object));
  return {value->as_string().data(), value->as_string().size()};
}

inline std::int64_t counter(const Workspace& workspace, std::string_view name) {
  return number_in(workspace.get("/connections"), name);
}
inline std::int64_t aborted(const Workspace& workspace) { return number_in(workspace.get("/aborted"), "hang"); }
inline std::int64_t visits(const Workspace& workspace, std::string_view key) {
  return number_in(workspace.get(fmt::format("/visits/{}", key)), "visits");
}

// The fields that /echo has received, as "Name: value" in order.
inline Strings echoed_fields(const boost::json::object& echo, std::string_view key = "headers") {
  Strings out;
  for (const boost::json::value& field : echo.at({key.data(), key.size()}).as_array())
    out.push_back(fmt::format("{}: {}", field.as_array().at(0).as_string().c_str(), field.as_array().at(1).as_string().c_str()));
  return out;
}

// The values of one of them.
inline Strings echoed_values(const boost::json::object& echo, std::string_view name) {
  Strings out;
  const std::string start = std::string(name) + ": ";
  for (const std::string& field : echoed_fields(echo))
    if (field.size() >= start.size() && strncasecmp(field.data(), start.data(), start.size()) == 0)
      out.push_back(field.substr(start.size()));
  return out;
}

// The response's field lines as they came.
inline Strings field_lines(const Response& response) {
  Strings out;
  for (std::size_t at = response.head.find("\r\n") + 2; at + 2 < response.head.size();) {
    const std::size_t end = response.head.find("\r\n", at);
    out.push_back(response.head.substr(at, end - at));
    at = end + 2;
  }
  return out;
}

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string hex() {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), bytes, &size);
    std::string out;
    for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02x}", bytes[i]);
    return out;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

// A connection that a test's own server has accepted, for answers that no fixture gives.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  int fd() const { return fd_; }
  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) FAIL("the proxy does not take what the upstream says");
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // Empty at the end; was_reset() then says how it ended.
  std::string read_some(milliseconds timeout = kPatience) {
    pollfd wanted{fd_, POLLIN, 0};
    if (poll(&wanted, 1, static_cast<int>(timeout.count())) <= 0) FAIL("nothing arrives at the upstream");
    char block[65536];
    const ssize_t count = recv(fd_, block, sizeof block, 0);
    reset_ = count < 0;
    return {block, static_cast<std::size_t>(std::max<ssize_t>(0, count))};
  }
  std::string read_until(std::string_view text) {
    std::string out;
    while (out.find(text) == std::string::npos) {
      const std::string more = read_some();
      if (more.empty()) FAIL("the proxy closed; it sent '" << out << "'");
      out += more;
    }
    return out;
  }
  // The end, FIN or RST, comes; what comes before is dropped.
  void wait_for_end() {
    while (!read_some().empty()) {}
  }
  bool was_reset() const { return reset_; }
  void half_close() { shutdown(fd_, SHUT_WR); }
  void abort() {
    const linger hard{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  bool reset_ = false;
};

class Upstream {
 public:
  Upstream() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_, 128) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      FAIL("the test's own server cannot listen");
    port_ = ntohs(address.sin_port);
  }
  ~Upstream() { ::close(fd_); }
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view path = "/") const { return fmt::format("http://127.0.0.1:{}{}", port_, path); }
  bool is_asked(milliseconds time) const {  // is somebody connecting?
    pollfd wanted{fd_, POLLIN, 0};
    return poll(&wanted, 1, static_cast<int>(time.count())) > 0;
  }
  Peer accept() const {
    if (!is_asked(kPatience)) FAIL("the proxy does not connect");
    return Peer(accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

}  // namespace e2e
