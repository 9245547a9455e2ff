#include "http1/readings.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include "http1/body.hpp"
#include "http1/heads.hpp"
#include "http1/semantics.hpp"

namespace cmux::http1 {
namespace {

namespace beast = boost::beast;
using beast::error_code;

std::string framing_text(Framing framing, std::uint64_t length) {
  switch (framing) {
    case Framing::none: return "none";
    case Framing::length: return "length " + std::to_string(length);
    case Framing::chunked: return "chunked";
    case Framing::until_close: return "until close";
  }
  return {};
}

class Ours {
 public:
  explicit Ours(Role role) : role_(role), parser_(role, kUsualLimits) {}

  // `text` starts at the message and grows from call to call.
  void feed(std::string_view text) {
    if (!out_.refused.empty() || out_.complete) return;
    std::size_t start = fed_;
    if (!out_.head) {
      const auto size = parser_.parse(text, head_);
      if (!size) return refuse(size.error());
      if (*size == 0) return;
      start = *size;
      if (!take_head()) return;
    }
    buffer_.append(text.substr(start));
    fed_ = text.size();
    take_body();
  }

  Reading finish() {
    if (out_.head && !out_.complete && body_.end_of_input()) end_at(fed_);
    return std::move(out_);
  }

 private:
  void refuse(const Error& error) { out_.refused = error.detail; }

  bool take_head() {
    out_.method = head_.method;
    out_.target = head_.is_connect()     ? head_.authority
                  : head_.scheme.empty() ? head_.path
                                         : head_.scheme + "://" + head_.authority + " " + head_.path;
    out_.reason = head_.reason;
    out_.version = head_.version, out_.status = head_.status;
    out_.fields = head_.fields;
    const auto info = role_ == Role::request ? normalise_request(head_) : normalise_response(head_, "GET", "");
    if (!info) return refuse(info.error()), false;
    const std::uint64_t length = head_.content_length.value_or(0);
    out_.framing = framing_text(info->framing, length);
    out_.keep_alive = info->keep_alive;
    out_.head = true;
    body_.start(info->framing, length);
    return true;
  }

  void take_body() {
    while (true) {
      const auto piece = body_.next(buffer_);
      if (!piece) return refuse(piece.error());
      out_.body += piece->bytes;
      if (piece->starved) return;
      if (!piece->end) continue;
      body_.settle(buffer_);
      return end_at(fed_ - buffer_.size());
    }
  }

  void end_at(std::size_t size) {
    out_.complete = true;
    out_.size = size;
    if (body_.trailers()) out_.trailers = *body_.trailers();
  }

  Role role_;
  HeadParser parser_;
  http::Head head_;
  BodyReader body_;
  Buffer buffer_;
  std::size_t fed_ = 0;
  Reading out_;
};

// Not http::request_parser and response_parser, which are this parser too and put what it finds into a container that groups
// fields by name: here their order counts.
template <bool isRequest>
class Beast final : private beast::http::basic_parser<isRequest> {
 public:
  Beast() {
    this->eager(true);
    this->body_limit(boost::none);
  }

  void feed(std::string_view text) {
    while (out_.refused.empty() && !this->is_done() && taken_ < text.size()) {
      const std::string_view rest = text.substr(taken_);
      // Behind the size of a last chunk Beast asserts that a chunk came before it. It did not where exactly this is there.
      if (out_.head && this->chunked() && rest.size() == 4 && rest.starts_with("0\r\n")) return;
      error_code failed;
      taken_ += this->put({rest.data(), rest.size()}, failed);
      if (failed == beast::http::error::need_more) return;
      if (failed) out_.refused = failed.message();
    }
  }

  Reading finish() {
    error_code failed;
    if (out_.refused.empty() && out_.head && !this->is_done()) this->put_eof(failed);
    out_.complete = out_.refused.empty() && out_.head && this->is_done();
    if (out_.complete) out_.size = taken_;
    out_.trailers.remove_if([](const http::Fields::Field& field) { return !http::allowed_in_trailers(field); });
    return std::move(out_);
  }

 private:
  using Text = beast::string_view;
  using Length = boost::optional<std::uint64_t>;

  // What HeadParser makes of a target, told once more: RFC 9112 section 3.2, with ws and wss read as http and https.
  static std::string split(std::string_view method, std::string_view target) {
    const std::size_t colon = target.find("://");
    if (method == "CONNECT" || target.front() == '/' || colon == std::string_view::npos) return std::string(target);
    const std::size_t end = std::min(target.find_first_of("/?", colon + 3), target.size());
    std::string scheme = beast::iequals(target.substr(0, colon), "ws")    ? "http"
                         : beast::iequals(target.substr(0, colon), "wss") ? "https"
                                                                          : std::string(target.substr(0, colon));
    for (char& c : scheme) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    std::string path(target.substr(end));
    if (path.empty()) path = method == "OPTIONS" ? "*" : "/";
    if (path.front() == '?') path.insert(0, "/");
    return scheme + "://" + std::string(target.substr(colon + 3, end - colon - 3)) + " " + path;
  }

  void on_request_impl(beast::http::verb, Text method, Text target, int version, error_code&) override {
    out_.method = method;
    out_.target = split(method, target);
    out_.version = static_cast<unsigned>(version);
  }
  void on_response_impl(int status, Text reason, int version, error_code&) override {
    out_.reason = reason;
    out_.status = static_cast<unsigned>(status), out_.version = static_cast<unsigned>(version);
  }
  void on_field_impl(beast::http::field, Text name, Text value, error_code&) override {
    (out_.head ? out_.trailers : out_.fields).add(name, value);
  }
  void on_header_impl(error_code&) override {
    out_.head = true;
    out_.keep_alive = this->keep_alive();
    out_.framing = framing_text(this->is_done()          ? Framing::none
                                : this->chunked()        ? Framing::chunked
                                : this->content_length() ? Framing::length
                                                         : Framing::until_close,
                                this->content_length().value_or(0));
  }
  std::size_t take(Text bytes) {
    out_.body += std::string_view(bytes);
    return bytes.size();
  }
  void on_body_init_impl(const Length&, error_code&) override {}
  std::size_t on_body_impl(Text bytes, error_code&) override { return take(bytes); }
  void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text bytes, error_code&) override { return take(bytes); }
  void on_finish_impl(error_code&) override {}

  std::size_t taken_ = 0;
  Reading out_;
};

template <class Reader>
Reading read(Reader reader, std::string_view text, std::size_t step) {
  for (std::size_t end = 0; end != text.size();) {
    end = std::min(end + step, text.size());
    reader.feed(text.substr(0, end));
  }
  return reader.finish();
}

}  // namespace

Reading read_ours(Role role, std::string_view text, std::size_t step) { return read(Ours(role), text, step); }

Reading read_beast(Role role, std::string_view text, std::size_t step) {
  return role == Role::request ? read(Beast<true>(), text, step) : read(Beast<false>(), text, step);
}

}  // namespace cmux::http1
