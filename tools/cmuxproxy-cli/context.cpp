// ctx list, show, update, release
#include <fmt/format.h>

#include <optional>

#include "route_flags.hpp"
#include "shown_times.hpp"

namespace cmux::cli {
namespace {

Exit no_context(const std::string& id) { return {kNoContext, fmt::format("there is no context '{}'", id)}; }

// An id goes into a path: anything else than what ids are made of names no context.
std::string path_of(const std::string& id) {
  const bool plain = !id.empty() && id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (!plain) throw no_context(id);
  return "/v1/contexts/" + id;
}

// "40001, 3000->40002": a dedicated port, and the forwarded ones.
std::string ports_of(const json::value& context) {
  std::string out = member(context, "dedicatedPort").is_null() ? "" : shown(member(context, "dedicatedPort"));
  if (const json::array* const forwards = member(context, "forwards").if_array())
    for (const json::value& forward : *forwards)
      out += fmt::format("{}{}->{}", out.empty() ? "" : ", ", shown(member(forward, "port")), shown(member(forward, "local")));
  if (const json::array* const forwarded = member(member(context, "autoForward"), "forwarded").if_array())
    for (const json::value& port : *forwarded) out += fmt::format("{}{}", out.empty() ? "" : ", ", shown(port));
  return out.empty() ? "-" : out;
}

// Which ports listen in the workspace, in the context's document: null where that is not known. Returns why not, where its route
// leads to somebody who could know.
std::string add_ports(const admin::Client& client, const std::string& id, json::object& context) {
  json::value& listening = context["listening"];
  const auto answer = client.call("GET", path_of(id) + "/ports");
  if (answer && answer->status == 200) listening = member(answer->body, "ports");
  return answer && answer->status == 502 ? text_member(answer->body, "detail") : std::string();
}

struct ListOptions : Common {
  bool ports = false;
};

int list(const ListOptions& common) {
  const admin::Client client = connect(common.instance);
  json::object document = expect(client, client.call("GET", "/v1/contexts"));
  if (json::value* const contexts = common.ports ? document.if_contains("contexts") : nullptr)
    for (json::value& context : contexts->as_array()) add_ports(client, text_member(context, "id"), context.as_object());
  if (common.json) {
    print_json(document);
    return kOk;
  }
  std::vector<std::vector<std::string>> rows{
      {"ID", "VIEW", "LABEL", "ROUTE", "PORTS", "OWNER", "AGE", "EXPIRES", "REQUESTS", "OPEN", "LAST"}};
  if (common.ports) rows.front().push_back("LISTENING");
  if (const json::array* const contexts = member(document, "contexts").if_array())
    for (const json::value& context : *contexts) {
      rows.push_back({text_member(context, "id"), shown(member(context, "webContentsId")), shown(member(context, "label")),
                      route_summary(member(context, "route")), ports_of(context), shown(member(context, "ownerPid")),
                      age_of(member(context, "createdAt")), shown(member(context, "expiresAt")),
                      shown(member(member(context, "usage"), "requests")), shown(member(member(context, "usage"), "open")),
                      age_of(member(member(context, "usage"), "lastAt"))});
      if (common.ports) rows.back().push_back(shown(member(context, "listening")));
    }
  if (rows.size() == 1) print_note("no contexts; make one with: cmuxproxy ctx create");
  else print_table(rows);
  return kOk;
}

void print_context(const Common& common, const json::object& context) {
  if (common.json) return print_json(context);
  for (const json::key_value_pair& field : context) {
    const std::string_view key(field.key().data(), field.key().size());
    const bool no_route = key == "route" && field.value().is_null();
    print(fmt::format("{:<14} {}\n", key, no_route ? std::string(kNoRoute) : shown(field.value())));
  }
}

int show(const Common& common, const std::string& id) {
  const admin::Client client = connect(common.instance);
  const auto answer = client.call("GET", path_of(id));
  if (answer && answer->status == 404) throw no_context(id);
  json::object context = expect(client, answer);
  const std::string unknown = add_ports(client, id, context);
  print_context(common, context);
  if (!unknown.empty()) print_note("cmuxproxy: the ports that listen there are not known: " + unknown);
  return kOk;
}

struct UpdateOptions {
  Common common;
  RouteFlags route;
  std::string id;
  bool no_route = false;
};

int update(const UpdateOptions& options) {
  if (options.no_route == options.route.any())
    throw Exit{kUsage, "say the new route, as for ctx create (--from-url, --morph-id, …), or --no-route for none"};
  json::object body;
  options.route.add_to(body);
  if (options.no_route) body["route"] = nullptr;
  const admin::Client client = connect(options.common.instance);
  const auto answer = client.call("PATCH", path_of(options.id), json::value(body));
  if (answer && answer->status == 404) throw no_context(options.id);
  json::object context = expect(client, answer);
  print_warnings(context);
  if (!options.common.json) context.erase("warnings");
  print_context(options.common, context);
  return kOk;
}

struct ReleaseOptions {
  Common common;
  std::vector<std::string> ids;
  std::optional<std::uint64_t> web_contents_id;
  bool all = false;
};

void add_released(const json::object& document, json::array& out) {
  if (const json::array* const ids = member(document, "released").if_array()) out.insert(out.end(), ids->begin(), ids->end());
}

int release(const ReleaseOptions& options) {
  const int ways = !options.ids.empty() + options.web_contents_id.has_value() + options.all;
  if (ways != 1) throw Exit{kUsage, "say which: either ids, or --web-contents-id N, or --all"};
  const admin::Client client = connect(options.common.instance);
  json::array released, unknown;
  if (options.all) add_released(expect(client, client.call("DELETE", "/v1/contexts?all=true")), released);
  if (options.web_contents_id)
    add_released(expect(client, client.call("DELETE", fmt::format("/v1/contexts?webContentsId={}", *options.web_contents_id))),
                 released);
  for (const std::string& id : options.ids) {
    try {
      add_released(expect(client, client.call("DELETE", path_of(id))), released);
    } catch (const Exit& exit) {
      if (exit.code != kNoContext) throw;
      unknown.emplace_back(id);
    }
  }
  for (const json::value& id : unknown) print_note(fmt::format("cmuxproxy: there is no context '{}'", shown(id)));
  const int code = unknown.empty() ? kOk : kNoContext;
  if (options.common.json) {
    json::object document;
    document["released"] = std::move(released);
    document["unknown"] = std::move(unknown);
    print_json(document);
    return code;
  }
  for (const json::value& id : released) print(fmt::format("released {}\n", shown(id)));
  if (released.empty() && unknown.empty()) print_note("nothing to release");
  return code;
}

}  // namespace

void add_context(CLI::App& app, Action& chosen) {
  CLI::App* const group = app.add_subcommand("ctx", "make, list, show, change and release contexts");
  group->require_subcommand(1);
  group->footer("Example:\n  cmuxproxy ctx create --help");
  add_context_create(*group, chosen);

  auto list_common = std::make_shared<ListOptions>();
  CLI::App* const list_command = group->add_subcommand("list", "the contexts there are");
  add_common(*list_command, *list_common);
  list_command->add_flag("--ports", list_common->ports, "ask each far end that is a gateway which ports listen in its workspace");
  list_command->footer(
      "OWNER is the process that a context ends with, LAST how long ago its last request began.\n\nExample:\n  cmuxproxy ctx "
      "list --json");
  list_command->callback([list_common, &chosen] { chosen = [list_common] { return list(*list_common); }; });

  auto show_common = std::make_shared<Common>();
  auto show_id = std::make_shared<std::string>();
  CLI::App* const show_command = group->add_subcommand("show", "one context, without its secrets");
  add_common(*show_command, *show_common);
  show_command->add_option("id", *show_id, "the context")->required()->type_name("ID");
  show_command->footer("Example:\n  cmuxproxy ctx show ctx-0-0123456789abcdef");
  show_command->callback([=, &chosen] { chosen = [=] { return show(*show_common, *show_id); }; });

  auto changes = std::make_shared<UpdateOptions>();
  CLI::App* const update_command = group->add_subcommand("update", "give a context another route, whole: new requests follow it");
  add_common(*update_command, changes->common);
  update_command->add_option("id", changes->id, "the context")->required()->type_name("ID");
  update_command->add_flag("--no-route", changes->no_route, "take the route away: localhost is this machine then");
  add_route_flags(*update_command, changes->route);
  update_command->footer(
      "Open tunnels are closed. What the flags do not say the new route does not have, whatever the old one had.\n\nExample:\n"
      "  cmuxproxy ctx update ctx-0-0123456789abcdef --from-url https://cmux-abc123-base-3000.cmux.app --direct");
  update_command->callback([changes, &chosen] { chosen = [changes] { return update(*changes); }; });

  auto options = std::make_shared<ReleaseOptions>();
  CLI::App* const release_command = group->add_subcommand("release", "end contexts and all that goes on under them");
  add_common(*release_command, options->common);
  release_command->add_option("id", options->ids, "contexts")->type_name("ID");
  release_command->add_option("--web-contents-id", options->web_contents_id, "those of that view")->type_name("N");
  release_command->add_flag("--all", options->all, "all");
  release_command->footer(
      "Examples:\n  cmuxproxy ctx release ctx-0-0123456789abcdef\n  cmuxproxy ctx release --web-contents-id 7");
  release_command->callback([options, &chosen] { chosen = [options] { return release(*options); }; });
}

}  // namespace cmux::cli
