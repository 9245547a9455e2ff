// What is inside a CONNECT to a loopback target: requests for the workspace, or bytes for a raw tunnel through the route's
// cmuxProxyOrigin. The first bytes decide, never a timer alone: browsers hold silent tunnels in reserve. Only where the client
// stays silent does the raw tunnel open, undecided, for servers that speak first.
//
// A tunnel is its client's own: who could open it has the context's credentials, and of what browsers say in one a web page
// chooses the path of a WebSocket alone. To a host of the workspace's network it is raw from the start: there is no certificate
// that could be shown in that host's name. A forwarded port is anybody's, and FirstLine tells there who may have raw bytes
// carried.
#include <fmt/format.h>

#include "base/check.hpp"
#include "base/log.hpp"
#include "http/raw_stream.hpp"
#include "proxy/first_line.hpp"

namespace cmux::proxy {
namespace {

constexpr milliseconds kSilence{300};     // of the client, after which the workspace is asked whether it has something to say
constexpr milliseconds kAmbiguous{1000};  // for bytes that may still become a request line; then it is decided about them
constexpr std::size_t kSniffed = 4096;

class RawTunnel final : public Active, public http::Drainable {
 public:
  RawTunnel(Worker& worker, Session& session, const Plan& plan, const net::Authority& target,
            std::unique_ptr<net::Transport> client, bool forwarded, inspect::Capture* record)
      : worker_(worker),
        plan_(plan),
        target_(target),
        client_(*client),
        near_(std::move(client), worker.options().http1.send_timeout),
        forwarded_(forwarded),
        record_(record),
        client_of_(session.context, &session.context->id) {
    link_after(session.active);
    worker_.open().insert(this);
    if (record_ && record_->level >= inspect::Level::bodies)
      tap_.emplace(worker_.ring(), *record_).follow(client_said_, workspace_said_);
  }
  ~RawTunnel() { worker_.open().erase(this); }

  // Until it is clear what the client speaks. Http1, http2 and tls come with the transport, untouched; else all is done.
  Task<Protocol> run() {
    Scope parts;
    idle_.after(worker_.draining() ? kSilence : worker_.options().http1.idle_timeout);
    if (plan_.opaque) protocol_ = Protocol::raw, client_done_ = true;
    else parts.spawn(watch_client());
    if (!client_done_ && plan_.tunnels) {
      silence_.after(kSilence);
      co_await progress_;
      silence_.cancel();
      pulling_ = !client_done_ && !cancelled_ && !(forwarded_ && begun_);
      if (pulling_) parts.spawn(pull());
    }
    while (!client_done_) {
      progress_.clear();
      co_await progress_;
    }
    const bool requests = protocol_ != Protocol::raw && protocol_ != Protocol::unknown;
    if (requests && !spoke_) {
      give_up();
    } else if (forwarded_ && protocol_ == Protocol::http1) {
      // An answer would come behind the workspace's own words.
      log::info("closed a connection to the port forwarded to {}: a request where the workspace has spoken first",
                target_.text());
      cancel(Errc::reset);
      give_up();
    } else if (!cancelled_ && (protocol_ == Protocol::raw || pulling_)) {
      if (!plan_.tunnels) {
        error_ =
            make_error(Errc::unsupported,
                       "it speaks neither HTTP nor TLS, and the route has no cmuxProxyOrigin, which alone carries raw bytes");
      } else {
        if (!pulling_) parts.spawn(pull());
        // A forwarded port's is one from now on; a CONNECT's has been since its head.
        if (record_ && record_->number == 0 && record_->level >= inspect::Level::heads) worker_.ring().add(*record_);
        co_await push();
      }
      protocol_ = Protocol::raw;
    } else {
      give_up();
    }
    co_await parts.join();
    if (error_ && protocol_ == Protocol::raw && !cancelled_) report(*error_);
    if (record_) {
      record_->sent += client_said_.bytes();
      record_->received += workspace_said_.bytes();
    }
    co_return cancelled_ ? Protocol::raw : protocol_;
  }

  std::unique_ptr<net::Transport> take_client() { return near_.into_transport(); }

  void cancel(Errc why) noexcept override {
    cancelled_ = true;
    claim_.reset(why);
    client_.abort(make_error(why, "the context was released or its route changed"), true);
    if (lease_) lease_.stream().reset(why);
    progress_.set();
  }
  bool is_tunnel() const override { return true; }
  // A tunnel in which nobody has spoken carries nothing that could be lost. An open one has its OpenTunnel.
  void drain() override {
    if (!client_done_ && !spoke_) cancel(Errc::closed);
  }

 private:
  // Its client sees no more than the end: whoever looks after the context is told why.
  void report(const Error& error) {
    log::info("closed a raw tunnel to {}: {}", target_.text(), error.detail);
    ++worker_.count().errors[name_of(error.code)];
    if (record_) record_->error = name_of(error.code), record_->detail = error.detail;
    worker_.report(TunnelFailure{*client_of_, target_.text(), std::string(name_of(error.code)), error.detail});
  }

