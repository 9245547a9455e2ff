#include "gateway/waker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "gateway/machines.hpp"

namespace cmux::gateway {
namespace {

constexpr milliseconds kTry{2'000};  // for one connection to a machine, and for what a stop waits
constexpr milliseconds kFirstPause{100}, kLongestPause{1'000};
constexpr int kMostInterim = 8;  // responses

struct WakeUrl {
  Machine at;
  std::string path;
};

Result<WakeUrl> parse_wake_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t slash = scheme == url.npos ? url.npos : url.find_first_of("/?", scheme + 3);
  auto at = parse_machine(url.substr(0, slash));
  if (!at) return at.error();
  std::string path(slash == url.npos ? "/" : url.substr(slash));
  if (path.front() == '?') path.insert(0, "/");
  if (!http::is_target(path) || path.find('#') != path.npos)
    return make_error(Errc::config, "expected a path without spaces, '#' and '\\' behind the host");
  return WakeUrl{std::move(*at), std::move(path)};
}

}  // namespace

Result<void> check_wake_url(std::string_view url_template) {
  if (url_template.find("{id}") == url_template.npos) return make_error(Errc::config, "expected {id} in it");
  auto parsed = parse_wake_url(filled(url_template, "x"));
  if (!parsed) return parsed.error();
  return {};
}

// One machine's. It ends early when `over` is set: the time has passed, or the instance stops.
struct Waker::Waking {
  Event over;
  bool expired = false;
  Deadline late{[](void* self) {
                  static_cast<Waking*>(self)->expired = true;
                  static_cast<Waking*>(self)->end();
                },
                this};
  Deadline pause{[](void* self) { static_cast<Waking*>(self)->rested.set(); }, this};
  Event rested;
  Child* child = nullptr;
  http::Abortable* request = nullptr;
  std::optional<Clock::time_point> until;  // it rests until then

