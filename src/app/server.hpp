// serve: the running instance. Main thread: admin API, contexts, signals, accepting; workers: the data path.
#pragma once

#include <functional>

#include "app/settings.hpp"

namespace cmux::app {

// Where settings come from.
struct SettingsSource {
  std::function<Result<Settings>()> load;
  std::optional<std::string> path;  // the file among them, where there is one
};

// Runs until a signal or a shutdown request has been carried out; returns the exit code. Start-up errors are logged and give 1.
// `print_ready` gets the ready document (one JSON line) and its form for people, once everything listens. `source` is read anew
// at SIGHUP, or when its file changes, where the settings say so.
int run_server(const Settings& settings, const std::function<void(const std::string& json, const std::string& text)>& print_ready,
               const SettingsSource& source);

}  // namespace cmux::app
