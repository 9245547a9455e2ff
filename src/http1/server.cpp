#include "http1/server.hpp"

#include <fmt/format.h>

#include "net/linger.hpp"

namespace cmux::http1 {
namespace {

using http::Body;
using http::Head;
using http::Next;

constexpr std::uint64_t kMaxDiscard = 256 * 1024;  // of a request body that nobody wanted
constexpr unsigned kEmptyLines = 4;                // in front of a request
constexpr milliseconds kRest{1'000};               // between requests, after which the last one's memory is given back

class ServerConnection final : public http::Stream, public http::Drainable, private Half {
 public:
  ServerConnection(std::unique_ptr<net::Transport> transport, std::string_view scheme, const ServerOptions& options)
      : Half(std::move(transport), options.send_timeout),
        scheme_(scheme),
        options_(options),
        parser_(Role::request, options.limits) {}

  Task<void> run(http::Handler& handler) {
    while (true) {
      begin();
      const bool more_to_come = co_await await_request();
      if (!more_to_come) break;
      co_await handler.serve(*this);
      if (!transport_) co_return;  // it went on as a tunnel's transport
      const bool more = co_await finish();
      if (!more) break;
    }
    transport_->on_hang_up(nullptr, nullptr);
    if (linger_) {
      deadline_.cancel();
      co_await net::linger(*transport_, in_);
    }
  }

  // --- http::Stream ---
  Task<Result<Head*>> read_head() override {
    deadline_.after(options_.head_timeout);
    while (true) {
      auto size = parser_.parse(in_.view(), request_);
      if (!size) co_return refuse(size.error());
      if (*size > 0) {
        in_.consume(*size);
        break;
      }
      const net::Io io = transport_->read(in_.prepare(kHeadRead));
      if (io.state == net::Io::State::moved) in_.commit(io.count);
      if (io.state == net::Io::State::failed) co_return failed_read(transport_->error());
      if (io.state == net::Io::State::end) {
        if (in_.empty()) co_return make_error(Errc::closed);
        co_return refuse(malformed("the connection ended within a header"));
      }
      if (io.state != net::Io::State::blocked) continue;
      in_.shrink();
      co_await transport_->readable();
      if (!timed_out_) continue;
      Error slow{Errc::timeout, Side::downstream, false, 408, "the request header did not arrive in time"};
      co_return refuse(std::move(slow));
    }
    deadline_.cancel();
    const bool http10 = request_.version == 10;
    auto info = normalise_request(request_);
    form_.client_version = request_.version;
    if (!info) co_return refuse(info.error());
    if (over_limit(request_.content_length.value_or(0))) co_return refuse(body_too_large());
    if (request_.scheme.empty()) request_.scheme = scheme_;
    form_.keep_alive = info->keep_alive && !draining_;
    form_.head_request = request_.method == "HEAD";
    form_.upgrade = request_.is_upgrade();
    connect_ = request_.is_connect();
    if (form_.upgrade) {
      protocol_ = request_.protocol;
      if (const auto key = request_.fields.get(http::Name::sec_websocket_key)) websocket_key_ = *key;
    }
    expects_continue_ = !request_.end && !http10 && request_.fields.contains(http::Name::expect);
    reader_.start(info->framing, request_.content_length.value_or(0));
    body_bytes_ = 0;
    // A body that is malformed as far as it is here is nothing to begin an exchange with.
    if (const auto sound = reader_.foresee(in_); !sound) co_return refuse(sound.error());
    co_return &request_;
  }

  Task<Result<Body>> read_body() override {
    auto body = co_await pull_body();
    if (!body && (body.error().code == Errc::malformed || body.error().code == Errc::too_large)) co_return refuse(body.error());
    if (body && over_limit(body_bytes_) && !connect_) co_return refuse(body_too_large());
    co_return body;
  }
  void interrupt_body(bool on) override { stop_pulling(on); }
  bool body_ready() const override { return pull_ready(); }

  Task<Result<void>> write_head(const Head& head, Next next) override {
    if (head.is_interim() && form_.client_version == 10) co_return Result<void>{};  // RFC 9110 section 15.2
    if (head.status == 100) expects_continue_ = false;
    form_.protocol = protocol_;
    form_.websocket_key = websocket_key_;
    if (draining_) form_.keep_alive = false;
    if (!head.is_interim() && !request_complete()) settle_request_body();
    const Framing framing = write_response(head, form_, out_);
    if (head.is_interim()) co_return co_await flush();
    responded_ = true;
    writer_.start(framing, head.content_length.value_or(0));
    if (head.tunnel) {
      reader_.start(Framing::until_close, 0);
      request_ = Head();  // nobody asks for it any more, and tunnels may stand for days
    }
    if (next == Next::end) wrote_end_ = true;
    if (next == Next::soon) co_return Result<void>{};
    co_return co_await flush();
  }

  Task<Result<void>> write_body(std::string_view bytes, Next next, const http::Fields* trailers) override {
    if (grace_.armed()) grace_.after(options_.abort_grace);
    if (form_.head_request) bytes = {};
    return push_body(bytes, next, trailers);
  }

  void reset(Errc why) noexcept override {
    // A body that ends with the connection would look complete: only a reset tells the client that it is not. And for who does
    // not read the system would hold what waits.
    const bool hard = deaf_ || (responded_ && !wrote_end_ && writer_.framing() == Framing::until_close);
    form_.keep_alive = false;
    linger_ = false;
    if (transport_) transport_->abort(make_error(why, "the exchange was given up"), hard);
  }

  void cancel_on_abort(http::Abortable* other) override {
    other_ = other;
    grace_.cancel();
    if (!other) return transport_->on_hang_up(nullptr, nullptr);
    transport_->on_hang_up([](void* self) { static_cast<ServerConnection*>(self)->hung_up(); }, this);
  }

  std::unique_ptr<net::Transport> into_transport() override {
    transport_->on_hang_up(nullptr, nullptr);
    return take_transport();
  }

  void close_after() override { form_.keep_alive = false; }

  // --- http::Drainable ---
  void drain() override {
    draining_ = true;
    if (transport_ && idle_) transport_->readable().set();
  }

 private:
  static constexpr std::size_t kHeadRead = 4096 - 64;

  void begin() {
    parser_.reset();
    form_ = {};
    responded_ = wrote_end_ = stopped_ = expects_continue_ = connect_ = timed_out_ = false;
    other_ = nullptr;
    protocol_.clear();
    websocket_key_.clear();
    request_.clear();
    idle_ = true;
    empty_lines_ = 0;
    reader_.start(Framing::none, 0);
  }

  // Takes off the empty lines that a client may send in front of a request (RFC 9112 section 2.2): a connection on which nothing
  // else has come is idle as before. What are too many of them the parser refuses.
  bool request_begun() {
    for (; in_.view().starts_with("\r\n") && empty_lines_ < kEmptyLines; ++empty_lines_) in_.consume(2);
    return !in_.empty() && in_.view() != "\r";
  }

  // Between requests. Who only waits holds as little memory as can be: no exchange, no buffer, and after a while nothing of the
  // last request either. False: there will be none.
  Task<bool> await_request() {
    const milliseconds limit = options_.idle_timeout;  // 0: none
    const bool short_limit = limit.count() > 0 && limit <= kRest;
    deadline_.after(short_limit ? limit : kRest);
    bool rested = false;
    while (!request_begun()) {
      const net::Io io = transport_->read(in_.prepare(kHeadRead));
      if (io.state == net::Io::State::moved) {
        in_.commit(io.count);
        continue;
      }
      // A request that has come before the drain is still answered, and the answer says that it is the last. An answer that was
      // begun before the drain could not say so.
      if (io.state != net::Io::State::blocked) co_return false;
      if (draining_) {
        linger_ = just_answered_;
        co_return false;
      }
      just_answered_ = false;
      in_.shrink();
      co_await transport_->readable();
      if (!timed_out_) continue;
      if (rested || short_limit) co_return false;
      timed_out_ = false;
      rested = true;
      request_ = Head();
      deadline_.after(limit.count() > 0 ? limit - kRest : limit);
    }
    timed_out_ = false;
    idle_ = false;
    co_return true;
  }

  // A head that cannot be answered in step: after the error's response the connection ends.
  Error refuse(Error error) {
    deadline_.cancel();
    form_.keep_alive = false;
    linger_ = true;
    error.side = Side::downstream;
    return error;
  }

  bool over_limit(std::uint64_t size) const { return options_.max_body != 0 && size > options_.max_body; }
  Error body_too_large() const {
    return Error{Errc::too_large, Side::downstream, false, 413, fmt::format("the body is over {} bytes", options_.max_body)};
  }

  Error failed_read(const Error& error) {
    deadline_.cancel();
    Error out = make_error(Errc::closed);
    out.detail = error.detail;
    return out;
  }

  bool request_complete() const { return reader_.done(); }

  // The final response comes while the request's body is still on its way. If little of it is left it is read and dropped, else
  // the connection cannot go on. A client that waits for 100 and gets a final status sends no body at all, or all of it: no
  // telling.
  void settle_request_body() {
    if (expects_continue_ || body_bytes_ + reader_.expected() > kMaxDiscard) {
      form_.keep_alive = false;
      linger_ = true;
    }
  }

  // After the handler: is the connection in step for the next request?
  Task<bool> finish() {
    deadline_.cancel();
    grace_.cancel();
    transport_->on_hang_up(nullptr, nullptr);
    if (!wrote_end_) {
      if (responded_ || deaf_) reset(Errc::cancelled);
      co_return false;
    }
    if (connect_ && writer_.framing() == Framing::until_close) co_return false;
    if (!form_.keep_alive) {
      // The client does not know yet that this was the last: what it has sent since must not reset the answer.
      if (!request_complete() || draining_) linger_ = true;
      co_return false;
    }
    std::uint64_t dropped = 0;
    deadline_.after(options_.head_timeout);  // for all that is left: a drip does not push it further
    while (!request_complete() && dropped <= kMaxDiscard) {
      auto piece = reader_.next(in_);
      if (!piece) co_return false;
      dropped += piece->bytes.size();
      if (!piece->starved) continue;
      auto read = co_await read_in_time();
      if (!read) co_return false;
    }
    deadline_.cancel();
    if (!request_complete()) linger_ = true;
    else reader_.settle(in_);
    just_answered_ = request_complete();
    co_return request_complete();
  }

  Task<bool> read_in_time() {
    while (!timed_out_) {
      const net::Io io = transport_->read(in_.prepare(kHeadRead));
      if (io.state == net::Io::State::moved) {
        in_.commit(io.count);
        co_return true;
      }
      if (io.state != net::Io::State::blocked) co_return false;
      co_await transport_->readable();
    }
    co_return false;
  }

  void hung_up() {
    if (!other_) return;
    if (transport_->broken()) cancel_other();
    else grace_.after(options_.abort_grace);
  }

  void cancel_other() {
    if (http::Abortable* other = std::exchange(other_, nullptr)) other->reset(Errc::cancelled);
  }

  std::string_view scheme_;
  const ServerOptions& options_;
  HeadParser parser_;
  Head request_;
  ResponseForm form_;
  std::string protocol_, websocket_key_;
  http::Abortable* other_ = nullptr;
  unsigned empty_lines_ = 0;  // in front of the next request, so far
  bool responded_ = false, expects_continue_ = false, connect_ = false;
  bool just_answered_ = false;  // and nothing was waited for since
  bool draining_ = false, idle_ = true, linger_ = false, timed_out_ = false;
  Deadline deadline_{[](void* self) {
                       auto& me = *static_cast<ServerConnection*>(self);
                       me.timed_out_ = true;
                       me.transport_->readable().set();
                     },
                     this};
  Deadline grace_{[](void* self) { static_cast<ServerConnection*>(self)->cancel_other(); }, this};
};

}  // namespace

Task<void> serve(std::unique_ptr<net::Transport> transport, http::Handler& handler, std::string_view scheme,
                 const ServerOptions& options, std::set<http::Drainable*>& open) {
  ServerConnection connection(std::move(transport), scheme, options);
  struct Listed {  // taken off even where something throws
    std::set<http::Drainable*>& list;
    http::Drainable* entry;
    Listed(std::set<http::Drainable*>& in, http::Drainable* what) : list(in), entry(what) { list.insert(entry); }
    ~Listed() { list.erase(entry); }
  };
  const Listed listed(open, &connection);
  co_await connection.run(handler);
}

}  // namespace cmux::http1
