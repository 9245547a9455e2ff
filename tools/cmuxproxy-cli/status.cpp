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

constexpr std::chrono::seconds kGrace{30};  // beyond the time that what is under way gets

void print_members(const json::object& document, const std::string& prefix) {
  for (const json::key_value_pair& field : document) {
    const std::string name = prefix + std::string(field.key().data(), field.key().size());
    if (const json::object* const inner = field.value().if_object()) print_members(*inner, name + ".");
    else print(fmt::format("{:<20} {}\n", name, shown(field.value())));
  }
}

json::object ask_status(const std::string& instance) {
  const admin::Client client = connect(instance, MayStart::no);
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

// "3 requests and 2 tunnels on 4 connections"; empty where the instance does not say.
std::string under_way(const admin::Client& client) {
  const auto answer = client.call("GET", "/v1/status");
  const json::object* const status = answer && answer->ok() ? answer->body.if_object() : nullptr;
  if (!status) return {};
  return fmt::format(": {} requests, {} tunnels, {} connections", shown(member(member(*status, "requests"), "open")),
                     shown(member(*status, "openTunnels")), shown(member(member(*status, "connections"), "open")));
}

// Waits until the process has ended. It may have answered and be at work on what is under way.
bool wait_for_end(const admin::Client& client, std::chrono::seconds most) {
  constexpr std::chrono::seconds kNote{2};
  const pid_t pid = client.instance().pid;
  const auto start = Clock::now();
  auto noted = start;
  while (process_runs(pid)) {
    const auto now = Clock::now();
    if (now - start > most) return false;
    if (now - noted > kNote) {
      noted = now;
      print_note(fmt::format("waiting for pid {} to finish what is under way ({} s){}", pid,
                             std::chrono::duration_cast<std::chrono::seconds>(now - start).count(), under_way(client)));
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  return true;
}

struct StopOptions : Common {
  bool now = false;
  std::string timeout;
};

int stop(const StopOptions& common) {
  json::object body;
  if (common.now) body["now"] = true;
  if (!common.timeout.empty()) {
    const auto limit = app::parse_duration(common.timeout);
    if (!limit) throw Exit{kUsage, "--timeout: " + limit.error().detail};
    body["timeoutSeconds"] = static_cast<double>(limit->count()) / 1000;
  }
  const admin::Client client = connect(common.instance, MayStart::no);
  const admin::InstanceRecord& instance = client.instance();
  const json::object answer = expect(client, client.call("POST", "/v1/shutdown", json::value(body)));
  json::error_code failed;
  const double limit = member(answer, "timeoutSeconds").to_number<double>(failed);
  const std::chrono::seconds most = kGrace + std::chrono::seconds(failed ? 0 : static_cast<std::int64_t>(limit));
  if (!wait_for_end(client, most))
    throw Exit{kFailed, fmt::format("pid {} has not ended in {} s; a SIGTERM ends it at once", instance.pid, most.count())};
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
  auto common = std::make_shared<StopOptions>();
  CLI::App* const command = app.add_subcommand("stop", "stop a running instance, and wait until it has ended");
  add_common(*command, *common);
  CLI::Option* const now = command->add_flag("--now", common->now, "end what is under way at once");
  command->add_option("--timeout", common->timeout, "how long that may go on, instead of the instance's drain-timeout")
      ->type_name("TIME")
      ->check(not_empty())
      ->excludes(now);
  command->footer("Examples:\n  cmuxproxy stop --instance ci\n  cmuxproxy stop --timeout 30s\n  cmuxproxy stop --now");
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
