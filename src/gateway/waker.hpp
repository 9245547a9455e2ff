// Waker: gets machines up that sleep. Runs the operator's command, or asks their URL, once a machine, however many requests wait
// for it, and then tries the machine's port until it answers. One an instance, on the main thread's loop; ask() from any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/child.hpp"
#include "upstream/pool.hpp"

namespace cmux::gateway {

struct WakeRules {
  std::string command;                       // for the shell, with the machine's id in $CMUX_MACHINE; empty: none
  std::string url_template;                  // holds {id}; gets a POST; empty: none
  std::shared_ptr<const std::string> token;  // that the URL asks for, as a bearer; null: none
  milliseconds timeout{60'000};              // from the first request to the first connection
  bool any() const { return !command.empty() || !url_template.empty(); }
};
// Errors (Errc::config) say what is wrong with the URL.
Result<void> check_wake_url(std::string_view url_template);

class Waker {
 public:
  // Tells how it ended: empty, the machine can be reached; else why not. On the main thread.
  using Told = std::function<void(const std::string& machine, const std::string& failed)>;
  // Connections are made as `options` say, but for their time.
  Waker(WakeRules rules, upstream::PoolOptions options, std::vector<net::Override> resolve, Told told);
  ~Waker();
  // For what begins from now on.
  void apply(upstream::PoolOptions options, std::vector<net::Override> resolve);

  // `origin` is where the machine should be. Who asks is told sooner or later.
  void ask(const std::string& machine, const upstream::Origin& origin);
  // Ends what is under way, and returns when it has. To be called before the end.
  Task<void> close();

  // Machines that are being woken, or have not woken and are left in peace for kRest.
  static constexpr std::size_t kMostAtOnce = 100;
  static constexpr milliseconds kRest{5'000};

 private:
  struct Waking;
  void begin(const std::string& machine, const upstream::Origin& origin);
  void tidy();
  Task<void> wake(std::string machine, upstream::Origin origin, Waking& waking);
  Task<Result<void>> run_command(const std::string& machine, Waking& waking);
  Task<Result<void>> ask_url(const std::string& machine, Waking& waking);
  Task<Result<void>> reach(const upstream::Origin& origin, Waking& waking);

  const WakeRules rules_;
  const Told told_;
  Loop& loop_;
  net::Resolver resolver_;
  upstream::Pool pool_;
  std::map<std::string, Waking> machines_;  // those that are being woken, and those that rest
  Scope scope_;
  bool closed_ = false;
};

}  // namespace cmux::gateway
