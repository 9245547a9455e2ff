// A stream without a connection: what it reads was given to it, what it writes is noted.
#pragma once

#include <deque>
#include <string>

#include "http/stream.hpp"

namespace cmux::http {

class FakeStream final : public Stream {
 public:
  // What read_body() gives, in order. A piece that says `wait` is given after others had a turn; `fail` is an error instead.
  struct Piece {
    std::string bytes;
    bool end = false, wait = false, fail = false;
  };
  std::deque<Piece> pieces;
  Fields trailers;
  bool silent = false;        // without pieces: waits until it is reset, instead of ending
  int fail_write_after = -1;  // writes that succeed

  std::string written;  // "bytes|" for later, "bytes+" for soon, "bytes." for the end
  Fields written_trailers;
  Head written_head;
  unsigned resets = 0;
  bool interrupted = false;

  Task<Result<Head*>> read_head() override { co_return make_error(Errc::unsupported); }
  Task<Result<Body>> read_body() override {
    if (pieces.empty() && silent) co_await wake_;
    if (interrupted && resets == 0 && pieces.empty()) co_return make_error(Errc::cancelled, "was interrupted");
    if (resets != 0) co_return make_error(Errc::cancelled, "was reset");
    if (pieces.empty()) pieces.push_back({{}, true});
    current_ = pieces.front();
    pieces.pop_front();
    if (current_.wait) co_await Yield{};
    if (current_.fail) co_return make_error(Errc::reset, "read failed");
    Body body{current_.bytes, current_.end, nullptr};
    if (current_.end && !trailers.empty()) body.trailers = &trailers;
    co_return body;
  }
  bool body_ready() const override { return !pieces.empty() && !pieces.front().wait; }
  void interrupt_body(bool on) override {
    interrupted = on;
    if (on) wake_.set();
  }
  Task<Result<void>> write_head(const Head& head, Next next) override {
    written_head.status = head.status;
    written_head.content_length = head.content_length;
    written_head.fields = head.fields;
    return write_body({}, next, nullptr);
  }
  Task<Result<void>> write_body(std::string_view bytes, Next next, const Fields* tail) override {
    if (fail_write_after == 0) co_return make_error(Errc::reset, "write failed");
    if (fail_write_after > 0) --fail_write_after;
    written += bytes;
    written += next == Next::later ? '|' : next == Next::soon ? '+' : '.';
    if (tail) written_trailers = *tail;
    co_await Yield{};
    co_return Result<void>{};
  }
  void reset(Errc) noexcept override {
    ++resets;
    wake_.set();
  }
  void cancel_on_abort(Abortable*) override {}
  std::unique_ptr<net::Transport> into_transport() override { return nullptr; }

 private:
  Piece current_;
  Event wake_;
};

}  // namespace cmux::http
