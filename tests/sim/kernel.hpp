// Kernel: the system as a run sees it: a clock that jumps to what comes next, sockets, epoll(7) and a network, all decided by one
// Random. It stands behind the system calls themselves (system_calls.cpp defines them for this program), so everything above them
// is the real code: Asio, the loop, readiness, sockets.
//
// It is to be neither kinder nor crueller than Linux: contract_test.cpp does the same to both. Descriptors are numbered from
// kFirst up, the lowest free one first; below are the real system's. One thread.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "random.hpp"

namespace sim {

using Time = std::int64_t;  // nanoseconds since the run began
constexpr Time kMicro = 1000, kMilli = 1000 * kMicro, kSecond = 1000 * kMilli;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text() const;  // "10.0.0.1:80"
  std::uint16_t port() const;
};

class Epoll;

// What a descriptor stands for. Descriptors and events under way hold it.
class File : public std::enable_shared_from_this<File> {
 public:
  virtual ~File();
  virtual std::uint32_t mask() const = 0;  // of epoll(7): what is so now
  virtual void close() {}                  // its last descriptor is gone
  // Something has happened: who watches for any of these is told.
  void wake(std::uint32_t events);

  unsigned descriptors = 0;
  int number = -1;  // of one of them, for the trace
  std::vector<struct Watch*> watches;
};

struct Watch {
  Epoll* epoll;
  File* file;
  int descriptor;
  epoll_event event;
  bool queued = false;
};

class Epoll final : public File {
 public:
  ~Epoll() override { close(); }
  std::uint32_t mask() const override;
  void close() override;
  int control(int operation, int descriptor, File& file, const epoll_event* event);
  int take(epoll_event* events, int most);
  void queue(Watch& watch);
  void forget(File& file);
  bool watches_any() const { return !watches_.empty(); }

 private:
  std::map<std::pair<int, File*>, std::unique_ptr<Watch>> watches_;
  std::deque<Watch*> ready_;
};

// An eventfd(2) or timerfd.
class Counter final : public File {
 public:
  std::uint32_t mask() const override {
    return (value ? static_cast<std::uint32_t>(EPOLLIN) : 0u) | static_cast<std::uint32_t>(EPOLLOUT);
  }
  std::uint64_t value = 0, armed = 0;
};

// How a connection fares, as the run's world decides when it is made.
struct LinkPlan {
  enum class Outcome : std::uint8_t { connected, refused, silent, unreachable } outcome = Outcome::connected;
  Time latency = 50 * kMicro, jitter = 0;
  std::size_t send_buffer = 64 * 1024, receive_buffer = 64 * 1024;
  // So many bytes towards the one who was called, or from there, until the connection breaks; none: never.
  std::uint64_t reset_after[2] = {UINT64_MAX, UINT64_MAX};  // both ends are reset
  std::uint64_t lost_after[2] = {UINT64_MAX, UINT64_MAX};   // nothing arrives any more, and nobody is told
};

class Socket final : public File {
 public:
  enum class State : std::uint8_t { fresh, listening, connecting, open, dead };
  std::uint32_t mask() const override;
  void close() override;
  int listen();
  int connect(const Address& to);
  ssize_t receive(char* into, std::size_t size, bool peek);
  ssize_t send(const iovec* pieces, std::size_t count);
  int shutdown_write();
  int take_error() { return std::exchange(error, 0); }
  std::size_t unacknowledged() const { return unacknowledged_; }
  bool lost() const { return lost_; }

  State state = State::fresh;
  Address local, peer_address;
  std::deque<std::shared_ptr<Socket>> backlog;  // of a listening one
  int error = 0;
  bool keep_alive = false, linger_none = false;

 private:
  friend class Kernel;
  struct Piece {
    std::string bytes;
    bool fin = false;
  };
  void transmit(Piece piece);
  void arrive(Piece piece);
  void take_parked();
  void acknowledge(std::size_t count);
  void die(int why);
  void send_reset();
  bool shut(int way) const { return (shut_ & way) != 0; }

  std::shared_ptr<Socket> peer_;
  std::shared_ptr<LinkPlan> plan_;
  int side_ = 0;  // 0: has connected
  std::string in_;
  std::size_t read_ = 0;
  std::deque<Piece> parked_;  // has come, and finds no room
  std::size_t unacknowledged_ = 0;
  std::uint64_t sent_ = 0;
  Time last_arrival_ = 0;
  bool wants_room_ = false, finished_ = false, closed_ = false, lost_ = false;
  int shut_ = 0;  // 1: receives no more, 2: sends no more
};

class Kernel {
 public:
  explicit Kernel(std::uint64_t seed);
  static constexpr int kFirst = 1000;

  // --- files ---
  int open(std::shared_ptr<File> file);  // -1 and EMFILE past the limit
  int duplicate(int descriptor);
  int close(int descriptor);
  template <class T>
  T* find(int descriptor) const {
    const auto found = files_.find(descriptor);
    return found == files_.end() ? nullptr : dynamic_cast<T*>(found->second.get());
  }
  std::size_t open_files() const { return files_.size(); }
  std::string list_files() const;
  int limit = 1 << 20;  // RLIMIT_NOFILE, counted from kFirst

  // --- time ---
  Time now() const { return now_; }
  // A system call takes a moment, in which the network goes on. Says whether a signal interrupts it.
  bool spend();
  void at(Time when, std::function<void()> what);
  Time wall_offset = 0, slept = 0;

  int wait(Epoll& epoll, epoll_event* events, int most, int milliseconds);

  // --- network ---
  std::function<LinkPlan(const Address& to)> plan;
  std::map<std::string, Socket*> listeners;
  std::uint16_t next_port = 40'000;
  Random random;
  unsigned interrupts = 0;  // percent of calls that a signal interrupts
  bool (*watch_fails)() = nullptr;
  // Past this the run has waited for something that has no limit.
  Time horizon = 4000 * kSecond;

 private:
  void deliver();
  struct Due {
    Time when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Due& other) const { return when != other.when ? when > other.when : order > other.order; }
  };
  std::map<int, std::shared_ptr<File>> files_;
  std::priority_queue<Due> due_;
  std::uint64_t order_ = 0;
  Time now_ = 0;
};

// The run's, while there is one; null: system calls are the real system's.
extern Kernel* kernel;

}  // namespace sim
