// browser: a window whose localhost is the workspace's.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "browser_guard.hpp"
#include "chromium_flags.hpp"
#include "policy/route_url.hpp"
#include "route_flags.hpp"
#include "run_instance.hpp"

namespace cmux::cli {
namespace {

constexpr int kNotFound = 127;

// Chrome first, which most have. Names are looked for in PATH.
constexpr const char* kNames[] = {"google-chrome-stable",  "google-chrome",  "chromium",      "chromium-browser",
                                  "microsoft-edge-stable", "microsoft-edge", "brave-browser", "brave"};
constexpr const char* kPaths[] = {"/opt/google/chrome/chrome",
                                  "/snap/bin/chromium",
                                  "/opt/microsoft/msedge/msedge",
                                  "/opt/brave.com/brave/brave",
                                  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
                                  "/Applications/Chromium.app/Contents/MacOS/Chromium",
                                  "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
                                  "/Applications/Brave Browser.app/Contents/MacOS/Brave Browser"};

struct Options {
  std::string instance, browser, profile, url;
  RouteFlags route;
  std::vector<std::string> arguments;
};

bool is_program(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(path.c_str(), X_OK) == 0;
}

// In PATH; empty where it is not there.
std::string in_path(std::string_view name) {
  const char* const variable = std::getenv("PATH");
  std::string_view rest = variable ? variable : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    if (std::string path = fmt::format("{}/{}", folder, name); !folder.empty() && is_program(path)) return path;
  }
  return {};
}

std::string find_browser(const std::string& wanted) {
  if (!wanted.empty()) {
    const std::string path = wanted.find('/') == std::string::npos ? in_path(wanted) : wanted;
    if (!path.empty() && is_program(path)) return path;
    throw Exit{kNotFound, fmt::format("--browser: '{}' is no program", wanted)};
  }
  for (const char* const name : kNames)
    if (std::string path = in_path(name); !path.empty()) return path;
  const char* const home = std::getenv("HOME");
  for (const std::string path : kPaths) {
    if (is_program(path)) return path;
    if (home && path.starts_with("/Applications/") && is_program(home + path)) return home + path;
  }
  throw Exit{kNotFound,
             fmt::format("browser: none was found; looked in PATH for {}; and for {}; --browser PATH names another that is "
                         "built on Chromium",
                         fmt::join(kNames, ", "), fmt::join(kPaths, ", "))};
}

// What --from-url says, which the instance has understood; it may know more domains.
std::string default_url(const Options& options, const json::object& context) {
  const std::vector<std::string> domains{text_member(member(context, "route"), "domainSuffix")};
  const auto read = policy::route_from_url(options.route.from_url, domains);
  return fmt::format("http://localhost:{}/", read ? read->port : 3000);
}

// A page by way of the proxy. Other schemes mean something else to a browser (javascript:, file:), and may be somebody else's
// text.
CLI::Validator web_url() {
  const auto check = [](const std::string& text) -> std::string {
    const std::size_t end = text.find("://");
    const std::string scheme = net::to_lower(text.substr(0, end));
    const std::string_view rest = end == std::string::npos ? std::string_view() : std::string_view(text).substr(end + 3);
    const bool web = (scheme == "http" || scheme == "https") && !rest.empty() && rest.front() != '/';
    return web ? std::string() : "expected http://… or https://…, such as http://localhost:3000/";
  };
  return {check, "", "web url"};
}

int browse(const Options& options) {
  if (options.url.empty() && options.route.from_url.empty())
    throw Exit{kUsage, "browser: a URL is missing, such as http://localhost:3000/"};
  json::object body;
  options.route.add_to(body);
  body["label"] = options.profile.empty() ? std::string("browser") : "browser " + options.profile;
  body["ownerPid"] = getpid();
  body["dedicatedPort"] = true;  // browsers do not answer a 407 everywhere
  std::vector<std::string> command{find_browser(options.browser)};
  Profile profile(options.profile);
  const admin::Client client = instance_for_run(options.instance);
  const json::object context = expect(client, client.call("POST", "/v1/contexts", json::value(body)));
  print_warnings(context);
  if (member(context, "route").is_null()) print_note(fmt::format("cmuxproxy: browser: {}", kNoRoute));
  const json::object status = expect(client, client.call("GET", "/v1/status"));
  command.insert(command.end(), {"--user-data-dir=" + profile.path(), "--no-first-run", "--no-default-browser-check"});
  for (std::string& flag : chromium_flags(context, status)) command.push_back(std::move(flag));
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  command.push_back(options.url.empty() ? default_url(options, context) : options.url);
  return run_guarded(command, profile);
}

}  // namespace

void add_browser(CLI::App& app, Action& chosen, std::vector<std::string> arguments) {
  auto options = std::make_shared<Options>();
  options->arguments = std::move(arguments);
  CLI::App* const command = app.add_subcommand("browser", "open a browser window whose localhost is the workspace's");
  command->add_option("url", options->url, "what to open, http:// or https://; without it localhost with the port of --from-url")
      ->check(web_url());
  command->add_option("--browser", options->browser, "the program, built on Chromium; without it the first that is found")
      ->type_name("PATH")
      ->check(not_empty());
  command->add_option("--profile", options->profile, "keeps the profile under this name; without it, it goes with the window")
      ->type_name("NAME")
      ->check(not_empty());
  command->add_option("--instance", options->instance, "the instance to use; without it the default one, or else a private one")
      ->envname("CMUXPROXY_INSTANCE")
      ->type_name("NAME")
      ->check(not_empty());
  add_route_flags(*command, options->route);
  command->footer(
      "Ends with the window, and the window with it. What follows a -- goes to the browser as it is.\n"
      "Exit codes: the browser's; 127 there is none; before it runs, those of every command.\n\nExamples:\n"
      "  cmuxproxy browser --from-url https://cmux-abc123-base-3000.cmux.app/\n"
      "  cmuxproxy browser --from-url https://cmux-abc123-base-3000.cmux.app/ --profile abc http://localhost:8080/admin\n"
      "  cmuxproxy browser --from-url URL -- --auto-open-devtools-for-tabs");
  command->callback([options, &chosen] { chosen = [options] { return browse(*options); }; });
}

}  // namespace cmux::cli
