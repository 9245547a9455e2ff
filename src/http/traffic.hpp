// Traffic: what is known of the bytes in a tunnel, so that a stop can end it well. Nobody may put a close frame into a tunnel
// whose frames are not read, and a WebSocket never ends by itself: one that rests when the instance stops has nothing to lose,
// and one that moves bytes may go on until it rests.
#pragma once

#include "http/stream.hpp"

namespace cmux::http {

class Traffic {
 public:
  static constexpr milliseconds kRest{250};     // without a byte: nothing is under way
  static constexpr milliseconds kAnswer{1000};  // ... where the client has spoken last, who may be waiting for the answer

  Traffic();
  // A piece has come from that side; it rests no earlier than it has been passed on.
  void came(Side from);
  void passed_on();
  // Ends the tunnel once it rests, as if both sides had said their last: reads of both streams are interrupted, and each side
  // gets the end of what the other has said.
  void end_at_rest(Stream& downstream, Stream& upstream);
  // It rests, and is being ended: a read that was interrupted is the end.
  bool over() const { return over_; }

 private:
  void look();

  Clock::time_point last_;
  unsigned passing_ = 0;  // pieces that the other side has not taken yet
  Stream* downstream_ = nullptr;
  Stream* upstream_ = nullptr;
  bool asked_ = false;  // the client has spoken last
  bool over_ = false;
  Deadline again_{[](void* self) { static_cast<Traffic*>(self)->look(); }, this};
};

}  // namespace cmux::http
