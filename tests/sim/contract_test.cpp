// The contract: the same calls on the simulated and on the real sockets are to be answered alike, or the simulation would be
// kinder, or crueller, than Linux. Each scenario writes down what it observes; the two texts are compared.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "contract_test.hpp"
#include "kernel.hpp"
#include "report.hpp"

namespace sim {
namespace {

std::string name_of_errno() {
  switch (errno) {
    case EAGAIN: return "EAGAIN";
    case ECONNRESET: return "ECONNRESET";
    case ECONNREFUSED: return "ECONNREFUSED";
    case EPIPE: return "EPIPE";
    case EINPROGRESS: return "EINPROGRESS";
    case ENOTCONN: return "ENOTCONN";
    default: return std::to_string(errno);
  }
}

// Writes down what it is told.
class Stage {
 public:
  Stage() : epoll_(epoll_create1(0)), listener_(make()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    listen(listener_, 10);
    socklen_t size = sizeof to_;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&to_), &size);
  }
  ~Stage() {
    for (const int descriptor : open_) close(descriptor);
    close(epoll_);
  }

  // A connection: who has connected, and the other end.
  std::pair<int, int> pair() {
    const int near = make();
    connect(near, reinterpret_cast<const sockaddr*>(&to_), sizeof to_);
    watch(near);
    until(near, EPOLLOUT);
    watch(listener_);
    until(listener_, EPOLLIN);
    const int far = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
    open_.push_back(far);
    watch(far);
    until(far, EPOLLOUT);
    return {near, far};
  }
  int dial() {
    const int near = make();
    watch(near);
    note("dial", connect(near, reinterpret_cast<const sockaddr*>(&to_), sizeof to_));
    return near;
  }
  void stop_listening() { shut(listener_); }
  void put(int descriptor, std::string_view bytes) { note("send", ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL)); }
  void get(int descriptor, std::size_t size = 100) {
    char bytes[100];
    const ssize_t count = recv(descriptor, bytes, size, 0);
    note("recv", count);
    if (count > 0) seen += "'" + std::string(bytes, static_cast<std::size_t>(count)) + "' ";
  }
  void finish(int descriptor) { note("shutdown", shutdown(descriptor, SHUT_WR)); }
  void reset(int descriptor) {
    const linger now{1, 0};
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    shut(descriptor);
  }
  void shut(int descriptor) {
    std::erase(open_, descriptor);
    close(descriptor);
  }
  void error(int descriptor) {
    int number = 0;
    socklen_t size = sizeof number;
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &size);
    errno = number;
    seen += "SO_ERROR=" + (number == 0 ? "0" : name_of_errno()) + " ";
  }
  // Waits for an edge that has all of these, and writes down all that it has.
  void edge(int descriptor, std::uint32_t wanted) { seen += "edge=" + names(until(descriptor, wanted)) + " "; }
  // No edge comes, for as long as it would take to come.
  void no_edge() {
    epoll_event event{};
    seen += epoll_wait(epoll_, &event, 1, 50) == 0 ? "quiet " : "an edge! ";
  }
  // Writes until there is no more room, and none comes by itself.
  void fill(int descriptor) {
    const std::string much(64 * 1024, 'x');
    epoll_event event{};
    do {
      while (::send(descriptor, much.data(), much.size(), MSG_NOSIGNAL) > 0) {}
      seen += seen.ends_with("full ") ? "" : errno == EAGAIN ? "full " : name_of_errno();
    } while (epoll_wait(epoll_, &event, 1, 50) == 1);
  }
  // Reads until nothing comes any more.
  void drain(int descriptor) {
    std::string much(64 * 1024, 'x');
    for (int idle = 0; idle < 2;) {
      if (recv(descriptor, much.data(), much.size(), 0) > 0) idle = 0;
      else if (epoll_event event{}; epoll_wait(reading_, &event, 1, 50) == 0) ++idle;
    }
  }
  void read_apart(int descriptor) {
    reading_ = epoll_create1(0);
    open_.push_back(reading_);
    epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
    epoll_event event{EPOLLIN | EPOLLET, {}};
    epoll_ctl(reading_, EPOLL_CTL_ADD, descriptor, &event);
  }
  // The epoll(7) descriptor in another one: does that say that there are news?
  void nested(int times) {
    const int outer = epoll_create1(0);
    epoll_event event{EPOLLIN, {}};
    epoll_ctl(outer, EPOLL_CTL_ADD, epoll_, &event);
    for (int i = 0; i < times; ++i) seen += fmt::format("outer={} ", epoll_wait(outer, &event, 1, 50));
    close(outer);
  }

  std::string seen;

 private:
  int make() {
    open_.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    return open_.back();
  }
  void watch(int descriptor) {
    epoll_event event{EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {}};
    event.data.fd = descriptor;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }
  std::uint32_t until(int descriptor, std::uint32_t wanted) {
    while (true) {
      epoll_event event{};
      if (epoll_wait(epoll_, &event, 1, 5000) != 1) return seen += "(nothing) ", 0u;
      if (event.data.fd == descriptor && (event.events & wanted) == wanted) return event.events;
    }
  }
  void note(const char* what, long result) {
    seen += fmt::format("{}={} ", what, result < 0 ? name_of_errno() : std::to_string(result));
  }
  static std::string names(std::uint32_t events) {
    std::string out;
    for (const auto& [bit, name] :
         {std::pair{EPOLLIN, "in"}, {EPOLLOUT, "out"}, {EPOLLRDHUP, "rdhup"}, {EPOLLHUP, "hup"}, {EPOLLERR, "err"}})
      if ((events & static_cast<std::uint32_t>(bit)) != 0) out += (out.empty() ? "" : "|") + std::string(name);
    return out;
  }

  std::vector<int> open_;
  const int epoll_;
  const int listener_;
  int reading_ = -1;
  sockaddr_in to_{};
};

