// probe: sends requests through the proxy as a client would, and shows where they went and what took how long.
#include "probe.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>

#include "interrupt.hpp"
#include "probe_report.hpp"
#include "route_flags.hpp"

namespace cmux::cli {
namespace {

struct Options {
  Common common;
  RouteFlags route;
  std::string url, context, method = "GET";
  std::vector<std::string> headers;
  unsigned count = 1;
  bool websocket = false, connect = false, socks = false, http2 = false, fail = false;
};

constexpr milliseconds kEventTime{2'000};  // events come at a request's end, from another thread

class Probe {
 public:
  explicit Probe(const Options& options) : options_(options), client_(connect(options.common.instance)) {
    request_.url = parse_probe_url(options.url, request_.websocket);
    request_.websocket = request_.websocket || options.websocket;
    request_.connect = options.connect || options.socks;
    request_.socks = options.socks;
    request_.http2 = options.http2;
    request_.method = options.method;
    for (const std::string& header : options.headers) request_.headers.push_back(split_header(header, "-H"));
    if (request_.websocket && options.method != "GET") throw Exit{kUsage, "-X: a WebSocket begins with GET"};
  }

  int run() {
    Loop loop;
    loop.run(work());
    if (failed_) throw *failed_;
    report_.finish();
    return report_.good() && !(options_.fail && report_.refused()) ? kOk : kProbeFailed;
  }

 private:
  Task<void> work() {
    Interrupt interrupt([this] {
      interrupted_ = true;
      if (sender_) sender_->cancel();
    });
    // Whatever happens, the throw-away context is released.
    try {
      co_await probe();
    } catch (const Exit& exit) { failed_ = exit; } catch (const std::exception& error) {
      failed_ = Exit{kFailed, error.what()};
    }
    if (!temporary_.empty()) co_await release();
    co_await interrupt.stop();
    if (interrupt.signal() != 0) failed_ = Exit{128 + interrupt.signal(), "interrupted"};
  }

  Task<void> probe() {
    co_await find_context();
    EventStream events(client_.instance());
    events_ = &events;
    auto listening = co_await events.open("/v1/events?type=request&context=" + context_);
    if (!listening) throw Exit{kFailed, "the instance's events cannot be read: " + listening.error().detail};
    ProbeClient sender(request_);
    sender_ = &sender;
    for (unsigned i = 0; i < options_.count && !interrupted_; ++i) {
      const ProbeResult result = co_await sender.send();
      if (interrupted_) break;
      const json::value event = co_await find_event(result);
      report_.add(result, event);
    }
    sender_ = nullptr;
    events_ = nullptr;
    co_await sender.end();
  }

  Task<void> find_context() {
    const bool given = !options_.context.empty();
    json::object body;
    if (!given) {
      options_.route.add_to(body);
      body["label"] = "probe";
      body["ownerPid"] = getpid();  // even a probe that is killed leaves none behind
    }
    std::optional<json::value> wanted;
    if (!given) wanted = body;
    const std::string path = given ? "/v1/contexts/" + options_.context + "?secrets=true" : "/v1/contexts";
    const auto answer = co_await client_.ask(given ? "GET" : "POST", path, std::move(wanted));
    const json::object context = expect(client_, answer);
    context_ = text_member(context, "id");
    if (!given) temporary_ = context_;
    print_warnings(context);
    request_.proxy = text_member(context, "proxy");
    request_.username = text_member(context, "username");
    request_.password = text_member(context, "password");
    const auto status = co_await client_.ask("GET", "/v1/status");
    request_.ca_file = text_member(expect(client_, status), "caFile");
    report_.begin(context_, request_);
  }

  Task<void> release() {
    const auto answer = co_await client_.ask("DELETE", "/v1/contexts/" + temporary_);
    if (!answer) print_note("cmuxproxy: the probe's context could not be released: " + answer.error().detail);
  }

  // The proxy's own report of the request. Null where none comes: a request that was refused for its credentials has no context.
  Task<json::value> find_event(const ProbeResult& result) {
    if (!events_ || result.status == 407) co_return json::value();
    while (true) {
      auto event = co_await events_->next(kEventTime);
      if (!event) {
        events_ = nullptr;
        co_return json::value();
      }
      if (event->type != "request") continue;
      json::error_code failed;
      json::value data = json::parse(event->data, failed);
      // A CONNECT that carries requests reports itself besides them, when it ends.
      const bool wrapper = text_member(data, "method") == "CONNECT" && !result.tunnel_failed &&
                           !text_member(data, "destination").starts_with("tcp://");
      if (!failed && !wrapper) co_return data;
    }
  }

  using EventStream = admin::EventStream;
  const Options& options_;
  admin::Client client_;
  ProbeRequest request_;
  ProbeReport report_{options_.common.json};
  ProbeClient* sender_ = nullptr;
  EventStream* events_ = nullptr;
  std::string context_, temporary_;
  std::optional<Exit> failed_;
  bool interrupted_ = false;
};

void check_options(const Options& options) {
  if (!options.context.empty() && options.route.any()) throw Exit{kUsage, "--ctx and the flags of a route exclude each other"};
  if (options.context.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
    throw Exit{kNoContext, fmt::format("there is no context '{}'", options.context)};
  if (options.method.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") != std::string::npos ||
      options.method.empty())
    throw Exit{kUsage, "-X: expected a method, such as POST"};
}

int probe(const Options& options) {
  check_options(options);
  if (options.connect && options.socks) throw Exit{kUsage, "--connect and --socks exclude each other"};
  if (options.http2 && (options.connect || options.socks || options.websocket))
    throw Exit{kUsage, "--h2 goes with none of --ws, --connect and --socks"};
  if (!options.url.empty()) return Probe(options).run();
  if (!options.context.empty() || options.route.any() || options.websocket || options.connect || options.socks || options.http2 ||
      options.fail)
    throw Exit{kUsage, "these flags need a URL; without one, probe checks the instance itself"};
  return check_instance(options.common);
}

}  // namespace

void add_probe(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      app.add_subcommand("probe", "send a request through the proxy and show its way; or check the instance and its routes");
  command
      ->add_option("url", options->url,
                   "http://localhost:3000/ or ws://…; none: check the instance, and ask the route of every context")
      ->type_name("URL");
  add_common(*command, options->common);
  command->add_option("--ctx", options->context, "use this context; else one is made from the route, and released")
      ->type_name("ID")
      ->check(not_empty());
  command->add_option("-X,--method", options->method, "the method")->type_name("METHOD")->capture_default_str();
  command->add_option("-H,--request-header", options->headers, "a field of the request (repeatable)")
      ->type_name("'N: V'")
      ->allow_extra_args(false);
  command->add_option("--count", options->count, "how many requests, one after the other")
      ->check(CLI::Range(1u, 100'000u))
      ->capture_default_str();
  command->add_flag("--ws", options->websocket, "open a WebSocket, as browsers do: through CONNECT");
  command->add_flag("--connect", options->connect, "send it through CONNECT");
  command->add_flag("--socks", options->socks, "send it through SOCKS5");
  command->add_flag("--h2", options->http2, "speak HTTP/2 to the proxy");
  command->add_flag("--fail", options->fail, "exit 5 for a status of 400 or more, too");
  add_route_flags(*command, options->route);
  command->footer(
      "Times are in milliseconds; with --json in microseconds.\n\nExamples:\n"
      "  cmuxproxy probe\n"
      "  cmuxproxy probe http://localhost:3000/health --ctx ctx-0-0123456789abcdef --h2 --fail\n"
      "  cmuxproxy probe http://localhost:3000/ --morph-id abc123 --scope base --domain-suffix cmux.app\n"
      "  cmuxproxy probe wss://localhost:3443/hmr --ctx ctx-0-0123456789abcdef\n"
      "  cmuxproxy probe http://localhost:3000/api -X POST -H 'Accept: application/json' --count 10 --json");
  command->callback([options, &chosen] { chosen = [options] { return probe(*options); }; });
}

}  // namespace cmux::cli
