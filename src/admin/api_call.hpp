// One request to the admin API on its way through it. Private to Api.
#pragma once

#include <boost/json/value.hpp>
#include <charconv>

#include "admin/api.hpp"

namespace cmux::admin {

struct Api::Call {
  const http::Head& head;
  http::Stream& stream;
  std::string id;                            // what the path names
  std::map<std::string, std::string> query;  // known parameters only
  boost::json::value body;                   // null where there was none

  const std::string* parameter(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? nullptr : &found->second;
  }
};

struct Api::Operation {
  static constexpr std::size_t kMostBody = 1024 * 1024;
  static constexpr std::size_t kMostReplayed = 4 * 1024 * 1024;  // of a request that is sent again, in JSON

  std::string_view method, path;
  Task<Reply> (Api::*handle)(Call&);
  std::vector<std::string_view> parameters = {};  // of the query
  bool takes_body = false;
  // Who may: whoever has the token; the inspector's page too, by its cookie; everybody.
  Access access = Access::token;
  std::size_t most_body = kMostBody;
};

// Room for an answer until its client has taken it; what is small needs none, and one alone gets what it needs.
class Api::Room {
 public:
  static constexpr std::size_t kMost = 64 * 1024 * 1024;  // bytes, of all answers together
  static constexpr std::size_t kSmall = 64 * 1024;        // ... that count as nothing

  Room(Api& api, std::size_t bytes) : api_(api) {
    if (bytes <= kSmall) return;
    given_ = api.answering_ == 0 || api.answering_ + bytes <= kMost;
    if (given_) api.answering_ += bytes_ = bytes;
  }
  ~Room() { api_.answering_ -= bytes_; }
  Room(const Room&) = delete;
  bool given() const { return given_; }

 private:
  Api& api_;
  std::size_t bytes_ = 0;
  bool given_ = true;
};

// False: it is no whole number, or too large a one.
inline bool read_number(std::string_view text, std::uint64_t& number) {
  const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && failed == std::errc{} && stop == text.data() + text.size();
}

// An answer that the operation has sent itself.
inline Reply already_answered() {
  Reply reply;
  reply.status = 0;
  return reply;
}

}  // namespace cmux::admin
