#include "probe_routes.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "base/log.hpp"
#include "probe_request.hpp"
#include "proxy/advice.hpp"
#include "route_flags.hpp"

namespace cmux::cli {
namespace {

constexpr std::size_t kMostRoutes = 50;     // that are asked, all at once
constexpr milliseconds kTime{15'000};       // for the answer
constexpr milliseconds kEventTime{2'000};   // for the instance's own report of it
constexpr std::uint16_t kUsualPort = 3000;  // where no forwarded port says which

struct Asked {
  json::value route;
  std::string contexts;  // that have it
  std::uint16_t port = kUsualPort;
  Check check{"route", Verdict::failed, {}, {}};
};

std::string ms_of(const json::value& event, std::string_view key) {
  const json::value& value = member(member(event, "timing"), key);
  return value.is_int64() ? fmt::format("{:.1f} ms", static_cast<double>(value.get_int64()) / 1000) : "-";
}

// "https://host:443 (h2): DNS 0.1 ms, connect …": where it went, and how.
std::string way_of(const json::value& event) {
  const std::string to = text_member(event, "destination");
  if (to.empty()) return {};
  std::string out = " by way of " + to;
  if (const std::string protocol = text_member(event, "upstream"); !protocol.empty()) out += fmt::format(" ({})", protocol);
  if (member(event, "reused") == json::value(true)) return out + ", on a connection that was open";
  return out + fmt::format(": DNS {}, connect {}, TLS {}, first byte {}", ms_of(event, "dns"), ms_of(event, "connect"),
                           ms_of(event, "tls"), ms_of(event, "firstByte"));
}

void judge(Asked& asked, const ProbeResult& result, const json::value& event) {
  Check& check = asked.check;
  const std::string url = fmt::format("http://localhost:{}/", asked.port), way = way_of(event);
  if (!result.proxy_error.empty()) {
    const std::string why = text_member(event, "detail");
    check.detail = fmt::format("{}: {} fails: {}", asked.contexts, url, why.empty() ? result.proxy_error : why);
    check.hint = proxy::advice_for(result.proxy_error);
  } else if (result.status == 0) {
    check.detail = fmt::format("{}: {} has no answer: {}", asked.contexts, url, result.failure);
    check.hint = "look at the log: cmuxproxy logs";
  } else if (result.status >= 500) {
    check.verdict = Verdict::warning;
    check.detail = fmt::format("{}: {} is answered {} by the workspace{}", asked.contexts, url, result.status, way);
    check.hint =
        fmt::format("the way there is in order; look whether a dev server runs in the workspace, on port {}", asked.port);
  } else if (result.status == 401 || result.status == 403) {
    check.verdict = Verdict::warning;
    check.detail = fmt::format("{}: {} is answered {}{}", asked.contexts, url, result.status, way);
    check.hint = "a private port needs its token: ctx update ID … --token env:TOKEN, or --header-file";
  } else {
    check.verdict = Verdict::ok;
    check.detail = fmt::format("{}: {} answers {}{}", asked.contexts, url, result.status, way);
  }
}

Task<json::value> report_of(admin::EventStream& events) {
  auto event = co_await events.next(kEventTime);
  if (!event) co_return json::value();
  json::error_code failed;
  json::value data = json::parse(event->data, failed);
  co_return failed ? json::value() : std::move(data);
}

Task<void> ask_through(const admin::Client& client, Asked& asked, std::string& made) {
  json::object body{{"route", asked.route}, {"label", "probe"}, {"ownerPid", getpid()}};
  std::optional<json::value> wanted(std::move(body));
  const auto answer = co_await client.ask("POST", "/v1/contexts", std::move(wanted));
  const json::object context = expect(client, answer);
  made = text_member(context, "id");
  admin::EventStream events(client.instance());
  auto listening = co_await events.open("/v1/events?type=request&context=" + made);
  if (!listening) throw Exit{kFailed, listening.error().detail};
  ProbeRequest request;
  bool websocket = false;
  request.url = parse_probe_url(fmt::format("http://localhost:{}/", asked.port), websocket);
  request.proxy = text_member(context, "proxy");
  request.username = text_member(context, "username");
  request.password = text_member(context, "password");
  ProbeClient sender(request);
  Deadline late([](void* self) { static_cast<ProbeClient*>(self)->cancel(); }, &sender);
  late.after(kTime);
  const ProbeResult result = co_await sender.send();
  late.cancel();
  const json::value event = co_await report_of(events);
  judge(asked, result, event);
}

Task<void> ask(const admin::Client& client, Asked& asked) {
  std::string made;
  try {
    co_await ask_through(client, asked, made);
  } catch (const Exit& exit) { asked.check.detail = fmt::format("{}: {}", asked.contexts, exit.message); }
  if (!made.empty()) co_await client.ask("DELETE", "/v1/contexts/" + made);
}

// The contexts' routes, each once.
Task<void> find_routes(const admin::Client& client, std::map<std::string, Asked>& routes) {
  const auto answer = co_await client.ask("GET", "/v1/contexts");
  if (!answer || !answer->ok()) co_return;  // the admin API's own check says why
  const json::array* const contexts = member(answer->body, "contexts").if_array();
  if (!contexts) co_return;
  for (const json::value& each : *contexts) {
    if (member(each, "route").is_null()) continue;
    const std::string id = text_member(each, "id");
    const auto whole = co_await client.ask("GET", "/v1/contexts/" + id + "?secrets=true");
    if (!whole || !whole->ok()) continue;  // released meanwhile
    const json::value& route = member(whole->body, "route");
    const json::array* const forwards = member(each, "forwards").if_array();
    Asked asked;
    asked.route = route;
    if (forwards && !forwards->empty()) asked.port = static_cast<std::uint16_t>(member(forwards->front(), "port").as_int64());
    asked.contexts = "context " + id;
    const auto [found, added] = routes.try_emplace(fmt::format("{} {}", asked.port, json::serialize(route)), std::move(asked));
    if (!added) found->second.contexts += ", " + id;
    if (routes.size() > kMostRoutes) co_return;
  }
}

Task<void> ask_all(const admin::Client& client, std::vector<Check>& out) {
  std::map<std::string, Asked> routes;
  co_await find_routes(client, routes);
  if (routes.size() > kMostRoutes) {
    routes.erase(std::prev(routes.end()));
    out.push_back({"route", Verdict::warning, fmt::format("there are more routes than the {} that are asked", kMostRoutes), {}});
  }
  Scope asking;
  for (auto& [key, asked] : routes) asking.spawn(ask(client, asked));
  co_await asking.join();
  for (auto& [key, asked] : routes) out.push_back(std::move(asked.check));
}

}  // namespace

std::vector<Check> check_routes(const admin::Client& client) {
  std::vector<Check> out;
  Loop loop;
  loop.run(ask_all(client, out));
  return out;
}

}  // namespace cmux::cli
