// cmuxproxy: the program.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
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

// What CLI11 says, but where it counts arguments.
std::string in_words(const CLI::App& command, const CLI::ParseError& error) {
  const std::string text = error.what();
  if (!dynamic_cast<const CLI::ArgumentMismatch*>(&error)) return text;
  std::string name = text.substr(0, text.find_first_of(": "));
  if (!name.starts_with('-')) name.insert(0, name.size() == 1 ? "-" : "--");
  const CLI::Option* const option = command.get_option_no_throw(name);
  if (!option) return text;
  const std::string flag = option->get_name();
  if (option->get_expected_max() == 0) return fmt::format("{}: takes no value", flag);
  if (option->count() > 1) return fmt::format("{}: given {} times, and can have one value", flag, option->count());
  return fmt::format("{}: its value is missing ({})", flag, option->get_type_name());
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = last_command(app);
  const std::string name = full_name(command);
  const std::vector<std::string> rest = command.remaining();
  const bool wants_command = command.get_require_subcommand_min() > 0;
  if (wants_command && !rest.empty() && !rest.front().starts_with('-'))
    print_note(fmt::format("{}: there is no command '{}'", name, rest.front()));
  else if (wants_command && rest.empty()) print_note(fmt::format("{}: a command is missing", name));
  else print_note(fmt::format("{}: {}", name, in_words(command, error)));
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
  const std::vector<std::string> command = take_command(argc, argv);
  CLI::App app("http://localhost:3000 shows port 3000 of a remote workspace: a local forward proxy", "cmuxproxy");
  app.require_subcommand(1);
  app.option_defaults()->disable_flag_override();  // --flag=false would be --flag
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
  const std::pair<std::string_view, std::function<void()>> commands[] = {
      {"run", [&] { add_run(app, chosen, command); }},
      {"browser", [&] { add_browser(app, chosen, command); }},
      {"serve", [&] { add_serve(app, chosen); }},
      {"ctx", [&] { add_context(app, chosen); }},
      {"probe", [&] { add_probe(app, chosen); }},
      {"status", [&] { add_status(app, chosen); }},
      {"stop", [&] { add_stop(app, chosen); }},
      {"watch", [&] { add_watch(app, chosen); }},
      {"inspect", [&] { add_inspect(app, chosen); }},
      {"logs", [&] { add_logs(app, chosen); }},
      {"ca", [&] { add_ca(app, chosen); }},
      {"gateway", [&] { add_gateway(app, chosen); }},
      {"service", [&] { add_service(app, chosen); }},
      {"completion", [&] { add_completion(app, chosen); }},
      {"version", [&] { add_version(app, chosen); }},
      {"__package-files", [&] { add_package_files(app, chosen); }},
  };
  // Flags of all commands take longer to set up than a small command to run: the one that is asked for is enough, but for those
  // that write about all.
  const std::string_view first = argc > 1 ? argv[1] : "";
  const bool one =
      !first.starts_with("__") && std::ranges::any_of(commands, [&](const auto& each) { return each.first == first; });
  for (const auto& [name, add] : commands)
    if (!one || name == first) add();
  app.add_flag_callback(
      "--version", [] { throw CLI::CallForVersion("cmuxproxy " CMUXPROXY_VERSION, 0); }, "print the version");
  if (first == kCompleteWord) {
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
