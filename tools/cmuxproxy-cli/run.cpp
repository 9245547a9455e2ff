// run: a command whose localhost is the workspace's.
//
// The process becomes the command (execvp), as that of env(1) does: its parent, process group, terminal, signals and exit status
// are the command's own, and there is nothing to pass on and nobody to be killed in between. What must go when the command has
// ended is tied to the process's number, which stays the same: the context by its ownerPid, a private instance by its owner-pid.
// Both watch the process and not the command's goodwill; and since an instance reads its events in their order, whoever asks it
// after the command has ended finds the context gone.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/log.hpp"
#include "port_flags.hpp"
#include "route_flags.hpp"
#include "run.hpp"
#include "run_environment.hpp"
#include "run_instance.hpp"
#include "run_transparent.hpp"

namespace cmux::cli {
namespace {

constexpr std::size_t kLongestName = 180;         // of a command, for its label, which is bounded
constexpr int kCannotRun = 126, kNotFound = 127;  // as shells and env(1) have it

struct Options {
  std::string instance;
  RouteFlags route;
  std::vector<std::string> forwards;
  bool transparent = false;
  std::vector<std::string> command;
};

// Read before main() ignores it: the command gets what `run` got.
const bool kPipeSignalIgnored = [] {
  struct sigaction action {};
  return sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}();

// The name of the command, for people who list the contexts.
std::string label_of(const std::string& command) {
  const std::string name = command.substr(command.rfind('/') + 1);
  // Longer ones would have to be cut, within a character perhaps.
  return log::printable(name) == name && name.size() <= kLongestName ? fmt::format("run {}", name) : "run";
}

json::object request_of(const Options& options) {
  json::object body;
  options.route.add_to(body);
  body["label"] = label_of(options.command.front());
  body["ownerPid"] = getpid();
  for (const std::string& forward : options.forwards) add_forward(forward, body);
  // Without credentials: Java answers no 407 on tunnels, browsers and SOCKS clients none at all, and what is not in the
  // environment is in nobody's log. The price is that other users of this machine can connect to the port while the command runs.
  // The way in from a namespace is a proxy port, too, which nobody else has.
  if (!options.transparent) body["dedicatedPort"] = true;
  return body;
}

[[noreturn]] void become(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  if (!kPipeSignalIgnored) signal(SIGPIPE, SIG_DFL);
  std::fflush(stdout);
  execvp(arguments[0], arguments.data());
  const int why = errno;
  throw Exit{why == ENOENT ? kNotFound : kCannotRun, fmt::format("run: {}: {}", command.front(), std::strerror(why))};
}

int run(const Options& options) {
  if (options.command.empty()) throw Exit{kUsage, "run: a command is missing: cmuxproxy run [flags] -- COMMAND…"};
  if (options.transparent) check_transparent();
  json::object body = request_of(options);
  const admin::Client client = instance_for_run(options.instance);
  std::optional<Hand> hand;
  if (options.transparent) body["transparent"] = hand.emplace().path();
  json::object context = expect(client, client.call("POST", "/v1/contexts", json::value(body)));
  print_warnings(context);
  if (member(context, "route").is_null()) print_note(fmt::format("cmuxproxy: run: {}", kNoRoute));
  const json::object status = expect(client, client.call("GET", "/v1/status"));
  if (hand) {
    const std::uint16_t port = hand->enter_namespace();
    hand.reset();
    context["dedicatedPort"] = port;
    context["proxyUrl"] = fmt::format("http://127.0.0.1:{}", port);
  }
  set_environment(context, text_member(status, "caFile"));
  if (client.instance().name != kDefaultInstance) setenv("CMUXPROXY_INSTANCE", client.instance().name.c_str(), 1);
  become(options.command);
}

}  // namespace

std::vector<std::string> take_command(int& argc, char** argv) {
  if (argc < 2 || (std::string_view(argv[1]) != "run" && std::string_view(argv[1]) != "browser")) return {};
  char** const end = argv + argc;
  char** const mark = std::find_if(argv + 2, end, [](const char* argument) { return std::string_view(argument) == "--"; });
  argc = static_cast<int>(mark - argv);
  return mark == end ? std::vector<std::string>() : std::vector<std::string>(mark + 1, end);
}

void add_run(CLI::App& app, Action& chosen, std::vector<std::string> command_line) {
  auto options = std::make_shared<Options>();
  options->command = std::move(command_line);
  CLI::App* const command =
      app.add_subcommand("run", "run a command whose localhost is the workspace's: run [flags] -- COMMAND…");
  command->add_option("--instance", options->instance, "the instance to use; without it the default one, or else a private one")
      ->envname("CMUXPROXY_INSTANCE")
      ->type_name("NAME")
      ->check(not_empty());
  command->add_flag("--transparent", options->transparent,
                    "on Linux: every TCP connection of the command to a loopback address, whatever program, port and protocol, "
                    "goes to the workspace: it gets a network namespace of its own");
  add_forward_flag(*command, options->forwards);
  add_route_flags(*command, options->route);
  command->footer(
      "The command gets proxy variables, the local CA for its TLS, and CMUXPROXY_CONTEXT. Where no instance runs, one is "
      "started\n"
      "for it (with the CMUXPROXY_* variables and the file as its settings) and ends with it.\n"
      "Exit codes: the command's; 126 it cannot be run, 127 it is not there; before it runs, those of every "
      "command.\n\nExamples:\n"
      "  cmuxproxy run --from-url https://cmux-abc123-base-3000.cmux.app/ -- curl http://localhost:3000/\n"
      "  cmuxproxy run --from-url https://cmux-abc123-base-3000.cmux.app/ -- bash\n"
      "  cmuxproxy run --from-url URL --direct --transparent -- psql -h localhost\n"
      "  cmuxproxy run --from-url URL --forward 5432:15432 -- psql -h 127.0.0.1 -p 15432");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace cmux::cli
