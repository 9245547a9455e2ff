#include "h1_origin.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace e2e {
namespace {

// A whole request at the front of `bytes`, with a chunked body as one chunk; its size is what is to be taken off.
struct Found {
  enum class State { more, whole, malformed } state = State::more;
  std::size_t size = 0;
  std::string text;
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

Found chunked(const std::string& bytes, std::size_t head) {
  std::size_t at = head;
  std::string body;
  while (true) {
    const std::size_t end = bytes.find("\r\n", at);
    if (end == std::string::npos) return {};
    const std::string digits = bytes.substr(at, end - at);
    if (digits.empty() || digits.size() > 8 || digits.find_first_not_of("0123456789abcdef") != std::string::npos)
      return {Found::State::malformed, 0, {}};
    const std::size_t size = std::stoul(digits, nullptr, 16);
    at = end + 2;
    if (size == 0) break;
    if (bytes.size() < at + size + 2) return {};
    body += bytes.substr(at, size);
    if (bytes.compare(at + size, 2, "\r\n") != 0) return {Found::State::malformed, 0, {}};
    at += size + 2;
  }
  std::size_t end = at;  // of the trailers
  while (true) {
    const std::size_t line = bytes.find("\r\n", end);
    if (line == std::string::npos) return {};
    const bool last = line == end;
    end = line + 2;
    if (last) break;
  }
  std::string text = bytes.substr(0, head);
  if (!body.empty()) text += fmt::format("{:x}\r\n{}\r\n", body.size(), body);
  return {Found::State::whole, end, text + "0\r\n" + bytes.substr(at, end - at)};
}

Found find_request(const std::string& bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return {};
  const std::size_t head = end + 4;
  const std::string lines = lower(bytes.substr(0, head));
  const std::size_t length_at = lines.find("\r\ncontent-length: "), coding_at = lines.find("\r\ntransfer-encoding: chunked\r\n");
  const auto again = [&](std::string_view name, std::size_t at) {
    return at != std::string::npos && lines.find(name, at + 1) != std::string::npos;
  };
  if (again("\r\ncontent-length:", length_at) || again("\r\ntransfer-encoding:", coding_at) ||
      (length_at != std::string::npos && coding_at != std::string::npos) || lines.find("\r\nhost: ") != lines.find("\r\n"))
    return {Found::State::malformed, 0, {}};
  if (coding_at != std::string::npos) return chunked(bytes, head);
  const std::size_t length = length_at == std::string::npos ? 0 : std::stoul(lines.substr(length_at + 18));
  if (bytes.size() < head + length) return {};
  return {Found::State::whole, head + length, bytes.substr(0, head + length)};
}

}  // namespace

struct RecordingOrigin::Peer {
  int fd;
  std::string bytes;
  bool tunnel = false, ended = false;
};

RecordingOrigin::RecordingOrigin() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 128) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 || pipe2(wake_, O_CLOEXEC) != 0)
    FAIL("the recording origin cannot listen");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

RecordingOrigin::~RecordingOrigin() {
  ::close(wake_[1]);
  thread_.join();
  ::close(wake_[0]);
  ::close(listener_);
}

void RecordingOrigin::answer(std::string bytes, Then then) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(bytes);
  then_ = then;
}

Strings RecordingOrigin::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(whole_, {});
}

Strings RecordingOrigin::take_broken() {
  const std::lock_guard lock(mutex_);
  return std::exchange(broken_, {});
}

void RecordingOrigin::run() {
  std::vector<Peer> peers;
  while (true) {
    std::vector<pollfd> wanted = {{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Peer& peer : peers) wanted.push_back({peer.fd, POLLIN, 0});
    if (poll(wanted.data(), wanted.size(), -1) < 0) continue;
    if (wanted[0].revents != 0) break;
    for (std::size_t i = 0; i < peers.size(); ++i)
      if (wanted[i + 2].revents != 0) read_from(peers[i]);
    std::erase_if(peers, [](const Peer& peer) { return peer.ended; });
    if (wanted[1].revents == 0) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd >= 0) peers.push_back({fd, {}});
  }
  for (Peer& peer : peers) finish(peer);
}

void RecordingOrigin::read_from(Peer& peer) {
  char block[65536];
  const ssize_t count = recv(peer.fd, block, sizeof block, 0);
  if (count <= 0) return finish(peer);
  if (peer.bytes.empty()) ++begun_;
  peer.bytes.append(block, static_cast<std::size_t>(count));
  while (!peer.ended && !peer.tunnel && !peer.bytes.empty()) {
    const Found found = find_request(peer.bytes);
    if (found.state == Found::State::more) return;
    if (found.state == Found::State::malformed) return finish(peer);
    peer.bytes.erase(0, found.size);
    if (found.text.starts_with("CONNECT ")) {
      peer.tunnel = true;
      constexpr std::string_view kOpen = "HTTP/1.1 200 OK\r\n\r\n";
      send(peer.fd, kOpen.data(), kOpen.size(), MSG_NOSIGNAL);
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      whole_.push_back(found.text);
    }
    respond(peer, found.text.starts_with("HEAD "));
  }
}

void RecordingOrigin::respond(Peer& peer, bool head_request) {
  std::string bytes;
  Then then;
  {
    const std::lock_guard lock(mutex_);
    bytes = answer_;
    then = then_;
  }
  if (bytes.empty())
    bytes = head_request ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  send(peer.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (then == Then::keep) return;
  const linger hard{1, 0};
  if (then == Then::reset) setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  finish(peer);
}

void RecordingOrigin::finish(Peer& peer) {
  if (!peer.bytes.empty()) {
    const std::lock_guard lock(mutex_);
    broken_.push_back(std::move(peer.bytes));
  }
  ::close(peer.fd);
  peer.ended = true;
}

}  // namespace e2e
