// Wire: a peer's end of a connection, and the little of HTTP/1 that the simulated clients and workspaces speak. It shares no code
// with src/http1, so that the two can disagree.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "net/transport.hpp"
#include "random.hpp"

namespace sim {

class Wire {
 public:
  // Who has not been patient() again within `limit` has waited too long: the connection is cut, and late() says so.
  Wire(std::unique_ptr<cmux::net::Transport> transport, Random random, cmux::milliseconds limit);

  void patient() { deadline_.after(limit_); }
  std::string in;  // what has come and was not taken
  // Reads more. False: the end, or a failure.
  cmux::Task<bool> fill();
  // In pieces, with pauses. False: it did not get through.
  cmux::Task<bool> send(std::string text);
  // ... but not more than this of all that is sent from now on; then `hard` resets and else the connection is closed.
  void break_after(std::uint64_t bytes, bool hard) { left_ = bytes, breaks_hard_ = hard, breaks_ = true; }
  // Ends the connection at once.
  void leave(bool hard);
  bool left() const { return gone_; }
  bool failed() const { return failed_; }  // the end was none of the peer's
  bool late() const { return late_; }
  void slow() { slow_ = true; }
  cmux::net::Transport& transport() { return *transport_; }
  std::unique_ptr<cmux::net::Transport> release();
  std::string take(std::size_t count);
  Random& random() { return random_; }

 private:
  std::unique_ptr<cmux::net::Transport> transport_;
  Random random_;
  const cmux::milliseconds limit_;
  std::uint64_t left_ = UINT64_MAX;
  bool breaks_ = false, breaks_hard_ = false, gone_ = false, failed_ = false, late_ = false, slow_ = false;
  cmux::Deadline deadline_{[](void* self) { static_cast<Wire*>(self)->expire(); }, this};
  void expire();
};

// A message's head as text: the first line, and the fields by their names in lower case.
struct Text {
  std::string line;
  std::multimap<std::string, std::string> fields;
  std::string get(const std::string& name) const;  // empty: there is none
  unsigned status() const;
};

// Takes a head off the wire. Nothing: it ended before. Whatever is not exactly as RFC 9112 has it fails the run.
cmux::Task<std::optional<Text>> read_head(Wire& wire);

struct Reading;
// How a body ended.
enum class Ending : std::uint8_t { whole, cut };
// Takes a body by its framing; `request`: a request without framing has none.
cmux::Task<Ending> read_body(Wire& wire, const Text& head, bool request, bool none, Reading& reading);

// Numbers in text; fails the run where it is none.
std::uint64_t number(const std::string& text, int base = 10);

}  // namespace sim
