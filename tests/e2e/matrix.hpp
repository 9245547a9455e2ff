// One behaviour, every way through the proxy: each kind of client's connection with each kind of workspace. A test body runs once
// a combination (a Cell) and speaks of requests and answers alone; how they look on the wire is told here.
#pragma once

#include <array>

#include "h2_client.hpp"
#include "rows.hpp"
#include "support.hpp"
#include "tls_client.hpp"

namespace e2e {

// Who the client speaks to: the proxy, or the server in a CONNECT, or that over TLS.
enum class Inside { proxy, tunnel, secured };

struct NearKind {
  const char* name;
  bool h2;
  bool tls;  // to the proxy
  Inside inside;
};
struct FarKind {
  const char* name;
  bool h2;
  bool tls;
};

constexpr std::array<NearKind, 4> kNear{{{"h1", false, false, Inside::proxy},
                                         {"h1 over TLS", false, true, Inside::proxy},
                                         {"h2c", true, false, Inside::proxy},
                                         {"h2 over TLS", true, true, Inside::proxy}}};
// As browsers open WebSockets, and https://localhost.
constexpr std::array<NearKind, 5> kTunnelled{{{"h1 in CONNECT", false, false, Inside::tunnel},
                                              {"h2c in CONNECT", true, false, Inside::tunnel},
                                              {"h1 in CONNECT, intercepted", false, false, Inside::secured},
                                              {"h2 in CONNECT, intercepted", true, false, Inside::secured},
                                              {"h2 in CONNECT over TLS, intercepted", true, true, Inside::secured}}};
constexpr std::array<FarKind, 4> kFar{
    {{"h1", false, false}, {"h1 over TLS", false, true}, {"h2 over TLS", true, true}, {"h2c", true, false}}};

constexpr const char* kTarget = "localhost:3000";

// What the client asks for. With neither body nor length nor streamed there is no body.
struct Request {
  std::string method = "GET", path = "/";
  Fields fields = {};
  std::optional<std::string> body = {};      // all of it, with its length announced
  std::optional<std::uint64_t> length = {};  // announced; send() brings the body
  bool streamed = false;                     // send() and finish() bring it, and nobody knows how long it is
  std::string target = kTarget;
  const Context* context = nullptr;  // the cell's
  bool credentials = true;
};

struct Answer : Response {
  std::vector<Response> interim;
};

// One exchange as the client sees it.
class Asked {
 public:
  virtual ~Asked() = default;
  virtual bool send(std::string_view piece) = 0;  // of the request's body
  virtual void finish(const Fields& trailers = {}) = 0;
  virtual void offer(std::string_view bytes) = 0;  // sends what is taken at once; of a body of known length
  virtual std::size_t unsent() const = 0;          // of what was offered
  virtual Response head() = 0;                     // the next one, interim or final
  virtual std::string read_some() = 0;             // of the body; empty at its end, whether that is the whole or not
  virtual bool complete() const = 0;               // ... which this tells
  virtual std::string trailers() const = 0;
  virtual void abort() = 0;  // the client gives the request up
  virtual void hold() = 0;   // the client reads no more, for now
  virtual void go_on() = 0;

  std::string read_until(std::string_view text);  // FAILs where the body ends before
  std::string read_all();                         // to the end, whole or not
  Answer answer();                                // everything that is left; FAILs where it is not whole
};

// What became of a wish for a tunnel.
struct Opened {
  Response answer;
  Client bytes;  // where it was granted
  bool granted() const { return answer.status == 101 || answer.status == 200; }
  void must_stand() const {
    if (!granted()) FAIL("no tunnel: " << answer.head << answer.body);
  }
};

class Cell;

// A client's connection: over HTTP/2 for several requests at once, else for one after another.
class Near {
 public:
  explicit Near(const Cell& cell);
  std::unique_ptr<Asked> ask(const Request& request);
  Answer get(std::string_view path, const Fields& fields = {});
  // `protocol` empty: CONNECT to the request's target. The connection is the tunnel's from then on, but over HTTP/2. The
  // request's body is what the client sends before it has an answer.
  Opened open_tunnel(std::string_view protocol, const Request& request);
  Opened websocket(std::string_view path, const Fields& fields = {});
  bool still_serves();  // the next request is answered as ever
  H2Client& h2() { return h2_; }
  Client& h1() { return h1_; }
  const Cell& cell() const { return *cell_; }

 private:
  Fields h2_head(std::string_view method, const Request& request) const;
  std::string h1_head(std::string_view method, const Request& request, const Fields& more) const;

  const Cell* cell_;
  Client h1_;
  H2Client h2_;
};

// With $CMUX_E2E_WAY=gateways the workspaces are dev servers, each behind a machine's gateway, and the routes over TLS lead
// through a public gateway as well: the same behaviours, over the whole way.
bool whole_way();

struct Way;  // the gateways of a workspace

// The programs of all combinations: one proxy, a workspace of each version of HTTP, a route to each kind of them.
class Stage {
 public:
  explicit Stage(const Strings& serve_flags = {}, const Strings& h2_flags = {}, const Strings& all_flags = {});
  ~Stage();
  const Workspace& workspace(const FarKind& far) const { return far.h2 ? second_ : first_; }
  Context context(const FarKind& far, const Strings& more = {}) const;  // a new one
  std::uint16_t plain_port(const FarKind& far) const;                   // that routes without TLS lead to
  std::string ca_file() const { return text_in(proxy.ready, "caFile"); }

 private:
  Strings towards() const;
  Workspace first_, second_;
  std::unique_ptr<Way> first_way_, second_way_;  // null: there are none on the way

 public:
  Proxy proxy;
};

class Cell {
 public:
  Cell(Stage& stage, const NearKind& near_kind, const FarKind& far_kind, const Context& route)
      : stage_(stage), near_(near_kind), far_(far_kind), context_(route) {}
  Stage& stage() const { return stage_; }
  const NearKind& near() const { return near_; }
  const FarKind& far() const { return far_; }
  const Context& context() const { return context_; }
  const Workspace& workspace() const { return stage_.workspace(far_); }
  Proxy& proxy() const { return stage_.proxy; }
  std::string scheme() const { return near_.inside == Inside::secured ? "https" : "http"; }
  // As the proxy's own answers name it; and as those do of who meets the workspace.
  std::string next_hop() const;
  std::string destination() const;
  // What the workspace sees of the way to it.
  bool arrives_over_tls() const { return far_.tls && !whole_way(); }
  std::string role() const;
  std::string host() const;
  Strings cmux_fields() const;

 private:
  Stage& stage_;
  NearKind near_;
  FarKind far_;
  const Context& context_;
};

template <typename... Lists>
std::vector<NearKind> kinds(const Lists&... lists) {
  std::vector<NearKind> out;
  (out.insert(out.end(), lists.begin(), lists.end()), ...);
  return out;
}

// Runs `body` for each combination; one that stops early does not hide the next.
void matrix(Stage& stage, const std::vector<NearKind>& nears, const std::function<void(const Cell&)>& body);
inline void matrix(const std::function<void(const Cell&)>& body) {
  Stage stage;
  matrix(stage, kinds(kNear), body);
}

std::string lower(std::string_view text);
// Names in lower case, which HTTP/2 knows alone.
Strings lower_names(const Strings& lines);
std::string sha256_of_pattern(std::uint64_t size);  // of the fixture's /bytes/SIZE
std::string pattern(std::uint64_t size);

}  // namespace e2e
