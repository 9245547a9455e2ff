// What the HTTP clients of the CLI have in common: Beast over a socket of Asio's to an address as instance files hold it. Whoever
// makes a socket owns it, on the loop that is current; what runs on it ends before it goes. Times: socket.expires_after() before
// each step; a step that takes longer closes the socket and is Errc::timeout.
#pragma once

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/read.hpp>
#include <optional>
#include <string>

#include "base/await.hpp"
#include "base/error.hpp"

namespace cmux::admin {

// TCP and Unix sockets alike.
using HttpSocket = boost::beast::basic_stream<boost::asio::generic::stream_protocol, boost::asio::io_context::executor_type>;

// Connects to "127.0.0.1:39385", "http://127.0.0.1:40001" or "unix:/path". The time goes on running for what comes next.
Task<Result<void>> connect_to(HttpSocket& socket, std::string address, milliseconds timeout);

// The peer has neither closed the connection nor said anything. Asks the system, and never waits.
bool is_quiet(HttpSocket& socket);

// Why an operation of Asio's or Beast's failed. `doing` goes before what the system says.
Error to_error(boost::system::error_code failed, std::string_view doing);

// One response, read as it comes. Framing is Beast's; it reads what a strict parser refuses, which is for the proxy to do.
template <class Stream>
class HttpResponse {
 public:
  static constexpr std::uint32_t kMostHeader = 1024 * 1024 + 16 * 1024;  // serve's largest --max-header, and what it adds
  static constexpr std::size_t kMostField = 65'000;                      // of one of its lines

  // `buffer` keeps what comes behind the response, for the next one.
  HttpResponse(Stream& stream, boost::beast::flat_buffer& buffer) : stream_(stream), buffer_(buffer) {
    buffer_.max_size(2 * kMostHeader);
  }

  // The final head; interim ones (RFC 9110 section 15.2) are skipped, but for 101, which ends HTTP. `bodiless`: the request's
  // method says so.
  Task<Result<void>> read_head(bool bodiless = false) {
    while (true) {
      parser_.emplace();
      parser_->header_limit(kMostHeader);
      parser_->body_limit(boost::none);
      parser_->skip(bodiless);
      const auto [failed, count] = co_await boost::beast::http::async_read_header(stream_, buffer_, *parser_, awaited);
      if (failed) co_return to_error(failed, "read");
      const unsigned status = head().result_int();
      if (status >= 200 || status == 101) co_return Result<void>{};
    }
  }
  const boost::beast::http::response_header<>& head() const { return parser_->get().base(); }
  std::string_view field(boost::beast::http::field name) const {
    const auto value = head()[name];
    return {value.data(), value.size()};
  }

  // The next piece of the body, valid until the next call; empty at its end.
  Task<Result<std::string_view>> read_body() {
    auto& body = parser_->get().body();
    while (!parser_->is_done()) {
      body.data = piece_.data();
      body.size = piece_.size();
      body.more = true;
      const auto [failed, count] = co_await boost::beast::http::async_read_some(stream_, buffer_, *parser_, awaited);
      if (failed && failed != boost::beast::http::error::need_buffer) co_return to_error(failed, "read");
      if (const std::size_t got = piece_.size() - body.size; got > 0) co_return std::string_view(piece_.data(), got);
    }
    co_return std::string_view();
  }

  // It was read whole, and another request may follow it.
  bool keeps_alive() const { return parser_->is_done() && parser_->keep_alive() && buffer_.size() == 0; }

 private:
  // Beast throws where a field is longer than it can hold.
  class Parser final : public boost::beast::http::response_parser<boost::beast::http::buffer_body> {
    void on_field_impl(boost::beast::http::field name, boost::beast::string_view text, boost::beast::string_view value,
                       boost::beast::error_code& failed) override {
      if (text.size() + value.size() > kMostField) failed = boost::beast::http::error::header_limit;
      else this->get().insert(name, text, value);
    }
  };

  Stream& stream_;
  boost::beast::flat_buffer& buffer_;
  std::optional<Parser> parser_;
  std::array<char, 16 * 1024> piece_;
};

}  // namespace cmux::admin
