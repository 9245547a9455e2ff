// Http2Peer: either end of an HTTP/2 connection, on nghttp2 itself and none of src/http2. It takes what comes, checks it, and
// says what it is told to; a connection's streams are at work at the same time.
#pragma once

#include <nghttp2/nghttp2.h>

#include <map>
#include <memory>
#include <vector>

#include "wire.hpp"
#include "world.hpp"

namespace sim {

using Header = std::pair<std::string, std::string>;

class Http2Peer {
 public:
  struct Stream {
    std::int32_t id = 0;
    std::multimap<std::string, std::string> fields;  // of the last head that came
    bool headed = false, ended = false, closed = false;
    std::uint32_t code = 0;  // of its end
    std::string in;          // what has come of its body
    cmux::Event changed;
    // What goes out: a part of a body, or of a tunnel's direction.
    std::string out;
    bool last = true;  // nothing comes behind `out`
    bool stopped = false;
    std::string get(const std::string& name) const {
      const auto found = fields.find(name);
      return found == fields.end() ? std::string() : found->second;
    }
  };

  Http2Peer(std::unique_ptr<cmux::net::Transport> transport, bool server, Random random,
            std::vector<nghttp2_settings_entry> settings, bool mute = false);
  ~Http2Peer();

  // Until the connection's end. A server gives each request's stream to `serve`, once its head is there.
  cmux::Task<void> run(std::function<void(std::shared_ptr<Stream>)> serve);
  // Client: null where no more streams are taken.
  std::shared_ptr<Stream> open(const std::vector<Header>& head, std::string body, bool has_body);
  void respond(Stream& stream, const std::vector<Header>& head, std::string body, bool stop_behind);
  void interim(Stream& stream, const std::vector<Header>& head);
  void reset(Stream& stream, std::uint32_t code);
  void go_away(std::int32_t last);
  void ping_often(int count);
  void flush() { wake_.set(); }
  void leave(bool hard) {
    wire_.leave(hard);
    wake_.set();
  }
  void finish();  // GOAWAY, and the end once all streams have
  bool over() const { return over_; }
  // Server: the streams up to `last()` are those that it acts on.
  void act_on(std::int32_t id) { acted_ = std::max(acted_, id); }
  std::int32_t acted() const { return acted_; }
  std::int32_t last() const { return last_; }
  Wire& wire() { return wire_; }
  nghttp2_session* session() const { return session_; }

 private:
  friend struct PeerCallbacks;
  cmux::Task<void> write();
  std::shared_ptr<Stream> find(std::int32_t id);
  nghttp2_data_provider provider(Stream& stream);

  Wire wire_;
  const bool server_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::shared_ptr<Stream>> streams_;
  std::function<void(std::shared_ptr<Stream>)> serve_;
  std::vector<std::shared_ptr<Stream>> begun_;
  cmux::Event wake_;
  std::int32_t acted_ = 0, last_ = INT32_MAX;
  bool over_ = false;
};

}  // namespace sim
