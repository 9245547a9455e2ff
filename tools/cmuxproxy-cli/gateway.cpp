// gateway: the workspace's side of the way.
#include "app/gateway.hpp"

#include <array>

#include "gateway_fleet.hpp"
#include "gateway_keys.hpp"
#include "route_flags.hpp"
#include "setting_flags.hpp"

namespace cmux::cli {
namespace {

// What means nothing without contexts.
constexpr std::array<std::string_view, 14> kNotHere{
    "listen",       "port-attempts",        "allow-remote",     "intercept",         "domains",
    "never-route",  "max-context-requests", "rewrite-location", "rewrite-callbacks", "rewrite-cookies",
    "rewrite-hsts", "rewrite-cors",         "rewrite-origin",   "owner-pid"};

struct ServiceFlags {
  SettingFlags settings;
  bool check = false, json = false;
};

// The instance has a name of its own, so that it does not stand in the way of `serve`'s.
void add_common_flags(CLI::App& command, ServiceFlags& common) {
  common.settings.usual_instance = command.get_name();
  add_setting_flags(command, common.settings, kNotHere);
  command.add_flag("--check", common.check, "check the settings, print those that serve has too, and end");
  command.add_flag("--json", common.json, "print the ready line as JSON");
}

int run_service(const ServiceFlags& common, Result<std::unique_ptr<app::Service>> service) {
  const app::Settings settings = common.settings.load();
  if (!service) throw Exit{kUsage, service.error().detail};
  if (common.check) {
    print_settings(settings, common.settings.path(), common.json);
    return kOk;
  }
  return run_instance(common.settings, settings, common.json, say_on_stdout, service->get());
}

void add_machine(CLI::App& group, Action& chosen) {
  struct Options {
    ServiceFlags common;
    app::MachineFlags flags;
  };
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      group.add_subcommand("machine", "inside a workspace's machine: to the port that the request's fields name");
  command->add_option("--listen", options->flags.listen, "where to listen (repeatable; default 0.0.0.0:39379 and [::]:39379)")
      ->type_name("IP:PORT")
      ->allow_extra_args(false);
  command->add_option("--token", options->flags.token, "a file with the secret that every request must carry as X-Cmux-Token")
      ->type_name("FILE")
      ->check(not_empty());
  command
      ->add_option("--allow-hosts", options->flags.allow_hosts,
                   "hosts of the machine's network that X-Cmux-Target-Internal may name (repeatable)")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  command
      ->add_option("--register", options->flags.register_as,
                   "the id by which this machine registers itself in the fleet's store, for as long as it runs")
      ->type_name("ID")
      ->check(not_empty());
  command
      ->add_option("--advertise", options->flags.advertise,
                   "where public gateways reach this one; default: h2c://, the address that reaches the store, and the port")
      ->type_name("URL")
      ->check(not_empty());
  command->add_option("--lease", options->flags.lease, "after which silence it is gone from the store (default 30s)")
      ->type_name("TIME")
      ->check(not_empty());
  add_store_flags(*command, options->flags.store);
  add_common_flags(*command, options->common);
  command->footer(
      "Without --token anybody who reaches the port reaches every port of the machine.\n"
      "Its instance is called machine: cmuxproxy status --instance machine\n\nExamples:\n"
      "  cmuxproxy gateway machine\n"
      "  cmuxproxy gateway machine --token /etc/cmuxproxy/token --allow-hosts '*.internal'\n"
      "  cmuxproxy gateway machine --token /etc/cmuxproxy/token --store rediss://store.internal \\\n"
      "    --store-password redis.password --register abc123 --advertise https://10.0.0.7:39379\n"
      "  curl -H 'X-Cmux-Port-Internal: 3000' http://127.0.0.1:39379/");
  command->callback(
      [options, &chosen] { chosen = [options] { return run_service(options->common, app::machine_service(options->flags)); }; });
}

void add_names(CLI::App& group, Action& chosen) {
  struct Options {
    ServiceFlags common;
    app::NamesFlags flags;
  };
  auto options = std::make_shared<Options>();
  app::NamesFlags& flags = options->flags;
  CLI::App* const command = group.add_subcommand("names", "on the public side: to the machine that the host's name says");
  const auto add_list = [&](const char* flag, std::vector<std::string>& into, const char* type, const char* help) {
    command->add_option(flag, into, help)->type_name(type)->allow_extra_args(false);
  };
  const auto add_text = [&](const char* flag, std::string& into, const char* type, const char* help) {
    return command->add_option(flag, into, help)->type_name(type)->check(not_empty());
  };
  add_list("--listen", flags.listen, "IP:PORT", "where to listen (repeatable; default 0.0.0.0:39380 and [::]:39380)");
  add_list("--domain", flags.domains, "NAME", "a domain whose names are machines' (repeatable)");
  add_text("--machine-template", flags.machine_template, "URL", "where the gateway of machine {id} is");
  add_text("--machines", flags.machines, "FILE", "a table of machines (TOML: id = \"https://host:port\"), before the template");
  add_text("--port-template", flags.port_template, "URL",
           "where port {port} of machine {id} is, for port-<port>-<id> names; without it they go through its gateway");
  add_text("--machine-token", flags.machine_token, "FILE", "the secret that the machines' gateways ask for (their --token)");
  add_text("--tls-cert", flags.tls_cert, "FILE", "certificate and chain (PEM)");
  add_text("--tls-key", flags.tls_key, "FILE", "its key (PEM)");
  add_list("--trusted-proxy", flags.trusted_proxies, "IP[/BITS]",
           "who is believed in X-Forwarded-Host and X-Forwarded-Proto (repeatable)");
  add_text("--keys", flags.keys, "FILE", "keys of access tokens (gateway key make); without it everybody has access");
  add_text("--revoked", flags.revoked, "FILE", "ids of tokens that are revoked (gateway revoke --file)");
  add_store_flags(*command, flags.store);
  add_text("--wake-command", flags.wake_command, "COMMAND",
           "what the shell runs, once, when a machine is not there, with its id in $CMUX_MACHINE; its requests wait meanwhile");
  add_text("--wake-url", flags.wake_url, "URL", "what gets a POST then; holds {id}");
  add_text("--wake-token", flags.wake_token, "FILE", "the bearer token that the URL asks for");
  add_text("--wake-timeout", flags.wake_timeout, "TIME", "how long a machine may take to wake (default 60s)");
  add_common_flags(*command, options->common);
  command->footer(
      "Names: cmux-<id>-[<workspace>-]<port>, <workspace>-<port>-<id> and port-<port>-<id> under a domain. All files are read\n"
      "again when they change. Its instance is called names.\n\nExamples:\n"
      "  cmuxproxy gateway names --domain preview.example.com --machines machines.toml \\\n"
      "    --tls-cert fullchain.pem --tls-key privkey.pem --keys keys.json --listen 0.0.0.0:443\n"
      "  cmuxproxy gateway names --domain cmux.example --machine-template 'https://port-39379-morphvm-{id}.http.cloud.morph.so'\n"
      "  cmuxproxy gateway names --domain cmux.example --machines machines.toml --wake-command 'wakeup \"$CMUX_MACHINE\"'\n"
      "  cmuxproxy gateway names --domain cmux.example --store rediss://store.internal --store-password redis.password --keys "
      "keys.json");
  command->callback(
      [options, &chosen] { chosen = [options] { return run_service(options->common, app::names_service(options->flags)); }; });
}

}  // namespace

void add_gateway(CLI::App& app, Action& chosen) {
  CLI::App* const group = app.add_subcommand("gateway", "the workspace's side: what a proxy's routes lead to");
  group->require_subcommand(1);
  group->footer("Example:\n  cmuxproxy gateway machine");
  add_machine(*group, chosen);
  add_names(*group, chosen);
  add_gateway_keys(*group, chosen);
  add_gateway_fleet(*group, chosen);
}

}  // namespace cmux::cli
