// Tap: what an exchange writes into its Capture with while it is wanted: heads, and copies of what its meters count. It is the
// exchange's, as its capture is, and on the worker's thread.
#pragma once

#include "inspect/ring.hpp"

namespace cmux::inspect {

class Tap {
 public:
  // The capture's level says how much.
  Tap(Ring& ring, Capture& capture) : ring_(ring), capture_(capture) {}
  Tap(const Tap&) = delete;

  void head(Heads::Which which, const http::Head& head) { capture_.heads.keep(which, head); }
  void same_head(Heads::Which which, Heads::Which before) { capture_.heads.keep_as(which, before); }
  // Copies what goes through from here on, where bodies are wanted.
  void follow(http::Meter& client_said, http::Meter& upstream_said);
  // The same for a tunnel that speaks the WebSocket protocol, as its answer has agreed on it.
  void converse(const http::Head& answer);
  void body(Kept& kept, std::string_view bytes);

 private:
  class Side final : public http::Listener {
   public:
    Side(Tap& tap, Kept& kept) : tap_(tap), kept_(kept) {}
    void heard(std::string_view bytes) override;
    std::unique_ptr<FrameReader> frames;

   private:
    Tap& tap_;
    Kept& kept_;
  };

  Ring& ring_;
  Capture& capture_;
  Side client_{*this, capture_.request}, upstream_{*this, capture_.response};
};

}  // namespace cmux::inspect
