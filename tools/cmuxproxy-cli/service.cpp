// service: the default instance under the system's service manager, which starts it when it is first asked for (systemd), or at
// login (launchd). Writes the units of this user and tells the manager; nothing of it needs root.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "app/settings.hpp"
#include "base/private_folder.hpp"
#include "base/program_path.hpp"
#include "cli.hpp"
#include "command.hpp"
#include "service_units.hpp"

namespace cmux::cli {
namespace {

namespace fs = std::filesystem;

#ifdef __APPLE__
constexpr bool kLaunchd = true;
#else
constexpr bool kLaunchd = false;
#endif

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

// Where this user's units are.
std::string unit_folder() {
  const std::string home = variable("HOME"), config = variable("XDG_CONFIG_HOME");
  if (!kLaunchd && config.starts_with('/')) return config + "/systemd/user";
  if (!home.starts_with('/')) throw Exit{kFailed, "service: HOME says no folder, in which the units would be"};
  return home + (kLaunchd ? "/Library/LaunchAgents" : "/.config/systemd/user");
}

std::vector<Unit> units() {
  if (!kLaunchd) return systemd_units(program_path());
  const auto state = app::state_directory([](const char* name) -> const char* { return std::getenv(name); });
  if (!state) throw Exit{kFailed, state.error().detail};
  return {launchd_agent(program_path(), *state + "/log/service.log")};
}

void write(const std::string& path, const std::string& text) {
  const std::string folder = path.substr(0, path.rfind('/'));
  if (auto made = make_private_folder(folder); !made) throw Exit{kFailed, "service: " + made.error().detail};
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw Exit{kFailed, fmt::format("service: cannot write {}: {}", path, std::strerror(errno))};
}

// Tells the service manager. What it says is for whoever calls; false where it is not there or fails.
bool tell(const Command& command) { return run_command(command) == 0; }

std::string launchd_domain() { return fmt::format("gui/{}", getuid()); }

bool start(const std::vector<std::string>& paths) {
  if (kLaunchd) return tell({"launchctl", "bootstrap", launchd_domain(), paths.front()});
  return tell({"systemctl", "--user", "daemon-reload"}) && tell({"systemctl", "--user", "enable", "--now", kSocketUnit});
}

// Before the files go. Where the manager does not know of it any more, there is nothing to stop.
void stop() {
  if (kLaunchd) tell({"launchctl", "bootout", fmt::format("{}/{}", launchd_domain(), kLaunchdLabel)});
  else tell({"systemctl", "--user", "disable", "--now", kSocketUnit, kServiceUnit});
}

struct Options {
  bool print = false, json = false;
};

void report(bool as_json, const char* key, const std::vector<std::string>& paths, bool manager_told) {
  if (as_json) {
    json::object document;
    document[key] = json::array(paths.begin(), paths.end());
    document["running"] = manager_told;
    print_json(document);
    return;
  }
  for (const std::string& path : paths) print(fmt::format("{} {}\n", key, path));
}

int install(const Options& options) {
  const auto wanted = units();
  if (options.print) {
    for (const Unit& unit : wanted) print(fmt::format("# {}\n{}\n", unit.file, unit.text));
    return kOk;
  }
  const std::string folder = unit_folder();
  std::vector<std::string> paths;
  for (const Unit& unit : wanted) {
    paths.push_back(folder + "/" + unit.file);
    write(paths.back(), unit.text);
  }
  const bool started = start(paths);
  report(options.json, "installed", paths, started);
  if (started) {
    print_note(kLaunchd ? "it runs now, and from every login on"
                        : "it starts by itself when a client or a command first needs it");
    return kOk;
  }
  print_note(fmt::format("cmuxproxy: service: {} did not take it (see above); the files stay, for when it does: {}",
                         kLaunchd ? "launchd" : "systemd",
                         kLaunchd
                             ? "launchctl bootstrap gui/$UID " + paths.front()
                             : fmt::format("systemctl --user daemon-reload && systemctl --user enable --now {}", kSocketUnit)));
  return kFailed;
}

int uninstall(const Options& options) {
  const std::string folder = unit_folder();
  std::vector<std::string> paths;
  for (const Unit& unit : units())
    if (fs::exists(folder + "/" + unit.file)) paths.push_back(folder + "/" + unit.file);
  if (!paths.empty()) stop();
  for (const std::string& path : paths) {
    std::error_code failed;
    if (!fs::remove(path, failed)) throw Exit{kFailed, fmt::format("service: cannot remove {}: {}", path, failed.message())};
  }
  if (!paths.empty() && !kLaunchd) tell({"systemctl", "--user", "daemon-reload"});
  report(options.json, "removed", paths, false);
  if (paths.empty()) print_note("nothing to remove");
  return kOk;
}

}  // namespace

void add_service(CLI::App& app, Action& chosen) {
  CLI::App* const group = app.add_subcommand("service", "have the system start the default instance when it is needed");
  group->require_subcommand(1);
  group->footer("Example:\n  cmuxproxy service install");

  auto options = std::make_shared<Options>();
  CLI::App* const in = group->add_subcommand("install", "write and enable this user's units; safe to repeat");
  in->add_flag("--print", options->print, "print them, and change nothing");
  in->add_flag("--json", options->json, "print JSON");
  in->footer(
      "With systemd a socket listens on 127.0.0.1:39385, and the first client or command starts the instance. With launchd it "
      "runs\n"
      "from login on. Its settings are those of the file: cmuxproxy serve --help.\n\nExamples:\n"
      "  cmuxproxy service install\n  cmuxproxy service install --print");
  in->callback([options, &chosen] { chosen = [options] { return install(*options); }; });

  CLI::App* const out = group->add_subcommand("uninstall", "stop it, and remove what install has written");
  out->add_flag("--json", options->json, "print JSON");
  out->footer("Example:\n  cmuxproxy service uninstall");
  out->callback([options, &chosen] { chosen = [options] { return uninstall(*options); }; });
}

}  // namespace cmux::cli
