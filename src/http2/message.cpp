#include "http2/message.hpp"

#include <charconv>

#include <fmt/format.h>

namespace cmux::http2 {
namespace {

using http::Head;
using http::Name;

constexpr std::size_t kSpare = 32;         // heads kept for their memory
constexpr std::size_t kSpareSize = 4096;   // ... of at most so many bytes
constexpr std::size_t kLineOverhead = 32;  // RFC 9113 section 6.5.2

Error malformed(std::string detail, std::uint16_t status = 400) {
  return Error{Errc::malformed, Side::local, false, status, std::move(detail)};
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Whether every crumb is a valid value by itself (RFC 9113 section 8.2.1): servers drop the others without a word.
bool may_split(std::string_view cookies) {
  while (true) {
    const std::size_t end = cookies.find("; ");
    const std::string_view crumb = cookies.substr(0, end);
    if (crumb.empty() || is_blank(crumb.front()) || is_blank(crumb.back())) return false;
    if (end == std::string_view::npos) return true;
    cookies.remove_prefix(end + 2);
  }
}

}  // namespace

void HeadReader::start(Block block) {
  block_ = block;
  head_.clear();
  head_.version = 20;
  head_.fields.reserve(480, 16);
  host_.clear(), cookies_.clear();
  has_host_ = secret_cookies_ = false;
  decoded_ = size_ = lines_ = 0;
  refused_.reset();
}

http::Head HeadReader::take() {
  http::Head taken = std::move(head_);
  if (!spare_.empty()) {
    head_ = std::move(spare_.back());
    spare_.pop_back();
  }
  return taken;
}

void HeadReader::recycle(http::Head head) {
  // Large ones are not kept: 32 of the largest would be 3 MB that an idle connection holds.
  if (spare_.size() < kSpare && head.fields.capacity() + head.path.capacity() <= kSpareSize) spare_.push_back(std::move(head));
}

void HeadReader::line(std::string_view name, std::string_view value, const http::Limits& limits, bool secret) {
  decoded_ += name.size() + value.size() + kLineOverhead;
  if (refused_) return;
  const bool path = name == ":path";
  if (!path) size_ += name.size() + value.size() + 4;  // as a line of HTTP/1 has them: one limit for both
  if (path && value.size() > limits.start_line) {
    refused_ = Error{Errc::too_large, Side::local, false, 414,
                     fmt::format("the request target is longer than {} bytes", limits.start_line)};
    return;
  }
  if (size_ > limits.head || (name.front() != ':' && ++lines_ > limits.fields)) {
    refused_ = Error{
        Errc::too_large, Side::local, false, 431,
        fmt::format("the header is over {} bytes or {} lines, at field '{}'", limits.head, limits.fields, name.substr(0, 64))};
    return;
  }
  if (name.front() == ':') return pseudo(name, value);
  const Name known = http::name_of(name);
  switch (known) {
    case Name::host:
      if (block_ != Block::request) break;
      if (has_host_) refused_ = malformed("more than one Host");
      has_host_ = true;
      host_ = value;
      return;
    case Name::cookie:
      // One line again: HTTP/1 has no other way, and HTTP/2 may have split it for the sake of compression (section 8.2.3).
      if (block_ != Block::request) break;
      if (!cookies_.empty()) cookies_ += "; ";
      cookies_ += value;
      secret_cookies_ = secret_cookies_ || secret;
      return;
    case Name::content_length: {
      if (block_ == Block::trailers) return;
      std::uint64_t length = 0;
      const auto [stop, failed] = std::from_chars(value.data(), value.data() + value.size(), length);
      if (failed != std::errc{} || stop != value.data() + value.size()) refused_ = malformed("Content-Length is no number");
      head_.content_length = length;
      return;
    }
    case Name::te: head_.trailers_accepted = http::has_token(value, "trailers"); return;
    // What nghttp2 lets through of the fields that are a connection's own.
    case Name::connection:
    case Name::proxy_connection:
    case Name::keep_alive:
    case Name::transfer_encoding:
    case Name::upgrade:
    case Name::http2_settings: return;
    case Name::proxy_authenticate:
      if (block_ == Block::response) return;
      break;
    default: break;
  }
  if (block_ == Block::trailers && !http::allowed_in_trailers({name, value, known})) return;
  head_.fields.add(name, value, known, secret);
}

void HeadReader::pseudo(std::string_view name, std::string_view value) {
  if (name == ":method") head_.method = value;
  else if (name == ":path") head_.path = value;
  else if (name == ":authority") head_.authority = value;
  else if (name == ":scheme") head_.scheme = value;
  else if (name == ":protocol") head_.protocol = value;
  else if (name == ":status") std::from_chars(value.data(), value.data() + value.size(), head_.status);
}

Result<void> HeadReader::finish(bool end) {
  if (block_ == Block::request) return finish_request(end);
  if (refused_) return *refused_;
  if (block_ == Block::response && head_.status < 100) return malformed(fmt::format("bad status {}", head_.status), 0);
  head_.end = end;
  return {};
}

Result<void> HeadReader::finish_request(bool end) {
  if (refused_) return *refused_;
  head_.end = end || head_.is_connect();  // what follows a CONNECT is a tunnel, not a body
  if (!cookies_.empty()) head_.fields.add(http::text_of(Name::cookie), cookies_, Name::cookie, secret_cookies_);
  if (has_host_) {
    if (head_.authority.empty()) head_.authority = host_;
    else if (!http::equal_ignoring_case(head_.authority, host_))
      return malformed(fmt::format("Host '{}' where :authority is '{}'", host_.substr(0, 64), head_.authority.substr(0, 64)));
  }
  if (head_.authority.empty()) return malformed("no :authority");
  if (head_.is_connect()) {
    if (head_.content_length.value_or(0) != 0) return malformed("CONNECT with a body");
    head_.content_length.reset();
    if (!head_.is_upgrade()) return {};
    if (!http::may_upgrade_to(head_.protocol))
      return malformed(fmt::format("no upgrade to '{}' here", head_.protocol.substr(0, 64)), 501);
  }
  if (head_.scheme == "ws") head_.scheme = "http";
  if (head_.scheme == "wss") head_.scheme = "https";
  if (head_.scheme != "http" && head_.scheme != "https")
    return malformed(fmt::format("unsupported scheme '{}'", head_.scheme.substr(0, 64)));
  if (!http::is_target(head_.path) || (!head_.path.starts_with('/') && head_.path != "*")) return malformed("bad :path");
  return {};
}

// --- writing ----------------------------------------------------------------------------------------------------------------

void HeadWriter::add(std::string_view name, std::string_view value, bool secret) {
  // nghttp2 takes Authorization and short cookies for secrets itself. It does not write to what it copies.
  lines_.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                    reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                    static_cast<std::uint8_t>(secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE)});
}