struct Scenario {
  const char* name;
  void (*play)(Stage& stage);
};

const Scenario kScenarios[] = {
    {"bytes, and the end behind them",
     [](Stage& stage) {
       const auto [near, far] = stage.pair();
       stage.put(near, "abc"), stage.finish(near);
       stage.edge(far, EPOLLRDHUP);
       stage.get(far), stage.get(far), stage.get(far);
       stage.put(far, "de");
       stage.edge(near, EPOLLIN);
       stage.get(near), stage.get(near);
     }},
    {"an edge comes once for what has come, and again for more",
     [](Stage& stage) {
       const auto [near, far] = stage.pair();
       stage.put(near, "abc");
       stage.edge(far, EPOLLIN);
       stage.no_edge();
       stage.put(near, "def");
       stage.edge(far, EPOLLIN);
       stage.get(far, 2), stage.no_edge(), stage.get(far), stage.get(far);
     }},
    {"a reset behind bytes",
     [](Stage& stage) {
       const auto [near, far] = stage.pair();
       stage.put(near, "abc");
       stage.edge(far, EPOLLIN);
       stage.reset(near);
       stage.edge(far, EPOLLERR);
       stage.get(far), stage.get(far), stage.get(far), stage.put(far, "x"), stage.error(far);
     }},
    {"a reset, seen by who writes",
     [](Stage& stage) {
       const auto [near, far] = stage.pair();
       stage.reset(near);
       stage.edge(far, EPOLLERR);
       stage.put(far, "x"), stage.put(far, "x"), stage.get(far), stage.error(far);
     }},
    {"a reset, asked for by SO_ERROR",
     [](Stage& stage) {
       const auto [near, far] = stage.pair();
       stage.reset(near);
       stage.edge(far, EPOLLERR);
       stage.error(far), stage.error(far), stage.get(far), stage.put(far, "x");
     }},
    {"a close with unread bytes is a reset",
     [](Stage& stage) {
       const auto [near, far] = stage.pair();
       stage.put(far, "abc");
       stage.edge(near, EPOLLIN);
       stage.shut(near);
       stage.edge(far, EPOLLERR);
       stage.get(far), stage.get(far);
     }},
    {"who writes to a closed end is reset",
     [](Stage& stage) {
       const auto [near, far] = stage.pair();
       stage.shut(near);
       stage.edge(far, EPOLLRDHUP);
       stage.get(far), stage.put(far, "abc");
       stage.edge(far, EPOLLERR);
       stage.get(far), stage.put(far, "d"), stage.error(far);
     }},
    {"both ends have ended",
     [](Stage& stage) {
       const auto [near, far] = stage.pair();
       stage.finish(near);
       stage.edge(far, EPOLLRDHUP);
       stage.finish(far);
       stage.edge(near, EPOLLHUP);
       stage.get(near), stage.get(far), stage.put(near, "x");
     }},
    {"nobody listens",
     [](Stage& stage) {
       stage.stop_listening();
       const int near = stage.dial();
       stage.edge(near, EPOLLERR);
       stage.error(near), stage.error(near), stage.get(near);
     }},
    {"no room, and room again",
     [](Stage& stage) {
       const auto [near, far] = stage.pair();
       stage.read_apart(far);
       stage.fill(near);
       stage.drain(far);
       stage.edge(near, EPOLLOUT);
       stage.put(near, "abc");
     }},
    {"epoll in epoll",
     [](Stage& stage) {
       const auto [near, far] = stage.pair();
       stage.nested(1);
       stage.put(near, "abc");
       stage.nested(2);
       stage.edge(far, EPOLLIN);
       stage.nested(1);
     }},
};

std::string observe(const Scenario& scenario) {
  Stage stage;
  scenario.play(stage);
  return stage.seen;
}

}  // namespace

int run_contract() {
  int differ = 0;
  for (const Scenario& scenario : kScenarios) {
    const std::string real = observe(scenario);
    std::string simulated;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      Kernel made(seed);
      kernel = &made;
      simulated = observe(scenario);
      kernel = nullptr;
      if (simulated != real) break;
    }
    if (simulated == real) continue;
    ++differ;
    std::printf("%s:\n  the system:     %s\n  the simulation: %s\n", scenario.name, real.c_str(), simulated.c_str());
  }
  std::printf("%zu scenarios, %d differ\n", std::size(kScenarios), differ);
  return differ == 0 ? 0 : 1;
}

}  // namespace sim
