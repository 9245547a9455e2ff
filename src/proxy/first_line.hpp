// FirstLine: what a client of a forwarded port speaks, by the first line that it sends.
//
// Anybody who can connect may use such a port, and any web page can make the browser of this machine connect: under a name that
// the page's owner has made to lead here (DNS rebinding) even as the page's own origin, with a method and a path of its choice.
// What is taken for HTTP has its Host looked at; a raw tunnel carries bytes unseen, with the route's token in front of them. So
// raw is only what no HTTP client, and above all no browser, can send.
//
// A browser begins with a TLS ClientHello or with METHOD SP TARGET SP HTTP/1.1 CRLF. The page chooses METHOD, a token of any
// length, and what follows the "/" of TARGET, with no space, control character or line end in either: it cannot end the line
// early.
//
// So a byte that may not be there at all is raw at once (PostgreSQL, MQTT and most binary protocols begin with one), and so is a
// whole line that is no request line ("SSH-2.0-…", "PING", "*1", "get key", "EHLO example"). What follows may look like a
// request, but no page can have sent it: it would have begun with another line.
//
// Until its end the line is undecided, for as long as the caller waits; past the longest that is taken at all it is HTTP. The
// parser answers: 400, 408, 414 or 501. What only a program would send is HTTP too, empty lines or spaces in front of a request,
// tabs in it, no version: a server behind a raw tunnel may be lenient.
//
// WebRTC lets a page make the browser speak to a TURN server over TCP. That begins with a zero byte, so it is raw; its first
// message holds nothing of the page's choosing, and no other follows without the server's answer (RFC 8489 section 9.2).
#pragma once

#include "proxy/downstream.hpp"

namespace cmux::proxy {

class FirstLine {
 public:
  // `longest`: bytes that the HTTP/1 parser takes as a request line.
  explicit FirstLine(std::size_t longest) : longest_(longest) {}

  // `bytes`: all that has come until now. Looks at each of them once. `unknown`: more must be seen.
  Protocol look(std::string_view bytes);

 private:
  enum class Place : std::uint8_t { blank, word, rest };

  std::size_t longest_, at_ = 0, start_ = 0;
  Place place_ = Place::blank;
};

}  // namespace cmux::proxy
