// The flags of the table of settings (app/settings.hpp), for the commands that run an instance.
#pragma once

#include <map>
#include <optional>
#include <span>

#include "app/server.hpp"
#include "cli.hpp"
#include "serve_detach.hpp"

namespace cmux::cli {

struct SettingFlags {
  std::map<std::string, std::vector<std::string>> texts;  // by setting
  std::map<std::string, bool> switches;
  std::string config;
  std::string usual_instance = app::Settings().instance;  // what it is called where nothing says otherwise

  // From flags, variables and the file. Throws Exit where they are wrong.
  std::optional<std::string> path() const;
  Result<app::Settings> read() const;
  app::Settings load() const;
};

// Adds one flag a setting, but for those named in `without`, and --config.
void add_setting_flags(CLI::App& command, SettingFlags& flags, std::span<const std::string_view> without = {});

// The effective settings, for --check.
void print_settings(const app::Settings& settings, const std::optional<std::string>& path, bool as_json);

// Runs the instance until it is stopped. `say_ready`: gets the ready line, as JSON where that is wanted.
int run_instance(const SettingFlags& flags, const app::Settings& settings, bool as_json, const SayReady& say_ready,
                 app::Service* service = nullptr);

// The usual place of the ready line.
void say_on_stdout(const std::string& line);

}  // namespace cmux::cli