  // Looks at the client's first bytes and puts them back.
  Task<void> watch_client() {
    Buffer seen;
    Deadline ambiguous([](void* self) { static_cast<RawTunnel*>(self)->settle(); }, this);
    protocol_ = Protocol::unknown;
    while (protocol_ == Protocol::unknown) {
      const net::Io io = client_.read(seen.prepare(kSniffed));
      if (io.state == net::Io::State::end || io.state == net::Io::State::failed) {
        // A line that ends with the connection is none: where it had to be a request, the parser says so; else it is the
        // target's.
        if (io.state == net::Io::State::end && !seen.empty()) protocol_ = forwarded_ ? Protocol::http1 : Protocol::raw;
        break;
      }
      if (io.state == net::Io::State::moved) {
        begun_ = true;
        seen.commit(io.count);
        protocol_ = judged(seen.view());
        if (!ambiguous.armed()) ambiguous.after(kAmbiguous);
        continue;
      }
      if (!seen.empty() && decides_now()) {
        protocol_ = forwarded_ && !spoke_ ? Protocol::http1 : Protocol::raw;
        break;
      }
      if (is_over()) break;
      seen.shrink();
      co_await client_.readable();
    }
    if (!seen.empty()) client_.unread(seen.view());
    client_done_ = true;
    progress_.set();
  }
  Protocol judged(std::string_view bytes) {
    if (!forwarded_) return spoke_ ? Protocol::raw : sniff(bytes);
    // Even after the workspace has spoken: a browser may have sent its request just before that reached it.
    const Protocol protocol = first_line_.look(bytes);
    return spoke_ && protocol == Protocol::tls ? Protocol::raw : protocol;
  }
  // Nothing has come, for now, that would decide.
  bool decides_now() const { return settled_ || (spoke_ && !forwarded_); }
  bool is_over() { return tunnel_ && tunnel_->traffic().over(); }
  void settle() {
    settled_ = true;
    client_.readable().set();
  }

  // Opens the far side and moves what the workspace says to the client.
  Task<void> pull() {
    CMUX_CHECK(plan_.tunnels && !pulled_, "the workspace is asked once, on a route that carries bytes");
    pulled_ = true;
    auto opened = co_await open();
    if (!opened) {
      error_ = opened.error();
    } else {
      far_ = &lease_.stream();
      tunnel_.emplace(worker_, near_, *far_);
    }
    opened_ = true;
    progress_.set();
    if (!far_ || given_up_) co_return;
    auto first = co_await far_->read_body();
    if (given_up_) co_return;
    if (!first && is_over()) first = http::Body{{}, true};
    if (first) {
      spoke_ = true;
      tunnel_->traffic().came(Side::upstream);
      client_.readable().set();  // bytes that could have become a request are now raw
      auto written = co_await near_.write_body(first->bytes, first->end ? http::Next::end : http::Next::later, nullptr);
      tunnel_->traffic().passed_on();
      if (written) workspace_said_.add(first->bytes);
      if (written && first->end) co_return;
      if (written)
        written =
            co_await http::relay_body(*far_, Side::upstream, near_, Side::downstream, &workspace_said_, &tunnel_->traffic());
      if (written) co_return;
    }
    near_.reset(Errc::reset);
    far_->reset(Errc::reset);
  }

  // Moves what the client says to the workspace, once the far side is open.
  Task<void> push() {
    while (!opened_) {
      progress_.clear();
      co_await progress_;
    }
    if (!far_) co_return near_.reset(Errc::reset);
    CMUX_CHECK(tunnel_.has_value(), "bytes move in an open tunnel");
    auto moved = co_await http::relay_body(near_, Side::downstream, *far_, Side::upstream, &client_said_, &tunnel_->traffic());
    if (moved) co_return;
    near_.reset(Errc::reset);
    far_->reset(Errc::reset);
  }

  void give_up() {
    given_up_ = true;
    claim_.reset(Errc::cancelled);
    if (lease_) lease_.stream().reset(Errc::cancelled);
  }

  Task<Result<void>> open() {
    upstream::Wanted wanted;
    wanted.checked = true;  // what a tunnel carries cannot be sent twice
    wanted.end_to_end = true;
    wanted.client = client_of_;
    auto lease = co_await worker_.pool().acquire(plan_.origin, wanted, &claim_);
    if (!lease) co_return lease.error();
    if (given_up_ || cancelled_) co_return make_error(Errc::cancelled);
    CMUX_CHECK(*lease && !lease_, "a tunnel has one connection");
    lease_ = std::move(*lease);
    note_opening(worker_.count(), record_, lease_);
    if (record_) record_->destination = plan_.origin.text();
    http::Stream& stream = lease_.stream();
    http::Head head;
    head.method = "CONNECT";
    head.authority = target_.text();
    head.end = true;
    for (const auto& [name, value, known, secret] : plan_.headers) head.fields.add(name, value, known, secret);
    auto written = co_await stream.write_head(head, http::Next::end);
    if (!written) co_return written.error();
    auto answer = co_await stream.read_head();
    while (answer && (*answer)->is_interim()) answer = co_await stream.read_head();
    if (!answer) co_return answer.error();
    if ((*answer)->tunnel) co_return Result<void>{};
    co_return make_error(Errc::refused, fmt::format("{} answered CONNECT with {}", plan_.origin.text(), (*answer)->status));
  }