void HeadWriter::add_number(std::string_view name, std::uint64_t number) {
  char* const digits = digits_[numbers_++];
  const auto end = std::to_chars(digits, digits + sizeof digits_[0], number).ptr;
  add(name, {digits, static_cast<std::size_t>(end - digits)});
}

void HeadWriter::add_fields(const http::Fields& fields, Name without) {
  for (const auto field : fields) {
    if (field.known == without) continue;
    if (field.known != Name::cookie || !may_split(field.value)) {
      add(field.name, field.value, field.secret || field.known == Name::proxy_authorization);
      continue;
    }
    // Crumbs compress better than a line that changes with every cookie (section 8.2.3).
    std::string_view rest = field.value;
    while (true) {
      const std::size_t end = rest.find("; ");
      add(field.name, rest.substr(0, end), field.secret);
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 2);
    }
  }
}

void HeadWriter::request(const Head& head) {
  lines_.clear();
  numbers_ = 0;
  add(":method", head.method);
  // RFC 8441 section 5 writes it so; HTTP/1 takes it in any case (RFC 9110 section 7.8).
  if (head.is_upgrade()) {
    const bool websocket = http::equal_ignoring_case(head.protocol, "websocket");
    add(":protocol", websocket ? std::string_view("websocket") : head.protocol);
  }
  if (!head.is_connect() || head.is_upgrade()) {
    add(":scheme", head.scheme);
    add(":path", head.path);
  }
  add(":authority", head.authority);
  add_fields(head.fields, head.is_upgrade() ? Name::sec_websocket_key : Name::host);
  if (!head.is_upgrade() && head.content_length) add_number("content-length", *head.content_length);
  if (head.trailers_accepted) add("te", "trailers");
}

void HeadWriter::response(const Head& head) {
  lines_.clear();
  numbers_ = 0;
  add_number(":status", head.tunnel ? 200 : head.status);
  add_fields(head.fields, head.tunnel ? Name::sec_websocket_accept : Name::host);
  if (!head.tunnel && head.content_length && head.status >= 200) add_number("content-length", *head.content_length);
}

void HeadWriter::trailers(const http::Fields& fields) {
  lines_.clear();
  numbers_ = 0;
  add_fields(fields, Name::host);
}

}  // namespace cmux::http2
