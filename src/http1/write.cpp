// From the one form of a head to HTTP/1's lines: the writing half of http1/semantics.hpp.
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>

#include "http1/semantics.hpp"
#include "tls/digest.hpp"

namespace cmux::http1 {
namespace {

using http::Fields;
using http::Head;
using http::Name;

void append_number(Buffer& out, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append({digits, static_cast<std::size_t>(end - digits)});
}

void append_content_length(Buffer& out, std::uint64_t length) {
  out.append("Content-Length: ");
  append_number(out, length);
  out.append("\r\n");
}

// HTTP/2 has trailers behind a body of known length, HTTP/1 behind chunks alone: announced ones are worth more than the length.
bool needs_chunks(const Head& head) {
  return head.version == 20 && !head.end && head.content_length.value_or(0) > 0 && head.fields.contains(Name::trailer);
}

}  // namespace

void write_fields(const Fields& fields, Buffer& out) {
  for (const auto field : fields) {
    const std::size_t size = field.name.size() + field.value.size() + 4;
    char* at = out.prepare(size).data();
    at = std::copy(field.name.begin(), field.name.end(), at);
    *at++ = ':', *at++ = ' ';
    at = std::copy(field.value.begin(), field.value.end(), at);
    *at++ = '\r', *at++ = '\n';
    out.commit(size);
  }
}

Framing write_request(const Head& head, Buffer& out, const ProxyForm* proxy) {
  const bool upgrade = head.is_upgrade(), connect = head.is_connect() && !upgrade;
  out.append(upgrade ? std::string_view("GET") : head.method);
  out.append(" ");
  if (proxy && !connect) {
    out.append(head.scheme);
    out.append("://");
  }
  if (proxy || connect) out.append(head.authority);
  // RFC 9112 section 3.2.4: what asks for the server as a whole has no path in absolute form.
  if (!connect && !(proxy && head.path == "*")) out.append(head.path);
  out.append(" HTTP/1.1\r\nHost: ");
  out.append(head.authority);
  out.append("\r\n");
  if (proxy && !proxy->authorization.empty()) {
    out.append("Proxy-Authorization: ");
    out.append(proxy->authorization);
    out.append("\r\n");
  }
  write_fields(head.fields, out);
  // For the next proxy, and nobody behind it: one that does not know it takes it out, as RFC 9110 section 7.6.1 has it.
  if (proxy && head.fields.contains(Name::x_cmux_proxied)) out.append("Connection: X-Cmux-Proxied\r\n");
  Framing framing = Framing::none;
  if (upgrade) {
    out.append("Connection: Upgrade\r\nUpgrade: ");
    out.append(head.protocol);
    out.append("\r\n");
  } else if (!head.is_connect()) {
    if (head.content_length && !needs_chunks(head)) {
      append_content_length(out, *head.content_length);
      framing = *head.content_length > 0 ? Framing::length : Framing::none;
    } else if (!head.end) {
      out.append("Transfer-Encoding: chunked\r\n");
      framing = Framing::chunked;
    } else if (head.method == "POST" || head.method == "PUT" || head.method == "PATCH") {
      append_content_length(out, 0);
    }
    if (head.trailers_accepted) out.append("Connection: TE\r\nTE: trailers\r\n");
  }
  out.append("\r\n");
  return framing;
}

Framing write_response(const Head& head, ResponseForm& form, Buffer& out) {
  const bool switching = head.tunnel && form.upgrade;
  const std::uint16_t status = switching ? 101 : head.status;
  out.append(form.client_version == 10 ? "HTTP/1.0 " : "HTTP/1.1 ");
  append_number(out, status);
  out.append(" ");
  out.append(head.reason.empty() || switching ? reason_of(status) : std::string_view(head.reason));
  out.append("\r\n");
  write_fields(head.fields, out);
  Framing framing = Framing::none;
  if (head.tunnel) {
    if (switching) {
      out.append("Connection: Upgrade\r\nUpgrade: ");
      out.append(form.protocol);
      out.append("\r\n");
      if (!form.websocket_key.empty() && !head.fields.contains(Name::sec_websocket_accept)) {
        out.append("Sec-WebSocket-Accept: ");
        out.append(websocket_accept(form.websocket_key));
        out.append("\r\n");
      }
    }
    framing = Framing::until_close;
  } else if (head.is_interim() || status == 204) {
    framing = Framing::none;
  } else if (form.head_request || status == 304) {
    if (head.content_length) append_content_length(out, *head.content_length);
  } else if (head.end || (head.content_length && !(form.client_version >= 11 && needs_chunks(head)))) {
    const std::uint64_t length = head.content_length.value_or(0);
    append_content_length(out, length);
    framing = length > 0 ? Framing::length : Framing::none;
  } else if (form.client_version >= 11) {
    out.append("Transfer-Encoding: chunked\r\n");
    framing = Framing::chunked;
  } else {
    framing = Framing::until_close;
    form.keep_alive = false;
  }
  if (!head.is_interim() && !head.tunnel) {
    if (!form.keep_alive) out.append("Connection: close\r\n");
    else if (form.client_version == 10) out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
  return framing;
}

std::string_view reason_of(std::uint16_t status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 508: return "Loop Detected";
    default: return "";
  }
}

std::string websocket_accept(std::string_view key) {
  std::string joined(key);
  joined += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::string digest(SHA_DIGEST_LENGTH, '\0');
  SHA1(reinterpret_cast<const unsigned char*>(joined.data()), joined.size(), reinterpret_cast<unsigned char*>(digest.data()));
  return tls::base64(digest);
}

std::string make_websocket_key() {
  std::string nonce(16, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(nonce.data()), static_cast<int>(nonce.size()));
  return tls::base64(nonce);
}

}  // namespace cmux::http1
