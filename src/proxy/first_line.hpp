// FirstLine: what a client of a forwarded port speaks, by the first line that it sends.
//
// Anybody who can connect may use such a port, and any web page can make the browser of this machine connect: under a name that
// the page's owner has made to lead here (DNS rebinding) even as the page's own origin, with a method and a path of its choice.
// What is taken for HTTP has its Host looked at; a raw tunnel carries bytes unseen, with the route's token in front of them. So
// raw is only what no HTTP client, and above all no browser, can send:
//
// - A browser begins with a TLS ClientHello or with METHOD SP TARGET SP HTTP/1.1 CRLF. The page chooses METHOD, a token of any
// length,
//   and what follows the "/" of TARGET, neither with a space, a control character or a line end in it: it cannot end the line
//   early.
// - So a byte that may not be there at all (PostgreSQL, MQTT and most binary protocols begin with one) is raw at once, and a
// whole line
//   that is no request line ("SSH-2.0-…", "PING", "*1", "get key", "EHLO example") is raw. What follows it may look like
//   a request, but a client that began with another line is none that a page could have sent it with.
// - Until its end the line is undecided, however long it takes its sender (the caller's limit in time), and past the longest line
// that
//   is taken at all it is HTTP. The parser answers: 400, 408, 414 or 501.
// - What only a program would send, empty lines or spaces in front of a request, tabs in it, no version, is HTTP as well: a
// server
//   behind a raw tunnel may be lenient.
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