  void end() {
    over.set();
    rested.set();
    if (child) child->kill();
    if (request) request->reset(Errc::cancelled);
  }
  Task<void> rest(milliseconds time) {
    rested.clear();
    if (over.is_set()) co_return;
    pause.after(time);
    co_await rested;
    pause.cancel();
  }
};

namespace {

std::shared_ptr<const upstream::PoolOptions> hurried(upstream::PoolOptions options) {
  options.dial.timeout = kTry;
  options.dial.patience = milliseconds(0);
  return std::make_shared<const upstream::PoolOptions>(std::move(options));
}

}  // namespace

Waker::Waker(WakeRules rules, upstream::PoolOptions options, std::vector<net::Override> resolve, Told told)
    : rules_(std::move(rules)),
      told_(std::move(told)),
      loop_(Loop::current()),
      resolver_(std::move(resolve)),
      pool_(resolver_, hurried(std::move(options))) {}

Waker::~Waker() = default;

void Waker::apply(upstream::PoolOptions options, std::vector<net::Override> resolve) {
  resolver_.apply(std::move(resolve));
  pool_.apply(hurried(std::move(options)));
}

void Waker::ask(const std::string& machine, const upstream::Origin& origin) {
  loop_.post([this, machine, origin] { begin(machine, origin); });
}

// Forgets those that have rested.
void Waker::tidy() {
  std::erase_if(machines_, [&](const auto& one) { return one.second.until && *one.second.until <= loop_.now(); });
}

void Waker::begin(const std::string& machine, const upstream::Origin& origin) {
  if (closed_) return;
  tidy();
  if (const auto known = machines_.find(machine); known != machines_.end()) {
    if (known->second.until) told_(machine, "it did not wake a moment ago, and is left in peace for a few seconds");
    return;
  }
  if (machines_.size() >= kMostAtOnce) {
    log::warn("machine {} is not woken: {} others are already", machine, machines_.size());
    return told_(machine, "too many machines are being woken already");
  }
  Waking& waking = machines_[machine];
  scope_.spawn(wake(machine, origin, waking));
}

Task<void> Waker::wake(std::string machine, upstream::Origin origin, Waking& waking) {
  log::info("waking machine {}", machine);
  waking.late.after(rules_.timeout);
  Result<void> outcome;
  if (!rules_.command.empty()) outcome = co_await run_command(machine, waking);
  if (outcome && !rules_.url_template.empty()) outcome = co_await ask_url(machine, waking);
  if (outcome) outcome = co_await reach(origin, waking);
  waking.late.cancel();
  if (closed_) co_return;
  std::string failed = outcome ? std::string() : outcome.error().detail;
  if (!outcome && waking.expired) failed = fmt::format("it did not wake in {} s: {}", rules_.timeout.count() / 1000.0, failed);
  if (outcome) {
    log::info("machine {} is awake", machine);
    machines_.erase(machine);
  } else {
    log::warn("machine {} is not awake: {}", machine, failed);
    waking.until = loop_.now() + kRest;
  }
  told_(machine, failed);
}

Task<Result<void>> Waker::run_command(const std::string& machine, Waking& waking) {
  std::vector<std::pair<std::string, std::string>> variables{{"CMUX_MACHINE", machine}};
  auto child = Child::start(rules_.command, variables);
  if (!child) co_return child.error();
  waking.child = child->get();
  const int status = co_await (*child)->wait();
  waking.child = nullptr;
  if (waking.over.is_set()) co_return make_error(Errc::timeout, "the command that wakes it did not end");
  if (status != 0) co_return make_error(Errc::refused, fmt::format("the command that wakes it has failed ({})", status));
  co_return Result<void>{};
}

Task<Result<void>> Waker::ask_url(const std::string& machine, Waking& waking) {
  auto url = parse_wake_url(filled(rules_.url_template, machine));
  if (!url) co_return url.error();
  const auto failed = [&](const Error& error) {
    return make_error(error.code, fmt::format("the URL that wakes it cannot be asked: {}", error.detail));
  };
  upstream::Claim claim;
  waking.request = &claim;
  if (waking.over.is_set()) claim.reset(Errc::cancelled);
  auto lease = co_await pool_.acquire(url->at.origin, {}, &claim);
  waking.request = nullptr;
  if (!lease) co_return failed(lease.error());
  http::Stream& stream = lease->stream();
  waking.request = &stream;
  http::Head head;
  head.method = "POST";
  head.scheme = url->at.origin.tls ? "https" : "http";
  head.authority = url->at.authority;
  head.path = std::move(url->path);
  head.content_length = 0;
  head.end = true;
  if (rules_.token) head.fields.add("Authorization", "Bearer " + *rules_.token);
  auto sent = co_await stream.write_head(head, http::Next::end);
  Result<http::Head*> answer = sent ? Result<http::Head*>(nullptr) : Result<http::Head*>(sent.error());
  for (int interim = 0; answer && (!*answer || (*answer)->is_interim()) && interim <= kMostInterim; ++interim)
    answer = co_await stream.read_head();
  waking.request = nullptr;
  if (!answer) co_return failed(answer.error());
  const std::uint16_t status = (*answer)->status;
  if (status / 100 != 2) co_return make_error(Errc::refused, fmt::format("the URL that wakes it has answered {}", status));
  co_return Result<void>{};
}

// Tries its port until somebody answers.
Task<Result<void>> Waker::reach(const upstream::Origin& origin, Waking& waking) {
  Result<void> outcome = make_error(Errc::timeout, "no connection was tried");
  for (milliseconds pause = kFirstPause; !waking.over.is_set(); pause = std::min(pause * 2, kLongestPause)) {
    auto reached = co_await pool_.dialler().reach(origin, upstream::Use::bytes, nullptr, {});
    if (reached) co_return Result<void>{};
    outcome = reached.error();
    co_await waking.rest(pause);
  }
  co_return outcome;
}

Task<void> Waker::close() {
  closed_ = true;
  resolver_.cancel();
  for (auto& [id, waking] : machines_) waking.end();
  co_await scope_.join();
  co_await pool_.close();
}

}  // namespace cmux::gateway
