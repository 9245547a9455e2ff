#include "wire.hpp"

#include <charconv>

#include "book.hpp"

namespace sim {

using namespace cmux;

Wire::Wire(std::unique_ptr<net::Transport> transport, Random random, milliseconds limit)
    : transport_(std::move(transport)), random_(random), limit_(limit) {
  patient();
}

void Wire::expire() {
  late_ = true;
  leave(true);
}

void Wire::leave(bool hard) {
  gone_ = true;
  if (transport_) transport_->abort(make_error(Errc::cancelled, "left"), hard);
}

std::unique_ptr<net::Transport> Wire::release() {
  deadline_.cancel();
  if (!in.empty()) transport_->unread(std::exchange(in, {}));
  return std::move(transport_);
}

std::string Wire::take(std::size_t count) {
  std::string out = in.substr(0, count);
  in.erase(0, count);
  return out;
}

Task<bool> Wire::fill() {
  char bytes[16 * 1024];
  while (true) {
    const net::Io io = transport_->read({bytes, sizeof bytes});
    if (io.state == net::Io::State::moved) {
      in.append(bytes, io.count);
      co_return true;
    }
    if (io.state != net::Io::State::blocked) {
      failed_ = io.state == net::Io::State::failed;
      co_return false;
    }
    co_await transport_->readable();
  }
}

Task<bool> Wire::send(std::string text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    if (gone_) co_return false;
    std::size_t size = random_.chance(20) ? random_.size(text.size() - sent) : text.size() - sent;
    if (random_.chance(15)) {
      const milliseconds pause(random_.size(slow_ ? 4000 : 60));
      co_await sleep_for(pause);
      if (gone_) co_return false;
    }
    const bool last = breaks_ && size >= left_;
    if (last) size = left_;
    auto written = co_await net::write_all(*transport_, std::string_view(text).substr(sent, size));
    if (!written) co_return false;
    sent += size;
    left_ -= breaks_ ? size : 0;
    if (last) {
      leave(breaks_hard_);
      co_return false;
    }
  }
  co_return true;
}

std::string Text::get(const std::string& name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : found->second;
}

unsigned Text::status() const { return static_cast<unsigned>(number(line.substr(9, 3))); }

std::uint64_t number(const std::string& text, int base) {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failed != std::errc() || end != text.data() + text.size()) fail_with("well-formed", "'{}' is no number", text);
  return value;
}

namespace {

bool is_name(std::string_view text) {
  constexpr std::string_view kMore = "!#$%&'*+-.^_`|~";
  if (text.empty()) return false;
  for (const char c : text)
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && kMore.find(c) == std::string_view::npos)
      return false;
  return true;
}

// RFC 9112 sections 2 to 5, RFC 9110 section 5.5.
Text parse(const std::string& block) {
  Text head;
  const std::size_t first = block.find("\r\n");
  head.line = block.substr(0, first);
  for (std::size_t at = first + 2; at < block.size();) {
    const std::size_t end = block.find("\r\n", at);
    const std::string line = block.substr(at, end - at);
    at = end + 2;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || !is_name(std::string_view(line).substr(0, colon)))
      fail_with("well-formed", "a field line '{}'", line);
    std::string name = line.substr(0, colon), value = line.substr(colon + 1);
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    for (const char c : value)
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
        fail_with("well-formed", "a control character in {}", name);
    value.erase(0, value.find_first_not_of(" \t"));
    value.erase(value.find_last_not_of(" \t") + 1);
    head.fields.emplace(std::move(name), std::move(value));
  }
  for (const char* once : {"host", "content-length", "transfer-encoding"})
    if (head.fields.count(once) > 1) fail_with("well-formed", "two fields {}", once);
  if (head.fields.count("content-length") + head.fields.count("transfer-encoding") > 1)
    fail("well-formed", "Content-Length and Transfer-Encoding");
  if (block.find('\n') == 0 || block.find('\0') != std::string::npos) fail("well-formed", "a NUL in a head");
  return head;
}

}  // namespace

Task<std::optional<Text>> read_head(Wire& wire) {
  std::size_t end = 0;
  while ((end = wire.in.find("\r\n\r\n")) == std::string::npos) {
    const bool more = co_await wire.fill();
    if (!more) co_return std::nullopt;
  }
  const std::string block = wire.take(end + 4).substr(0, end + 2);
  std::optional<Text> head = parse(block);
  co_return head;
}

namespace {

Task<bool> read_exactly(Wire& wire, std::uint64_t count, Reading& reading) {
  while (count > 0) {
    if (wire.in.empty()) {
      const bool more = co_await wire.fill();
      if (!more) co_return false;
    }
    const std::string piece = wire.take(static_cast<std::size_t>(std::min<std::uint64_t>(count, wire.in.size())));
    reading.take(piece);
    count -= piece.size();
  }
  co_return true;
}

Task<std::optional<std::string>> read_line(Wire& wire) {
  std::size_t end = 0;
  while ((end = wire.in.find("\r\n")) == std::string::npos) {
    const bool more = co_await wire.fill();
    if (!more) co_return std::nullopt;
  }
  std::optional<std::string> line = wire.take(end);
  wire.in.erase(0, 2);
  co_return line;
}

Task<Ending> read_chunks(Wire& wire, Reading& reading) {
  while (true) {
    auto line = co_await read_line(wire);
    if (!line) co_return Ending::cut;
    const std::uint64_t size = number(line->substr(0, line->find(';')), 16);
    if (size > 0) {
      const bool all = co_await read_exactly(wire, size, reading);
      if (!all) co_return Ending::cut;
    }
    auto behind = co_await read_line(wire);
    while (size == 0 && behind && !behind->empty()) behind = co_await read_line(wire);  // trailers
    if (!behind) co_return Ending::cut;
    if (!behind->empty()) fail("well-formed", "a chunk is longer than it says");
    if (size == 0) co_return Ending::whole;
  }
}

}  // namespace

Task<Ending> read_body(Wire& wire, const Text& head, bool request, bool none, Reading& reading) {
  if (none) co_return Ending::whole;
  if (!head.get("transfer-encoding").empty()) co_return co_await read_chunks(wire, reading);
  const std::string length = head.get("content-length");
  if (!length.empty()) {
    const bool all = co_await read_exactly(wire, number(length), reading);
    co_return all ? Ending::whole : Ending::cut;
  }
  if (request) co_return Ending::whole;
  for (bool more = true; more;) {
    reading.take(std::exchange(wire.in, {}));
    more = co_await wire.fill();
  }
  co_return wire.failed() ? Ending::cut : Ending::whole;
}

}  // namespace sim
