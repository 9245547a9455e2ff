// `probe` without a URL: are the instance and the routes of its contexts in order? A verdict a line.
#include <fmt/format.h>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdlib>

#include "admin/http_socket.hpp"
#include "base/process.hpp"
#include "http/fields.hpp"
#include "probe.hpp"
#include "probe_routes.hpp"

namespace cmux::cli {
namespace {

namespace http = boost::beast::http;

constexpr milliseconds kTime{5'000};  // for the proxy port to answer

Check check_admin(const admin::Client& client) {
  Check check{"admin", Verdict::failed, {}, "stop it, and start it again: cmuxproxy serve"};
  const auto answer = client.call("GET", "/v1/status");
  if (!answer) {
    check.detail = fmt::format("{}: {}", client.instance().admin, answer.error().detail);
    return check;
  }
  if (!answer->ok()) {
    check.detail = answer->problem();
    return check;
  }
  return {"admin",
          Verdict::ok,
          fmt::format("{} answers, version {}, {} contexts", client.instance().admin, text_member(answer->body, "version"),
                      shown(member(answer->body, "contexts"))),
          {}};
}

// A request without credentials must get a 407 in the proxy's own name.
Task<void> ask_without_credentials(const std::string& proxy, Check& check) {
  check.hint = "something else may have taken the port; look at the log of cmuxproxy serve";
  admin::HttpSocket socket(Loop::current().context());
  auto done = co_await admin::connect_to(socket, proxy, kTime);
  if (!done) {
    check.detail = done.error().detail;
    co_return;
  }
  http::request<http::empty_body> request(http::verb::get, "http://localhost/", 11);
  request.set(http::field::host, "localhost");
  const auto [failed, count] = co_await http::async_write(socket, request, awaited);
  boost::beast::flat_buffer buffer;
  admin::HttpResponse<admin::HttpSocket> response(socket, buffer);
  if (failed) done = admin::to_error(failed, "write");
  else done = co_await response.read_head();
  if (!done) {
    check.detail = done.error().detail;
    co_return;
  }
  const unsigned status = response.head().result_int();
  const bool ours = response.head()["Proxy-Status"].starts_with("cmuxproxy");
  if (status == 407 && ours) {
    check.verdict = Verdict::ok;
    check.detail = fmt::format("{} accepts, and asks for credentials", proxy);
    check.hint.clear();
  } else {
    check.detail = fmt::format("{} answered {} where a 407 was expected", proxy, status);
  }
}

Check check_listener(const admin::Client& client) {
  Check check{"listener", Verdict::failed, {}, {}};
  Loop loop;
  loop.run(ask_without_credentials(client.instance().proxy, check));
  return check;
}

// What upstream-proxy makes of the way out; nothing where there is no parent proxy.
void add_parent(const admin::Client& client, std::vector<Check>& checks) {
  const auto answer = client.call("GET", "/v1/status");
  if (!answer || !answer->ok() || !member(answer->body, "upstreamProxy").is_object()) return;
  const json::value& parents = member(answer->body, "upstreamProxy");
  const std::string requests = text_member(parents, "requests"), tunnels = text_member(parents, "tunnels");
  const auto way = [](const std::string& parent) { return parent.empty() ? "straight" : "through " + parent; };
  std::string detail = requests == tunnels ? fmt::format("connections go {}", way(tunnels))
                                           : fmt::format("http:// goes {}, all else {}", way(requests), way(tunnels));
  if (const std::string bypass = text_member(parents, "bypass"); !bypass.empty())
    detail += fmt::format("; straight to loopback and {}", bypass);
  const json::array* const lost = member(parents, "notUnderstood").if_array();
  if (!lost || lost->empty()) return checks.push_back({"parent", Verdict::ok, std::move(detail), {}});
  std::string words;
  for (const json::value& entry : *lost) words += fmt::format("{}'{}'", words.empty() ? "" : ", ", shown(entry));
  checks.push_back({"parent", Verdict::warning, fmt::format("{}; of these {} mean nothing", detail, words),
                    "write hosts, *.host, addresses or networks, each with :PORT or without, into NO_PROXY"});
}

// Raw tunnels whose clients saw no more than their end: the last of each context that there is.
void add_failed_tunnels(const admin::Client& client, std::vector<Check>& checks) {
  const auto answer = client.call("GET", "/v1/contexts");
  const json::array* const contexts = answer && answer->ok() ? member(answer->body, "contexts").if_array() : nullptr;
  if (!contexts) return;  // the admin API's own check says why
  for (const json::value& context : *contexts) {
    const json::value& failure = member(context, "lastTunnelFailure");
    if (failure.is_null()) continue;
    const bool incapable = text_member(failure, "error") == "unsupported";
    checks.push_back({"tunnel", Verdict::warning,
                      fmt::format("context {}: to {}, at {}: {}", text_member(context, "id"), text_member(failure, "target"),
                                  text_member(failure, "time"), text_member(failure, "detail")),
                      incapable ? "give the context a route with --cmux-proxy-origin"
                                : "look whether the workspace runs, and listens on that port"});
  }
}

// Clients that honour NO_PROXY send nothing for localhost to the proxy.
Check check_no_proxy() {
  for (const char* name : {"no_proxy", "NO_PROXY"}) {
    const char* const value = std::getenv(name);
    if (!value) continue;
    std::string found;
    cmux::http::for_each_token(value, [&](std::string_view item) {
      const std::string_view host = item.starts_with('.') ? item.substr(1) : item;
      const bool local = host == "*" || host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") ||
                         host == "::1" || host == "[::1]";
      if (local) found += (found.empty() ? "" : ", ") + std::string(item);
    });
    if (!found.empty())
      return {"NO_PROXY", Verdict::warning, fmt::format("{} holds {}: such clients go to localhost past the proxy", name, found),
              "set it empty for them, as ctx create --format env does"};
  }
  return {"NO_PROXY", Verdict::ok, "does not keep localhost from the proxy", {}};
}

std::string_view word(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok: return "ok";
    case Verdict::warning: return "warning";
    case Verdict::failed: return "failed";
  }
  return "";
}

Colour colour_of(Verdict verdict) {
  return verdict == Verdict::ok ? Colour::green : verdict == Verdict::warning ? Colour::yellow : Colour::red;
}

}  // namespace

int check_instance(const Common& common) {
  const admin::Client client = connect(common.instance);
  std::vector<Check> checks;
  checks.push_back(
      {"instance", Verdict::ok, fmt::format("'{}' runs with pid {}", client.instance().name, client.instance().pid), {}});
  checks.push_back(check_admin(client));
  checks.push_back(check_listener(client));
  checks.push_back(check_no_proxy());
  add_parent(client, checks);
  if (checks[1].verdict == Verdict::ok && checks[2].verdict == Verdict::ok)
    for (Check& check : check_routes(client)) checks.push_back(std::move(check));
  add_failed_tunnels(client, checks);
  bool good = true;
  json::array list;
  for (const Check& check : checks) {
    good = good && check.verdict != Verdict::failed;
    json::object item;
    item["name"] = check.name;
    item["verdict"] = json::string_view(word(check.verdict).data(), word(check.verdict).size());
    item["detail"] = check.detail;
    item["hint"] = check.hint.empty() ? json::value() : json::value(check.hint);
    list.push_back(std::move(item));
    if (common.json) continue;
    print(fmt::format("{} {:<9} {}\n", painted(fmt::format("{:<8}", word(check.verdict)), colour_of(check.verdict)), check.name,
                      check.detail));
    if (!check.hint.empty()) print(fmt::format("{:18} {}\n", "", check.hint));
  }
  if (common.json) {
    json::object document;
    document["ok"] = good;
    document["checks"] = std::move(list);
    print_json(document);
  }
  return good ? kOk : kProbeFailed;
}

}  // namespace cmux::cli
