// The admin API's operations for the inspector's page itself: its files, and how it gets in.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "admin/api_call.hpp"
#include "admin/inspector_files.hpp"
#include "base/log.hpp"

namespace cmux::admin {
namespace {

namespace json = boost::json;

}  // namespace

// Cookies know no ports: another instance on this address has another one.
std::string Api::cookie_name() const { return fmt::format("cmux_inspector_{}", port_); }

// The cookie is good where a browser says that the page which sends it is the one that the request goes to, or the user. Browsers
// send cookies to all ports of an address, and for pages of all its ports.
bool Api::has_session(const http::Head& request) const {
  const std::string_view site = request.fields.get("Sec-Fetch-Site").value_or("");
  if (site != "same-origin" && site != "none") return false;
  const bool safe = request.method == "GET" || request.method == "HEAD";
  if (!safe && !request.fields.contains(http::Name::origin)) return false;  // its own, by then
  const std::string name = cookie_name() + "=";
  bool known = false;
  for (const auto field : request.fields) {
    if (field.known != http::Name::cookie) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      std::string_view pair = rest.substr(0, end);
      while (pair.starts_with(' ')) pair.remove_prefix(1);
      known = known || (pair.starts_with(name) && sessions_.knows(pair.substr(name.size()), Clock::now()));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return known;
}

Task<Reply> Api::to_inspector(Call&) {
  Reply reply;
  reply.status = 308;
  reply.fields.emplace_back("Location", "/inspector/");
  co_return reply;
}

Task<Reply> Api::inspector(Call& call) { co_return inspector_file(call.id, call.head, instance_.inspector_folder()); }

Task<Reply> Api::make_key(Call&) {
  if (host_.empty())
    co_return problem(409, "the admin API listens on a Unix socket, which no browser reaches: serve with --admin 127.0.0.1:0");
  const auto until = std::chrono::system_clock::now() + InspectorSessions::kKeyTime;
  json::object document;
  document["url"] = fmt::format("http://{}/inspector/#key={}", host_, sessions_.make_key(Clock::now()));
  document["expiresAt"] = rfc3339(until);
  co_return json_reply(201, document);
}

Task<Reply> Api::open_session(Call& call) {
  if (!call.head.fields.contains(http::Name::origin)) co_return problem(403, "only the inspector's page may ask this", "Origin");
  const json::object* const members = call.body.if_object();
  const json::value* const key = members ? members->if_contains("key") : nullptr;
  if (!key || !key->is_string() || members->size() != 1) co_return problem(400, "key: is required, and nothing else", "key");
  const auto session = sessions_.redeem(std::string_view(key->get_string().data(), key->get_string().size()), Clock::now());
  if (!session) {
    log::warn("the inspector was asked for with a key that is none, or was used, or is too old");
    co_return problem(401, "the key works once, and for a minute: run cmuxproxy inspect again");
  }
  Reply reply;
  reply.status = 204;
  reply.fields.emplace_back("Set-Cookie", fmt::format("{}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}", cookie_name(),
                                                      *session, InspectorSessions::kSessionTime.count() / 1000));
  co_return reply;
}

}  // namespace cmux::admin
