// Record: what is told of one exchange, to whoever wants it: the access log, the events, the inspector. One is filled only while
// somebody wants it (proxy::Worker::wanted); that nobody does costs one test.
//
// A Record holds no secrets: no body of a message and none of its fields but Content-Type, and of a URL neither user info nor the
// values of a query, where tokens stand. A
// Capture is a Record with what was kept of the messages themselves, secrets and all: whoever shows one redacts it (redact.hpp).
//
// One is its worker's alone; whoever else wants to see it gets a copy.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/list.hpp"
#include "http/stream.hpp"

namespace cmux::inspect {

// How much is wanted of exchanges; each has what is before it.
enum class Level : std::uint8_t { nothing, records, heads, bodies };

enum class State : std::uint8_t { open, done, failed };

// Why it went where it did.
enum class Way : std::uint8_t {
  none,      // nowhere: it was refused
  loopback,  // a loopback target: by the context's route
  network,   // a name of the workspace's network: by the context's route
  direct,    // as it says
  own,       // answered by the proxy
};

// What of it is no text of its own; copied as memory.
struct Figures {
  std::uint64_t number = 0;  // over all workers, in the order in which they began; 0: it is told of at its end alone
  State state = State::open;
  Way way = Way::none;
  bool reused = false;       // the connection upstream
  bool tunnel = false;       // CONNECT or an upgrade that was taken; told of at its end
  bool websocket = false;    // ... of that protocol
  std::uint16_t status = 0;  // 0: the client was not answered
  unsigned retries = 0;
  std::chrono::system_clock::time_point began{};
  std::string_view advice;                // what a user can do about the error; a constant
  std::string_view downstream, upstream;  // protocols: "http/1.1", "h2", "socks5", "tcp", "replay"; constants
  std::uint64_t sent = 0, received = 0;   // bytes: of the request's body and the response's, or of the tunnel each way
  std::uint64_t messages = 0;             // of a WebSocket, both ways
  std::uint64_t replay_of = 0;            // the number of another; 0: of none
  // From the beginning of the exchange; the first three are the connection's, where it is new.
  std::chrono::microseconds dns{0}, connect{0}, tls{0}, first_byte{0}, total{0};
};
static_assert(std::is_trivially_copyable_v<Figures>);

struct Record : Figures {
  std::string context;  // id; empty before it is known whose the request is
  std::string method;   // empty where the request could not be read
  std::string url;      // of a CONNECT: host:port
  std::string query;    // what may be shown of it: "?code=•••"; only where heads are kept
  std::string type;     // the media type of the response; only where heads are kept
  // What was connected to, as scheme://host:port; tcp:// for a tunnel to where its client said. Empty: nothing.
  std::string destination;
  std::string parent;  // the proxy that it went through, without credentials
  // Of RFC 9209 where the proxy answered for the workspace, else of an Errc: why it broke off. With what people are told of it.
  std::string error, detail;
};

// Heads in one block of text, each where it is met first: what is sent on is mostly what was received.
class Heads {
 public:
  enum Which : std::uint8_t { request_received, request_sent, response_received, response_sent };

  void keep(Which which, const http::Head& head);
  void keep_as(Which which, Which before) { places_[which] = places_[before]; }  // it is the same
  bool has(Which which) const { return places_[which].size > 0; }
  http::Head head(Which which) const;   // as it was kept
  http::Head shown(Which which) const;  // ... with Host, Content-Length, Upgrade and TE among the fields, as on a wire
  void clear();                         // keeps the memory for the next ones

  struct Place {
    std::uint32_t at = 0, size = 0;
  };
  using Places = std::array<Place, 4>;
  const std::string& block() const { return block_; }
  const Places& places() const { return places_; }
  void restore(std::string_view block, const Places& places) { block_ = block, places_ = places; }

 private:
  std::string block_;
  Places places_{};
};

// The first bytes of a body, or of one direction of a tunnel.
struct Kept {
  std::string bytes;
  std::uint64_t size = 0;  // of what went through
  bool ended = false;      // ... to its end
  bool whole() const { return ended && bytes.size() == size; }
};

class Conversation;  // of a WebSocket (conversation.hpp)

struct Capture final : Record, Link {
  Capture();
  ~Capture();
  Capture(const Capture& other);  // off every list
  Capture& operator=(const Capture&) = delete;
  std::size_t bytes() const;  // what it takes of memory, about
  void forget();              // what was kept of its messages
  void clear();               // as new, but for the memory of its texts, as far as that is little

  Level level = Level::records;
  std::string target;  // scheme://host:port that the client meant, where it has been planned
  Heads heads;
  Kept request, response;
  std::unique_ptr<Conversation> conversation;  // null: there is none
  // Its ring's: the number of its last change, and what it counts there. On the ring's list while it is open and kept.
  std::uint64_t change = 0;
  std::size_t charged = 0;
};
using CapturePtr = std::shared_ptr<const Capture>;

}  // namespace cmux::inspect
