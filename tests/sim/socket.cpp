// The kernel's TCP: what each call does, and what comes in while nobody calls. What Linux does in each case is in
// contract_test.cpp, which asks it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "kernel.hpp"
#include "report.hpp"

namespace sim {
namespace {

constexpr Time kSilence = 60 * kSecond;  // net::Socket::keep_alive()

}  // namespace

std::uint32_t Socket::mask() const {
  std::uint32_t out = 0;
  if (state == State::listening) return backlog.empty() ? 0u : EPOLLIN;
  if (state == State::connecting) return 0;
  if (error != 0) out |= EPOLLERR;
  if (state == State::fresh || state == State::dead || shut_ == 3) out |= EPOLLHUP;
  if (shut(1)) out |= EPOLLIN | EPOLLRDHUP;
  if (read_ < in_.size()) out |= EPOLLIN;
  // Room is told of once there is a third of it.
  if (state == State::fresh || state == State::dead || shut(2) || unacknowledged_ <= plan_->send_buffer - plan_->send_buffer / 3)
    out |= EPOLLOUT;
  return out;
}

int Socket::listen() {
  if (kernel->listeners.contains(local.text())) return errno = EADDRINUSE, -1;
  state = State::listening;
  kernel->listeners[local.text()] = this;
  return 0;
}

int Socket::connect(const Address& to) {
  peer_address = to;
  plan_ = std::make_shared<LinkPlan>(kernel->plan ? kernel->plan(to) : LinkPlan{});
  std::memcpy(&local, &to, sizeof local);
  auto& port = to.storage.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&local.storage)->sin_port
                                               : reinterpret_cast<sockaddr_in6*>(&local.storage)->sin6_port;
  port = htons(kernel->next_port++);
  trace("connect", number, to.port(), static_cast<int>(plan_->outcome), "{} to {}", number, to.text());
  if (plan_->outcome == LinkPlan::Outcome::unreachable) return errno = ENETUNREACH, -1;
  state = State::connecting;
  const auto self = std::static_pointer_cast<Socket>(shared_from_this());
  const auto answer_at = [&](Time after, std::function<void()> what) {
    kernel->at(kernel->now() + after, [self, what = std::move(what)] {
      if (!self->closed_ && self->state == State::connecting) what();
    });
  };
  const auto refuse = [self = this] { self->die(ECONNREFUSED); };
  if (plan_->outcome == LinkPlan::Outcome::silent) answer_at(127 * kSecond, [self = this] { self->die(ETIMEDOUT); });
  else if (plan_->outcome == LinkPlan::Outcome::refused) answer_at(2 * plan_->latency, refuse);
  else {
    // The other end exists from the moment that this one hears of it: both take their first steps at the same time.
    answer_at(2 * plan_->latency, [self = this, refuse, to] {
      auto found = kernel->listeners.find(to.text());
      if (found == kernel->listeners.end()) return refuse();
      auto other = std::make_shared<Socket>();
      other->plan_ = self->plan_;
      other->side_ = 1;
      other->local = to;
      other->peer_address = self->local;
      other->peer_ = std::static_pointer_cast<Socket>(self->shared_from_this());
      self->peer_ = other;
      self->state = other->state = State::open;
      self->last_arrival_ = other->last_arrival_ = kernel->now();
      found->second->backlog.push_back(other);
      found->second->wake(EPOLLIN);
      self->wake(EPOLLOUT);
    });
  }
  return errno = EINPROGRESS, -1;
}

// --- sending -----------------------------------------------------------------------------------------------------------------

ssize_t Socket::send(const iovec* pieces, std::size_t count) {
  if (error != 0) return errno = take_error(), -1;
  if (state != State::open || shut(2)) return errno = state == State::fresh ? ENOTCONN : EPIPE, -1;
  std::size_t room = plan_->send_buffer - std::min(unacknowledged_, plan_->send_buffer), total = 0;
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t taken = std::min(room - bytes.size(), pieces[i].iov_len);
    bytes.append(static_cast<const char*>(pieces[i].iov_base), taken);
    total += pieces[i].iov_len;
  }
  if (bytes.size() < total) wants_room_ = true;
  trace("send", number, static_cast<std::int64_t>(bytes.size()), static_cast<std::int64_t>(total));
  if (bytes.empty() && total > 0) return errno = EAGAIN, -1;
  unacknowledged_ += bytes.size();
  const auto sent = static_cast<ssize_t>(bytes.size());
  // Segments are of any size.
  while (!bytes.empty()) {
    const std::size_t size = kernel->random.chance(30) ? kernel->random.size(bytes.size()) : bytes.size();
    transmit({bytes.substr(0, size), false});
    bytes.erase(0, size);
  }
  return sent;
}

