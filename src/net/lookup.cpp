#include "net/lookup.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "base/signals.hpp"
#include "net/asio.hpp"

namespace cmux::net {
namespace {

// RFC 8305 section 4: families in turn, keeping the order of the system's preference within each.
std::vector<Endpoint> interleaved(const std::vector<Endpoint>& sorted) {
  std::vector<Endpoint> first, second, out;
  for (const Endpoint& endpoint : sorted)
    (endpoint.storage.ss_family == sorted.front().storage.ss_family ? first : second).push_back(endpoint);
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) out.push_back(first[i]);
    if (i < second.size()) out.push_back(second[i]);
  }
  return out;
}

}  // namespace

Lookups::Answer Lookups::ask_system(const std::string& host) {
  boost::asio::io_context unused;
  boost::asio::ip::tcp::resolver resolver(unused);
  boost::system::error_code failed;
  const auto results = resolver.resolve(host, "", boost::asio::ip::resolver_base::flags(), failed);
  if (failed) {
    Error error = make_error(Errc::dns, fmt::format("cannot resolve {}: {}", host, failed.message()));
    error.retryable = true;
    return error;
  }
  std::vector<Endpoint> found;
  for (const auto& result : results) found.push_back(from_asio(result.endpoint()));
  if (found.empty()) return make_error(Errc::dns, fmt::format("cannot resolve {}: no address", host));
  return interleaved(found);
}

void Lookups::Request::give_up() {
  std::lock_guard lock(mutex_);
  loop_ = nullptr;
}

bool Lookups::Request::give_up_waiting() {
  std::lock_guard lock(mutex_);
  if (!begun_) loop_ = nullptr;
  return !begun_;
}

bool Lookups::Request::begin() {
  std::lock_guard lock(mutex_);
  return loop_ && !std::exchange(begun_, true);
}

void Lookups::Request::finish(Answer answer) {
  std::lock_guard lock(mutex_);
  if (loop_) loop_->post([answered = std::move(answered_), answer = std::move(answer)] { answered(answer); });
}

Lookups::Lookups(std::function<Answer(const std::string&)> ask, Limits limits)
    : ask_(std::move(ask)), limits_(limits), pool_(limits.threads) {}

Lookups::~Lookups() {
  pool_.stop();
  pool_.join();
}

Lookups& Lookups::shared() {
  static Lookups* const lookups = [] {
    const SignalsBlocked blocked;  // in the threads of the pool
    return new Lookups;
  }();
  return *lookups;
}

Result<void> Lookups::add(RequestPtr request, const std::string& client) {
  std::lock_guard lock(mutex_);
  const auto known = clients_.find(client);
  if (waiting_ >= limits_.waiting || (known != clients_.end() && known->second.waiting.size() >= limits_.client_waiting))
    return make_error(Errc::limit, fmt::format("cannot resolve {}: too many look-ups wait", request->host_));
  clients_[client].waiting.push_back(std::move(request));
  ++waiting_;
  start_what_may();
  return {};
}

void Lookups::start_what_may() {
  // Once around: from behind whose turn it was, to that one.
  for (std::size_t looked = 0; waiting_ > 0 && at_work_ < limits_.threads && looked < clients_.size(); ++looked) {
    auto next = clients_.upper_bound(turn_);
    if (next == clients_.end()) next = clients_.begin();
    turn_ = next->first;
    Client& client = next->second;
    while (!client.waiting.empty() && client.at_work < limits_.share) {
      RequestPtr request = std::move(client.waiting.front());
      client.waiting.pop_front();
      --waiting_;
      if (!request->begin()) continue;
      ++client.at_work;
      ++at_work_;
      boost::asio::post(pool_, [this, request = std::move(request), name = turn_] { work(request, name); });
      looked = 0;  // the others have their turn before this one's next
      break;
    }
  }
}

void Lookups::work(RequestPtr request, const std::string& client) {
  request->finish(ask_(request->host_));
  std::lock_guard lock(mutex_);
  --at_work_;
  const auto mine = clients_.find(client);
  if (--mine->second.at_work == 0 && mine->second.waiting.empty()) clients_.erase(mine);
  start_what_may();
}

}  // namespace cmux::net
