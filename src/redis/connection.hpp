// Connection: one to a Redis, over the project's own transports. Asks one thing, or several at once, and waits for the answers;
// every wait has a bound. Owned by whoever asks, on the thread of its loop. hiredis reads and writes the protocol.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "redis/reply.hpp"
#include "redis/url.hpp"
#include "upstream/dialler.hpp"

namespace cmux::redis {

using Command = std::vector<std::string>;

class Connection {
 public:
  // Connects, and logs in. Errors say what is wrong, and hold no secret.
  static Task<Result<std::unique_ptr<Connection>>> open(upstream::Dialler& dialler, Url url);

  // The answer; a refusal is an error (explained()). `longer`: what the server may take beyond kAnswer, as it was asked to wait.
  Task<Result<Reply>> ask(Command command, milliseconds longer = milliseconds(0));
  // As many answers as commands, refusals among them.
  Task<Result<std::vector<Reply>>> ask_all(std::vector<Command> commands, milliseconds longer = milliseconds(0));

  // Ends what is being asked, and all to come.
  void abort() noexcept { transport_->abort(make_error(Errc::cancelled, "given up"), false); }
  // Of this end.
  net::Endpoint local() const { return transport_->local(); }

  static constexpr milliseconds kAnswer{5'000};

 private:
  explicit Connection(std::unique_ptr<net::Transport> transport) : transport_(std::move(transport)) {}
  Task<Result<void>> log_in(const Url& url);

  std::unique_ptr<net::Transport> transport_;
  Replies replies_;
  Buffer buffer_;
};

}  // namespace cmux::redis
