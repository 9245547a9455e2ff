// cmuxproxy: the program.
#include <fmt/format.h>
#include <signal.h>

#include <cstdio>

#include "app/setting_values.hpp"
#include "base/program_path.hpp"
#include "base/standard_streams.hpp"
#include "candidates.hpp"
#include "cli.hpp"
#include "run.hpp"

namespace cmux::cli {
namespace {

// The command that was being read when the error came.
const CLI::App& last_command(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().back();
  return *at;
}

std::string full_name(const CLI::App& command) {
  const CLI::App* const parent = command.get_parent();
  return parent ? full_name(*parent) + " " + command.get_name() : "cmuxproxy";
}

// The flag or command that an unknown argument is a slip for; empty where it is like none.
std::string meant_by(std::string_view given, const std::vector<std::string>& flags, const std::vector<std::string>& commands) {
  if (given.starts_with("--")) return app::closest(given.substr(0, given.find('=')), flags);
  return commands.empty() ? std::string() : app::closest(given, commands);
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = last_command(app);
  const std::string name = full_name(command);
  const std::vector<std::string> rest = command.remaining();
  const bool wants_command = command.get_require_subcommand_min() > 0;
  if (wants_command && !rest.empty() && !rest.front().starts_with('-'))
    print_note(fmt::format("{}: there is no command '{}'", name, rest.front()));
  else if (wants_command && rest.empty()) print_note(fmt::format("{}: a command is missing", name));
  else print_note(fmt::format("{}: {}", name, error.what()));
  std::vector<std::string> flags, commands;
  for (const CLI::Option* option : command.get_options())
    if (!option->get_lnames().empty()) flags.push_back("--" + option->get_lnames().front());
  for (const CLI::App* sub : shown_commands(command)) commands.push_back(sub->get_name());
  for (const std::string& given : rest)
    if (const std::string meant = meant_by(given, flags, commands); !meant.empty())
      print_note(fmt::format("did you mean {}?", meant));
  if (!commands.empty()) print_note(fmt::format("commands: {}", fmt::join(commands, ", ")));
  if (!flags.empty()) print_note(fmt::format("flags: {}", fmt::join(flags, ", ")));
  print_note(fmt::format("more: {} --help", name));
  return kUsage;
}

// "--flag=": CLI11 would take the next argument for its value.
std::string without_value(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") break;
    if (argument.starts_with("--") && argument.find('=') == argument.size() - 1)
      return std::string(argument.substr(0, argument.size() - 1));
  }
  return {};
}

int run(int argc, char** argv) {
  std::vector<std::string> command = take_command(argc, argv);
  CLI::App app("http://localhost:3000 shows port 3000 of a remote workspace: a local forward proxy", "cmuxproxy");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  cmuxproxy run --from-url https://cmux-abc123-base-3000.cmux.app/ -- curl http://localhost:3000/\n"
      "  cmuxproxy browser --from-url https://cmux-abc123-base-3000.cmux.app/\n"
      "  cmuxproxy serve --detach\n"
      "  cmuxproxy ctx create --morph-id abc123 --scope base --domain-suffix cmux.app --format curl\n"
      "  cmuxproxy probe http://localhost:3000/ --morph-id abc123 --scope base --domain-suffix cmux.app\n"
      "\nExit codes: 0 ok, 1 failed, 2 usage, 3 no instance reachable, 4 no such context, 5 probe failed\n"
      "Every command has --help.");
  Action chosen;
  add_run(app, chosen, command);
  add_browser(app, chosen, std::move(command));
  add_serve(app, chosen);
  add_context(app, chosen);
  add_probe(app, chosen);
  add_status(app, chosen);
  add_stop(app, chosen);
  add_watch(app, chosen);
  add_inspect(app, chosen);
  add_logs(app, chosen);
  add_ca(app, chosen);
  add_gateway(app, chosen);
  add_service(app, chosen);
  add_completion(app, chosen);
  add_version(app, chosen);
  add_package_files(app, chosen);
  app.add_flag_callback(
      "--version", [] { throw CLI::CallForVersion("cmuxproxy " CMUXPROXY_VERSION, 0); }, "print the version");
  if (argc > 1 && argv[1] == kCompleteWord) {
    for (const std::string& line : candidates(app, {argv + 2, argv + argc})) print(line + "\n");
    return kOk;
  }
  if (const std::string flag = without_value(argc, argv); !flag.empty()) {
    print_note(fmt::format("cmuxproxy: {}: must not be empty", flag));
    return kUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);  // prints the help or the version
  } catch (const CLI::ParseError& error) { return usage_error(app, error); }
  try {
    return chosen();
  } catch (const Exit& exit) {
    if (!exit.message.empty()) print_note("cmuxproxy: " + exit.message);
    return exit.code;
  }
}

}  // namespace
}  // namespace cmux::cli

int main(int argc, char** argv) {
  if (!cmux::open_standard_streams()) return cmux::cli::kFailed;
  signal(SIGPIPE, SIG_IGN);
  cmux::remember_program(argc > 0 ? argv[0] : nullptr);
  try {
    const int code = cmux::cli::run(argc, argv);
    // A full disk or a closed pipe must not look like success.
    if (std::fflush(stdout) != 0 && code == cmux::cli::kOk) return cmux::cli::kFailed;
    return code;
  } catch (const std::exception& error) {
    cmux::cli::print_note(fmt::format("cmuxproxy: {}", error.what()));
    return cmux::cli::kFailed;
  }
}
