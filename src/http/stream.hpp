// Stream: one exchange's side, in either protocol. A server stream reads a request and writes a response, a client stream the
// other way round. A tunnel (CONNECT, Upgrade, extended CONNECT) is a stream whose body has no framing. Not pulling a body is the
// back-pressure. A stream belongs to its connection, which outlives every use of it; one reader and one writer at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/task.hpp"
#include "http/fields.hpp"
#include "net/transport.hpp"

namespace cmux::http {

// A message's head in one form for all versions (RFC 9110 section 6). Framing is not part of `fields`: Host, Content-Length,
// Transfer-Encoding, Connection and the fields it names live in the members or are gone.
struct Head {
  // Requests. An upgrade is a CONNECT with `protocol` (RFC 8441), whatever it was on the wire.
  std::string method, scheme, authority, path, protocol;
  // Responses.
  std::uint16_t status = 0;
  std::string reason;  // HTTP/1 only; empty: the usual one

  Fields fields;
  std::optional<std::uint64_t> content_length;
  bool end = false;                // no body follows
  bool tunnel = false;             // response: what follows is a tunnel. The status is 101 for an upgrade, 2xx for a CONNECT.
  bool trailers_accepted = false;  // request: TE: trailers
  std::uint8_t version = 11;       // of the message as it was received: 10, 11, 20
  bool origin_form = false;        // request: came as "/path" with Host, not as an absolute URL

  bool is_connect() const { return method == "CONNECT"; }
  bool is_upgrade() const { return !protocol.empty(); }
  // RFC 9110 section 9.2.2; an upgrade is a GET.
  bool is_idempotent() const;
  bool is_interim() const { return status >= 100 && status < 200 && !tunnel; }
  // Keeps the memory for the next message.
  void clear();
};

// Whether this may be a request target, of whatever form. More than RFC 3986 allows, and no more than clients need: browsers send
// some characters in a query as they are that it does not know (`\`, `^`, `|`, …). Refused are those that no browser sends and
// that the next reader may take for something else: bytes above ASCII, and `\` in a path, which URL parsers read as `/`. To
// encode them here would be to guess, which RFC 9112 section 3.2 advises against.
bool is_target(std::string_view text);

// How large a head may be.
struct Limits {
  std::size_t start_line = 32 * 1024;  // bytes; more is 414 for a request
  std::size_t head = 64 * 1024;        // bytes of all field lines; more is 431, naming the field
  std::size_t fields = 500;            // lines; more is 431
};

struct Body {
  std::string_view bytes;            // until the next read of this stream
  bool end = false;                  // the last piece; may be empty
  const Fields* trailers = nullptr;  // with `end` only
};

// What follows what is being written.
enum class Next : std::uint8_t {
  later,  // more, but it is not there yet: send this now
  soon,   // more is at hand: this may be held back to go out with it
  end,    // nothing: the message is complete
};

// What is under way and can be given up.
class Abortable {
 public:
  virtual void reset(Errc why) noexcept = 0;

 protected:
  ~Abortable() = default;
};

class Traffic;

class Stream : public Abortable {
 public:
  virtual ~Stream() = default;

  // Server: the request; the error of a malformed one carries the status to answer, Errc::closed with status 0 is a connection
  // that ended between requests. Client: the next response head, interim ones first. Valid until the next read_head() or the end.
  virtual Task<Result<Head*>> read_head() = 0;
  // Only while the head said that a body follows, and not after a piece with `end`.
  virtual Task<Result<Body>> read_body() = 0;
  // read_body() would return at once.
  virtual bool body_ready() const = 0;
  // While on, a read of the body that waits, or would have to, fails with Errc::cancelled; nothing is lost by it.
  virtual void interrupt_body(bool on) = 0;

  virtual Task<Result<void>> write_head(const Head& head, Next next) = 0;
  virtual Task<Result<void>> write_body(std::string_view bytes, Next next, const Fields* trailers = nullptr) = 0;

  // Ends the exchange at once: waits on this side fail, the peer sees an abort unless both messages were complete.
  void reset(Errc why) noexcept override = 0;
  // Server: ends it in a way that says that nobody has acted on the request, so that the client may send it again by itself.
  // False, and nothing is done, where the protocol has none.
  virtual bool decline() { return false; }

  // While set, a client that goes away resets `other` with Errc::cancelled; null ends it. Server streams only.
  virtual void cancel_on_abort(Abortable* other) = 0;

  // The bytes of a tunnel as a transport, once its response head is written. The stream is spent afterwards.
  virtual std::unique_ptr<net::Transport> into_transport() = 0;

  // The response must be the connection's last one (HTTP/1); nothing where streams are independent.
  virtual void close_after() {}
};

// Serves the requests of a connection, one call a request. It reads the head itself, so that malformed ones are answered too.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual Task<void> serve(Stream& stream) = 0;
};

// A connection that takes requests, as a server sees it: told to take no more, it ends as soon as it can.
class Drainable {
 public:
  virtual void drain() = 0;

 protected:
  ~Drainable() = default;
};

// How much to read at once from a body or tunnel that has moved so many bytes: one that goes on gets larger reads (fewer system
// calls a byte), and small ones hold no large buffer.
std::size_t tunnel_room(std::uint64_t moved);

// Hears the bytes that a Meter counts, in their order.
class Listener {
 public:
  virtual void heard(std::string_view bytes) = 0;

 protected:
  ~Listener() = default;
};

// Counts the bytes of a body, or of one direction of a tunnel, that the other side has taken; and a sum of many such, which
// outlives it.
class Meter {
 public:
  explicit Meter(std::uint64_t& sum) : sum_(sum) {}
  Meter(const Meter&) = delete;
  void add(std::string_view bytes) {
    bytes_ += bytes.size();
    sum_ += bytes.size();
    if (listener_) listener_->heard(bytes);
  }
  std::uint64_t bytes() const { return bytes_; }
  void tell(Listener& listener) { listener_ = &listener; }  // which outlives it

 private:
  std::uint64_t& sum_;
  std::uint64_t bytes_ = 0;
  Listener* listener_ = nullptr;
};

// Moves what is left of `from`'s body to `to`, with its trailers, until the end. Errors say whose they are by `side`: `from_side`
// for reads, `to_side` for writes. `traffic`: the tunnel's, where it is one.
Task<Result<void>> relay_body(Stream& from, Side from_side, Stream& to, Side to_side, Meter* meter = nullptr,
                              Traffic* traffic = nullptr);

// Both directions of a tunnel until both have ended; a half that ended stays ended. An error of either resets both. The meters
// are for what each side has said.
Task<Result<void>> relay_tunnel(Stream& downstream, Stream& upstream, Traffic& traffic, Meter* downstream_said = nullptr,
                                Meter* upstream_said = nullptr);

}  // namespace cmux::http
