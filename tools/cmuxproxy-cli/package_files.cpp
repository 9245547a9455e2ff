// __package-files DIR: what packages bring along besides the program, made by the program itself when it is built. For
// tools/cmuxproxy-cli/CMakeLists.txt alone.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "cli.hpp"
#include "completion.hpp"
#include "manual.hpp"
#include "service_units.hpp"

namespace cmux::cli {
namespace {

void write(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw Exit{kFailed, fmt::format("cannot write {}: {}", path, std::strerror(errno))};
}

int write_all(const CLI::App& app, const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder + "/man1", failed);  // write() says what is wrong
  for (const auto& [name, text] : man_pages(app)) write(fmt::format("{}/man1/{}", folder, name), text);
  for (const ShellScript& script : completion_scripts()) write(fmt::format("{}/{}", folder, script.file), script.text);
  // systemd looks for a program without a folder in those of the system.
  for (const Unit& unit : systemd_units("cmuxproxy")) write(fmt::format("{}/{}", folder, unit.file), unit.text);
  return kOk;
}

}  // namespace

void add_package_files(CLI::App& app, Action& chosen) {
  auto folder = std::make_shared<std::string>();
  CLI::App* const command = app.add_subcommand("__package-files", "write what packages bring along")->group("");
  command->add_option("folder", *folder)->required();
  command->callback([folder, &app, &chosen] { chosen = [folder, &app] { return write_all(app, *folder); }; });
}

}  // namespace cmux::cli
