// The raw TCP client.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "harness.hpp"

namespace e2e {
namespace {

using Time = std::chrono::steady_clock;

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

int left_until(Time::time_point deadline) {
  return static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<milliseconds>(deadline - Time::now()).count()));
}

// The start of what may be long, for a message.
std::string shown(std::string_view text) {
  return text.size() <= 2000 ? std::string(text) : fmt::format("{}… ({} bytes)", text.substr(0, 2000), text.size());
}

}  // namespace

Strings Response::headers(std::string_view name) const {
  Strings out;
  for (std::size_t at = head.find("\r\n"); at != std::string::npos;) {
    const std::size_t start = at + 2;
    at = head.find("\r\n", start);
    if (at == std::string::npos) break;
    const std::string_view line = std::string_view(head).substr(start, at - start);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equal_ignoring_case(line.substr(0, colon), name)) continue;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    out.emplace_back(value);
  }
  return out;
}

std::string Response::header(std::string_view name) const {
  const Strings all = headers(name);
  return all.empty() ? std::string() : all.front();
}

boost::json::object Response::json() const {
  boost::json::error_code failed;
  const boost::json::value value = boost::json::parse(body, failed);
  if (failed || !value.is_object()) FAIL("no JSON object in the body of:\n" << head << shown(body));
  return value.as_object();
}

Client::Client(Client&& other) noexcept { *this = std::move(other); }

Client& Client::operator=(Client&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  wire_ = std::move(other.wire_);
  receive_buffer_ = other.receive_buffer_;
  send_buffer_ = other.send_buffer_;
  ended_ = other.ended_;
  reset_ = other.reset_;
  buffer_ = std::move(other.buffer_);
  return *this;
}

void Client::connect(std::uint16_t port) {
  close();
  ended_ = reset_ = false;
  buffer_.clear();
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_buffer_ > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_, sizeof receive_buffer_);
  if (send_buffer_ > 0) setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &send_buffer_, sizeof send_buffer_);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    FAIL("connect to port " << port << ": " << std::strerror(errno));
}

bool Client::send(std::string_view text) {
  if (wire_) return wire_->send(text);
  const std::size_t whole = text.size();
  const auto deadline = Time::now() + kPatience;
  while (!text.empty()) {
    const ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET) return false;
    if (errno != EAGAIN) FAIL("send: " << std::strerror(errno));
    pollfd wanted{fd_, POLLOUT, 0};
    if (poll(&wanted, 1, left_until(deadline)) == 0)
      FAIL("the peer stopped reading: " << whole - text.size() << " of " << whole
                                        << " bytes are sent; received: " << shown(buffer_));
  }
  return true;
}

Client::Fill Client::fill(Time::time_point deadline) {
  if (ended_) return Fill::end;
  if (wire_) {
    const Wire::Fill got = wire_->read(buffer_, deadline);
    if (got == Wire::Fill::bytes) return Fill::bytes;
    if (got == Wire::Fill::timeout) return Fill::timeout;
    ended_ = true;
    reset_ = got == Wire::Fill::reset;
    return Fill::end;
  }
  while (true) {
    pollfd wanted{fd_, POLLIN, 0};
    const int ready = poll(&wanted, 1, left_until(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Fill::timeout;
    char block[65536];
    const ssize_t count = recv(fd_, block, sizeof block, MSG_DONTWAIT);
    if (count > 0) {
      buffer_.append(block, static_cast<std::size_t>(count));
      return Fill::bytes;
    }
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    ended_ = true;
    reset_ = count < 0;
    return Fill::end;
  }
}

void Client::need(Time::time_point deadline, std::string_view what) {
  if (const Fill got = fill(deadline); got != Fill::bytes) fail(got, what);
}

void Client::fail(Fill got, std::string_view what) {
  const char* const why = got == Fill::timeout ? "no answer in time"
                          : reset_             ? "the peer reset the connection"
                                               : "the peer closed";
  FAIL(why << ", waiting for " << what << "; received until then: '" << shown(buffer_) << "'");
}

std::string Client::take(std::size_t count) {
  std::string out = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return out;
}

std::string Client::read_until(std::string_view text, milliseconds timeout) {
  const auto deadline = Time::now() + timeout;
  std::size_t seen = 0;
  while (true) {
    const std::size_t at = buffer_.find(text, seen);
    if (at != std::string::npos) return take(at + text.size());
    seen = buffer_.size() < text.size() ? 0 : buffer_.size() - text.size();
    need(deadline, fmt::format("'{}'", text));
  }
}

std::string Client::read_exactly(std::size_t count, milliseconds timeout) {
  const auto deadline = Time::now() + timeout;
  while (buffer_.size() < count) need(deadline, fmt::format("{} bytes", count));
  return take(count);
}

std::string Client::read_some(milliseconds timeout) {
  if (buffer_.empty() && fill(Time::now() + timeout) == Fill::timeout) FAIL("nothing arrives, and no end");
  return take(buffer_.size());
}

Response Client::read_response(std::string_view method, milliseconds timeout) {
  const auto deadline = Time::now() + timeout;
  ResponseReader reader(method);
  while (true) {
    take(reader.put(buffer_));
    if (reader.done()) return std::move(reader.response());
    const Fill got = fill(deadline);
    if (got == Fill::bytes || (got == Fill::end && reader.end())) continue;
    fail(got, fmt::format("the rest of a response, after\n{}{}", reader.response().head, shown(reader.response().body)));
  }
}

Response Client::ask(std::string_view request, std::string_view method) {
  send(request);
  return read_response(method);
}

std::string Client::read_all_until_close(milliseconds timeout) {
  const auto deadline = Time::now() + timeout;
  while (true) {
    const Fill got = fill(deadline);
    if (got == Fill::end) return take(buffer_.size());
    if (got == Fill::timeout) FAIL("the peer does not close; received: '" << shown(buffer_) << "'");
  }
}

bool Client::closed_by_peer(milliseconds timeout) {
  const auto deadline = Time::now() + timeout;
  while (true) {
    const Fill got = fill(deadline);
    if (got != Fill::bytes) return got == Fill::end;
  }
}

bool Client::silent(milliseconds time) { return buffer_.empty() && fill(Time::now() + time) == Fill::timeout; }

int Client::release() {
  if (wire_ || !buffer_.empty()) FAIL("no bare socket, or one with unread bytes");
  return std::exchange(fd_, -1);
}

void Client::half_close() {
  if (wire_) wire_->half_close();
  else shutdown(fd_, SHUT_WR);
}

void Client::abort() {
  if (wire_) wire_->abort();
  const linger hard{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void Client::close() {
  wire_.reset();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace e2e
