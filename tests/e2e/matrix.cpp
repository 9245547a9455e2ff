#include "matrix.hpp"

#include <algorithm>

#include "gateway.hpp"

namespace e2e {
namespace {

std::string basic(const Context& context) { return "Basic " + base64(context.username + ":" + context.password); }

class H1Asked final : public Asked {
 public:
  H1Asked(Client& client, const Request& request) : client_(client), method_(request.method), chunked_(request.streamed) {}

  bool send(std::string_view piece) override {
    if (!chunked_) return client_.send(piece);
    return piece.empty() || client_.send(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
  }
  void finish(const Fields& trailers) override {
    if (!chunked_) return;
    std::string end = "0\r\n";
    for (const auto& [name, value] : trailers) end += fmt::format("{}: {}\r\n", name, value);
    client_.send(end + "\r\n");
  }

  void offer(std::string_view bytes) override {
    offered_ += bytes;
    while (unsent() > 0) {
      const ssize_t count = ::send(client_.fd(), offered_.data() + taken_, unsent(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count <= 0) return;
      taken_ += static_cast<std::size_t>(count);
    }
  }
  std::size_t unsent() const override { return offered_.size() - taken_; }

  Response head() override {
    reader_ = std::make_unique<ResponseReader>(method_);
    put();
    while (!reader_->has_head())
      if (!fill()) FAIL("the connection ends instead of a response: '" << held_ << "'");
    Response out = reader_->response();
    out.body.clear();
    return out;
  }

  std::string read_some() override {
    std::string& body = reader_->response().body;
    while (body.empty() && !reader_->done())
      if (!fill()) {
        if (!client_.was_reset()) reader_->end();
        break;
      }
    return std::exchange(body, {});
  }

  bool complete() const override { return reader_->done(); }
  std::string trailers() const override { return reader_->response().trailers; }
  void abort() override { client_.abort(); }
  void hold() override {}
  void go_on() override {}

 private:
  void put() {
    held_.erase(0, reader_->put(held_));
    if (reader_->done() && reader_->response().status >= 200 && !held_.empty())
      FAIL("bytes behind the response: '" << held_ << "'");
  }
  bool fill() {
    const std::string more = client_.read_some();
    held_ += more;
    put();
    return !more.empty();
  }

  Client& client_;
  std::string method_, held_, offered_;
  bool chunked_;
  std::size_t taken_ = 0;
  std::unique_ptr<ResponseReader> reader_;
};

class H2Asked final : public Asked {
 public:
  explicit H2Asked(H2Stream stream) : stream_(std::move(stream)) {}
  bool send(std::string_view piece) override { return stream_.send(piece); }
  void finish(const Fields& trailers) override { stream_.finish(trailers); }
  void offer(std::string_view bytes) override { stream_.offer(bytes); }
  std::size_t unsent() const override { return stream_.unsent(); }
  Response head() override { return stream_.read_head(); }
  std::string read_some() override { return stream_.read_some(); }
  bool complete() const override { return stream_.ended(); }
  std::string trailers() const override { return stream_.trailers(); }
  void abort() override { stream_.reset(); }
  void hold() override { stream_.withhold_credit(); }
  void go_on() override { stream_.withhold_credit(false); }

 private:
  H2Stream stream_;
};

}  // namespace

// --- Asked --------------------------------------------------------------------------------------------------------------------

std::string Asked::read_until(std::string_view text) {
  std::string out;
  while (out.find(text) == std::string::npos) {
    const std::string piece = read_some();
    if (piece.empty()) FAIL("the body ends, and '" << text << "' has not come: '" << out << "'");
    out += piece;
  }
  return out;
}

std::string Asked::read_all() {
  std::string out;
  for (std::string piece = read_some(); !piece.empty(); piece = read_some()) out += piece;
  return out;
}

Answer Asked::answer() {
  Answer out;
  Response next = head();
  for (; next.status < 200; next = head()) out.interim.push_back(next);
  static_cast<Response&>(out) = std::move(next);
  out.body = read_all();
  out.trailers = trailers();
  if (!complete()) FAIL("the response breaks off: " << out.head << out.body.size() << " bytes of body");
  return out;
}

// --- Near ---------------------------------------------------------------------------------------------------------------------

Near::Near(const Cell& cell) : cell_(&cell) {
  const NearKind& kind = cell.near();
  const bool outer = kind.inside == Inside::proxy;
  Client client = cell.proxy().connect();
  if (kind.tls) {
    Secured secured = secure(std::move(client), {cell.stage().ca_file(), "127.0.0.1", {kind.h2 ? "h2" : "http/1.1"}});
    CHECK(secured.alpn == (kind.h2 ? "h2" : "http/1.1"));
    client = std::move(secured.client);
  }
  if (!outer) {
    Opened opened;
    if (kind.tls) {  // over a stream, as browsers do that speak HTTP/2 to their proxy
      const H2Client carrier(std::move(client));
      const H2Stream stream =
          carrier.open({{":method", "CONNECT"}, {":authority", kTarget}, {"proxy-authorization", basic(cell.context())}}, false);
      const Response answer = stream.read_head();
      if (answer.status != 200) FAIL("CONNECT: " << answer.head);
      client = stream.bytes();
    } else {
      client = tunnel(cell.proxy(), cell.context(), kTarget);
    }
  }
  if (kind.inside == Inside::secured) {
    Secured secured = secure(std::move(client), {cell.stage().ca_file(), "localhost", {kind.h2 ? "h2" : "http/1.1"}});
    CHECK(secured.alpn == (kind.h2 ? "h2" : "http/1.1"));
    client = std::move(secured.client);
  }
  if (kind.h2) h2_ = H2Client(std::move(client));
  else h1_ = std::move(client);
}

Fields Near::h2_head(std::string_view method, const Request& request) const {
  Fields out{{":method", std::string(method)}};
  if (method != "CONNECT") out.insert(out.end(), {{":scheme", cell_->scheme()}, {":path", request.path}});
  out.emplace_back(":authority", request.target);
  if (cell_->near().inside == Inside::proxy && request.credentials) {
    const Context& context = request.context ? *request.context : cell_->context();
    out.emplace_back("proxy-authorization", basic(context));
  }
  for (const auto& [name, value] : request.fields) out.emplace_back(lower(name), value);
  return out;
}

std::string Near::h1_head(std::string_view method, const Request& request, const Fields& more) const {
  const bool to_proxy = cell_->near().inside == Inside::proxy;
  const std::string url = method == "CONNECT" ? request.target
                          : to_proxy          ? fmt::format("{}://{}{}", cell_->scheme(), request.target, request.path)
                                              : request.path;
  std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method, url, request.target);
  if (to_proxy && request.credentials) out += (request.context ? *request.context : cell_->context()).auth_line();
  for (const Fields* const fields : {&request.fields, &more})
    for (const auto& [name, value] : *fields) out += fmt::format("{}: {}\r\n", name, value);
  return out + "\r\n";
}

std::unique_ptr<Asked> Near::ask(const Request& request) {
  Fields framing;
  if (request.body) framing.emplace_back("Content-Length", std::to_string(request.body->size()));
  else if (request.length) framing.emplace_back("Content-Length", std::to_string(*request.length));
  const bool none = !request.streamed && (request.body ? request.body->empty() : !request.length);
  std::unique_ptr<Asked> asked;
  if (cell_->near().h2) {
    Fields head = h2_head(request.method, request);
    for (const auto& [name, value] : framing) head.emplace_back(lower(name), value);
    asked = std::make_unique<H2Asked>(h2_.open(head, none));
  } else {
    if (request.streamed) framing.emplace_back("Transfer-Encoding", "chunked");
    h1_.send(h1_head(request.method, request, framing));
    asked = std::make_unique<H1Asked>(h1_, request);
  }
  if (request.body && !none) {
    asked->send(*request.body);
    asked->finish();
  }
  return asked;
}

Answer Near::get(std::string_view path, const Fields& fields) {
  return ask({.path = std::string(path), .fields = fields})->answer();
}

Opened Near::open_tunnel(std::string_view protocol, const Request& request) {
  Opened out;
  if (cell_->near().h2) {
    Fields head;
    if (protocol.empty()) {
      head = h2_head("CONNECT", request);
    } else {
      CHECK(h2_.setting(8) == 1);  // SETTINGS_ENABLE_CONNECT_PROTOCOL, RFC 8441 section 3
      head = h2_head("CONNECT", request);
      const Fields more{{":protocol", std::string(protocol)}, {":scheme", cell_->scheme()}, {":path", request.path}};
      head.insert(head.begin() + 1, more.begin(), more.end());
    }
    const H2Stream stream = h2_.open(head, false);
    if (request.body) stream.send(*request.body);
    out.answer = stream.read_head();
    if (out.granted()) {
      out.bytes = stream.bytes();
    } else {
      for (std::string piece = stream.read_some(); !piece.empty(); piece = stream.read_some()) out.answer.body += piece;
      CHECK(stream.ended());
    }
    return out;
  }
  if (protocol.empty()) {
    h1_.send(h1_head("CONNECT", request, {}) + request.body.value_or(""));
    out.answer = h1_.read_response("CONNECT");
  } else {
    Fields more{{"Connection", "Upgrade"}, {"Upgrade", std::string(protocol)}};
    if (protocol == "websocket") more.emplace_back("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    h1_.send(h1_head("GET", request, more) + request.body.value_or(""));
    out.answer = h1_.read_response();
  }
  if (out.granted()) out.bytes = std::move(h1_);
  return out;
}

Opened Near::websocket(std::string_view path, const Fields& fields) {
  Request request{.path = std::string(path), .fields = fields};
  request.fields.emplace_back("Sec-WebSocket-Version", "13");
  return open_tunnel("websocket", request);
}

bool Near::still_serves() {
  const Answer answer = get("/echo");
  return answer.status == 200 && number_in(answer.json(), "port") == 3000;
}

// --- Stage, Cell --------------------------------------------------------------------------------------------------------------

namespace {

Strings operator+(Strings left, const Strings& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// A dev server knows nothing of ports that are not its own.
Strings role() { return whole_way() ? Strings{"--sniff-port-header"} : Strings{}; }

}  // namespace

bool whole_way() {
  const char* const way = std::getenv("CMUX_E2E_WAY");
  return way && std::string_view(way) == "gateways";
}

// What speaks HTTP/2 does so on every leg, what does not on none. Whatever port is asked for, in the machine it is the
// workspace's.
struct Way {
  Way(const Workspace& workspace, std::string_view id, bool h2);
  TempDir dir;
  Gateway machine;
  std::unique_ptr<Gateway> names;
};

Way::Way(const Workspace& workspace, std::string_view id, bool h2)
    : machine({"machine"}, Strings{"--resolve", fmt::format("127.0.0.1=127.0.0.1:{}", workspace.http_port())} +
                               (h2 ? Strings{"--upstream-h2c", "127.0.0.1"} : Strings{"--no-http2"})) {
  write_file(dir / "machines.toml", fmt::format("{} = \"{}://127.0.0.1:{}\"\n", id, h2 ? "h2c" : "http", machine.port()));
  names = std::make_unique<Gateway>(Strings{"names"}, Strings{"--domain", "cmux.test", "--machines", dir / "machines.toml",
                                                              "--tls-cert", pki() + "/srv.crt", "--tls-key", pki() + "/srv.key"} +
                                                          (h2 ? Strings{} : Strings{"--no-http2"}));
}

Stage::Stage(const Strings& serve_flags, const Strings& h2_flags, const Strings& all_flags)
    : first_(Strings{"--alpn", "http/1.1", "--no-h2c", "--name", "first"} + role() + all_flags),
      second_(Strings{"--alpn", "h2,http/1.1", "--name", "second"} + role() + h2_flags + all_flags),
      first_way_(whole_way() ? std::make_unique<Way>(first_, "one", false) : nullptr),
      second_way_(whole_way() ? std::make_unique<Way>(second_, "two", true) : nullptr),
      proxy(serve_flags + towards(), &first_) {}

Stage::~Stage() = default;

Strings Stage::towards() const {
  const auto at = [](const Workspace& workspace, const std::unique_ptr<Way>& way) {
    return way ? way->names->port() : workspace.https_port();
  };
  return {"--resolve", fmt::format("cmux-one-*.cmux.test=127.0.0.1:{}", at(first_, first_way_)),  //
          "--resolve", fmt::format("cmux-two-*.cmux.test=127.0.0.1:{}", at(second_, second_way_))};
}

std::uint16_t Stage::plain_port(const FarKind& far) const {
  const std::unique_ptr<Way>& way = far.h2 ? second_way_ : first_way_;
  return way ? way->machine.port() : workspace(far).http_port();
}

Context Stage::context(const FarKind& far, const Strings& more) const {
  Strings flags{"--scope", "base", "--morph-id", far.h2 ? "two" : "one", "--domain-suffix", "cmux.test"};
  if (!far.tls) {
    const std::string origin = fmt::format("{}://127.0.0.1:{}", far.h2 ? "h2c" : "http", plain_port(far));
    flags.insert(flags.end(), {"--cmux-proxy-origin", origin});
  }
  return proxy.context(flags + more);
}

std::string Cell::next_hop() const {
  if (far_.tls) return fmt::format("cmux-{}-base-3000.cmux.test", far_.h2 ? "two" : "one");
  return fmt::format("127.0.0.1:{}", stage_.plain_port(far_));
}

std::string Cell::destination() const { return whole_way() ? "127.0.0.1:3000" : next_hop(); }

std::string Cell::role() const { return whole_way() ? "origin" : far_.tls ? "global" : "inner"; }

std::string Cell::host() const { return whole_way() ? kTarget : destination(); }

Strings Cell::cmux_fields() const {
  if (whole_way()) return far_.tls ? Strings{"x-cmux-proxied: true"} : Strings{};
  Strings out{"x-cmux-host-override: localhost:3000"};
  if (!far_.tls) out.push_back("x-cmux-port-internal: 3000");
  return out;
}

void matrix(Stage& stage, const std::vector<NearKind>& nears, const std::function<void(const Cell&)>& body) {
  for (const FarKind& far : kFar) {
    const Context context = stage.context(far);
    for (const NearKind& near : nears)
      each(fmt::format("client {}, workspace {}", near.name, far.name), [&] { body(Cell(stage, near, far, context)); });
  }
}

// --- texts --------------------------------------------------------------------------------------------------------------------

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

Strings lower_names(const Strings& lines) {
  Strings out;
  for (const std::string& line : lines) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    out.push_back(lower(line.substr(0, colon)) + line.substr(colon));
  }
  return out;
}

std::string pattern(std::uint64_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(33 + i % 89);
  return out;
}

std::string sha256_of_pattern(std::uint64_t size) {
  Digest digest;
  digest.add(pattern(size));
  return digest.hex();
}

}  // namespace e2e
