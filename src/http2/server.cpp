#include "http2/server.hpp"

#include "base/log.hpp"
#include "http2/connection.hpp"

namespace cmux::http2 {
namespace {

constexpr std::size_t kMostHeads = 16 * 1024 * 1024;  // bytes of the requests at work on one connection; more are refused

class ServerConnection final : public Connection, public http::Drainable {
 public:
  ServerConnection(std::unique_ptr<net::Transport> transport, http::Handler& handler, const Options& options,
                   std::set<http::Drainable*>& open)
      : Connection(Role::server, std::move(transport), options), handler_(handler), open_(open) {
    open_.insert(this);
    idle_.after(options.idle_timeout);
  }
  ~ServerConnection() override { open_.erase(this); }

  Task<void> run() {
    co_await run_loops();
    incoming_.reset();
    idle_.cancel();
    late_.cancel();
    co_await streams_.join();  // what is bound to the transport may end them until then, so it stays
  }

  // --- http::Drainable ---
  void drain() override {
    if (!std::exchange(draining_, true)) session().submit_goaway();
    want_write();
    if (live() == 0) finish();
  }

 private:
  // --- Driver ---
  Stream* on_begin(std::int32_t id) override {
    // Streams that the client has reset count as long as they are worked on.
    if (live() >= 2 * std::size_t{options().max_streams}) return nullptr;
    // A small block may stand for a large head, a thousand times over.
    if (head_bytes_ > kMostHeads && live() > 0) return nullptr;
    late_.after(options().head_timeout);
    incoming_ = std::make_unique<Stream>(*this, id);
    return incoming_.get();
  }
  void on_request(Stream&) override {
    late_.cancel();
    idle_.cancel();
    arrived_.push_back(std::move(incoming_));
  }

  void on_closed(Stream& stream) override {
    if (&stream != incoming_.get()) return;
    late_.cancel();  // its head was malformed, so that it never became a request
    incoming_.reset();
  }

  // --- Connection ---
  void received() override {
    for (auto& stream : arrived_) streams_.spawn(serve_one(std::move(stream)));
    arrived_.clear();
  }
  void stream_gone() override {
    if (live() != 0) return;
    idle_.after(options().idle_timeout);
    if (draining_) finish();
  }

  Task<void> serve_one(std::unique_ptr<Stream> stream) {
    co_await handler_.serve(*stream);
    co_await stream->settle();
  }

  void head_is_late() {
    log::debug("an HTTP/2 header block did not arrive in time");
    session().terminate(NGHTTP2_ENHANCE_YOUR_CALM);
    finish();
  }

  http::Handler& handler_;
  std::set<http::Drainable*>& open_;
  std::unique_ptr<Stream> incoming_;  // its header block is on its way
  std::vector<std::unique_ptr<Stream>> arrived_;
  Scope streams_;
  bool draining_ = false;
  Deadline idle_{[](void* self) { static_cast<ServerConnection*>(self)->drain(); }, this};
  Deadline late_{[](void* self) { static_cast<ServerConnection*>(self)->head_is_late(); }, this};
};

}  // namespace

Task<void> serve(std::unique_ptr<net::Transport> transport, http::Handler& handler, const Options& options,
                 std::set<http::Drainable*>& open) {
  ServerConnection connection(std::move(transport), handler, options, open);
  co_await connection.run();
}

}  // namespace cmux::http2
