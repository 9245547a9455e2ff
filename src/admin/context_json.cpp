#include <fmt/format.h>

#include <boost/json.hpp>

#include "admin/api.hpp"
#include "base/time_text.hpp"
#include "policy/route_json.hpp"

namespace cmux::admin {

namespace json = boost::json;

json::object context_to_json(const policy::Context& context, const std::string& proxy_address, bool secrets) {
  json::object out;
  out["id"] = context.id;
  out["username"] = context.username;
  if (secrets) out["password"] = context.password;
  out["webContentsId"] = context.web_contents_id;
  if (context.route) out["route"] = policy::route_to_json(*context.route, !secrets);
  else out["route"] = nullptr;
  if (context.dedicated_port) {
    const std::string own = fmt::format("127.0.0.1:{}", *context.dedicated_port);
    if (secrets) out["proxyUrl"] = "http://" + own;
    out["proxy"] = own;
    out["dedicatedPort"] = *context.dedicated_port;
  } else {
    if (secrets) out["proxyUrl"] = fmt::format("http://{}:{}@{}", context.username, context.password, proxy_address);
    out["proxy"] = proxy_address;
    out["dedicatedPort"] = nullptr;
  }
  json::array& forwards = out["forwards"].emplace_array();
  for (const policy::Forward& forward : context.forwards)
    forwards.emplace_back(json::object{{"port", forward.port}, {"local", forward.local}});
  if (context.label.empty()) out["label"] = nullptr;
  else out["label"] = context.label;
  out["createdAt"] = rfc3339(context.created_at);
  if (context.expires_at) out["expiresAt"] = rfc3339(*context.expires_at);
  else out["expiresAt"] = nullptr;
  return out;
}

}  // namespace cmux::admin
