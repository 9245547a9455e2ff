#include "http1/body.hpp"

#include <charconv>

#include "http1/parser.hpp"

namespace cmux::http1 {
namespace {

constexpr std::size_t kMaxSizeLine = 1024, kMaxTrailers = 16 * 1024;
constexpr std::string_view kLineEnd = "\r\n";
constexpr char kLongChunk[] = "a chunk is longer than its size says";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Takes spaces and tabs off the front.
void skip_blanks(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
}

// Takes a token off the front; false: there is none.
bool skip_token(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && is_token(text.substr(size, 1))) ++size;
  text.remove_prefix(size);
  return size > 0;
}

// ... or a quoted-string (RFC 9110 section 5.6.4).
bool skip_quoted(std::string_view& text) {
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      text.remove_prefix(at + 1);
      return true;
    }
    if (text[at] == '\\' && ++at == text.size()) return false;
    if (!is_field_value(text.substr(at, 1))) return false;
  }
  return false;
}

// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ): RFC 9112 section 7.1.1.
bool is_extension(std::string_view text) {
  while (!text.empty()) {
    skip_blanks(text);
    if (text.empty() || text.front() != ';') return false;
    text.remove_prefix(1);
    skip_blanks(text);
    if (!skip_token(text)) return false;
    std::string_view after = text;
    skip_blanks(after);
    if (after.empty() || after.front() != '=') continue;  // the blanks belong to the next ";"
    after.remove_prefix(1);
    skip_blanks(after);
    text = after;
    const bool quoted = !text.empty() && text.front() == '"';
    if (!(quoted ? skip_quoted(text) : skip_token(text))) return false;
  }
  return true;
}

struct SizeLine {
  std::uint64_t size = 0;
  std::size_t bytes = 0;  // of the line, with its end; 0: it is not whole yet
};

// chunk-size [ chunk-ext ] CRLF. An extension is dropped, but it must be one.
Result<SizeLine> size_line(std::string_view data) {
  const std::size_t newline = data.substr(0, kMaxSizeLine + 1).find('\n');
  if (newline == std::string_view::npos) {
    if (data.size() > kMaxSizeLine) return malformed("a chunk's size line is too long");
    return SizeLine{};
  }
  SizeLine out;
  out.bytes = newline + 1;
  std::size_t at = 0, digits = 0;
  for (; at < newline && hex_digit(data[at]) >= 0; ++at) {
    digits += digits > 0 || data[at] != '0';
    if (digits > 15) return malformed("a chunk's size is too large");
    out.size = out.size * 16 + static_cast<std::uint64_t>(hex_digit(data[at]));
  }
  if (at == 0 || data[newline - 1] != '\r') return malformed("bad chunk size");
  if (!is_extension(data.substr(at, newline - 1 - at))) return malformed("bad chunk extension");
  return out;
}

// Of the trailer lines with the empty line behind them; 0: they are not whole yet.
Result<std::size_t> trailer_size(std::string_view data) {
  std::size_t end = 0;
  while (true) {
    const std::size_t newline = data.find('\n', end);
    const std::size_t seen = newline == std::string_view::npos ? data.size() : end;
    if (seen > kMaxTrailers) return Error{Errc::too_large, Side::local, false, 431, "the trailers are too large"};
    if (newline == std::string_view::npos) return std::size_t{0};
    if (newline == end || data[newline - 1] != '\r') return malformed("a trailer line ends in a bare LF");
    if (newline == end + 1) return newline + 1;
    end = newline + 1;
  }
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
        if (!kLineEnd.starts_with(in.view().substr(0, 2))) return malformed(kLongChunk);
        if (in.size() < 2) return Piece{{}, false, true};
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
  const auto line = size_line(in.view());
  if (!line) return line.error();
  if (line->bytes == 0) return false;
  in.consume(line->bytes);
  remaining_ = line->size;
  state_ = line->size > 0 ? State::data : State::trailer;
  return true;
}

Result<bool> BodyReader::read_trailer(Buffer& in) {
  const auto size = trailer_size(in.view());
  if (!size) return size.error();
  if (*size == 0) return false;
  const std::string_view lines = in.view().substr(0, *size - 2);
  trailers_.assign_text(lines);
  if (auto parsed = parse_field_lines(lines, 0, trailers_); !parsed) return parsed.error();
  trailers_.remove_if([](const http::Fields::Field& field) { return !http::allowed_in_trailers(field); });
  in.consume(*size);
  state_ = State::done;
  return true;
}

Result<void> BodyReader::foresee(const Buffer& in) const {
  if (state_ != State::size) return {};
  std::string_view rest = in.view();
  while (true) {
    const auto line = size_line(rest);
    if (!line) return line.error();
    if (line->bytes == 0) return {};
    rest.remove_prefix(line->bytes);
    if (line->size == 0) break;
    if (rest.size() <= line->size) return {};
    rest.remove_prefix(static_cast<std::size_t>(line->size));
    if (!kLineEnd.starts_with(rest.substr(0, 2))) return malformed(kLongChunk);
    if (rest.size() < 2) return {};
    rest.remove_prefix(2);
  }
  const auto size = trailer_size(rest);
  if (!size) return size.error();
  if (*size <= 2) return {};
  http::Fields trailers;
  trailers.assign_text(rest.substr(0, *size - 2));
  return parse_field_lines(rest.substr(0, *size - 2), 0, trailers);
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
