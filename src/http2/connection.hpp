// Connection: what both sides' HTTP/2 connections are: a transport, a session, one loop that reads and one that writes. It lives
// in the frame of run().
#pragma once

#include "http2/held.hpp"
#include "http2/stream.hpp"

namespace cmux::http2 {

class Connection : private Driver {
 public:
  Connection(Role role, std::unique_ptr<net::Transport> transport, const Options& options);
  virtual ~Connection();

  Session& session() { return session_; }
  const Options& options() const { return session_.options(); }
  net::Transport* transport() { return transport_.get(); }  // null once it is over
  // Something may be there to send: it goes out when everything else that is ready has run.
  void want_write() { want_write_.set(); }
  // Heads are read and written one at a time.
  HeadReader& reader() { return reader_; }
  HeadWriter& writer() { return writer_; }
  // Streams that exist, closed ones that are still in use among them.
  std::size_t live() const { return live_; }
  std::size_t open_streams() const;
  void invariants() const;

 protected:
  friend class Stream;

  // Reads until the connection is over, then fails what is still open. Nobody waits on the connection's own events afterwards.
  Task<void> run_loops();
  // Ends it: what is to be sent is sent, nothing more is read.
  void finish();
  void abort(Error error);
  bool over() const { return over_; }
  // After run_loops(): closes the socket, though streams may still be held. Only where nobody else knows the transport.
  void close_transport() { transport_.reset(); }

  // After each read: what came is to be acted on.
  virtual void received() {}
  virtual void stream_gone() {}
  virtual void stream_done() {}     // with both messages complete
  virtual void stream_refused() {}  // by the peer, which takes no more
  virtual void failed(const Error&) {}

  // --- Driver ---
  Stream* on_begin(std::int32_t) override { return nullptr; }
  void on_request(Stream&) override {}
  void on_closed(Stream&) override {}
  void on_settings() override {}
  void on_goaway() override {}
  void on_ping_answer() override {}
  bool enough() const override;
  void output(std::string_view head, Stream& stream, std::size_t length) override;

  Held held_;
  std::size_t head_bytes_ = 0;   // of the requests at work
  std::int64_t widened_ = 0;     // what the streams' windows have grown by
  std::uint64_t heard_ = 0;      // reads that brought something
  bool http1_required_ = false;  // the peer said so

 private:
  Task<void> read_loop();
  Task<void> write_loop();
  Result<void> gather();

  std::unique_ptr<net::Transport> transport_;
  Session session_;
  HeadReader reader_;
  HeadWriter writer_;
  Link streams_;
  std::size_t live_ = 0;
  Buffer in_, out_;
  Event want_write_;
  bool over_ = false;      // nothing more is read
  bool hopeless_ = false;  // ... nor sent
  std::optional<Error> broken_;
  Deadline farewell_{[](void* self) {
                       static_cast<Connection*>(self)->transport_->abort(make_error(Errc::timeout, "the peer does not read"),
                                                                         true);
                     },
                     this};
};

}  // namespace cmux::http2
