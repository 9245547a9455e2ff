// A SOCKS5 client's bytes (RFC 1928, RFC 1929).
#pragma once

#include "support.hpp"

namespace e2e {

using namespace std::string_literals;

inline const std::string kGreetNone = "\x05\x01\x00"s, kGreetPassword = "\x05\x01\x02"s;

inline std::string socks_text(std::string_view text) { return static_cast<char>(text.size()) + std::string(text); }
inline std::string socks_login(const Context& context) {
  return "\x01" + socks_text(context.username) + socks_text(context.password);
}
inline std::string socks_request(std::string_view name, std::uint16_t port, char command = 1) {
  return "\x05"s + command + "\x00\x03"s + socks_text(name) + static_cast<char>(port >> 8) + static_cast<char>(port & 0xff);
}
inline std::string socks_reply(int code) { return "\x05"s + static_cast<char>(code) + "\x00\x01\x00\x00\x00\x00\x00\x00"s; }

// With the context's credentials, up to where the request may come.
inline Client socks_greeted(const Proxy& proxy, const Context& context) {
  Client client = proxy.connect();
  client.send(kGreetPassword);
  if (client.read_exactly(2) != "\x05\x02"s) FAIL("no password is asked for");
  client.send(socks_login(context));
  if (client.read_exactly(2) != "\x01\x00"s) FAIL("the password is refused");
  return client;
}
// ... without any, on a context's own port.
inline Client socks_greeted(std::uint16_t port) {
  Client client(port);
  client.send(kGreetNone);
  if (client.read_exactly(2) != "\x05\x00"s) FAIL("method 0 is refused");
  return client;
}

// The reply code to a request; the connection then ends, unless it is 0.
inline int socks_code(Client& client, const std::string& request) {
  client.send(request);
  const std::string reply = client.read_exactly(10);
  CHECK(reply == socks_reply(reply[1]));
  if (reply[1] != 0) {
    CHECK(client.read_all_until_close().empty());
    CHECK_FALSE(client.was_reset());
  }
  return reply[1];
}

inline std::uint16_t dedicated_port(const Context& context) {
  return static_cast<std::uint16_t>(number_in(context.json, "dedicatedPort"));
}

}  // namespace e2e
