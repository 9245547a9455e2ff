// serve: runs an instance, in the foreground or detached. Its flags come from the table of settings.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <cstdlib>
#include <map>
#include <optional>

#include "app/server.hpp"
#include "app/settings.hpp"
#include "base/line_writer.hpp"
#include "base/log.hpp"
#include "cli.hpp"
#include "route_flags.hpp"
#include "serve_detach.hpp"

extern char** environ;

namespace cmux::cli {
namespace {

constexpr milliseconds kReadyWait{200};  // for the ready line to be taken, before its reader is called late

struct Options {
  std::map<std::string, std::vector<std::string>> texts;  // by setting
  std::map<std::string, bool> switches;
  std::string config;
  bool check = false, json = false, detach = false, discard_log = false;
};

std::vector<std::string> variable_names() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view line = *entry;
    if (line.starts_with("CMUXPROXY_")) names.emplace_back(line.substr(0, line.find('=')));
  }
  return names;
}

app::FlagValues flag_values(const Options& options) {
  app::FlagValues values;
  for (const app::SettingInfo& setting : app::setting_table()) {
    const auto given = options.texts.find(setting.name);
    if (given != options.texts.end() && !given->second.empty()) values[setting.name] = given->second;
    const auto switched = options.switches.find(setting.name);
    if (switched != options.switches.end() && switched->second) values[setting.name] = {setting.negated_flag ? "false" : "true"};
  }
  return values;
}

int print_check(const app::Settings& settings, const std::optional<std::string>& path, bool as_json) {
  const std::string text = app::to_toml(settings);
  if (!as_json) {
    print(text);
    return kOk;
  }
  std::ostringstream values;
  values << toml::json_formatter{toml::parse(text)};
  json::object document;
  document["config"] = path ? json::value(*path) : json::value();
  document["settings"] = json::parse(values.str());
  print_json(document);
  return kOk;
}

// The instance does not wait for whoever is told; a line that is read late is still written.
void say(int descriptor, std::string_view name, const std::string& line, bool close_it) {
  LineWriter out(descriptor, {}, close_it);
  out.add(line + "\n");
  if (!out.flush(kReadyWait)) log::warn("the ready line waits: {} is not read", name);
  else if (out.dropped() > 0) log::warn("the ready line is lost: {} cannot be written to", name);
}

int serve(const Options& options) {
  const app::Environment environment = [](const char* name) { return std::getenv(name); };
  const auto path = app::config_path(options.config.empty() ? std::nullopt : std::optional(options.config), environment);
  const auto load = [&] { return app::load_settings(flag_values(options), environment, variable_names(), path); };
  const auto settings = load();
  if (!settings) throw Exit{kUsage, settings.error().detail};
  if (settings->ready_fd >= 0 && fcntl(settings->ready_fd, F_GETFD) < 0)
    throw Exit{kUsage, fmt::format("--ready-fd: descriptor {} is not open", settings->ready_fd)};
  if (options.check) return print_check(*settings, path, options.json);
  const auto serve_until_stopped = [&](const SayReady& say_ready) {
    return app::run_server(*settings,
                           [&](const std::string& document, const std::string& text) {
                             say_ready(options.json ? document : text);
                             if (settings->ready_fd >= 0) say(settings->ready_fd, "--ready-fd", document, true);
                           },
                           {load, path});
  };
  if (options.detach)
    return detach(settings->instance, options.discard_log ? Log::discard : Log::keep, settings->ready_fd, serve_until_stopped);
  return serve_until_stopped([](const std::string& line) { say(STDOUT_FILENO, "standard output", line, false); });
}

}  // namespace

void add_serve(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("serve", "run an instance");
  for (const app::SettingInfo& setting : app::setting_table()) {
    const std::string flag = (setting.negated_flag ? "--no-" : "--") + setting.name;
    const std::string help = setting.negated_flag ? "do not " + setting.help : setting.help;
    if (setting.argument.empty()) {
      command->add_flag(flag, options->switches[setting.name], help);
      continue;
    }
    CLI::Option* const option = command->add_option(flag, options->texts[setting.name], help)->type_name(setting.argument);
    if (!setting.choices.empty()) option->type_name(fmt::format("{}", fmt::join(setting.choices, "|")));
    if (setting.repeatable) option->allow_extra_args(false);
    else option->expected(1);
  }
  command->add_option("--config", options->config, "TOML file to read ($CMUXPROXY_CONFIG)")
      ->type_name("FILE")
      ->check(not_empty());
  command->add_flag("--check", options->check, "check the settings, print what is in effect, and end");
  command->add_flag("--json", options->json, "print the ready line as JSON");
  CLI::Option* const detach =
      command->add_flag("--detach", options->detach,
                        "run in the background: returns when it is ready; its log is log/NAME.log in the state folder, bounded");
  command->add_flag("--discard-log", options->discard_log)->needs(detach)->group("");  // for who ends with it: `run`
  command->footer(
      "Every setting is also a variable (CMUXPROXY_DRAIN_TIMEOUT) and a key of the file (drain-timeout).\n"
      "SIGINT or SIGTERM stops it gracefully, a second one at once; SIGHUP reads the file again.\n\nExamples:\n"
      "  cmuxproxy serve\n"
      "  cmuxproxy serve --detach && cmuxproxy status\n"
      "  cmuxproxy serve --listen 127.0.0.1:0 --instance ci --json --log-level warn\n"
      "  cmuxproxy serve --resolve '*.cmux.test=127.0.0.1:8443' --upstream-ca ca.pem");
  command->callback([options, &chosen] { chosen = [options] { return serve(*options); }; });
}

}  // namespace cmux::cli
