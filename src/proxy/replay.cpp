#include "proxy/replay.hpp"

#include "proxy/exchange.hpp"

namespace cmux::proxy {
namespace {

constexpr std::uint64_t kMostAnswer = 64 * 1024 * 1024;  // bytes, past which it is given up
constexpr std::size_t kMostWaiting = 64 * 1024 * 1024;   // bytes of requests that are being sent again, at once
constexpr std::size_t kLeast = 16 * 1024;                // ... of one, with what is around it

// Nobody is there to be waited for.
class MemoryStream final : public http::Stream {
 public:
  MemoryStream(http::Head head, std::string body, milliseconds time) : head_(std::move(head)), body_(std::move(body)) {
    late_.after(time);
  }

  Task<Result<http::Head*>> read_head() override { co_return &head_; }
  Task<Result<http::Body>> read_body() override { co_return http::Body{body_, true}; }
  bool body_ready() const override { return true; }
  void interrupt_body(bool) override {}
  Task<Result<void>> write_head(const http::Head&, http::Next) override { co_return check(); }
  Task<Result<void>> write_body(std::string_view bytes, http::Next, const http::Fields*) override {
    taken_ += bytes.size();
    co_return check();
  }
  void reset(Errc) noexcept override {}
  void cancel_on_abort(http::Abortable* other) override {
    other_ = other;
    if (late_over_) end();
  }
  std::unique_ptr<net::Transport> into_transport() override { return nullptr; }  // no tunnel is sent again

 private:
  Result<void> check() const {
    if (taken_ > kMostAnswer) return make_error(Errc::too_large, "the answer is longer than is taken of a replay");
    return {};
  }
  void end() {
    late_over_ = true;
    if (other_) other_->reset(Errc::cancelled);
  }

  http::Head head_;
  const std::string body_;
  std::uint64_t taken_ = 0;
  http::Abortable* other_ = nullptr;
  bool late_over_ = false;
  Deadline late_{[](void* self) { static_cast<MemoryStream*>(self)->end(); }, this};
};

Task<void> send_again(Worker& worker, std::shared_ptr<Entrance> entrance, http::Head head, std::string body, milliseconds time) {
  struct Held {
    std::size_t& sum;
    const std::size_t bytes;
    ~Held() { sum -= bytes; }
  } const held{worker.replaying(), kLeast + body.size()};
  held.sum += held.bytes;
  MemoryStream stream(std::move(head), std::move(body), time);
  Exchange exchange(worker, *entrance, stream);
  co_await exchange.run();
}

}  // namespace

Result<std::uint64_t> begin_replay(Worker& worker, const std::string& username, inspect::Replay replay, milliseconds time) {
  const auto refused = [](std::uint16_t status, std::string detail) {
    return Error{Errc::unsupported, Side::downstream, false, status, std::move(detail)};
  };
  const SessionPtr session = worker.session_of(username);
  if (!session || session->ended()) return refused(404, "the context has gone");
  if (worker.draining()) return refused(503, "the instance is stopping");
  const auto entrance = std::make_shared<Entrance>();
  entrance->session = session;
  entrance->scheme = replay.head.scheme == "https" ? "https" : "http";
  entrance->protocol = "replay";
  entrance->replay_of = replay.of;
  const auto where = worker.planner().plan(*entrance, *session, replay.head);
  if (!where) return where.error();
  // Whoever dials would find out as well; here it can be said at once.
  const Plan& plan = **where;
  if (!plan.routed && policy::is_loopback_target(plan.target.host, worker.options().hosts.domains) &&
      reaches_itself(plan.target, plan.origin.port, worker.options().is_own_target))
    return Error{Errc::loop, Side::downstream, false, 508, plan.target.text() + " is this proxy's own address"};
  if (worker.replaying() + kLeast + replay.body.size() > kMostWaiting)
    return Error{Errc::limit, Side::downstream, false, 503,
                 "too many requests are being sent again: their answers are waited for"};
  worker.begin(send_again(worker, entrance, std::move(replay.head), std::move(replay.body), time));
  return entrance->recorded;
}

}  // namespace cmux::proxy
