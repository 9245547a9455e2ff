// Counters of a worker: plain numbers of its own, so that counting is an addition. Who asks for them adds up all workers'.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace cmux::proxy {

// Times in buckets, as Prometheus has them. Which of them a time belongs to takes as long to find as it is: short ones a few
// comparisons.
class Histogram {
 public:
  static constexpr std::array<std::int64_t, 14> kBounds = {  // microseconds, each included
      500,     1'000,   2'500,     5'000,     10'000,    25'000,     50'000,
      100'000, 250'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 60'000'000};

  template <class Duration>
  void add(Duration time) {
    const std::int64_t count = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    std::size_t at = 0;
    while (at < kBounds.size() && count > kBounds[at]) ++at;
    ++counts_[at];
    microseconds_ += count;
  }
  void add(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    microseconds_ += other.microseconds_;
  }
  // What has come since it was `before`.
  Histogram since(const Histogram& before) const {
    Histogram out = *this;
    for (std::size_t i = 0; i < counts_.size(); ++i) out.counts_[i] -= before.counts_[i];
    out.microseconds_ -= before.microseconds_;
    return out;
  }
  // Of a bucket by itself; the last one is for whatever is longer.
  std::uint64_t count(std::size_t bucket) const { return counts_[bucket]; }
  std::int64_t microseconds() const { return microseconds_; }

 private:
  std::array<std::uint64_t, kBounds.size() + 1> counts_{};
  std::int64_t microseconds_ = 0;
};

// Who has answered: a workspace, by a context's route; a server that the client named; or the proxy itself.
enum class Source : std::uint8_t { workspace, direct, proxy };

struct Counters {
  std::uint64_t connections = 0, requests = 0, tunnels = 0, retried = 0, upstream_connections = 0;
  std::uint64_t shed = 0;  // connections that were closed for want of descriptors
  std::uint64_t open_connections = 0, open_requests = 0, open_tunnels = 0;
  std::uint64_t open_upstreams = 0, idle_upstreams = 0, origins = 0;  // the pool's
  std::uint64_t tls_accepted = 0, tls_failed = 0;                     // handshakes with clients
  std::uint64_t certificates = 0;                                     // made for them
  std::uint64_t client_said = 0, upstream_said = 0;                   // bytes of bodies and tunnels
  std::array<std::array<std::uint64_t, 5>, 3> responses{};            // by Source, and by the status's first digit less one
  Histogram dns, connect, tls;                                        // of new connections upstream
  Histogram first_byte, duration;                                     // of requests that are no tunnels
  std::map<std::string_view, std::uint64_t> errors;                   // by Record::error; the names are constants

  void answered(Source source, unsigned status) {
    if (status >= 100 && status < 600) ++responses[static_cast<std::size_t>(source)][status / 100 - 1];
  }
  std::uint64_t answers(Source source, unsigned status_class) const {
    return responses[static_cast<std::size_t>(source)][status_class - 1];
  }
};

// What a context has been asked for so far, and how long that took.
struct ContextTimes {
  std::string context;  // id
  std::uint64_t requests = 0;
  Histogram duration;
};

}  // namespace cmux::proxy
