// SOCKS5's messages (RFC 1928, and RFC 1929 for a user's name and password), from bytes and to bytes. Pure.
//
// The parsers get all bytes that have come until now and answer how many of them the message has; 0: more must come. They fail as
// soon as it is clear that more would not help. No message is longer than kLongest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/stream.hpp"
#include "net/address.hpp"

namespace cmux::socks {

inline constexpr char kVersion = 5;
// Does a connection begin like one of SOCKS? 4 and 6 are refused as what they are: to wait for the end of an HTTP line would
// leave their clients waiting.
constexpr bool begins(char first) { return first >= 4 && first <= 6; }
inline constexpr std::size_t kLongest = 3 + 255 + 255;  // a login

// RFC 1928 section 6. Their numbers are those on the wire.
enum class Reply : std::uint8_t {
  succeeded = 0,
  general_failure = 1,
  not_allowed = 2,
  network_unreachable = 3,
  host_unreachable = 4,
  refused = 5,
  ttl_expired = 6,
  command_unsupported = 7,
  address_unsupported = 8,
};

// Section 3: the ways to say who one is that are known here.
inline constexpr std::uint8_t kMethodNone = 0, kMethodPassword = 2, kNoMethod = 0xff;

// Those of them that the client knows.
struct Greeting {
  bool none = false, password = false;
};
Result<std::size_t> parse_greeting(std::string_view bytes, Greeting& out);

// RFC 1929 section 2.
struct Login {
  std::string username, password;
};
Result<std::size_t> parse_login(std::string_view bytes, Login& out);

// Section 4. A name may be an address as text, with or without brackets (Chromium sends all its hosts as names).
struct Request {
  net::Authority target;
  Reply refusal = Reply::succeeded;  // of an error: what the client is told
};
// The error's status is what HTTP would say.
Result<std::size_t> parse_request(std::string_view bytes, Request& out);

// Section 3.
std::string method_text(std::uint8_t method);
// To a greeting in another version, in that version where it has words for it.
std::string other_version_text(char version);
std::string login_text(bool good);
// Section 6. Of the address that the connection is bound to nothing is told: 0.0.0.0 and port 0.
std::string reply_text(Reply reply);

// What says best in SOCKS what a response to CONNECT says by its status and Proxy-Status.
Reply reply_of(const http::Head& response);

// --- the client's side ---

// Section 3: none, or a password too.
std::string greeting_text(bool with_password);
Result<std::size_t> parse_method(std::string_view bytes, std::uint8_t& out);
// RFC 1929 section 2. At most 255 bytes each.
std::string login_request_text(const Login& login);
Result<std::size_t> parse_login_reply(std::string_view bytes, bool& good);
// Sections 4 and 6. An address goes as what it is, any other host as a name, for the server to resolve.
std::string request_text(const net::Authority& target);
Result<std::size_t> parse_reply(std::string_view bytes, Reply& out);

}  // namespace cmux::socks
