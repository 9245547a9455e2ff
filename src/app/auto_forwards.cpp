#include "app/auto_forwards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/log.hpp"
#include "base/time_text.hpp"
#include "proxy/port_query.hpp"

namespace cmux::app {
namespace {

namespace json = boost::json;
using Ports = std::vector<std::uint16_t>;
using Change = policy::ContextStore::Change;

bool has(const Ports& ports, std::uint16_t port) { return std::find(ports.begin(), ports.end(), port) != ports.end(); }

// In order, each once.
Result<Ports> read_ports(std::string_view body) {
  const Error wrong =
      make_error(Errc::malformed, "the far end's answer to GET /_cmux/ports is no list of ports: it is no gateway");
  json::error_code failed;
  const json::value parsed = json::parse(json::string_view(body.data(), body.size()), failed);
  const json::object* const object = failed ? nullptr : parsed.if_object();
  const json::value* const list = object ? object->if_contains("ports") : nullptr;
  if (!list || !list->is_array()) return wrong;
  Ports ports;
  for (const json::value& each : list->get_array()) {
    json::error_code bad;
    const auto port = each.to_number<std::uint16_t>(bad);
    if (bad || port == 0) return wrong;
    ports.push_back(port);
  }
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  if (ports.size() > AutoForwards::kMostListening) ports.resize(AutoForwards::kMostListening);
  return ports;
}

}  // namespace

struct AutoForwards::Followed {
  Followed(policy::ContextPtr of, Doors& at) : context(std::move(of)), doors(at) {}
  policy::ContextPtr context;
  Doors& doors;
  admin::AutoForward now;
  milliseconds look = kLook;
  bool over = false, rerouted = false;
  Event wake, asked;
  Deadline next{[](void* self) { static_cast<Followed*>(self)->wake.set(); }, this};
};

Task<Result<Ports>> AutoForwards::ask(policy::ContextPtr context) {
  struct Asked {
    Event done;
    Result<std::string> answer = std::string();
  };
  const auto asked = std::make_shared<Asked>();
  proxy::Worker& worker = workers_.first();
  const std::function<void(Result<std::string>)> told = [&loop = loop_, asked](Result<std::string> answer) {
    loop.post([asked, answer = std::move(answer)] {
      asked->answer = answer;
      asked->done.set();
    });
  };
  worker.post([&worker, told, username = context->username] { proxy::ask_ports(worker, username, told); });
  co_await asked->done;
  if (!asked->answer) co_return asked->answer.error();
  co_return read_ports(*asked->answer);
}

void AutoForwards::changed(Change change, const policy::ContextPtr& context, Doors& doors) {
  const auto found = followed_.find(context->id);
  if (found == followed_.end()) {
    if (change != Change::added || !context->forward_auto) return;
    const auto one = std::make_shared<Followed>(context, doors);
    followed_[context->id] = one;
    scope_.spawn(follow(one));
    return;
  }
  Followed& one = *found->second;
  one.context = context;
  one.look = kLook;
  one.over = change == Change::released;
  one.rerouted = true;
  // They were another workspace's. A release closes all ports of a context.
  if (!one.over)
    for (const std::uint16_t port : one.now.forwarded) doors.close_forward(*context, port);
  one.now = {};
  one.wake.set();
  if (one.over) followed_.erase(found);
}

Task<void> AutoForwards::settled(const std::string& context) {
  const auto found = followed_.find(context);
  if (found == followed_.end()) co_return;
  const std::shared_ptr<Followed> one = found->second;
  co_await one->asked;
}

const admin::AutoForward* AutoForwards::of(const std::string& context) const {
  const auto found = followed_.find(context);
  return found == followed_.end() ? nullptr : &found->second->now;
}

void AutoForwards::stop() {
  for (const auto& [id, one] : followed_) one->over = true, one->wake.set();
  followed_.clear();
}

Task<void> AutoForwards::follow(std::shared_ptr<Followed> one) {
  while (!one->over) {
    one->rerouted = false;
    one->wake.clear();
    const auto ports = co_await ask(one->context);
    if (one->rerouted && !one->over) continue;  // that was of another route's workspace
    if (!one->over) take(*one, ports);
    one->asked.set();
    if (one->over) break;
    one->look = ports ? kLook : std::min(one->look * 2, kSlowLook);
    one->next.after(one->look);
    co_await one->wake;
  }
  one->asked.set();
}

void AutoForwards::take(Followed& one, const Result<Ports>& answer) {
  const policy::Context& context = *one.context;
  admin::AutoForward now = one.now;
  now.error = answer ? std::string() : log::printable(answer.error().detail);
  if (!answer) {
    // What is forwarded stays: that nobody answers does not say that nobody listens.
    if (now.error != one.now.error) log::warn("{}: the ports that listen there are not known: {}", context.id, now.error);
  } else {
    now.listening = *answer;
    Ports wanted = *answer;
    std::erase_if(wanted, [&](std::uint16_t port) {
      const auto leads_there = [port](const policy::Forward& forward) { return forward.port == port; };
      return port < kLeast || std::any_of(context.forwards.begin(), context.forwards.end(), leads_there);
    });
    if (wanted.size() > kMost) wanted.resize(kMost);
    now.taken.clear();
    std::erase_if(now.forwarded, [&](std::uint16_t port) {
      if (has(wanted, port)) return false;
      one.doors.close_forward(context, port);
      log::info("{}: port {} is not forwarded any more: nobody listens there", context.id, port);
      return true;
    });
    for (const std::uint16_t port : wanted) {
      if (has(now.forwarded, port)) continue;
      if (const auto opened = one.doors.open_forward(context, port)) {
        now.forwarded.push_back(port);
        log::info("{}: port {} is forwarded", context.id, port);
      } else {
        now.taken.push_back(port);
        if (!has(one.now.taken, port))
          log::warn("{}: port {} will be forwarded once that is possible: {}", context.id, port, opened.error().detail);
      }
    }
    std::sort(now.forwarded.begin(), now.forwarded.end());
  }
  if (now == one.now) return;
  one.now = std::move(now);
  json::object data = admin::auto_forward_to_json(one.now);
  data["time"] = rfc3339(std::chrono::system_clock::now());
  data["context"] = context.id;
  publish_({"context.ports", context.id, json::serialize(data)});
}

}  // namespace cmux::app
