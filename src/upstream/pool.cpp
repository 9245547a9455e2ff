#include "upstream/pool.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "net/tls_transport.hpp"

namespace cmux::upstream {
namespace {

constexpr std::string_view kAlpn = "\x08http/1.1";

}  // namespace

Error upstream_error(Error error, const Origin& origin) {
  error.side = Side::upstream;
  if (error.detail.find(origin.host) == std::string::npos) error.detail = fmt::format("{}: {}", origin.text(), error.detail);
  return error;
}

std::string Origin::text() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", tls ? "https" : "http", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    give_back();
    pooled_ = std::move(other.pooled_);
    opening_ = other.opening_;
  }
  return *this;
}

void Lease::give_back() {
  if (pooled_ && pooled_->connection.reusable()) pooled_->pool->keep(std::move(pooled_));
  pooled_.reset();
}

Pool::Pool(net::Resolver& resolver, const PoolOptions& options) : resolver_(resolver), options_(options) {}
Pool::~Pool() = default;

Task<Result<Lease>> Pool::acquire(const Origin& origin, Reuse reuse, bool timed) {
  const auto place = idle_.try_emplace(origin).first;
  Lease lease;
  IdleList& list = place->second;
  while (reuse != Reuse::fresh && !list.empty()) {
    auto pooled = std::move(list.back());
    list.pop_back();
    pooled->connection.watch_idle(nullptr, nullptr, milliseconds(0));
    if (!pooled->connection.reusable() || pooled->connection.has_ended(reuse == Reuse::checked)) continue;
    lease.pooled_ = std::move(pooled);
    lease.opening_.reused = true;
    co_return std::move(lease);
  }
  auto transport = co_await connect(origin, timed ? &lease.opening_ : nullptr);
  if (!transport) co_return transport.error();
  lease.pooled_.reset(new Pooled{this, &place->first, http1::ClientConnection(std::move(*transport), options_.http1)});
  co_return std::move(lease);
}

Task<Result<std::unique_ptr<net::Transport>>> Pool::connect(const Origin& origin, Opening* opening) {
  auto socket = co_await net::dial(resolver_, origin.host, origin.port, options_.dial, opening ? &opening->dial : nullptr);
  if (!socket) co_return upstream_error(socket.error(), origin);
  ++opened_;
  if (!origin.tls) co_return std::unique_ptr<net::Transport>(std::move(*socket));
  if (!tls_) {
    auto made = tls::ClientContext::create(options_.tls);
    if (!made) co_return upstream_error(made.error(), origin);
    tls_ = std::move(*made);
  }
  const auto start = opening ? Clock::now() : Clock::time_point{};
  auto secured = std::make_unique<net::TlsTransport>(std::move(*socket), tls_->make(origin.host, origin.text(), kAlpn));
  Deadline late(
      [](void* transport) {
        static_cast<net::Transport*>(transport)->abort(make_error(Errc::connect_timeout, "no answer in the TLS handshake"),
                                                       false);
      },
      secured.get());
  late.after(options_.tls_timeout);
  auto done = co_await secured->handshake();
  if (!done) {
    Error error = upstream_error(done.error(), origin);
    error.retryable = true;
    co_return error;
  }
  if (opening) opening->tls = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
  co_return std::unique_ptr<net::Transport>(std::move(secured));
}

void Pool::keep(std::unique_ptr<Pooled> pooled) {
  IdleList& list = idle_.find(*pooled->origin)->second;
  if (list.size() >= options_.max_idle) list.erase(list.begin());
  list.push_back(std::move(pooled));
  Pooled* const idle = list.back().get();
  idle->connection.watch_idle([](void* gone) { static_cast<Pooled*>(gone)->pool->drop(static_cast<Pooled*>(gone)); }, idle,
                              options_.idle_timeout);
}

void Pool::drop(Pooled* pooled) {
  pooled->connection.watch_idle(nullptr, nullptr, milliseconds(0));  // the timer and the hang-up may both come: once is enough
  IdleList& list = idle_.find(*pooled->origin)->second;
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.get() == pooled; });
  // Told by the connection's own timer or transport, which must outlive this call.
  std::shared_ptr<Pooled> owned = std::move(*found);
  list.erase(found);
  Loop::current().post([owned] {});
}

std::size_t Pool::idle_count() const {
  std::size_t count = 0;
  for (const auto& [origin, list] : idle_) count += list.size();
  return count;
}

void Pool::clear() {
  for (auto& [origin, list] : idle_) list.clear();
}

}  // namespace cmux::upstream
