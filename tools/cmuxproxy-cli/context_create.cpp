// ctx create
#include <fmt/format.h>

#include <optional>

#include "app/settings.hpp"
#include "chromium_flags.hpp"
#include "port_flags.hpp"
#include "route_flags.hpp"

namespace cmux::cli {
namespace {

struct Options {
  Common common;
  RouteFlags route;
  std::string format = "text", label, ttl;
  std::uint64_t web_contents_id = 0;
  std::optional<std::uint64_t> owner_pid;
  std::optional<std::string> dedicated_port;  // 0: any
  std::vector<std::string> forwards;
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

// What a client must know of the instance to trust its certificates.
json::object status_of(const admin::Client& client) { return expect(client, client.call("GET", "/v1/status")); }

// One argument a line, for "$(…)" and xargs.
std::string as_chromium(const json::object& context, const json::object& status) {
  return fmt::format("{}\n", fmt::join(chromium_flags(context, status), "\n"));
}

// The arguments of session.setProxy(), what to answer to `login` (null: it will not be asked), and the fingerprint for
// app.commandLine.appendSwitch('ignore-certificate-errors-spki-list', …), with which secureProxy works too.
json::object as_electron(const json::object& context, const json::object& status) {
  const std::string proxy = text_member(context, "proxy");
  const auto rules = [&](std::string_view scheme) {
    return json::object{{"proxyRules", fmt::format("{}://{}", scheme, proxy)}, {"proxyBypassRules", "<-loopback>"}};
  };
  json::object out{{"id", member(context, "id")}, {"setProxy", rules("http")}};
  const json::value& spki = member(status, "caSpki");
  out["setSecureProxy"] = spki.is_null() ? json::value(nullptr) : json::value(rules("https"));
  out["spki"] = spki;
  if (member(context, "dedicatedPort").is_null())
    out["login"] = json::object{{"username", member(context, "username")}, {"password", member(context, "password")}};
  else out["login"] = nullptr;
  return out;
}

std::string as_text(const json::object& context) {
  std::string out;
  for (const char* key : {"id", "proxyUrl", "socksUrl", "pacUrl", "proxy", "dedicatedPort", "forwards", "autoForward", "username",
                          "password", "route", "label", "expiresAt"}) {
    const json::value& value = member(context, key);
    const bool set = !value.is_null() && !(value.is_array() && value.get_array().empty());
    if (set) out += fmt::format("{:<14} {}\n", key, shown(value));
    else if (value.is_null() && std::string_view(key) == "route") out += fmt::format("{:<14} {}\n", key, kNoRoute);
  }
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
    if (ttl->count() == 0) throw Exit{kUsage, "--ttl: a time above 0; without --ttl it lives until it is released"};
    body["ttlSeconds"] = static_cast<double>(ttl->count()) / 1000;
  }
  if (options.dedicated_port) body["dedicatedPort"] = port_in(*options.dedicated_port, "--dedicated-port", 0);
  for (const std::string& forward : options.forwards) add_forward(forward, body);
  const admin::Client client = connect(options.common.instance);
  const json::object context = expect(client, client.call("POST", "/v1/contexts", json::value(body)));
  print_warnings(context);
  if (format == "json") print_json(context);
  else if (format == "env") print(as_env(context));
  else if (format == "curl") print(as_curl(context));
  else if (format == "electron") print_json(as_electron(context, status_of(client)));
  else if (format == "chromium") {
    print(as_chromium(context, status_of(client)));
    if (member(context, "dedicatedPort").is_null())
      print_note(
          "Chromium will ask for the credentials of this context, and its WebSockets fail until it has: see --dedicated-port");
  } else print(as_text(context));
  return kOk;
}

}  // namespace

void add_context_create(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* const command = group.add_subcommand("create", "make a context: credentials, and where their localhost is");
  add_common(*command, options->common);
  CLI::Option* const format = command->add_option("--format", options->format, "text, json, env, curl, chromium or electron")
                                  ->check(CLI::IsMember({"text", "json", "env", "curl", "chromium", "electron"}))
                                  ->capture_default_str();
  command->add_option("--web-contents-id", options->web_contents_id, "the view that uses it")
      ->type_name("N")
      ->check(not_empty())
      ->capture_default_str();
  command->add_option("--label", options->label, "a name for people")->type_name("TEXT")->check(not_empty());
  command->add_option("--ttl", options->ttl, "release it after that time")->type_name("TIME")->check(not_empty());
  command->add_option("--owner-pid", options->owner_pid, "release it when that process ends")
      ->type_name("PID")
      ->check(not_empty());
  command
      ->add_option_function<std::string>(
          "--dedicated-port", [options](const std::string& text) { options->dedicated_port = text; },
          "a proxy port of its own on 127.0.0.1 and [::1], which asks for no credentials: every user of this machine can use it "
          "as "
          "this context; any, or the one given")
      ->expected(0, 1)
      ->default_str("0")
      ->type_name("[N]");
  add_forward_flag(*command, options->forwards);
  add_route_flags(*command, options->route);
  command->footer(
      "Without a route the context is a plain forward proxy.\n\nExamples:\n"
      "  cmuxproxy ctx create --from-url https://cmux-abc123-base-3000.cmux.app/ --direct\n"
      "  cmuxproxy ctx create --morph-id abc123 --scope base --domain-suffix cmux.app --format curl\n"
      "  eval \"$(cmuxproxy ctx create --from-url https://my-space-3000.app.github.dev --token env:TOKEN \\\n"
      "          --ttl 1h --format env)\"\n"
      "  chromium --user-data-dir=/tmp/view $(cmuxproxy ctx create --from-url URL --dedicated-port --format chromium)");
  command->callback([options, format, &chosen] {
    options->format_given = format->count() > 0;
    chosen = [options] { return create(*options); };
  });
}

}  // namespace cmux::cli
