#include "http1/differences.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "http1/heads.hpp"
#include "http1/readings.hpp"
#include "net/address.hpp"

namespace cmux::http1 {
namespace {

using http::Name;

bool has_space_at_line_start(std::string_view text) {
  return text.find("\r\n ") != std::string_view::npos || text.find("\r\n\t") != std::string_view::npos;
}

bool equal(std::string_view a, std::string_view b) { return http::equal_ignoring_case(a, b); }

// Of an absolute target, the only ones that Reading writes with a space.
std::string_view authority_in(const Reading& reading) {
  const std::size_t space = reading.target.find(' ');
  if (space == std::string::npos) return {};
  const std::size_t start = reading.target.find("://") + 3;
  return std::string_view(reading.target).substr(start, space - start);
}

// Transfer-Encoding other than the one line "chunked", with empty list elements or without.
bool has_other_codings(const Reading& reading) {
  unsigned chunked = 0, others = 0;
  for (const auto field : reading.fields) {
    if (field.known != Name::transfer_encoding) continue;
    unsigned here = 0;
    http::for_each_token(field.value, [&](std::string_view coding) { ++here, ++(equal(coding, "chunked") ? chunked : others); });
    others += here == 0;
  }
  return others > 0 || chunked > 1;
}

bool has_length(const Reading& reading, bool (*is_such)(std::string_view value)) {
  for (const auto field : reading.fields)
    if (field.known == Name::content_length && is_such(field.value)) return true;
  return false;
}

bool has_odd_host(const Reading& reading) {
  const std::size_t hosts = reading.fields.count(Name::host);
  if (hosts != 1) return hosts > 1 || reading.version >= 11 || authority_in(reading).empty();
  return !net::parse_authority(*reading.fields.get(Name::host));
}

// Other than what a CONNECT asks for. The port may be missing.
bool has_other_host(const Reading& reading) {
  if (reading.method != "CONNECT" || reading.fields.count(Name::host) != 1) return false;
  const auto host = net::parse_authority(*reading.fields.get(Name::host)), target = net::parse_authority(reading.target);
  return host && target && (host->host != target->host || (host->port && host->port != target->port));
}

// Of no form of RFC 9112 section 3.2, or of a scheme that no proxy of HTTP serves.
bool has_odd_target(const Reading& reading) {
  const std::string_view target = reading.target;
  if (reading.method == "CONNECT") return false;
  if (target.find(' ') == std::string_view::npos) return target[0] != '/' && (target != "*" || reading.method != "OPTIONS");
  return authority_in(reading).empty() || !(target.starts_with("http://") || target.starts_with("https://"));
}

bool is_bodiless(const Reading& reading) { return (reading.status >= 100 && reading.status < 200) || reading.status == 204; }

// What follows the head: chunks, where it is that.
std::string_view behind_head(std::string_view text) { return text.substr(std::min(text.find("\r\n\r\n"), text.size() - 4) + 4); }

// Among the lines that begin with a chunk's size, with extensions and without CRLF.
bool has_size_line(std::string_view text, bool (*is_such)(std::string_view line)) {
  for (std::string_view rest = behind_head(text); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    if (!line.empty() && std::isxdigit(static_cast<unsigned char>(line.front())) && is_such(line)) return true;
    rest.remove_prefix(std::min(line.size() + 2, rest.size()));
  }
  return false;
}

// Behind a quote, where alone Beast takes any. Tab is one that a quoted value may have.
bool has_control_in_quotes(std::string_view line) {
  const std::size_t quote = std::min(line.find('"'), line.size());
  return std::any_of(line.begin() + quote, line.end(),
                     [](char c) { return c != '\t' && std::iscntrl(static_cast<unsigned char>(c)); });
}

bool has_framing_trailer(std::string_view text) {
  std::string rest(behind_head(text));
  for (char& c : rest) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* const name : {"content-length:", "transfer-encoding:", "connection:"})
    if (rest.find(name) != std::string::npos) return true;
  return false;
}

bool is_above_1_1(std::string_view text) {
  const std::string_view line = text.substr(0, text.find("\r\n"));
  const std::size_t at = line.starts_with("HTTP/1.") ? 0 : line.rfind("HTTP/1.");
  return at != std::string_view::npos && line.size() > at + 7 && line[at + 7] >= '2';
}

enum class Only { ours, beast };

struct Difference {
  std::string_view name;
  Only accepts;
  std::string_view refusal;                                      // a part of what the other one says
  bool (*holds)(std::string_view text, const Reading& reading);  // of the bytes, as the one that accepts has read them
};
using Text = std::string_view;

const Difference kDifferences[] = {
    // Refused here and taken by Beast: where two readers may disagree, or a proxy would not know what to do.
    {"obs-fold", Only::beast, "folded", [](Text text, const Reading&) { return has_space_at_line_start(text); }},
    // RFC 9112 section 3.2: an invalid target is 400. '#' begins a fragment, which is never sent (section 7.1 of RFC 9110).
    {"# in the target", Only::beast, "must be percent-encoded",
     [](Text, const Reading& beast) { return beast.target.find('#') != std::string::npos; }},
    // RFC 3986 section 2: a URI is ASCII.
    {"a byte above ASCII in the target", Only::beast, "must be percent-encoded",
     [](Text, const Reading& beast) {
       return std::any_of(beast.target.begin(), beast.target.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7f; });
     }},
    // Not of RFC 3986 section 3.3 either, and URL parsers read it as "/". In a query browsers send it.
    {"\\ in the target, before the query", Only::beast, "must be percent-encoded",
     [](Text, const Reading& beast) { return beast.target.substr(0, beast.target.find('?')).find('\\') != std::string::npos; }},
    {"a target of no form", Only::beast, "bad request target", [](Text, const Reading& beast) { return has_odd_target(beast); }},
    {"a target without a host", Only::beast, "no host in", [](Text, const Reading& beast) { return has_odd_target(beast); }},
    {"a target of another scheme", Only::beast, "unsupported scheme",
     [](Text, const Reading& beast) { return has_odd_target(beast); }},
    // RFC 9112 section 3.2.3 leaves open what such a Host means.
    {"Host that is not what CONNECT asks for", Only::beast, "not what CONNECT asks for",
     [](Text, const Reading& beast) { return has_other_host(beast); }},
    // RFC 9112 section 3.2: none, two, and one that is none are 400.
    {"Host that is not one authority", Only::beast, "ost", [](Text, const Reading& beast) { return has_odd_host(beast); }},
    // Beast reads "gzip", "chunked, gzip" and "chunked, chunked" as no body at all, "chunked;q=1" and "gzip" before "chunked" as
    // chunked.
    {"transfer codings", Only::beast, "ransfer", [](Text, const Reading& beast) { return has_other_codings(beast); }},
    {"chunked in HTTP/1.0", Only::beast, "in HTTP/1.0",
     [](Text, const Reading& beast) { return beast.version == 10 && beast.fields.contains(Name::transfer_encoding); }},
    // RFC 9110 section 8.6: digits, here 18 at most. A list of one number might be mended (RFC 9112 section 6.3), and is not.
    {"an odd Content-Length", Only::beast, "is no number",
     [](Text, const Reading& beast) {
       return has_length(beast,
                         [](Text value) { return value.size() > 18 || value.find_first_not_of("0123456789") != Text::npos; });
     }},
    // The grammar of RFC 9110 section 8.6 has them; no sender does, and some readers take such a number for an octal one.
    {"zeros in front of Content-Length", Only::beast, "zeros in front",
     [](Text, const Reading& beast) {
       return has_length(beast, [](Text value) { return value.size() > 1 && value.front() == '0'; });
     }},
    {"CONNECT with a body", Only::beast, "CONNECT with a body",
     [](Text, const Reading& beast) { return beast.method == "CONNECT" && beast.framing != "none"; }},
    {"a status below 100", Only::beast, "bad status", [](Text, const Reading& beast) { return beast.status < 100; }},
    {"101 that was not asked for", Only::beast, "101", [](Text, const Reading& beast) { return beast.status == 101; }},
    // RFC 9112 section 7.1 has any number of zeros in front of a size; here the line is bounded.
    {"a chunk's size line of more than 1 KB", Only::beast, "size line is too long",
     [](Text text, const Reading&) { return has_size_line(text, [](Text line) { return line.size() > 1023; }); }},
    // RFC 9112 section 7.1.1: none but tab, nor in a quoted value (RFC 9110 section 5.6.4), where Beast takes LF too.
    {"a control character in a chunk's extension", Only::beast, "bad chunk",
     [](Text text, const Reading&) { return has_size_line(text, has_control_in_quotes); }},

