// ctx create
#include <fmt/format.h>

#include <optional>

#include "app/settings.hpp"
#include "route_flags.hpp"

namespace cmux::cli {
namespace {

struct Options {
  Common common;
  RouteFlags route;
  std::string format = "text", label, ttl;
  std::uint64_t web_contents_id = 0;
  std::optional<std::uint64_t> owner_pid;
  bool format_given = false;
};

// For a POSIX shell.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string as_env(const json::object& context) {
  std::string out;
  const std::string url = in_quotes(text_member(context, "proxyUrl"));
  for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
    out += fmt::format("export {}={}\n", name, url);
  // What is listed there would not reach the proxy, and localhost mostly is.
  out += "export no_proxy=''\nexport NO_PROXY=''\n";
  out += fmt::format("export CMUXPROXY_CONTEXT={}\n", in_quotes(text_member(context, "id")));
  return out;
}

std::string as_curl(const json::object& context) {
  return fmt::format("curl --noproxy '' -x {} http://localhost:3000/\n", text_member(context, "proxyUrl"));
}

std::string as_text(const json::object& context) {
  std::string out;
  for (const char* key : {"id", "proxyUrl", "proxy", "username", "password", "route", "label", "expiresAt"})
    if (const json::value& value = member(context, key); !value.is_null()) out += fmt::format("{:<10} {}\n", key, shown(value));
  return out + fmt::format("\ntry: {}", as_curl(context));
}

int create(const Options& options) {
  if (options.common.json && options.format_given && options.format != "json")
    throw Exit{kUsage, "--json and --format " + options.format + " exclude each other"};
  const std::string& format = options.common.json ? "json" : options.format;
  json::object body;
  options.route.add_to(body);
  body["webContentsId"] = options.web_contents_id;
  if (!options.label.empty()) body["label"] = options.label;
  if (options.owner_pid) body["ownerPid"] = *options.owner_pid;
  if (!options.ttl.empty()) {
    const auto ttl = app::parse_duration(options.ttl);
    if (!ttl) throw Exit{kUsage, "--ttl: " + ttl.error().detail};
    if (ttl->count() > 0) body["ttlSeconds"] = static_cast<double>(ttl->count()) / 1000;
  }
  const admin::Client client = connect(options.common.instance);
  const json::object context = expect(client, client.call("POST", "/v1/contexts", json::value(body)));
  if (format == "json") print_json(context);
  else if (format == "env") print(as_env(context));
  else if (format == "curl") print(as_curl(context));
  else print(as_text(context));
  return kOk;
}

}  // namespace

void add_context_create(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* const command = group.add_subcommand("create", "make a context: credentials, and where their localhost is");
  add_common(*command, options->common);
  CLI::Option* const format = command->add_option("--format", options->format, "text, json, env or curl")
                                  ->check(CLI::IsMember({"text", "json", "env", "curl"}))
                                  ->capture_default_str();
  command->add_option("--web-contents-id", options->web_contents_id, "the view that uses it")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--label", options->label, "a name for people")->type_name("TEXT");
  command->add_option("--ttl", options->ttl, "release it after that time")->type_name("TIME");
  command->add_option("--owner-pid", options->owner_pid, "release it when that process ends")->type_name("PID");
  add_route_flags(*command, options->route);
  command->footer(
      "Without a route the context is a plain forward proxy.\n\nExamples:\n"
      "  cmuxproxy ctx create --morph-id abc123 --scope base --domain-suffix cmux.app\n"
      "  cmuxproxy ctx create --from-url https://cmux-abc123-base-3000.cmux.app/ --format curl\n"
      "  eval \"$(cmuxproxy ctx create --template 'https://{id}-{port}.app.github.dev' --morph-id my-space \\\n"
      "          --header 'X-Github-Token: '\"$TOKEN\" --ttl 1h --format env)\"");
  command->callback([options, format, &chosen] {
    options->format_given = format->count() > 0;
    chosen = [options] { return create(*options); };
  });
}

}  // namespace cmux::cli
