#include "socks/messages.hpp"

#include <catch2/catch.hpp>

#include <fmt/format.h>

using namespace cmux;
using namespace cmux::socks;
using namespace std::string_literals;

namespace {

std::string described(const Greeting& greeting) {
  return fmt::format("{}{}", greeting.none ? "none " : "", greeting.password ? "password" : "");
}
std::string described(const Login& login) { return login.username + "/" + login.password; }
std::string described(const Request& request) { return request.target.text(); }
std::string described(std::uint8_t method) { return std::to_string(method); }
std::string described(bool good) { return good ? "good" : "bad"; }
std::string described(Reply reply) { return std::to_string(static_cast<int>(reply)); }

// What becomes of the bytes: "<size> <message>", "more" or the error.
template <class Message>
std::string read(Result<std::size_t> (*parse)(std::string_view, Message&), std::string_view bytes) {
  Message message{};
  const auto size = parse(bytes, message);
  std::string reply;
  if constexpr (std::is_same_v<Message, Request>) reply = fmt::format(" ({})", static_cast<int>(message.refusal));
  if (!size) return fmt::format("{}{}: {}", size.error().status, reply, size.error().detail);
  return *size == 0 ? "more" : fmt::format("{} {}", *size, described(message));
}

// However the bytes come, one after the other or with more behind them, the same is read, and never before it is all there.
template <class Message>
void check(Result<std::size_t> (*parse)(std::string_view, Message&), const std::string& bytes, const std::string& expected) {
  INFO(fmt::format("{:02x}", fmt::join(std::vector<unsigned char>(bytes.begin(), bytes.end()), " ")));
  std::string first = "more";
  std::size_t end = 0;
  for (; first == "more" && end <= bytes.size(); ++end) first = read(parse, std::string_view(bytes).substr(0, end));
  CHECK(first == expected);
  if (first == "more") return;
  for (; end <= bytes.size(); ++end) CHECK(read(parse, std::string_view(bytes).substr(0, end)) == expected);
  CHECK(read(parse, bytes + "\x16\x03\x01"s) == expected);
}

std::string request(char command, char type, const std::string& address, unsigned port = 3000, char reserved = 0) {
  return "\x05"s + command + reserved + type + address + static_cast<char>(port >> 8) + static_cast<char>(port & 0xff);
}
std::string named(const std::string& name, unsigned port = 3000) {
  return request(1, 3, static_cast<char>(name.size()) + name, port);
}

}  // namespace

TEST_CASE("socks: a greeting says what its client knows") {
  check(&parse_greeting, "\x05\x01\x00"s, "3 none ");
  check(&parse_greeting, "\x05\x02\x00\x02"s, "4 none password");
  check(&parse_greeting, "\x05\x03\x01\x02\x80"s, "5 password");
  check(&parse_greeting, "\x05\x01\x01"s, "3 ");  // GSSAPI alone
  check(&parse_greeting, "\x05\x00"s, "2 ");
  check(&parse_greeting, "\x05\xff"s + std::string(255, '\x02'), "257 password");
  check(&parse_greeting, "\x05\xff"s + std::string(254, '\x02'), "more");
  check(&parse_greeting, "\x04\x01\x00\x50"s, "400: SOCKS: version 4 is not spoken here, 5 is");
  check(&parse_greeting, "\x06"s, "400: SOCKS: version 6 is not spoken here, 5 is");
}

TEST_CASE("socks: user name and password") {
  check(&parse_login, "\x01\x04user\x06secret"s, "13 user/secret");
  check(&parse_login, "\x01\x00\x00"s, "3 /");
  check(&parse_login, "\x01\x01\x00\x01:"s, "5 \0/:"s);
  check(&parse_login, "\x01\xff"s + std::string(255, 'u') + "\xff" + std::string(255, 'p'),
        "513 " + std::string(255, 'u') + "/" + std::string(255, 'p'));
  check(&parse_login, "\x01\x04user\x07secret"s, "more");
  check(&parse_login, "\x05\x04user\x06secret"s, "400: SOCKS: not version 1 of user name and password");
}

TEST_CASE("socks: requests for names and addresses") {
  check(&parse_request, named("localhost"), "16 localhost:3000");
  check(&parse_request, named("LocalHost."), "17 localhost:3000");
  check(&parse_request, named("example.com", 65535), "18 example.com:65535");
  check(&parse_request, request(1, 1, "\x7f\x00\x00\x01"s, 22), "10 127.0.0.1:22");
  check(&parse_request, request(1, 1, "\x00\x00\x00\x00"s, 22), "10 0.0.0.0:22");
  check(&parse_request, request(1, 4, std::string(15, '\0') + "\x01", 443), "22 [::1]:443");
  check(&parse_request, request(1, 4, std::string(10, '\0') + "\xff\xff\x7f\x00\x00\x01"s), "22 [::ffff:127.0.0.1]:3000");
  // Chromium sends addresses as names.
  check(&parse_request, named("127.0.0.1"), "16 127.0.0.1:3000");
  check(&parse_request, named("::1"), "10 [::1]:3000");
  check(&parse_request, named("[::1]"), "12 [::1]:3000");
  check(&parse_request, named("fe80::1%eth0"), "19 [fe80::1%25eth0]:3000");
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + label.substr(2);
  check(&parse_request, named(longest), "260 " + longest + ":3000");
}

