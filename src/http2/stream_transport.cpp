#include "http2/connection.hpp"

namespace cmux::http2 {

class StreamTransport final : public net::Transport {
 public:
  explicit StreamTransport(Stream& stream) : stream_(stream) {}
  ~StreamTransport() override {
    stream_.on_hang_up_ = nullptr;
    shutdown_write();
  }

  net::Io write(net::Pieces pieces) override {
    if (stream_.failed_ || !stream_.open_ || stream_.out_ended_) return failed();
    std::size_t taken = 0;
    for (std::string_view piece : pieces) {
      piece = piece.substr(0, Stream::kHeld - std::min(stream_.out_.size(), Stream::kHeld));
      stream_.out_.append(piece);
      taken += piece.size();
    }
    if (taken != 0) {
      stream_.send_more();
      return net::Io::moved(taken);
    }
    stream_.writable_.clear();
    return net::Io::blocked();
  }

  Event& readable() override { return stream_.readable_; }
  Event& writable() override { return stream_.writable_; }

  void shutdown_write() override {
    if (stream_.failed_ || std::exchange(stream_.out_ended_, true)) return;
    stream_.send_more();
  }
  void abort(Error error, bool) noexcept override {
    const Errc why = error.code;
    if (error_.detail.empty()) error_ = std::move(error);
    stream_.reset(why);
  }
  bool hung_up() const override { return stream_.in_end_ || stream_.failed_; }
  bool broken() const override { return stream_.failed_; }
  void on_hang_up(void (*callback)(void*), void* argument) override {
    stream_.on_hang_up_ = callback;
    stream_.hang_up_argument_ = argument;
    if (callback && hung_up()) std::exchange(stream_.on_hang_up_, nullptr)(argument);
  }
  bool may_read() const override { return !stream_.in_.empty() || hung_up(); }
  net::Endpoint peer() const override { return below() ? below()->peer() : net::Endpoint{}; }
  net::Endpoint local() const override { return below() ? below()->local() : net::Endpoint{}; }

 protected:
  net::Io read_through(std::span<char> into) override {
    Buffer& in = stream_.in_;
    if (in.empty()) {
      if (stream_.in_end_) return net::Io::end();
      if (stream_.failed_) return failed();
      stream_.readable_.clear();
      return net::Io::blocked();
    }
    const std::size_t count = in.view().copy(into.data(), into.size());
    in.consume(count);
    stream_.account();
    if (in.empty()) in.release();
    stream_.give_credit(count);
    return net::Io::moved(count);
  }

 private:
  net::Transport* below() const { return stream_.connection_.transport(); }
  net::Io failed() {
    if (error_.detail.empty()) error_ = stream_.failed_ ? stream_.error_ : make_error(Errc::reset, "the stream has ended");
    return net::Io::failed();
  }

  Stream& stream_;
};

std::unique_ptr<net::Transport> make_stream_transport(Stream& stream) { return std::make_unique<StreamTransport>(stream); }

}  // namespace cmux::http2
