#include <fmt/format.h>

#include <boost/json.hpp>

#include "admin/api.hpp"
#include "base/time_text.hpp"
#include "policy/route_json.hpp"

namespace cmux::admin {

namespace json = boost::json;

json::object failure_to_json(const TunnelFailure& failure) {
  json::object out;
  out["time"] = rfc3339(failure.at);
  out["target"] = failure.target;
  out["error"] = failure.error;
  out["detail"] = failure.detail;
  return out;
}

json::object auto_forward_to_json(const AutoForward& now) {
  json::object out{{"listening", json::value_from(now.listening)},
                   {"forwarded", json::value_from(now.forwarded)},
                   {"taken", json::value_from(now.taken)}};
  if (now.error.empty()) out["error"] = nullptr;
  else out["error"] = now.error;
  return out;
}

json::object context_to_json(const policy::Context& context, const std::string& proxy_address, bool secrets,
                             const policy::Usage& usage, const TunnelFailure* failure, const AutoForward* auto_forward) {
  json::object out;
  out["id"] = context.id;
  out["username"] = context.username;
  if (secrets) out["password"] = context.password;
  out["webContentsId"] = context.web_contents_id;
  if (context.route) out["route"] = policy::route_to_json(*context.route, !secrets);
  else out["route"] = nullptr;
  const bool own = context.dedicated_port.has_value();
  const std::string proxy = own ? fmt::format("127.0.0.1:{}", *context.dedicated_port) : proxy_address;
  const std::string login = own ? std::string() : fmt::format("{}:{}@", context.username, context.password);
  if (secrets) out["proxyUrl"] = fmt::format("http://{}{}", login, proxy);
  out["proxy"] = proxy;
  if (own) out["dedicatedPort"] = *context.dedicated_port;
  else out["dedicatedPort"] = nullptr;
  json::array& forwards = out["forwards"].emplace_array();
  for (const policy::Forward& forward : context.forwards)
    forwards.emplace_back(json::object{{"port", forward.port}, {"local", forward.local}});
  if (auto_forward) out["autoForward"] = auto_forward_to_json(*auto_forward);
  else out["autoForward"] = nullptr;
  out["transparent"] = context.transparent;
  if (context.label.empty()) out["label"] = nullptr;
  else out["label"] = context.label;
  out["createdAt"] = rfc3339(context.created_at);
  if (context.expires_at) out["expiresAt"] = rfc3339(*context.expires_at);
  else out["expiresAt"] = nullptr;
  if (context.owner_pid != 0) out["ownerPid"] = context.owner_pid;
  else out["ownerPid"] = nullptr;
  json::object& used = out["usage"].emplace_object();
  used["requests"] = usage.requests;
  used["open"] = usage.open;
  if (usage.last) used["lastAt"] = rfc3339(*usage.last);
  else used["lastAt"] = nullptr;
  if (secrets) out["socksUrl"] = fmt::format("socks5h://{}{}", login, proxy);
  if (own) out["pacUrl"] = fmt::format("http://{}/proxy.pac", proxy);
  else out["pacUrl"] = nullptr;
  if (failure) out["lastTunnelFailure"] = failure_to_json(*failure);
  else out["lastTunnelFailure"] = nullptr;
  return out;
}

}  // namespace cmux::admin
