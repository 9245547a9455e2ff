#include "http1/body.hpp"

#include <charconv>

#include "http1/parser.hpp"

namespace cmux::http1 {
namespace {

constexpr std::size_t kMaxSizeLine = 1024, kMaxTrailers = 16 * 1024;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void BodyReader::start(Framing framing, std::uint64_t length) {
  given_ = 0;
  remaining_ = 0;
  trailers_.clear();
  switch (framing) {
    case Framing::none: state_ = State::done; break;
    case Framing::length:
      state_ = length > 0 ? State::length : State::done;
      remaining_ = length;
      break;
    case Framing::chunked: state_ = State::size; break;
    case Framing::until_close: state_ = State::until_close; break;
  }
}

bool BodyReader::ready(const Buffer& in) const {
  std::string_view rest = in.view().substr(given_);
  const auto ends_trailers = [](std::string_view lines) {
    return lines.starts_with("\r\n") || lines.find("\r\n\r\n") != std::string_view::npos;
  };
  switch (state_) {
    case State::done: return true;
    case State::length:
    case State::until_close:
    case State::data: return !rest.empty();
    case State::trailer: return ends_trailers(rest);
    case State::data_end:
      if (rest.size() < 2) return false;
      rest.remove_prefix(2);
      [[fallthrough]];
    case State::size: {
      const std::size_t newline = rest.find('\n');
      if (newline == std::string_view::npos) return false;
      const bool last = rest.front() == '0';  // a size with a leading zero is taken for one too: then it is merely not ready yet
      rest.remove_prefix(newline + 1);
      return last ? ends_trailers(rest) : !rest.empty();
    }
  }
  return false;
}

Result<BodyReader::Piece> BodyReader::next(Buffer& in) {
  settle(in);
  while (true) {
    switch (state_) {
      case State::done: return Piece{{}, true, false};
      case State::until_close:
        if (in.empty()) return Piece{{}, false, true};
        given_ = in.size();
        return Piece{in.view()};
      case State::length:
      case State::data: {
        if (in.empty()) return Piece{{}, false, true};
        given_ = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, in.size()));
        remaining_ -= given_;
        const bool chunk = state_ == State::data;
        if (remaining_ == 0) state_ = chunk ? State::data_end : State::done;
        return Piece{in.view().substr(0, given_), state_ == State::done};
      }
      case State::data_end:
        if (in.size() < 2) return Piece{{}, false, true};
        if (in.view()[0] != '\r' || in.view()[1] != '\n') return malformed("a chunk is longer than its size says");
        in.consume(2);
        state_ = State::size;
        break;
      case State::size: {
        const auto read = read_size(in);
        if (!read) return read.error();
        if (!*read) return Piece{{}, false, true};
        break;
      }
      case State::trailer: {
        const auto read = read_trailer(in);
        if (!read) return read.error();
        if (!*read) return Piece{{}, false, true};
        break;
      }
    }
  }
}

Result<bool> BodyReader::read_size(Buffer& in) {
  const std::string_view data = in.view();
  const std::size_t newline = data.find('\n');
  if (newline == std::string_view::npos) {
    if (data.size() > kMaxSizeLine) return malformed("a chunk's size line is too long");
    return false;
  }
  std::uint64_t size = 0;
  std::size_t at = 0;
  for (; at < newline && hex_digit(data[at]) >= 0; ++at) {
    if (at == 15) return malformed("a chunk's size is too large");
    size = size * 16 + static_cast<std::uint64_t>(hex_digit(data[at]));
  }
  if (at == 0 || newline == 0 || data[newline - 1] != '\r' || newline > kMaxSizeLine) return malformed("bad chunk size");
  // An extension is dropped (RFC 9112 section 7.1.1), but it must be one.
  const std::string_view extension = data.substr(at, newline - 1 - at);
  if (!extension.empty() && (extension.front() != ';' || !is_field_value(extension))) return malformed("bad chunk size");
  in.consume(newline + 1);
  remaining_ = size;
  state_ = size > 0 ? State::data : State::trailer;
  return true;
}

Result<bool> BodyReader::read_trailer(Buffer& in) {
  const std::string_view data = in.view();
  std::size_t end = 0;
  while (true) {
    const std::size_t newline = data.find('\n', end);
    if (newline == std::string_view::npos) {
      if (data.size() > kMaxTrailers) return Error{Errc::too_large, Side::local, false, 431, "the trailers are too large"};
      return false;
    }
    if (newline == end || data[newline - 1] != '\r') return malformed("a trailer line ends in a bare LF");
    const bool empty = newline == end + 1;
    if (empty) break;
    end = newline + 1;
  }
  if (end > kMaxTrailers) return Error{Errc::too_large, Side::local, false, 431, "the trailers are too large"};
  trailers_.assign_text(data.substr(0, end));
  if (auto parsed = parse_field_lines(data.substr(0, end), 0, trailers_); !parsed) return parsed.error();
  trailers_.remove_if([](const http::Fields::Field& field) { return !http::allowed_in_trailers(field); });
  in.consume(end + 2);
  state_ = State::done;
  return true;
}

Result<BodyReader::Piece> BodyReader::end_of_input() const {
  if (state_ == State::until_close || state_ == State::done) return Piece{{}, true, false};
  return make_error(Errc::closed, "the connection ended within a body");
}

Result<std::string_view> BodyWriter::frame(std::size_t size, bool end, const http::Fields* trailers, Buffer& head) {
  switch (framing_) {
    case Framing::none:
      if (size != 0) return make_error(Errc::malformed, "a body where none was announced");
      break;
    case Framing::length:
      if (size > remaining_) return make_error(Errc::malformed, "a body longer than its Content-Length");
      remaining_ -= size;
      if (end && remaining_ != 0) return make_error(Errc::malformed, "a body shorter than its Content-Length");
      break;
    case Framing::until_close: break;
    case Framing::chunked: {
      if (size != 0) {
        char text[20];
        char* at = std::to_chars(text, text + 16, size, 16).ptr;
        *at++ = '\r', *at++ = '\n';
        head.append({text, static_cast<std::size_t>(at - text)});
      }
      if (!end) return size != 0 ? std::string_view("\r\n") : std::string_view();
      if (!trailers) return size != 0 ? std::string_view("\r\n0\r\n\r\n") : std::string_view("0\r\n\r\n");
      tail_.clear();
      tail_.append(size != 0 ? "\r\n0\r\n" : "0\r\n");
      write_fields(*trailers, tail_);
      tail_.append("\r\n");
      return tail_.view();
    }
  }
  return std::string_view();
}

}  // namespace cmux::http1
