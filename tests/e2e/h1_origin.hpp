// An origin that keeps every byte it is sent and answers with the bytes it is told to: what reached it, and what it said, are
// known exactly. It reads HTTP/1 as strictly as can be, by itself. A thread of its own; never uses Catch there.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "harness.hpp"

namespace e2e {

class RecordingOrigin {
 public:
  enum class Then { keep, close, reset };

  RecordingOrigin();
  ~RecordingOrigin();
  RecordingOrigin(const RecordingOrigin&) = delete;
  RecordingOrigin& operator=(const RecordingOrigin&) = delete;

  std::uint16_t port() const { return port_; }
  // For all requests from now on. Empty: 200 with "ok".
  void answer(std::string bytes, Then then = Then::keep);
  // The requests that have come whole since the last call. Each is its bytes, a chunked body as one chunk.
  Strings take();
  // What came of requests that broke off, what was no request, and what came through CONNECT: never by right, but of a request
  // whose client broke off.
  Strings take_broken();
  std::size_t begun() const { return begun_; }  // connections or requests of which some byte has come

 private:
  struct Peer;

  void run();
  void read_from(Peer& peer);
  void respond(Peer& peer, bool head_request);
  void finish(Peer& peer);

  int listener_ = -1, wake_[2] = {-1, -1};
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::string answer_;
  Then then_ = Then::keep;
  Strings whole_, broken_;
  std::atomic<std::size_t> begun_{0};
  std::thread thread_;
};

}  // namespace e2e
