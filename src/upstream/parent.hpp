// Parent: the proxy that connections to origins go through, where one is set, and which of them do. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http1/semantics.hpp"
#include "net/address.hpp"

namespace cmux::upstream {

struct Parent {
  enum class Kind : std::uint8_t { http, https, socks5 };
  Kind kind = Kind::http;
  net::Authority at;               // with its port
  std::string username, password;  // for SOCKS5; both empty: none
  http1::ProxyForm form;           // ... and for the others

  bool takes_absolute_form() const { return kind != Kind::socks5; }
  // "http://proxy.example:3128": for people, without the credentials.
  std::string text() const;
  // The same, and that there are credentials.
  std::string redacted() const;
};

// "http://[user:password@]host[:port]", https://, socks5:// or socks5h://; user and password percent-encoded where they must be.
// Errors are Errc::config and quote nothing of the text, which may hold a password.
Result<Parent> parse_parent(std::string_view url);

// What NO_PROXY says, as curl and Go read it: hosts, with all below them and with or without a dot in front; globs over hosts
// ("*.name" for what is below it alone, "10.1.*", "*" for everything); addresses and networks ("10.0.0.0/8", for targets that are
// addresses); hosts and addresses with a port or without. What is none of these covers nothing, and is told of.
class Bypass {
 public:
  Bypass() = default;
  explicit Bypass(std::string_view text);
  bool covers(std::string_view host, std::uint16_t port) const;
  const std::string& text() const { return text_; }
  const std::vector<std::string>& not_understood() const { return not_understood_; }

 private:
  struct Entry {
    std::string name;  // a host, or a glob; empty where there is a network
    std::optional<net::Endpoint> network;
    unsigned bits = 0;  // of the network's address that count
    std::optional<std::uint16_t> port;
  };
  static std::optional<Entry> read(std::string_view text);
  static bool matches(const Entry& entry, std::string_view host);
  std::string text_;
  std::vector<Entry> entries_;
  std::vector<std::string> not_understood_;
};

struct Parents {
  std::optional<Parent> requests;  // for http:// URLs, in absolute form where it takes that
  std::optional<Parent> tunnels;   // for all else: TLS, upgrades, HTTP/2, raw bytes
  Bypass bypass;

  bool any() const { return requests || tunnels; }
  bool operator==(const Parents& other) const;
  // Null: straight. Loopback never goes to a parent.
  const Parent* find(std::string_view host, std::uint16_t port, bool tunnel) const;
};

}  // namespace cmux::upstream