    // Taken here and refused by Beast: allowed, or harmless because it goes no further.
    // RFC 9112 section 2.3: a higher minor version is understood as the highest one known.
    {"HTTP/1.2 and above", Only::ours, "bad version", [](Text text, const Reading&) { return is_above_1_1(text); }},
    // RFC 9112 section 4 wants the space; servers leave it out.
    {"a status line without a space behind the status", Only::ours, "bad status",
     [](Text text, const Reading& ours) { return ours.reason.empty() && text.substr(12).starts_with("\r\n"); }},
    // RFC 9110 section 8.6 and RFC 9112 section 6.1: they mean nothing there, and are dropped.
    {"framing fields where no body can be", Only::ours, "-",
     [](Text, const Reading& ours) {
       return is_bodiless(ours) && (ours.fields.contains(Name::content_length) || ours.fields.contains(Name::transfer_encoding));
     }},
    // It is dropped, whatever stands in it: RFC 9110 section 7.6.1.
    {"Connection that is no list of tokens", Only::ours, "bad value",
     [](Text, const Reading& ours) {
       return ours.fields.contains(Name::connection) || ours.fields.contains(Name::proxy_connection);
     }},
    // They are dropped: RFC 9110 section 6.5.1.
    {"framing fields among the trailers", Only::ours, "bad ",
     [](Text text, const Reading&) { return has_framing_trailer(text); }},
};