  Worker& worker_;
  const Plan& plan_;
  const net::Authority& target_;
  net::Transport& client_;  // near_'s
  http::RawStream near_;
  upstream::Claim claim_;
  upstream::Lease lease_;
  http::Stream* far_ = nullptr;       // lease_'s, once the tunnel stands
  std::optional<OpenTunnel> tunnel_;  // ... and then
  std::optional<Error> error_;
  Event progress_;
  Deadline silence_{[](void* self) { static_cast<RawTunnel*>(self)->progress_.set(); }, this};
  // Browsers hold silent tunnels in reserve, but not for ever.
  Deadline idle_{[](void* self) { static_cast<RawTunnel*>(self)->drain(); }, this};
  Protocol protocol_ = Protocol::unknown;
  const bool forwarded_;
  inspect::Capture* const record_;  // null: nobody wants it
  std::optional<inspect::Tap> tap_;
  http::Meter client_said_{worker_.count().client_said}, workspace_said_{worker_.count().upstream_said};
  const std::shared_ptr<const std::string> client_of_;  // the context's id
  FirstLine first_line_{worker_.options().http1.limits.start_line};
  bool client_done_ = false, pulling_ = false, opened_ = false, begun_ = false, spoke_ = false, settled_ = false;
  bool given_up_ = false, cancelled_ = false, pulled_ = false;
};

// An open tunnel that carries requests: ends the transport that they are served on.
class TunnelGuard final : public Active {
 public:
  TunnelGuard(Session& session, net::Transport& transport) : transport_(transport) { link_after(session.active); }
  ~TunnelGuard() = default;
  void cancel(Errc why) noexcept override {
    transport_.abort(make_error(why, "the context was released or its route changed"), true);
  }
  bool is_tunnel() const override { return true; }

 private:
  net::Transport& transport_;
};

// Says what the client spoke: after raw bytes all is over.
Task<Protocol> serve_inside(Worker& worker, std::unique_ptr<net::Transport> transport, SessionPtr session, net::Authority target,
                            Openness open, inspect::Capture* record) {
  const bool forwarded = open != Openness::own;
  if (session->ended()) co_return Protocol::unknown;
  const policy::ContextPtr planned_for = session->context;
  auto plan = make_plan(session->context.get(), "http", target, target.text(), worker.options().hosts);
  if (!plan) co_return Protocol::unknown;
  Protocol protocol;
  {
    RawTunnel tunnel(worker, *session, *plan, target, std::move(transport), forwarded, record);
    protocol = co_await tunnel.run();
    transport = tunnel.take_client();
  }
  if (session->ended() || session->context != planned_for) co_return protocol;
  TunnelGuard guard(*session, *transport);
  Entrance entrance;
  entrance.session = session;
  entrance.tunnel = target;
  entrance.forwarded = forwarded;
  entrance.transparent = open == Openness::transparent;
  switch (protocol) {
    case Protocol::tls: co_await serve_intercepted(worker, std::move(transport), entrance); break;
    case Protocol::http1:
    case Protocol::http2: co_await serve_requests(worker, std::move(transport), entrance, protocol); break;
    case Protocol::socks:
    case Protocol::raw:
    case Protocol::unknown: break;
  }
  co_return protocol;
}

}  // namespace

Task<void> serve_tunnel(Worker& worker, std::unique_ptr<net::Transport> transport, SessionPtr session, net::Authority target,
                        inspect::Capture* record) {
  co_await serve_inside(worker, std::move(transport), std::move(session), std::move(target), Openness::own, record);
}

// Raw bytes are told of as the CONNECT's tunnel is that the client would have needed elsewhere; requests tell of themselves.
Task<void> serve_forwarded(Worker& worker, std::unique_ptr<net::Transport> transport, SessionPtr session, net::Authority target,
                           Openness open) {
  const RecordPtr record = worker.new_record();
  const auto start = Clock::now();
  if (record) {
    record->context = session->context->id;
    record->method = "CONNECT";
    record->url = target.text();
    record->way = inspect::Way::loopback;
    record->downstream = "tcp";
    record->status = 200;
    record->tunnel = true;
  }
  const Protocol protocol = co_await serve_inside(worker, std::move(transport), session, std::move(target), open, record.get());
  if (protocol != Protocol::raw) co_return;
  ++worker.count().tunnels;
  session->note_request(worker.now());
  if (!record) co_return;
  record->total = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
  if (record->number == 0 && record->level >= inspect::Level::heads) worker.ring().add(*record);
  worker.report(*record);
}

}  // namespace cmux::proxy
