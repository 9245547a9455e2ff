// From HTTP/2's header lists to the one form of a head and back (RFC 9113 section 8, RFC 8441). Pure. nghttp2 has checked names,
// values, the order and presence of pseudo-fields and connection fields before a line comes here.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string>
#include <vector>

#include "http/stream.hpp"

namespace cmux::http2 {

// Collects the lines of one header block. Lines over the limits are not kept: the block must be decoded to its end all the same,
// as the connection's compression state depends on it.
class HeadReader {
 public:
  enum class Block : std::uint8_t { request, response, trailers };

  void start(Block block);
  // `secret`: it came as one that must never be indexed, and is to be sent on as such (RFC 7541 section 6.2.3).
  void line(std::string_view name, std::string_view value, const http::Limits& limits, bool secret = false);
  // The block is complete; `end`: it ended the message too. The head of a request or response (also kept in head()), or why it is
  // to be refused, with the status to answer.
  Result<void> finish(bool end);
  // A decoded size that no honest peer reaches: the rest of the block is not worth looking at.
  bool hopeless(const http::Limits& limits) const { return decoded_ > 16 * limits.head; }

  std::size_t decoded() const { return decoded_; }

  Block block() const { return block_; }
  http::Head& head() { return head_; }
  http::Head take();
  // A head whose memory serves the next one.
  void recycle(http::Head head);

 private:
  void pseudo(std::string_view name, std::string_view value);
  Result<void> finish_request(bool end);

  Block block_ = Block::request;
  http::Head head_;
  std::vector<http::Head> spare_;
  std::string host_, cookies_;
  bool has_host_ = false, secret_cookies_ = false;
  std::size_t decoded_ = 0, size_ = 0, lines_ = 0;
  std::optional<Error> refused_;
};

// A header list for nghttp2, which copies it: views into the head that it was made of, and into itself.
class HeadWriter {
 public:
  // A request of a client; a WebSocket's key has no place here (RFC 8441 section 5).
  void request(const http::Head& head);
  void response(const http::Head& head);
  void trailers(const http::Fields& fields);

  const nghttp2_nv* data() const { return lines_.data(); }
  std::size_t size() const { return lines_.size(); }

 private:
  void add(std::string_view name, std::string_view value, bool secret = false);
  void add_number(std::string_view name, std::uint64_t number);
  void add_fields(const http::Fields& fields, http::Name without);

  std::vector<nghttp2_nv> lines_;
  char digits_[2][20];
  unsigned numbers_ = 0;
};

}  // namespace cmux::http2
