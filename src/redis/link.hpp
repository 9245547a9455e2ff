// Link: keeps a connection to a Redis for as long as it is wanted, and has work done on each: connects anew when one ends, after
// a pause that grows, and says in the log when the server goes and comes. On the loop that is current when it is made.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "redis/connection.hpp"

namespace cmux::redis {

class Link {
 public:
  // Runs on one connection until that ends or has failed; the error says why. `connection.abort()` is how it is ended.
  using Work = std::function<Task<Result<void>>(Connection& connection)>;
  // `what` names the server in the log: "the fleet's store redis://…".
  Link(std::string what, Url url, upstream::DiallerOptions options, Work work);
  ~Link();

  void start();
  // For the connections to come.
  void set_url(Url url) { url_ = std::move(url); }
  const Url& url() const { return url_; }
  // Ends all, and returns when it has. To be called before the end, where it was started.
  Task<void> close();
  // The work is done, and needs no other connection.
  void finish() { closing_ = true; }
  bool closing() const { return closing_; }

  // The work calls this once it knows that the server is good for it, and again whenever it has come round.
  void up();
  bool is_up() const { return up_; }
  const std::string& problem() const { return problem_; }  // why not, or why last time
  std::uint64_t failures() const { return failures_; }     // connections that ended, or could not be
  // A pause in the work; it ends early at close(), and when wake() is called.
  Task<void> rest(milliseconds time);
  void wake() { rested_.set(); }

  static constexpr milliseconds kFirstPause{100}, kLongestPause{3'000};
  static constexpr milliseconds kConnect{3'000};  // for a connection to be made, and for its TLS

 private:
  Task<void> run();
  void failed(const Error& error);

  const std::string what_;
  Url url_;
  const Work work_;
  net::Resolver resolver_;
  upstream::Dialler dialler_;
  Connection* connection_ = nullptr;
  Scope scope_;
  Event rested_;
  Deadline pause_{[](void* self) { static_cast<Link*>(self)->rested_.set(); }, this};
  milliseconds next_pause_ = kFirstPause;
  bool up_ = false, closing_ = false;
  std::string problem_;
  std::uint64_t failures_ = 0;
};

}  // namespace cmux::redis
