#include "setting_flags.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cstdlib>

#include "app/settings.hpp"
#include "base/line_writer.hpp"
#include "base/log.hpp"
#include "route_flags.hpp"

extern char** environ;

namespace cmux::cli {
namespace {

constexpr milliseconds kReadyWait{200};  // for the ready line to be taken, before its reader is called late

const char* environment(const char* name) { return std::getenv(name); }

std::vector<std::string> variable_names() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view line = *entry;
    if (line.starts_with("CMUXPROXY_")) names.emplace_back(line.substr(0, line.find('=')));
  }
  return names;
}

app::FlagValues flag_values(const SettingFlags& flags) {
  app::FlagValues values;
  for (const app::SettingInfo& setting : app::setting_table()) {
    const auto given = flags.texts.find(setting.name);
    if (given != flags.texts.end() && !given->second.empty()) values[setting.name] = given->second;
    const auto switched = flags.switches.find(setting.name);
    if (switched != flags.switches.end() && switched->second) values[setting.name] = {setting.negated_flag ? "false" : "true"};
  }
  return values;
}

// The instance does not wait for whoever is told; a line that is read late is still written.
void say(int descriptor, std::string_view name, const std::string& line, bool close_it) {
  LineWriter out(descriptor, {}, close_it);
  out.add(line + "\n");
  if (!out.flush(kReadyWait)) log::warn("the ready line waits: {} is not read", name);
  else if (out.dropped() > 0) log::warn("the ready line is lost: {} cannot be written to", name);
}

}  // namespace

std::optional<std::string> SettingFlags::path() const {
  return app::config_path(config.empty() ? std::nullopt : std::optional(config), environment);
}

Result<app::Settings> SettingFlags::read() const {
  auto settings = app::load_settings(flag_values(*this), environment, variable_names(), path());
  if (settings && settings->instance == app::Settings().instance) settings->instance = usual_instance;
  return settings;
}

app::Settings SettingFlags::load() const {
  auto settings = read();
  if (!settings) throw Exit{kUsage, settings.error().detail};
  if (settings->ready_fd >= 0 && fcntl(settings->ready_fd, F_GETFD) < 0)
    throw Exit{kUsage, fmt::format("--ready-fd: descriptor {} is not open", settings->ready_fd)};
  return *settings;
}

void add_setting_flags(CLI::App& command, SettingFlags& flags, std::span<const std::string_view> without) {
  for (const app::SettingInfo& setting : app::setting_table()) {
    if (std::find(without.begin(), without.end(), setting.name) != without.end()) continue;
    const std::string flag = (setting.negated_flag ? "--no-" : "--") + setting.name;
    const std::string help = setting.negated_flag ? "do not " + setting.help : setting.help;
    if (setting.argument.empty()) {
      command.add_flag(flag, flags.switches[setting.name], help);
      continue;
    }
    CLI::Option* const option = command.add_option(flag, flags.texts[setting.name], help)->type_name(setting.argument);
    if (!setting.choices.empty()) option->type_name(fmt::format("{}", fmt::join(setting.choices, "|")));
    if (setting.repeatable) option->allow_extra_args(false);
    else option->expected(1);
  }
  command.add_option("--config", flags.config, "TOML file to read ($CMUXPROXY_CONFIG)")->type_name("FILE")->check(not_empty());
}

void print_settings(const app::Settings& settings, const std::optional<std::string>& path, bool as_json) {
  const std::string text = app::to_toml(settings);
  if (!as_json) {
    print(text);
    return;
  }
  std::ostringstream values;
  values << toml::json_formatter{toml::parse(text)};
  json::object document;
  document["config"] = path ? json::value(*path) : json::value();
  document["settings"] = json::parse(values.str());
  print_json(document);
}

int run_instance(const SettingFlags& flags, const app::Settings& settings, bool as_json, const SayReady& say_ready,
                 app::Service* service) {
  return app::run_server(
      settings,
      [&](const std::string& document, const std::string& text) {
        // First: with --detach the line below ends the process that was started, and who waits for that reads it then.
        if (settings.ready_fd >= 0) say(settings.ready_fd, "--ready-fd", document, true);
        say_ready(as_json ? document : text);
      },
      {[&flags] { return flags.read(); }, flags.path()}, service);
}

void say_on_stdout(const std::string& line) { say(STDOUT_FILENO, "standard output", line, false); }

}  // namespace cmux::cli