TEST_CASE("socks: requests that are refused, with their reply") {
  const std::string prefix = "400 (1): SOCKS: authority: ";
  const std::string no_name = prefix + "the host must be a name, an IPv4 address, or an IPv6 address in brackets";
  check(&parse_request, named(""), prefix + "the host is missing");
  check(&parse_request, named(std::string(255, 'a')), no_name);
  check(&parse_request, named(std::string(126, 'a') + "." + std::string(126, 'b')), no_name);
  check(&parse_request, named("local\0host"s), no_name);
  check(&parse_request, named("local host"), no_name);
  check(&parse_request, named("b\xc3\xbc.example"), no_name);
  check(&parse_request, named("user@localhost"), prefix + "user info is not allowed");
  check(&parse_request, named("localhost:80"), prefix + "not an IPv6 address");
  check(&parse_request, named("[::1]:80"), prefix + "the port must be a number from 1 to 65535");
  check(&parse_request, named("[::1"), prefix + "a bracket is not closed");
  check(&parse_request, named("::1]"), prefix + "only a colon and a port may follow the closing bracket");
  check(&parse_request, named("localhost", 0), prefix + "the port must be a number from 1 to 65535");
  check(&parse_request, request(1, 1, "\x7f\x00\x00\x01"s, 0), prefix + "the port must be a number from 1 to 65535");
  check(&parse_request, request(2, 1, "\x7f\x00\x00\x01"s), "501 (7): SOCKS: command 2; only CONNECT (1) is served");
  check(&parse_request, request(3, 3, "\x09localhost"s), "501 (7): SOCKS: command 3; only CONNECT (1) is served");
  check(&parse_request, request(1, 2, "x"), "501 (8): SOCKS: address type 2");
  check(&parse_request, "\x05\x01\x00\x00"s, "501 (8): SOCKS: address type 0");
  check(&parse_request, request(1, 1, "\x7f\x00\x00\x01"s, 80, 1), "400 (1): SOCKS: the reserved byte is not zero");
  check(&parse_request, "\x04\x01\x00\x01"s, "400 (1): SOCKS: not version 5");
  check(&parse_request, "GET / HTTP/1.1\r\n\r\n"s, "400 (1): SOCKS: not version 5");
}

TEST_CASE("socks: answers are the bytes that the RFCs say") {
  CHECK(method_text(0) == "\x05\x00"s);
  CHECK(method_text(0xff) == "\x05\xff"s);
  CHECK(other_version_text(4) == "\x00\x5b\x00\x00\x00\x00\x00\x00"s);
  CHECK(other_version_text(6) == "\x05\xff"s);
  CHECK(login_text(true) == "\x01\x00"s);
  CHECK(login_text(false) == "\x01\x01"s);
  CHECK(reply_text(Reply::succeeded) == "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"s);
  CHECK(reply_text(Reply::refused) == "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"s);
}

TEST_CASE("socks: a client's messages are the bytes that the RFCs say") {
  CHECK(greeting_text(false) == "\x05\x01\x00"s);
  CHECK(greeting_text(true) == "\x05\x02\x00\x02"s);
  CHECK(login_request_text({"me", "pass"}) == "\x01\x02me\x04pass"s);
  CHECK(login_request_text({std::string(255, 'u'), ""}) == "\x01\xff"s + std::string(255, 'u') + "\0"s);
  CHECK(request_text({"a.test", false, 3000}) == named("a.test"));
  CHECK(request_text({"127.0.0.1", false, 443}) == request(1, 1, "\x7f\x00\x00\x01"s, 443));
  CHECK(request_text({"::1", true, 65535}) == request(1, 4, std::string(15, '\0') + '\x01', 65535));
}

TEST_CASE("socks: a server's answers are read, whatever it is") {
  check(&parse_method, "\x05\x02"s, "2 2");
  check(&parse_method, "\x05\xff"s, "2 255");
  check(&parse_method, "HTTP/1.1 400"s, "0: it does not speak SOCKS5");
  check(&parse_login_reply, "\x01\x00"s, "2 good");
  check(&parse_login_reply, "\x01\x01"s, "2 bad");
  check(&parse_login_reply, "\x05\x00"s, "0: it does not speak SOCKS5");
  check(&parse_reply, "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"s, "10 0");
  check(&parse_reply, "\x05\x00\x00\x04"s + std::string(18, 'x'), "22 0");
  check(&parse_reply, "\x05\x00\x00\x03\x03one\x00\x50"s, "10 0");
  check(&parse_reply, "\x05\x05"s, "2 5");
  check(&parse_reply, "\x05\x63\x00\x01"s, "2 99");
  check(&parse_reply, "\x05\x00\x00\x07\x00"s, "0: its reply has an address of no known type");
  check(&parse_reply, "\x04\x00"s, "0: it does not speak SOCKS5");
}

TEST_CASE("socks: what HTTP says of a failed CONNECT has a reply code") {
  const auto code = [](std::uint16_t status, std::string_view proxy_status) {
    http::Head head;
    head.status = status;
    if (!proxy_status.empty()) head.fields.add(http::Name::proxy_status, proxy_status);
    return static_cast<int>(reply_of(head));
  };
  CHECK(code(502, "cmuxproxy; error=connection_refused; details=\"; error=dns_error\"") == 5);
  CHECK(code(502, "cmuxproxy; error=destination_ip_unroutable") == 3);
  CHECK(code(502, "cmuxproxy; error=dns_error; details=\"x\"") == 4);
  CHECK(code(504, "cmuxproxy; error=dns_timeout") == 4);
  CHECK(code(504, "cmuxproxy; error=connection_timeout") == 6);
  CHECK(code(508, "cmuxproxy; error=proxy_loop_detected") == 2);
  CHECK(code(407, "cmuxproxy; error=http_request_denied") == 2);
  CHECK(code(503, "cmuxproxy; error=connection_limit_reached") == 1);
  CHECK(code(400, "cmuxproxy; error=http_request_error") == 1);
  CHECK(code(502, "") == 1);
  http::Head open;
  open.status = 200, open.tunnel = true;
  CHECK(reply_of(open) == Reply::succeeded);
}
