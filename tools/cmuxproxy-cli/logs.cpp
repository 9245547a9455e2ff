// logs: what the instance has logged of late, and what it logs from now on.
#include <fmt/format.h>

#include <deque>
#include <fstream>

#include "base/log.hpp"
#include "route_flags.hpp"
#include "serve_detach.hpp"

namespace cmux::cli {
namespace {

struct Options : Common {
  bool follow = false;
  std::size_t lines = 1000;
};

class Logs {
 public:
  explicit Logs(const Options& options) : options_(options) {}

  int run() {
    std::optional<admin::Client> client;
    try {
      client.emplace(connect(options_.instance));
    } catch (const Exit& none) {
      if (none.code != kNoInstance || options_.follow || !show_file()) throw;
      return kOk;
    }
    Loop loop;
    loop.run(work(*client));
    if (failed_) throw *failed_;
    return kOk;
  }

 private:
  Task<void> work(const admin::Client& client) {
    try {
      co_await show(client);
    } catch (const Exit& exit) { failed_ = exit; }
  }

  Task<void> show(const admin::Client& client) {
    // First the events, so that between what was and what comes nothing is missed.
    admin::EventStream events(client.instance());
    Result<void> listening;
    if (options_.follow) listening = co_await events.open("/v1/events?type=log");
    if (!listening) throw Exit{kFailed, "the instance's events cannot be read: " + listening.error().detail};
    const auto answer = co_await client.ask("GET", "/v1/logs");
    const json::object document = expect(client, answer);
    if (const json::array* const lines = member(document, "lines").if_array()) {
      const std::size_t skipped = lines->size() - std::min(lines->size(), options_.lines);
      for (std::size_t i = 0; i < lines->size(); ++i) print_line((*lines)[i], i >= skipped);
    }
    while (options_.follow) {
      std::fflush(stdout);
      auto event = co_await events.next(kForEver);
      if (!event) break;
      if (event->type == "lost") print_note("cmuxproxy: lines were lost: they came faster than they were read");
      json::error_code failed;
      const json::value data = json::parse(event->data, failed);
      if (event->type == "log" && !failed) print_line(data, true);
    }
    if (options_.follow) print_note("cmuxproxy: the instance has ended");
  }

  // Each once, however it comes.
  void print_line(const json::value& line, bool wanted) {
    const json::value& number = member(line, "number");
    const std::int64_t at = number.is_int64() ? number.get_int64() : 0;
    if (at <= last_) return;
    last_ = at;
    if (!wanted) return;
    if (options_.json) return print(json::serialize(line) + "\n");
    print(fmt::format("{} {:<5} {}\n", text_member(line, "time"), text_member(line, "level"),
                      log::printable(text_member(line, "message"))));
  }

  // What a detached instance has left behind. False: nothing.
  bool show_file() {
    const std::string path = log_path(options_.instance);
    std::ifstream file(path);
    if (!file) return false;
    print_note(fmt::format("cmuxproxy: no instance '{}' runs; the end of {}:", options_.instance, path));
    std::deque<std::string> last;
    for (std::string line; std::getline(file, line);) {
      last.push_back(std::move(line));
      if (last.size() > options_.lines) last.pop_front();
    }
    for (const std::string& line : last) {
      const std::string text = log::printable(line);
      if (options_.json) print_json({{"number", nullptr}, {"time", nullptr}, {"level", nullptr}, {"message", text}});
      else print(text + "\n");
    }
    return true;
  }

  const Options& options_;
  std::int64_t last_ = 0;
  std::optional<Exit> failed_;
};

}  // namespace

void add_logs(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("logs", "what the instance has logged of late");
  add_common(*command, *options);
  command->add_flag("-f,--follow", options->follow, "go on with what it logs from now on, until it ends");
  command->add_option("-n,--lines", options->lines, "how many of the last lines, at the most")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{0}, std::size_t{1'000'000}))
      ->capture_default_str();
  command->footer(
      "An instance keeps its last 256 KB of lines in memory, whatever its standard error is. Where none runs, the end of the "
      "file\n"
      "that a detached one has left (log/NAME.log in the state folder) is shown.\n\nExamples:\n"
      "  cmuxproxy logs -n 20\n"
      "  cmuxproxy logs -f --json");
  command->callback([options, &chosen] { chosen = [options] { return Logs(*options).run(); }; });
}

}  // namespace cmux::cli
