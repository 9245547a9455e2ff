// serve: runs an instance, in the foreground or detached. Its flags come from the table of settings.
#include "serve_detach.hpp"
#include "setting_flags.hpp"

namespace cmux::cli {
namespace {

struct Options {
  SettingFlags settings;
  bool check = false, json = false, detach = false, discard_log = false;
};

int serve(const Options& options) {
  const app::Settings settings = options.settings.load();
  if (options.check) {
    print_settings(settings, options.settings.path(), options.json);
    return kOk;
  }
  const auto serve_until_stopped = [&](const SayReady& say_ready) {
    return run_instance(options.settings, settings, options.json, say_ready);
  };
  if (options.detach)
    return detach(settings.instance, options.discard_log ? Log::discard : Log::keep, settings.ready_fd, serve_until_stopped);
  return serve_until_stopped(say_on_stdout);
}

}  // namespace

void add_serve(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("serve", "run an instance");
  add_setting_flags(*command, options->settings);
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