void Socket::transmit(Piece piece) {
  const std::uint64_t before = sent_;
  sent_ += piece.bytes.size();
  const Time jitter = plan_->jitter > 0 ? kernel->random.between(0, plan_->jitter) : 0;
  last_arrival_ = std::max(last_arrival_, kernel->now() + plan_->latency + jitter);
  const auto self = std::static_pointer_cast<Socket>(shared_from_this());
  if (sent_ > plan_->lost_after[side_]) {
    // Whoever has asked to be told is, in time.
    for (const auto& end : {self, peer_})
      if (end && !std::exchange(end->lost_, true))
        kernel->at(kernel->now() + kSilence, [end] {
          if (end->keep_alive && end->state == State::open) end->die(ETIMEDOUT);
        });
    return;
  }
  if (lost_) return;
  if (sent_ > plan_->reset_after[side_]) {
    piece.bytes.resize(plan_->reset_after[side_] > before ? plan_->reset_after[side_] - before : 0);
    piece.fin = false;
    plan_->reset_after[0] = plan_->reset_after[1] = UINT64_MAX;
    kernel->at(last_arrival_, [self, other = peer_] {
      trace("broken", self->number, other ? other->number : -1);
      self->die(ECONNRESET);
      if (other) other->die(ECONNRESET);
    });
  }
  kernel->at(last_arrival_, [other = peer_, piece = std::move(piece)]() mutable {
    if (other) other->arrive(std::move(piece));
  });
}

int Socket::shutdown_write() {
  if (state != State::open) return errno = ENOTCONN, -1;
  if (shut(2)) return 0;
  shut_ |= 2;
  trace("fin", number);
  transmit({{}, true});
  wake(EPOLLOUT | (shut_ == 3 ? EPOLLHUP : 0u));
  return 0;
}

void Socket::send_reset() {
  if (!peer_ || lost_) return;
  trace("reset", number);
  last_arrival_ = std::max(last_arrival_, kernel->now() + plan_->latency);
  kernel->at(last_arrival_, [other = peer_] { other->die(ECONNRESET); });
}

void Socket::close() {
  closed_ = true;
  if (state == State::listening) {
    kernel->listeners.erase(local.text());
    for (const auto& waiting : backlog) waiting->closed_ = true, waiting->send_reset();
    backlog.clear();
  }
  if (state != State::open) return;
  // Unread bytes, or the wish for it, make it a reset.
  if (linger_none || read_ < in_.size() || !parked_.empty()) {
    state = State::dead;
    parked_.clear();
    send_reset();
  } else if (!shut(2)) {
    shut_ |= 2;
    transmit({{}, true});
  }
}

// --- receiving ---------------------------------------------------------------------------------------------------------------

void Socket::arrive(Piece piece) {
  if (state != State::open) return;
  if (closed_) {
    if (!piece.bytes.empty()) send_reset(), state = State::dead;
    return;
  }
  parked_.push_back(std::move(piece));
  take_parked();
}

void Socket::take_parked() {
  std::uint32_t news = 0;
  while (!parked_.empty()) {
    Piece& piece = parked_.front();
    const std::size_t held = in_.size() - read_;
    if (!piece.bytes.empty() && held >= plan_->receive_buffer) break;
    const std::size_t taken = std::min(piece.bytes.size(), plan_->receive_buffer - std::min(held, plan_->receive_buffer));
    if (read_ > 0 && read_ == in_.size()) in_.clear(), read_ = 0;
    in_.append(piece.bytes, 0, taken);
    piece.bytes.erase(0, taken);
    if (taken > 0) {
      news |= EPOLLIN;
      kernel->at(kernel->now() + plan_->latency, [other = peer_, taken] { other->acknowledge(taken); });
    }
    if (!piece.bytes.empty()) break;
    if (piece.fin) {
      shut_ |= 1;
      finished_ = true;
      news |= EPOLLIN | EPOLLRDHUP | (shut_ == 3 ? EPOLLHUP : 0u);
    }
    parked_.pop_front();
  }
  if (news != 0) trace("arrived", number, static_cast<std::int64_t>(in_.size() - read_), finished_), wake(news);
}

void Socket::acknowledge(std::size_t count) {
  if (state != State::open || lost_) return;
  unacknowledged_ -= std::min(count, unacknowledged_);
  if (!wants_room_ || (mask() & EPOLLOUT) == 0) return;
  wants_room_ = false;
  wake(EPOLLOUT);
}

void Socket::die(int why) {
  if (state != State::open && state != State::connecting) return;
  trace("dies", number, why, 0, "{}: {}", number, std::strerror(why));
  if (state == State::open && why == ECONNRESET && shut(1) && !shut(2)) why = EPIPE;  // it had said its last
  state = State::dead;
  error = why;
  shut_ = 3;
  parked_.clear();
  unacknowledged_ = 0;
  if (!closed_) wake(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
}

ssize_t Socket::receive(char* into, std::size_t size, bool peek) {
  if (state == State::fresh || state == State::listening) return errno = ENOTCONN, -1;
  const std::size_t count = std::min(size, in_.size() - read_);
  if (count > 0) {
    std::memcpy(into, in_.data() + read_, count);
    trace("recv", number, static_cast<std::int64_t>(count), static_cast<std::int64_t>(size));
    if (peek) return static_cast<ssize_t>(count);
    read_ += count;
    if (state == State::open) take_parked();
    return static_cast<ssize_t>(count);
  }
  if (finished_) return 0;
  if (error != 0) return errno = take_error(), -1;
  if (shut(1)) return 0;
  return errno = EAGAIN, -1;
}

}  // namespace sim
