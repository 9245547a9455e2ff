#include "net/dial.hpp"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "base/await.hpp"
#include "net/asio.hpp"

namespace cmux::net {
namespace {

constexpr milliseconds kStagger{250};  // RFC 8305 section 8: the recommended Connection Attempt Delay

// Attempts at several addresses; the first that connects wins. Lives in race()'s frame, which joins the attempts.
struct Race {
  Event progress;  // an attempt ended, or time has passed
  Socket winner;
  int failure = 0;  // errno(3) of what failed
  std::string failed_at;
  unsigned open = 0;
  bool over = false, expired = false;
  std::vector<AsioSocket*> waiting;

  // A refusal says most: that no IPv6 is to be had is said of ::1 on many a machine.
  void failed(int code, const Endpoint& at) {
    if (code == failure) failed_at += " and " + at.text();
    else if (failure != ECONNREFUSED) failure = code, failed_at = at.text();
  }

  void end() {
    over = true;
    boost::system::error_code ignored;
    for (AsioSocket* socket : waiting) socket->close(ignored);
  }
};

Task<boost::system::error_code> connect(Race& race, AsioSocket& socket, Endpoint endpoint) {
  auto opened = Socket::open(endpoint.storage.ss_family);
  if (!opened) co_return boost::system::error_code(errno, boost::system::system_category());
  const auto to = to_asio(endpoint);
  boost::system::error_code failed;
  socket.assign(to.protocol(), opened->get(), failed);
  if (failed) co_return failed;
  opened->release();
  race.waiting.push_back(&socket);
  failed = co_await socket.async_connect(to, awaited);
  std::erase(race.waiting, &socket);
  co_return failed;
}

Task<void> attempt(Race& race, Endpoint endpoint) {
  ++race.open;
  AsioSocket socket(Loop::current().context());
  auto failed = co_await connect(race, socket, endpoint);
  --race.open;
  if (race.over) co_return;
  if (!failed) race.winner = Socket(socket.release(failed));
  if (failed) race.failed(failed.value(), endpoint);
  else race.end();
  race.progress.set();
}

Task<Result<Socket>> race(std::vector<Endpoint> endpoints, milliseconds timeout) {
  Race state;
  Scope attempts;
  Deadline overall([](void* s) { static_cast<Race*>(s)->expired = true, static_cast<Race*>(s)->progress.set(); }, &state);
  Deadline stagger([](void* s) { static_cast<Race*>(s)->progress.set(); }, &state);
  overall.after(timeout);
  for (std::size_t next = 0; !state.winner && !state.expired && (next < endpoints.size() || state.open > 0);) {
    state.progress.clear();
    if (next < endpoints.size()) {
      attempts.spawn(attempt(state, endpoints[next++]));
      if (next < endpoints.size()) stagger.after(kStagger);
    }
    if (!state.winner && (state.open > 0 || next == endpoints.size()) && !state.progress.is_set()) co_await state.progress;
  }
  state.end();
  co_await attempts.join();
  if (state.winner) co_return std::move(state.winner);
  if (state.expired)
    co_return make_error(Errc::connect_timeout,
                         fmt::format("connect to {}: no answer in {} s", endpoints.front().text(), timeout.count() / 1000.0));
  co_return from_errno(state.failure, fmt::format("connect to {}", state.failed_at));
}

// A workspace that is being restarted refuses for an instant, and nothing has been sent yet: whatever it was to be is tried
// again, with pauses that grow, until `patience` is over. `timeout` is for all of it; 0: none.
Task<Result<Socket>> race_with_patience(std::vector<Endpoint> endpoints, milliseconds timeout, milliseconds patience) {
  const auto start = Clock::now();
  const auto passed = [start] { return std::chrono::duration_cast<milliseconds>(Clock::now() - start); };
  for (milliseconds pause{25};; pause *= 2) {
    milliseconds left = timeout;
    if (left.count() > 0) left = std::max(left - passed(), milliseconds(1));
    auto socket = co_await race(endpoints, left);
    const bool refused = !socket && socket.error().code == Errc::refused;
    if (!refused || passed() >= patience || (timeout.count() > 0 && passed() + pause >= timeout)) co_return std::move(socket);
    co_await sleep_for(std::min(pause, std::max(patience - passed(), milliseconds(1))));
  }
}

// The system may have no room to watch it (epoll_ctl(2), ENOSPC).
Result<std::unique_ptr<SocketTransport>> watched(Socket socket) {
  try {
    return std::make_unique<SocketTransport>(std::move(socket));
  } catch (const std::system_error& failed) {
    Error error = from_errno(failed.code().value(), "watch a connection");
    error.retryable = true;
    return error;
  }
}

}  // namespace

Task<Result<std::unique_ptr<SocketTransport>>> dial(Resolver& resolver, const std::string& host, std::uint16_t port,
                                                    const DialOptions& options, DialTiming* timing, std::string client) {
  const auto start = Clock::now();
  auto endpoints = co_await resolver.resolve(host, port, options.timeout, std::move(client));
  const auto resolved = Clock::now();
  if (!endpoints) co_return endpoints.error();
  if (options.is_own)
    for (const Endpoint& endpoint : *endpoints)
      if (options.is_own(endpoint))
        co_return make_error(Errc::loop, fmt::format("{} is this proxy's own address", endpoint.text()));
  if (options.either_loopback && host == "127.0.0.1" && !resolver.overrides(host)) {
    const Endpoint other = *Endpoint::from_ip("::1", port);
    if (!options.is_own || !options.is_own(other)) endpoints->push_back(other);  // asked for by nobody, so no loop
  }
  milliseconds left = options.timeout;
  if (left.count() > 0) left = std::max(left - std::chrono::duration_cast<milliseconds>(resolved - start), milliseconds(1));
  auto socket = co_await race_with_patience(std::move(*endpoints), left, options.patience);
  if (!socket) {
    Error error = socket.error();
    error.retryable = true;
    co_return error;
  }
  if (timing)
    *timing = {std::chrono::duration_cast<std::chrono::microseconds>(resolved - start),
               std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - resolved)};
  socket->keep_alive();
  co_return watched(std::move(*socket));
}

Task<Result<std::unique_ptr<SocketTransport>>> dial(const Endpoint& endpoint, milliseconds timeout) {
  std::vector<Endpoint> one;
  one.push_back(endpoint);
  auto socket = co_await race(std::move(one), timeout);
  if (!socket) co_return socket.error();
  co_return watched(std::move(*socket));
}

}  // namespace cmux::net
