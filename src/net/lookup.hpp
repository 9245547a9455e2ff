// Lookups: names asked of the system's resolver, on a pool of Asio's threads, since getaddrinfo(3) blocks and cannot be
// cancelled. Asio's own async_resolve() has one thread for all: one name that hangs would hold up every other. So the pool has
// several, no client may have more than a share of them at work, and what waits is served in turns, client by client.
// Thread-safe.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "net/address.hpp"

namespace cmux::net {

class Lookups {
 public:
  using Answer = Result<std::vector<Endpoint>>;  // without a port, in the order to try them
  // Asks the system. Blocks.
  static Answer ask_system(const std::string& host);

  struct Limits {
    unsigned threads = 16, share = 4;                  // look-ups at work: of all, of one client
    std::size_t waiting = 4096, client_waiting = 512;  // behind them
  };

  // One look-up, shared by those who want the same name. The loop that asked hears of the answer, unless it was given up.
  class Request {
   public:
    Request(std::string host, Loop& loop, std::function<void(Answer)> answered)
        : host_(std::move(host)), loop_(&loop), answered_(std::move(answered)) {}
    // The answer is not wanted any more, and the loop may go.
    void give_up();
    // Gives up what has not begun; what has goes on. True: it will not begin.
    bool give_up_waiting();

   private:
    friend class Lookups;
    bool begin();  // false: given up, or begun already
    void finish(Answer answer);

    const std::string host_;
    std::mutex mutex_;
    Loop* loop_;  // null: nobody waits any more
    std::function<void(Answer)> answered_;
    bool begun_ = false;
  };
  using RequestPtr = std::shared_ptr<Request>;

  explicit Lookups(std::function<Answer(const std::string&)> ask = ask_system) : Lookups(std::move(ask), Limits()) {}
  Lookups(std::function<Answer(const std::string&)> ask, Limits limits);
  ~Lookups();

  // The process's. Never destroyed: a look-up that hangs must not hold up the end of the process.
  static Lookups& shared();

  // Puts it at the end of the client's queue; a request may stand in several, and the first that comes to it serves all. Errors:
  // Errc::limit when there is no room.
  Result<void> add(RequestPtr request, const std::string& client);

 private:
  struct Client {
    std::deque<RequestPtr> waiting;
    unsigned at_work = 0;
  };
  void start_what_may();  // with the mutex held
  void work(RequestPtr request, const std::string& client);

  const std::function<Answer(const std::string&)> ask_;
  const Limits limits_;
  std::mutex mutex_;
  std::map<std::string, Client> clients_;  // those with something waiting or at work
  std::string turn_;                       // of the client that was served last
  std::size_t waiting_ = 0;
  unsigned at_work_ = 0;
  boost::asio::thread_pool pool_;
};

}  // namespace cmux::net
