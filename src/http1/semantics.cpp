#include "http1/semantics.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "http1/parser.hpp"

namespace cmux::http1 {
namespace {

using http::Fields;
using http::Head;
using http::Name;

struct Lengths {
  bool chunked = false;
  std::optional<std::uint64_t> content_length;
};

// Every way in which two readers could disagree about where a message ends is an error (RFC 9112 section 6.3).
Result<Lengths> read_lengths(const Head& head) {
  Lengths out;
  std::string_view last_coding;
  unsigned codings = 0, chunked = 0;
  for (const auto field : head.fields) {
    if (field.known == Name::transfer_encoding) {
      unsigned here = 0;
      http::for_each_token(field.value, [&](std::string_view coding) {
        last_coding = coding, ++codings, ++here;
        chunked += http::equal_ignoring_case(coding, "chunked");
      });
      if (here == 0) return malformed("empty Transfer-Encoding");
    }
    if (field.known == Name::content_length) {
      std::uint64_t length = 0;
      const char* const end = field.value.data() + field.value.size();
      const auto [stop, failed] = std::from_chars(field.value.data(), end, length);
      if (failed != std::errc{} || stop != end || field.value.size() > 18) return malformed("Content-Length is no number");
      // The grammar has them, but no sender does, and readers exist that take such a number for an octal one.
      if (field.value.size() > 1 && field.value.front() == '0') return malformed("zeros in front of the Content-Length");
      if (out.content_length && *out.content_length != length) return malformed("Content-Length is given twice and differs");
      out.content_length = length;
    }
  }
  if (codings == 0) return out;
  if (out.content_length) return malformed("Content-Length together with Transfer-Encoding");
  if (head.version == 10) return malformed("Transfer-Encoding in HTTP/1.0");
  if (!http::equal_ignoring_case(last_coding, "chunked")) return malformed("Transfer-Encoding does not end in chunked");
  if (chunked > 1) return malformed("Transfer-Encoding is chunked twice");
  if (codings > 1) return malformed("a transfer coding besides chunked", 501);
  out.chunked = true;
  return out;
}

struct ConnectionOptions {
  bool close = false, keep_alive = false, upgrade = false;
  std::optional<std::uint32_t> keeps;
};

// "timeout=5, max=100": widely said, and described in RFC 2068 section 19.7.1 alone.
std::optional<std::uint32_t> keep_alive_timeout(std::string_view value) {
  std::optional<std::uint32_t> seconds;
  http::for_each_token(value, [&](std::string_view parameter) {
    constexpr std::string_view kTimeout = "timeout=";
    if (!http::equal_ignoring_case(parameter.substr(0, kTimeout.size()), kTimeout)) return;
    std::uint32_t number = 0;
    const char* const end = parameter.data() + parameter.size();
    const auto [stop, failed] = std::from_chars(parameter.data() + kTimeout.size(), end, number);
    if (failed == std::errc{} && stop == end) seconds = number;
  });
  return seconds;
}

// The names in Connection: thousands may be asked for by hundreds of fields.
class Named {
 public:
  void add(std::string_view name) { names_.push_back(name); }
  void sort() { std::sort(names_.begin(), names_.end(), http::less_ignoring_case); }
  bool has(std::string_view name) const {
    return std::binary_search(names_.begin(), names_.end(), name, http::less_ignoring_case);
  }

