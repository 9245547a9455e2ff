// Stream: one HTTP/2 stream, of a server or a client. Its user owns it; its connection, which outlives it, knows it while it is
// open. A stream that is destroyed while it is open is reset.
//
// What the peer sent waits here until it is read, at most the stream's window; what is to be sent waits here until the connection
// takes it, so that all streams' output of one turn leaves in one write.
#pragma once

#include "base/list.hpp"
#include "http2/held.hpp"
#include "http2/message.hpp"
#include "http2/session.hpp"

namespace cmux::http2 {

class Connection;

class Stream final : public http::Stream, public Link {
 public:
  // One a request: recycled like the frames of coroutines.
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* stream, std::size_t size) noexcept { release_frame(stream, size); }

  // `id` 0: a client's, which gets one when its request is written.
  Stream(Connection& connection, std::int32_t id);
  ~Stream() override;

  // --- http::Stream ---
  Task<Result<http::Head*>> read_head() override;
  Task<Result<http::Body>> read_body() override;
  bool body_ready() const override { return !in_.empty() || in_end_; }
  void interrupt_body(bool on) override;
  Task<Result<void>> write_head(const http::Head& head, http::Next next) override;
  Task<Result<void>> write_body(std::string_view bytes, http::Next next, const http::Fields* trailers) override;
  void reset(Errc why) noexcept override;
  bool decline() override;
  void cancel_on_abort(http::Abortable* other) override;
  std::unique_ptr<net::Transport> into_transport() override;

  // Server: until the peer has all of the response, or the stream has ended otherwise.
  Task<void> settle();

 private:
  static constexpr std::size_t kHeld = 16 * 1024;  // written but not sent; a writer with more waits

  friend class Connection;
  friend class StreamTransport;
  friend struct Callbacks;

  // --- from the session ---
  void begin_head();
  bool line(std::string_view name, std::string_view value, bool secret);  // false: not worth going on
  void end_head(bool end);
  bool receive(std::string_view bytes);  // false: nobody wants them
  void end_body();
  void malformed(std::string_view why);
  void closed(std::uint32_t code);
  void never_sent() { unprocessed_ = true; }
  ssize_t pull(std::size_t length, std::uint32_t& flags);
  void output(Buffer& out, std::size_t length);

  // The connection has ended.
  void lost(Error error);
  // Everything that is not complete fails.
  void fail(Error error);
  void head_sent();
  void end_sent() {
    end_sent_ = true;
    writable_.set();
    watch(true);
  }
  // Counts what is held, which may have changed.
  void account();
  // It holds more than is good: what was not read is gone, the stream with it.
  void shed();
  // Server: gives the client its time for what waits for it; anew where it has taken some.
  void watch(bool progress);
  void take_request(Result<void> read, bool end);
  void take_response(bool end);
  Task<Result<void>> write_request(const http::Head& head, bool end);
  void send_more();
  void give_credit(std::size_t size);
  void cancel_other();
  void submit_reset(std::uint32_t code);
  void expire();
  bool is_server() const;

  Connection& connection_;
  std::int32_t id_;
  std::int32_t window_;
  bool open_ = false;          // known to nghttp2
  bool first_head_ = true;     // no head that is not interim has come
  bool connect_ = false;       // the request is a CONNECT, of either kind
  bool upgrade_ = false;       // ... with a protocol
  bool in_end_ = false;        // the peer's message is complete
  bool out_ended_ = false;     // ours is, as far as it was written here
  bool end_sent_ = false;      // ... and the connection has taken it
  bool head_written_ = false;  // server: the final one
  bool head_sent_ = false;     // ... and it is on its way
  bool deferred_ = false;      // nghttp2 waits for send_more()
  bool failed_ = false;        // error_ says why
  bool reset_sent_ = false;    // RST_STREAM was submitted
  bool reset_received_ = false;
  bool unprocessed_ = false;  // the peer cannot have acted on the request
  bool idempotent_ = false;
  bool expects_ = false;  // client: the body waits for 100 Continue
  bool stopped_ = false;  // see interrupt_body()
  std::uint32_t reset_after_head_ = 0;
  unsigned interim_unsent_ = 0;     // server: heads that the connection has not taken yet
  std::uint64_t heard_before_ = 0;  // client: by the connection, when the request was written

  std::size_t head_size_ = 0;  // server: of the request's, as connection_ counts it
  http::Head message_;         // what read_head() gives
  bool message_read_ = false;  // client: it did
  bool arrived_ = false;       // client: a head waits to be read: in message_, or behind the one that was read, in heads_
  std::vector<http::Head> heads_;
  std::optional<Error> refused_;  // server: the request is to be answered with this
  http::Fields trailers_, out_trailers_;
  Buffer in_, reading_;  // arrived; given to the reader
  std::uint64_t received_ = 0;
  Holder holder_{*this};
  Buffer out_;               // to be sent: first this
  std::string_view source_;  // ... then this, of a writer that waits
  Error error_;
  Event readable_, writable_;
  http::Abortable* other_ = nullptr;     // see cancel_on_abort()
  void (*on_hang_up_)(void*) = nullptr;  // of the transport, where it is one
  void* hang_up_argument_ = nullptr;
  Deadline late_{[](void* self) { static_cast<Stream*>(self)->expire(); }, this};
};

// A tunnel's bytes as a transport; the stream outlives it.
std::unique_ptr<net::Transport> make_stream_transport(Stream& stream);

nghttp2_data_provider body_provider();

// Of a request whose body is over the limit of so many bytes: 413.
Error body_too_large(std::uint64_t most);

}  // namespace cmux::http2
