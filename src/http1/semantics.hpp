// From HTTP/1's lines to the one form of a head and back: framing (RFC 9112 section 6), connection fields (RFC 9110
// section 7.6.1), Host, upgrades. Pure.
#pragma once

#include "base/buffer.hpp"
#include "http/stream.hpp"

namespace cmux::http1 {

enum class Framing : std::uint8_t { none, length, chunked, until_close };

struct MessageInfo {
  Framing framing = Framing::none;
  bool keep_alive = true;
  std::optional<std::uint32_t> keeps;  // seconds for which the peer keeps an idle connection, where it says so
};

// Takes Host, framing and connection fields out of a parsed request and checks them; errors carry the status to answer.
Result<MessageInfo> normalise_request(http::Head& head);

// The same for a response to a request of that method and upgrade protocol (empty: none).
Result<MessageInfo> normalise_response(http::Head& head, std::string_view method, std::string_view protocol);

// Of requests to another proxy, which get their target in absolute form (RFC 9112 section 3.2.2).
struct ProxyForm {
  std::string authorization;  // the value of Proxy-Authorization; empty: none
};

// Appends a request in origin form (or for `proxy` in that), or a CONNECT, with the fields that its framing and form need. The
// framing that follows is returned.
Framing write_request(const http::Head& head, Buffer& out, const ProxyForm* proxy = nullptr);

struct ResponseForm {
  std::uint8_t client_version = 11;
  bool head_request = false;  // a response without a body, whatever it says of one
  bool upgrade = false;       // answers an upgrade
  bool keep_alive = true;     // wanted; cleared where the framing does not allow it
  std::string_view protocol;  // of the upgrade
  std::string_view websocket_key;
};
Framing write_response(const http::Head& head, ResponseForm& form, Buffer& out);

void write_fields(const http::Fields& fields, Buffer& out);
std::string_view reason_of(std::uint16_t status);

// RFC 6455 section 4.2.2: what Sec-WebSocket-Accept must be for a key. And a fresh key.
std::string websocket_accept(std::string_view key);
std::string make_websocket_key();

}  // namespace cmux::http1
