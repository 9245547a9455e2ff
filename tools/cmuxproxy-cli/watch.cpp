// watch: contexts and requests as they come and go; a redrawn view on a terminal, else a line an event.
#include <unistd.h>

#include "base/log.hpp"
#include "interrupt.hpp"
#include "route_flags.hpp"
#include "watch_view.hpp"

namespace cmux::cli {
namespace {

constexpr milliseconds kRedraw{200};  // between two pictures, while something happens
constexpr milliseconds kAsk{1'000};   // between two looks at contexts and counters

struct Options : Common {
  std::string context;
};

class Watch {
 public:
  explicit Watch(const Options& options)
      : options_(options), client_(connect(options.instance)), drawn_(!options.json && isatty(STDOUT_FILENO)) {}

  int run() {
    loop_.run(work());
    if (failed_) throw *failed_;
    if (!interrupted_) print_note("cmuxproxy: the instance has ended");
    return kOk;
  }

 private:
  Task<void> work() {
    std::optional<Interrupt> interrupt;
    if (drawn_)
      interrupt.emplace([this] {
        interrupted_ = true;
        events_.close();
      });
    Scope parts;
    try {
      const std::string filter = options_.context.empty() ? "" : "?context=" + options_.context;
      if (!filter.empty()) co_await check_context();
      auto listening = co_await events_.open("/v1/events" + filter);
      if (!listening) throw Exit{kFailed, "the instance's events cannot be read: " + listening.error().detail};
      if (drawn_) parts.spawn(draw());
      co_await follow();
    } catch (const Exit& exit) { failed_ = exit; }
    ended_ = true;
    co_await parts.join();
    if (interrupt) co_await interrupt->stop();
  }

  Task<void> check_context() {
    const auto answer = co_await client_.ask("GET", "/v1/contexts/" + options_.context);
    expect(client_, answer);
  }

  Task<void> follow() {
    while (!interrupted_) {
      auto event = co_await events_.next(kForEver);
      if (!event) co_return;
      json::error_code failed;
      const json::value parsed = json::parse(event->data, failed);
      const json::object* const data = parsed.if_object();
      if (failed || !data || event->type == "log") continue;
      take(event->type, *data);
    }
  }

  void take(const std::string& type, const json::object& data) {
    if (drawn_) return view_.add(event_line(type, data));
    if (options_.json) {
      json::object document{{"event", type}};
      for (const json::key_value_pair& member : data) document[member.key()] = member.value();
      print_json(document);
    } else {
      print(event_line(type, data) + "\n");
    }
    std::fflush(stdout);
  }

  Task<void> draw() {
    const Screen screen;
    auto asked = Clock::time_point{};
    while (!ended_) {
      if (Clock::now() - asked >= kAsk) {
        asked = Clock::now();
        const auto status = co_await client_.ask("GET", "/v1/status");
        const auto contexts = co_await client_.ask("GET", "/v1/contexts");
        if (status && contexts) view_.set(status->body, contexts->body, options_.context);
      }
      if (view_.changed()) screen.show(view_.picture(Screen::rows(), Screen::columns()));
      co_await sleep_for(kRedraw);
    }
  }

  const Options& options_;
  Loop loop_;  // outlives what it serves
  const admin::Client client_;
  admin::EventStream events_{client_.instance()};
  WatchView view_;
  const bool drawn_;
  bool ended_ = false, interrupted_ = false;
  std::optional<Exit> failed_;
};

int watch(const Options& options) {
  if (options.context.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
    throw Exit{kNoContext, fmt::format("there is no context '{}'", log::printable(options.context))};
  return Watch(options).run();
}

}  // namespace

void add_watch(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("watch", "contexts and requests, live");
  add_common(*command, *options);
  command->add_option("--ctx", options->context, "of this context alone")->type_name("ID")->check(not_empty());
  command->footer(
      "On a terminal a view that is drawn anew until ^C; elsewhere a line for every request that has ended and every change of "
      "a\n"
      "context; with --json an object a line, whose event is its type (docs/openapi.yaml).\n\nExamples:\n"
      "  cmuxproxy watch\n"
      "  cmuxproxy watch --ctx ctx-0-0123456789abcdef --json");
  command->callback([options, &chosen] { chosen = [options] { return watch(*options); }; });
}

}  // namespace cmux::cli
