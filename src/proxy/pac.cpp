#include "proxy/pac.hpp"

#include <fmt/format.h>

#include "policy/route.hpp"
#include "proxy/context_planner.hpp"

namespace cmux::proxy {
namespace {

constexpr std::string_view kPath = "/proxy.pac";

// An octet has no zeros in front: "0177.0.0.1" is no address, here as in the proxy.
constexpr std::string_view kScript = R"pac(
var kOctet = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
var kIpv4 = kOctet + "(?:\\." + kOctet + "){3}";

// The eight numbers of an IPv6 address, or null.
function numbersOf(text) {
  var mapped = new RegExp("^(.*:)(" + kIpv4 + ")$").exec(text);
  if (mapped) {
    var octets = mapped[2].split(".");
    text = mapped[1] + (octets[0] * 256 + +octets[1]).toString(16) + ":" + (octets[2] * 256 + +octets[3]).toString(16);
  }
  var halves = text.split("::");
  var numbers = halves[0] ? halves[0].split(":") : [];
  var last = halves.length == 2 && halves[1] ? halves[1].split(":") : [];
  var missing = 8 - numbers.length - last.length;
  if (halves.length > 2 || (halves.length == 2 ? missing < 1 : missing != 0)) return null;
  for (; missing > 0; --missing) numbers.push("0");
  numbers = numbers.concat(last);
  for (var i = 0; i < 8; ++i) {
    if (!/^[0-9a-f]{1,4}$/.test(numbers[i])) return null;
    numbers[i] = parseInt(numbers[i], 16);
  }
  return numbers;
}

function isLoopback(host) {
  if (kNever.test(host)) return false;
  if (host == "localhost" || /\.localhost$/.test(host) || host == "0.0.0.0") return true;
  if (new RegExp("^127\\.(?:" + kOctet + "\\.){2}" + kOctet + "$").test(host)) return true;
  var n = host.indexOf(":") < 0 ? null : numbersOf(host.replace(/%.*$/, ""));
  if (!n || n[0] || n[1] || n[2] || n[3] || n[4]) return false;
  return (n[5] == 0 && n[6] == 0 && n[7] <= 1) || (n[5] == 0xffff && n[6] >> 8 == 127);
}

function FindProxyForURL(url, host) {
  host = host.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  return isLoopback(host) || (kHosts && kHosts.test(host)) ? kProxy : "DIRECT";
}
)pac";

// A glob as the inside of a regular expression. Whatever else it holds is encoded, so that it cannot be code.
std::string expression_of(std::string_view glob) {
  std::string out;
  for (const char c : glob) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (c == '*') out += ".*";
    else if (c == '?') out += '.';
    else if (plain) out += c;
    else out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

template <class List>
std::string alternatives_of(const List& globs) {
  std::string out;
  for (const auto& glob : globs) out += (out.empty() ? "" : "|") + expression_of(glob);
  return out;
}

// Nobody who could be a web page: what sends a PAC file's request itself sends neither field.
bool may_read(const http::Head& request) {
  const auto site = request.fields.get("Sec-Fetch-Site");
  return !request.fields.contains(http::Name::origin) && (!site || *site == "none" || *site == "same-origin");
}

}  // namespace

std::string pac_script(const Pac& pac) {
  std::string never = alternatives_of(policy::known_domains());
  if (!pac.domains.empty()) never += "|" + alternatives_of(pac.domains);
  const std::string hosts = pac.hosts.empty() ? "null" : fmt::format("/^(?:{})$/", alternatives_of(pac.hosts));
  return fmt::format("var kProxy = \"PROXY 127.0.0.1:{}\";\nvar kHosts = {};\nvar kNever = /(?:^|\\.)(?:{})$/;\n", pac.port,
                     hosts, never) +
         std::string(kScript);
}

// In origin form, under a name that can be nobody else's: a page's owner may have made his own host's name lead here.
bool ContextPlanner::answers(const Entrance& entrance, const http::Head& request) {
  if (entrance.own_port == 0 || entrance.tunnel || !request.origin_form) return false;
  const std::string_view path = std::string_view(request.path).substr(0, request.path.find('?'));
  if (path != kPath || (request.method != "GET" && request.method != "HEAD")) return false;
  const auto host = net::parse_authority(request.authority);
  return host && host->port == entrance.own_port &&
         (host->host == "localhost" || host->host == "127.0.0.1" || host->host == "::1");
}

Result<Answer> ContextPlanner::answer(const Entrance& entrance, const http::Head& request) {
  if (entrance.session->ended()) return bad_request("the context was released", 407);
  if (!may_read(request)) return bad_request("the PAC file is for programs, and not for web pages", 403);
  const policy::Route* const route = entrance.session->context->route ? &*entrance.session->context->route : nullptr;
  Pac pac{entrance.own_port, {}, worker_.options().hosts.domains};
  if (route) pac.hosts = route->hosts;
  Answer answer;
  answer.body = pac_script(pac);
  answer.fields = {{"Content-Type", "application/x-ns-proxy-autoconfig"},
                   {"Cache-Control", "no-store"},
                   // Where a browser does not say who asks: it neither runs this as a page's script nor shows it to one.
                   {"X-Content-Type-Options", "nosniff"},
                   {"Cross-Origin-Resource-Policy", "same-origin"}};
  return answer;
}

}  // namespace cmux::proxy
