// The admin API's operations on contexts.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "admin/api_call.hpp"
#include "admin/context_request.hpp"

namespace cmux::admin {
namespace {

namespace json = boost::json;

Reply no_such_context() { return problem(404, "there is no such context"); }

Reply released(const std::vector<std::string>& ids) {
  json::object document;
  json::array& list = document["released"].emplace_array();
  for (const std::string& id : ids) list.emplace_back(id);
  return json_reply(200, document);
}

}  // namespace

// What is told of contexts is what the workers know too: one that is not there any more is worth nothing any more. So they are
// waited for after the look, not before it.
Task<Reply> Api::list_contexts(Call&) {
  json::object document;
  json::array& list = document["contexts"].emplace_array();
  const std::vector<policy::ContextPtr> contexts = instance_.contexts().list();
  const std::vector<policy::Usage> usage = co_await instance_.usage(contexts);
  for (std::size_t i = 0; i < contexts.size(); ++i)
    list.emplace_back(context_to_json(*contexts[i], instance_.proxy_address(), false, usage[i],
                                      instance_.tunnel_failure(contexts[i]->id), instance_.auto_forward(contexts[i]->id)));
  co_return json_reply(200, document);
}

Task<Reply> Api::tell(std::uint16_t status, policy::ContextPtr context, bool secrets, bool with_warnings) {
  std::vector<policy::ContextPtr> one{context};
  const std::vector<policy::Usage> usage = co_await instance_.usage(std::move(one));
  json::object document = context_to_json(*context, instance_.proxy_address(), secrets, usage.front(),
                                          instance_.tunnel_failure(context->id), instance_.auto_forward(context->id));
  std::vector<std::string> warnings = with_warnings ? policy::warnings_of(*context) : std::vector<std::string>();
  if (const AutoForward* const now = with_warnings ? instance_.auto_forward(context->id) : nullptr) {
    if (!now->error.empty()) warnings.push_back(fmt::format("nothing is forwarded until the far end tells: {}", now->error));
    if (!now->taken.empty())
      warnings.push_back(fmt::format("taken on this machine, and forwarded once they are free: {}", fmt::join(now->taken, ", ")));
  }
  if (!warnings.empty()) {
    json::array& list = document["warnings"].emplace_array();
    for (const std::string& warning : warnings) list.emplace_back(warning);
  }
  co_return json_reply(status, document);
}

Task<Reply> Api::create_context(Call& call) {
  auto request = read_context_request(call.body, instance_.more_domains());
  if (auto* const wrong = std::get_if<Reply>(&request)) co_return std::move(*wrong);
  const auto made = instance_.create(std::move(std::get<0>(request)));
  if (!made && made.error().code == Errc::limit) co_return problem(503, made.error().detail);
  if (!made && made.error().status == 409) {
    Reply taken = refused_field(made.error(), "");
    taken.status = 409;
    co_return taken;
  }
  if (!made) co_return refused_field(made.error(), "");
  const policy::ContextPtr context = *made;
  co_await instance_.forwarded(context->id);
  Reply reply = co_await tell(201, context, true, true);  // its credentials work from the answer on
  reply.fields.emplace_back("Location", "/v1/contexts/" + context->id);
  co_return reply;
}

Task<Reply> Api::release_contexts(Call& call) {
  const std::string* const number = call.parameter("webContentsId");
  const std::string* const all = call.parameter("all");
  if ((number == nullptr) == (all == nullptr)) co_return problem(400, "say which: either webContentsId=N or all=true");
  if (all && *all != "true") co_return problem(400, "all: must be true", "all");
  std::optional<std::uint64_t> id;
  if (number) {
    std::uint64_t value = 0;
    if (!read_number(*number, value)) co_return problem(400, "webContentsId: must be a whole number", "webContentsId");
    id = value;
  }
  const std::vector<std::string> ids = instance_.contexts().release_all(id, "it was released");
  co_await instance_.settled();
  co_return released(ids);
}

Task<Reply> Api::show_context(Call& call) {
  bool secrets = false;
  if (const std::string* const given = call.parameter("secrets")) {
    if (*given != "true" && *given != "false") co_return problem(400, "secrets: must be true or false", "secrets");
    secrets = *given == "true";
  }
  const policy::ContextPtr context = instance_.contexts().find(call.id);
  if (context) co_return co_await tell(200, context, secrets, false);
  co_await instance_.settled();
  co_return no_such_context();
}

Task<Reply> Api::show_ports(Call& call) {
  const policy::ContextPtr context = instance_.contexts().find(call.id);
  if (!context) co_return no_such_context();
  const auto ports = co_await instance_.ports(context);
  if (ports) {
    json::object document{{"ports", json::value_from(*ports)}};
    co_return json_reply(200, document);
  }
  if (ports.error().code == Errc::unsupported) co_return problem(409, ports.error().detail);
  co_return problem(502, log::printable(ports.error().detail));
}

Task<Reply> Api::change_context(Call& call) {
  if (!instance_.contexts().find(call.id)) co_return no_such_context();
  auto route = read_route_change(call.body, instance_.more_domains());
  if (auto* const wrong = std::get_if<Reply>(&route)) co_return std::move(*wrong);
  const auto changed = instance_.contexts().reroute(call.id, std::move(std::get<0>(route)));
  if (!changed && changed.error().code == Errc::limit) co_return problem(503, changed.error().detail);
  if (!changed) co_return refused_field(changed.error(), "route");
  const policy::ContextPtr context = *changed;
  if (!context) co_return no_such_context();
  co_return co_await tell(200, context, false, true);
}

Task<Reply> Api::release_context(Call& call) {
  if (!instance_.contexts().release(call.id, "it was released")) co_return no_such_context();
  co_await instance_.settled();
  co_return released({call.id});
}

}  // namespace cmux::admin
