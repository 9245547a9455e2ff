#include "inspect/tap.hpp"

namespace cmux::inspect {

void Tap::follow(http::Meter& client_said, http::Meter& upstream_said) {
  if (capture_.level < Level::bodies) return;
  client_said.tell(client_);
  upstream_said.tell(upstream_);
}

void Tap::converse(const http::Head& answer) {
  if (capture_.level < Level::bodies || !capture_.linked()) return;
  const bool deflate =
      answer.fields.get("Sec-WebSocket-Extensions").value_or("").find("permessage-deflate") != std::string_view::npos;
  const std::size_t kept = std::min(Ring::kMessage, ring_.body_limit());
  capture_.conversation = std::make_unique<Conversation>();
  client_.frames = std::make_unique<FrameReader>(true, deflate, kept, ring_.budget());
  upstream_.frames = std::make_unique<FrameReader>(false, deflate, kept, ring_.budget());
}

void Tap::body(Kept& kept, std::string_view bytes) {
  kept.size += bytes.size();
  const std::size_t most = ring_.body_limit();
  if (kept.bytes.size() >= most || !capture_.linked()) return;
  kept.bytes.append(bytes.substr(0, most - kept.bytes.size()));
  ring_.grown(capture_);
}

void Tap::Side::heard(std::string_view bytes) {
  if (!frames) return tap_.body(kept_, bytes);
  Capture& capture = tap_.capture_;
  if (!capture.conversation) return;  // forgotten
  const std::uint64_t before = capture.conversation->count();
  frames->read(bytes, *capture.conversation);
  capture.messages = capture.conversation->count();
  if (capture.messages != before) tap_.ring_.changed(capture);
}

}  // namespace cmux::inspect
