#include "http2/connection.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/log.hpp"

namespace cmux::http2 {
namespace {

constexpr std::size_t kGathered = 64 * 1024;        // output of a turn that leaves in one write
constexpr std::size_t kRead = 16 * 1024 - 64;       // a block of 16 KB
constexpr std::size_t kLargeRead = 64 * 1024 - 64;  // once reads are filled
constexpr milliseconds kFarewell{1'000};            // for the peer to take our last words

}  // namespace

Connection::Connection(Role role, std::unique_ptr<net::Transport> transport, const Options& options)
    : transport_(std::move(transport)), session_(role, options, *this) {}

Connection::~Connection() {
  CMUX_CHECK(live_ == 0 && !streams_.linked(), "a connection outlives its streams");
  CMUX_CHECK(head_bytes_ == 0 && widened_ == 0 && held_.bytes() == 0, "nothing is left of streams that have gone");
}

void Connection::invariants() const {
  nghttp2_session* const session = session_.get();
  std::size_t count = 0, heads = 0;
  std::int64_t widened = 0;
  for (Link* link = streams_.next(); link != &streams_; link = link->next()) {
    const Stream& one = static_cast<Stream&>(*link);
    ++count;
    heads += one.head_size_;
    widened += one.window_ - options().stream_window;
    CMUX_CHECK(one.window_ <= std::max(options().stream_window, options().most_window), "a window has a bound");
    CMUX_CHECK(one.out_.size() <= Stream::kHeld, "what is not sent has a bound");
    if (!one.open_ || one.failed_) continue;
    CMUX_CHECK(one.holder_.bytes <= one.in_.size() + one.out_.size() + one.source_.size(), "what is held is there");
    // A request that is not written yet is not known.
    if (nghttp2_session_find_stream(session, one.id_) == nullptr) continue;
    CMUX_CHECK(nghttp2_session_get_stream_user_data(session, one.id_) == &one, "nghttp2 knows whose each stream is");
  }
  CMUX_CHECK(count == live_, "a connection counts its streams");
  CMUX_CHECK(heads == head_bytes_, "a connection counts its requests' heads");
  CMUX_CHECK(widened == widened_, "a connection counts what its windows have grown by");
  held_.invariants();
}

bool Connection::enough() const { return out_.size() >= kGathered; }

void Connection::output(std::string_view head, Stream& stream, std::size_t length) {
  out_.append(head);
  stream.output(out_, length);
}

std::size_t Connection::open_streams() const {
  std::size_t count = 0;
  for (Link* link = streams_.next(); link != &streams_; link = link->next()) count += static_cast<Stream*>(link)->open_ ? 1 : 0;
  return count;
}

Task<void> Connection::run_loops() {
  Scope writing;
  want_write();
  writing.spawn(write_loop());
  co_await read_loop();
  finish();
  farewell_.after(kFarewell);
  co_await writing.join();
  if (!broken_ && !session_.complaint().empty()) broken_ = make_error(Errc::malformed, session_.complaint());
  Error error = broken_.value_or(make_error(Errc::closed, "the connection was closed"));
  failed(error);
  for (Link* link = streams_.next(); link != &streams_;) {
    Link* const next = link->next();
    static_cast<Stream*>(link)->lost(error);
    link = next;
  }
  if (transport_->error().detail.empty()) {
    // What the peer still sends must not reset the connection before it has read our last words.
    transport_->shutdown_write();
    while (true) {
      in_.clear();
      auto read = co_await net::read_some(*transport_, in_, kRead);
      if (!read || *read == 0) break;
    }
  }
  farewell_.cancel();
}

void Connection::finish() {
  over_ = true;
  if (transport_) transport_->readable().set();
  want_write();
}

void Connection::abort(Error error) {
  if (!broken_) broken_ = error;
  over_ = true;
  if (transport_) transport_->abort(std::move(error), true);
  want_write();
}

Task<void> Connection::read_loop() {
  std::size_t room = kRead;
  while (!over_) {
    const net::Io io = transport_->read(in_.prepare(room));
    if (io.state == net::Io::State::blocked) {
      in_.release();
      co_await transport_->readable();
      continue;
    }
    if (io.state != net::Io::State::moved) {
      if (io.state == net::Io::State::failed && !broken_) broken_ = transport_->error();
      hopeless_ = true;  // who has closed its side of a connection with streams reads no more either
      co_return;
    }
    room = io.count >= room ? kLargeRead : kRead;
    in_.commit(io.count);
    ++heard_;
    auto received_all = session_.receive(in_.view());
    in_.clear();
    received();
    CMUX_INVARIANTS(*this);
    want_write();
    if (!received_all) {
      broken_ = received_all.error();
      log::debug("HTTP/2 connection ended: {}", broken_->detail);
      co_return;
    }
    if (nghttp2_session_want_read(session_.get()) == 0) co_return;
  }
}

Result<void> Connection::gather() {
  while (!enough()) {
    auto more = session_.send();
    if (!more) return more.error();
    if (more->empty()) break;
    out_.append(*more);
  }
  return {};
}

Task<void> Connection::write_loop() {
  while (true) {
    co_await want_write_;
    co_await EndOfTurn{};  // so that what the others have to say goes with it
    want_write_.clear();
    while (!hopeless_) {
      auto gathered = gather();
      if (!gathered) {
        abort(gathered.error());
        co_return;
      }
      CMUX_INVARIANTS(*this);
      if (out_.empty()) break;
      auto written = co_await net::write_all(*transport_, options().send_timeout, out_.view());
      out_.clear();
      if (!written && written.error().code == Errc::timeout) abort(make_error(Errc::timeout, "the peer does not read"));
      if (!written) {
        if (!broken_) broken_ = written.error();
        hopeless_ = true;
        finish();
        break;
      }
    }
    out_.release();
    if (hopeless_ || over_) co_return;
    if (nghttp2_session_want_read(session_.get()) == 0 && nghttp2_session_want_write(session_.get()) == 0) finish();
  }
}

}  // namespace cmux::http2
