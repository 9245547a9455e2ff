// The client side of an HTTP/2 connection, shared by as many exchanges as the peer allows.
#pragma once

#include "http2/connection.hpp"

namespace cmux::http2 {

class ClientConnection final : public Connection {
 public:
  // `changed` is called when room() or settled() may have changed; it must not destroy the connection.
  ClientConnection(std::unique_ptr<net::Transport> transport, const Options& options, void (*changed)(void*), void* argument);
  ~ClientConnection() override;

  // Serves the connection until it ends. The object stays until its streams are gone, too.
  Task<void> run();

  // How many more streams it takes now. One, until the peer has said how many.
  std::size_t room() const;
  // How many streams it takes, as far as that is known; 0: none for now, the peer says.
  std::size_t most() const;
  // What the peer says that it takes and what it does take need not be the same: a refusal tells, and each stream that ends well
  // allows another one.
  std::size_t learned() const { return learned_; }
  void learn(std::size_t most) { learned_ = std::min(learned_, std::max(most, std::size_t{1})); }
  // The peer's SETTINGS have come.
  bool settled() const { return settled_; }
  // Something has come of late, so that it may be used. Else the peer is asked by PING whether it is there: until the answer has
  // come there is no room(), and once that is overdue() it is better not waited for.
  bool trusted();
  bool asked() const { return asked_; }
  bool overdue() const { return overdue_; }
  // The machine has slept, or the network is another one: what was heard before says nothing.
  void doubt();
  // It takes no more streams, now or later.
  bool spent() const { return going_away_ || over(); }
  // The peer takes upgrades as extended CONNECT (RFC 8441 section 3). Known once settled.
  bool extended_connect() const;
  // Why it ended.
  const Error& failure() const { return failure_; }
  // The peer wants HTTP/1.1 instead (RFC 9113 section 7).
  bool http1_required() const { return http1_required_; }

  // `argument` of the constructor.
  void* owner() const { return argument_; }

  std::unique_ptr<Stream> open();
  // GOAWAY; the end, once the last stream is gone.
  void shut_down();
  // Reads as soon as the others have run: the system may have news that the loop has not.
  void look() {
    if (transport()) transport()->readable().set();
  }
  // At once: open streams fail.
  void close(Error error) { abort(std::move(error)); }

 private:
  void on_settings() override;
  void on_goaway() override;
  void on_ping_answer() override {}
  void received() override;
  void stream_gone() override;
  void stream_done() override {
    if (learned_ != kUnlimited) ++learned_;
  }
  void stream_refused() override { learn(open_streams()); }
  void failed(const Error& error) override { failure_ = error; }
  void check_alive();
  void ask();
  void rest();

  void (*changed_)(void*);
  void* argument_;
  bool settled_ = false, going_away_ = false;
  bool asked_ = false, overdue_ = false, doubted_ = false;
  Clock::time_point heard_at_ = Loop::current().now();
  static constexpr std::size_t kUnlimited = SIZE_MAX;
  std::size_t learned_ = kUnlimited;
  std::uint64_t heard_before_ = 0;
  Error failure_;
  Deadline alive_{[](void* self) { static_cast<ClientConnection*>(self)->check_alive(); }, this};
  Deadline idle_{[](void* self) { static_cast<ClientConnection*>(self)->shut_down(); }, this};
};

}  // namespace cmux::http2