std::string head_of(const Reading& reading) {
  return fmt::format("{}|{}|{}|{}|{}|{}\n", reading.method, reading.target, reading.version, reading.status, reading.reason,
                     reading.framing) +
         lines(reading.fields);
}
std::string described(const Reading& reading) {
  return fmt::format("head {}, complete {}, {} bytes, refused '{}'\n{}{}\n{}", reading.head, reading.complete, reading.size,
                     reading.refused, head_of(reading), shown(reading.body), lines(reading.trailers));
}

std::string_view difference(std::string_view text, const Reading& ours, const Reading& beast, Only accepts) {
  const bool is_ours = accepts == Only::ours;
  const std::string_view refused = is_ours ? beast.refused : ours.refused;
  for (const Difference& each : kDifferences)
    if (each.accepts == accepts && refused.find(each.refusal) != std::string_view::npos &&
        each.holds(text, is_ours ? ours : beast))
      return each.name;
  return {};
}

// What came of it; where the two disagree, `disagreement` says how.
std::string_view outcome_of(std::string_view text, const Reading& ours, const Reading& beast, std::string_view& disagreement) {
  const auto only_one = [&](bool is_ours) {
    const std::string_view name = difference(text, ours, beast, is_ours ? Only::ours : Only::beast);
    if (name.empty()) disagreement = is_ours ? "only we accept" : "only Beast accepts";
    return name;
  };
  const auto check = [&](bool same, std::string_view what) {
    if (!same && disagreement.empty()) disagreement = what;
  };
  if (ours.head != beast.head) return only_one(ours.head);
  if (!ours.head) return "neither";
  check(head_of(ours) == head_of(beast), "the heads differ");
  // With both options of Connection in HTTP/1.0, Beast keeps the connection; RFC 9112 section 9.3 closes it.
  check(ours.keep_alive == beast.keep_alive || (beast.version == 10 && beast.keep_alive), "only one keeps the connection");
  if (ours.complete != beast.complete) return only_one(ours.complete);
  if (!ours.complete) return "neither";
  check(ours.size == beast.size, "the messages end at different bytes");
  check(ours.body == beast.body, "the bodies differ");
  check(lines(ours.trailers) == lines(beast.trailers), "the trailers differ");
  return "both";
}

}  // namespace

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\r') out += "\\r";
    else if (c == '\n') out += "\\n\n";
    else if (c >= 0x20 && c < 0x7f && c != '\\') out += c;
    else out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

std::vector<std::string_view> known_differences() {
  std::vector<std::string_view> names;
  for (const Difference& each : kDifferences) names.push_back(each.name);
  return names;
}

Comparison compared(Role role, std::string_view text, std::size_t step) {
  const Reading ours = read_ours(role, text, step), beast = read_beast(role, text, step);
  std::string_view disagreement;
  Comparison out{outcome_of(text, ours, beast, disagreement), {}};
  if (!disagreement.empty())
    out.disagreement = fmt::format("{}:\n{}\nours:  {}\nBeast: {}", disagreement, shown(text), described(ours), described(beast));
  return out;
}

}  // namespace cmux::http1
