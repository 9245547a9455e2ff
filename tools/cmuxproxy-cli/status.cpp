// status, stop, version
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "app/settings.hpp"
#include "base/process.hpp"
#include "cli.hpp"
#include "route_flags.hpp"

namespace cmux::cli {
namespace {

void print_members(const json::object& document, const std::string& prefix) {
  for (const json::key_value_pair& field : document) {
    const std::string name = prefix + std::string(field.key().data(), field.key().size());
    if (const json::object* const inner = field.value().if_object()) print_members(*inner, name + ".");
    else print(fmt::format("{:<20} {}\n", name, shown(field.value())));
  }
}

json::object ask_status(const std::string& instance) {
  const admin::Client client = connect(instance);
  return expect(client, client.call("GET", "/v1/status"));
}

// The first answer within that time; without an instance until then, what the last attempt says.
json::object wait_for_status(const std::string& instance, milliseconds most) {
  const auto end = Clock::now() + most;
  while (true) {
    try {
      return ask_status(instance);
    } catch (const Exit& exit) {
      if (exit.code != kNoInstance || Clock::now() >= end) throw;
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
}

int status(const Common& common, const std::string& wait) {
  milliseconds most{0};
  if (!wait.empty()) {
    const auto given = app::parse_duration(wait);
    if (!given) throw Exit{kUsage, "--wait: " + given.error().detail};
    most = *given;
  }
  const json::object document = wait_for_status(common.instance, most);
  if (common.json) print_json(document);
  else print_members(document, "");
  return kOk;
}

// Waits until the process has ended. It may have answered and be at work on what is under way.
bool wait_for_end(pid_t pid) {
  constexpr std::chrono::seconds kMost{30}, kNote{2};
  const auto start = Clock::now();
  auto noted = start;
  while (process_runs(pid)) {
    const auto now = Clock::now();
    if (now - start > kMost) return false;
    if (now - noted > kNote) {
      noted = now;
      print_note(fmt::format("waiting for pid {} to finish what is under way ({} s)", pid,
                             std::chrono::duration_cast<std::chrono::seconds>(now - start).count()));
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  return true;
}

int stop(const Common& common) {
  const admin::Client client = connect(common.instance);
  const admin::InstanceRecord& instance = client.instance();
  expect(client, client.call("POST", "/v1/shutdown"));
  if (!wait_for_end(instance.pid))
    throw Exit{kFailed, fmt::format("pid {} has not ended in 30 s; a SIGTERM ends it at once", instance.pid)};
  if (!common.json) {
    print(fmt::format("stopped instance '{}' (pid {})\n", instance.name, instance.pid));
    return kOk;
  }
  json::object document;
  document["stopped"] = true;
  document["instance"] = instance.name;
  document["pid"] = instance.pid;
  print_json(document);
  return kOk;
}

int version(bool as_json) {
  if (!as_json) {
    print("cmuxproxy " CMUXPROXY_VERSION "\n");
    return kOk;
  }
  json::object document;
  document["name"] = "cmuxproxy";
  document["version"] = CMUXPROXY_VERSION;
  print_json(document);
  return kOk;
}

}  // namespace

void add_status(CLI::App& app, Action& chosen) {
  auto common = std::make_shared<Common>();
  CLI::App* const command = app.add_subcommand("status", "what a running instance is and does");
  auto wait = std::make_shared<std::string>();
  add_common(*command, *common);
  command->add_option("--wait", *wait, "wait that long for an instance to be there; exit 3 where none is then")
      ->type_name("TIME")
      ->check(not_empty());
  command->footer("Examples:\n  cmuxproxy status --json\n  cmuxproxy status --wait 10s");
  command->callback([=, &chosen] { chosen = [=] { return status(*common, *wait); }; });
}

void add_stop(CLI::App& app, Action& chosen) {
  auto common = std::make_shared<Common>();
  CLI::App* const command = app.add_subcommand("stop", "stop a running instance, and wait until it has ended");
  add_common(*command, *common);
  command->footer("Example:\n  cmuxproxy stop --instance ci");
  command->callback([common, &chosen] { chosen = [common] { return stop(*common); }; });
}

void add_version(CLI::App& app, Action& chosen) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* const command = app.add_subcommand("version", "print the version");
  command->add_flag("--json", *as_json, "print JSON");
  command->footer("Example:\n  cmuxproxy version --json");
  command->callback([as_json, &chosen] { chosen = [as_json] { return version(*as_json); }; });
}

}  // namespace cmux::cli