 private:
  std::vector<std::string_view> names_;
};

// Reads Connection (and Proxy-Connection) and removes them, what they name, and the fields that never go on.
ConnectionOptions take_connection_fields(Fields& fields) {
  ConnectionOptions options;
  Named named;  // views of `fields`, which keep their text when lines are removed
  bool any = false;
  for (const auto field : fields) {
    switch (field.known) {
      case Name::connection:
      case Name::proxy_connection:
        any = true;
        http::for_each_token(field.value, [&](std::string_view option) {
          if (http::equal_ignoring_case(option, "close")) options.close = true;
          else if (http::equal_ignoring_case(option, "keep-alive")) options.keep_alive = true;
          else if (http::equal_ignoring_case(option, "upgrade")) options.upgrade = true;
          // Needed to know who asks, and whether it has been here; they are removed where that is decided.
          else if (const Name name = http::name_of(option); name != Name::proxy_authorization && name != Name::x_cmux_proxied)
            named.add(option);
        });
        break;
      case Name::keep_alive:
        any = true;
        options.keeps = keep_alive_timeout(field.value);
        break;
      case Name::te:
      case Name::transfer_encoding:
      case Name::content_length:
      case Name::upgrade:
      case Name::http2_settings:
      case Name::host: any = true; break;
      default: break;
    }
  }
  named.sort();
  if (any)
    fields.remove_if([&](const Fields::Field& field) {
      switch (field.known) {
        case Name::connection:
        case Name::proxy_connection:
        case Name::keep_alive:
        case Name::te:
        case Name::transfer_encoding:
        case Name::content_length:
        case Name::upgrade:
        case Name::http2_settings:
        case Name::host: return true;
        default: break;
      }
      return named.has(field.name);
    });
  return options;
}

// The protocol to upgrade to, or nothing where the field is to be ignored: RFC 9110 section 7.8 lets a server do so. HTTP/2 by
// upgrade is obsolete and would let a client talk past the proxy; TLS by upgrade has no use here.
std::string upgrade_protocol(const Head& head) {
  std::string protocol;
  if (const auto value = head.fields.get(Name::upgrade))
    http::for_each_token(*value, [&](std::string_view item) {
      if (protocol.empty() && http::may_upgrade_to(item)) protocol = item;
    });
  return protocol;
}

// The same place; clients leave the port out that is usual for https. A target that is none is the exchange's to refuse.
bool agrees(const net::Authority& host, std::string_view target) {
  const auto wanted = net::parse_authority(target);
  if (!wanted) return true;
  return host.host == wanted->host && (!host.port || !wanted->port || host.port == wanted->port);
}

}  // namespace

Result<MessageInfo> normalise_request(Head& head) {
  const auto lengths = read_lengths(head);
  if (!lengths) return lengths.error();
  const std::size_t hosts = head.fields.count(Name::host);
  if (hosts > 1) return malformed("more than one Host");
  if (hosts == 0 && head.version >= 11) return malformed("no Host");
  if (hosts == 1) {
    // An empty one would be right for a target without an authority, and there is none of those. It says nothing more where the
    // target is an absolute URL (RFC 9112 section 3.2.2), and has to agree with that of a CONNECT.
    const std::string_view text = *head.fields.get(Name::host);
    const auto host = net::parse_authority(text);
    if (!host) return malformed(fmt::format("bad Host: {}", host.error().detail));
    if (head.origin_form) head.authority = text;
    else if (head.is_connect() && !agrees(*host, head.authority)) return malformed("Host is not what CONNECT asks for");
  }
  if (head.origin_form && head.authority.empty()) return malformed("no host: neither in the request target nor in Host");

  MessageInfo info;
  if (head.is_connect()) {
    if (lengths->chunked || lengths->content_length.value_or(0) != 0) return malformed("CONNECT with a body");
    head.end = true;
  } else if (lengths->chunked) {
    info.framing = Framing::chunked;
  } else {
    head.content_length = lengths->content_length;
    info.framing = lengths->content_length.value_or(0) > 0 ? Framing::length : Framing::none;
    head.end = info.framing == Framing::none;
  }
  if (const auto te = head.fields.get(Name::te)) head.trailers_accepted = http::has_token(*te, "trailers");
  std::string protocol = upgrade_protocol(head);
  const ConnectionOptions options = take_connection_fields(head.fields);
  info.keep_alive = !options.close && (head.version >= 11 || options.keep_alive);
  if (options.upgrade && !protocol.empty() && head.version >= 11 && head.method == "GET" && head.end) {
    head.content_length.reset();
    head.method = "CONNECT";
    head.protocol = std::move(protocol);
  }
  return info;
}

Result<MessageInfo> normalise_response(Head& head, std::string_view method, std::string_view protocol) {
  MessageInfo info;
  const bool interim = head.status < 200;
  if (head.status == 101 && protocol.empty()) return malformed("101 Switching Protocols without having been asked");
  if (head.status == 101) {
    const auto chosen = head.fields.get(Name::upgrade);
    if (!chosen || !http::equal_ignoring_case(*chosen, protocol))
      return malformed(fmt::format("upgrade to '{}' where '{}' was asked for", chosen.value_or(""), protocol));
  }
  const bool connected = method == "CONNECT" && protocol.empty() && head.status >= 200 && head.status < 300;
  head.tunnel = connected || head.status == 101;
  Lengths lengths;
  // RFC 9110 section 8.6 and RFC 9112 section 6.1: here they mean nothing and are not passed on.
  if (!head.tunnel && !interim && head.status != 204) {
    const auto read = read_lengths(head);
    if (!read) return read.error();
    lengths = *read;
  } else if (connected) {
    // RFC 9110 section 9.3.6: nor here. Who has asked may want to know that a body was announced all the same.
    if (const auto read = read_lengths(head)) lengths = *read;
  }
  const ConnectionOptions options = take_connection_fields(head.fields);
  head.fields.remove(Name::proxy_authenticate);
  info.keep_alive = !options.close && (head.version >= 11 || options.keep_alive);
  info.keeps = options.keeps;
  head.content_length = lengths.content_length;
  if (head.tunnel) {
    info.framing = Framing::until_close;
    info.keep_alive = false;  // even where both sides have said their end, and nobody has seen the connection's
    return info;
  }
  if (interim || head.status == 204 || head.status == 304 || method == "HEAD") info.framing = Framing::none;
  else if (lengths.chunked) info.framing = Framing::chunked;
  else if (lengths.content_length) info.framing = *lengths.content_length > 0 ? Framing::length : Framing::none;
  else info.framing = Framing::until_close;
  head.end = info.framing == Framing::none;
  if (info.framing == Framing::until_close) info.keep_alive = false;
  return info;
}

}  // namespace cmux::http1
