// Workspaces: what comes is looked at strictly, as nothing but what the proxy has let through may come; what goes back is right,
// or wrong in one of the ways that the census names.
#include "net/tls_transport.hpp"
#include "world.hpp"

namespace sim {

using namespace cmux;

namespace {

Task<void> handshake_badly(std::unique_ptr<net::Transport> transport, Random random, bool garbage) {
  Wire wire(std::move(transport), random, kPatience);
  if (garbage) {
    co_await wire.fill();
    std::string text = "HTTP/1.1 400 Bad Request\r\n\r\n";
    co_await wire.send(std::move(text));
  }
  for (bool more = true; more;) more = co_await wire.fill();
}

Task<void> serve(World& world, Workspace& workspace, net::Socket socket, Random random) {
  std::unique_ptr<net::Transport> transport;
  try {
    transport = std::make_unique<net::SocketTransport>(std::move(socket));
  } catch (const std::system_error&) { co_return; }
  if (workspace.kind == Kind::named_tls) {
    const bool stalls = world.strike(Mark::tls_stalls), garbage = !stalls && world.strike(Mark::tls_garbage);
    if (stalls || garbage) {
      co_await handshake_badly(std::move(transport), random, garbage);
      co_return;
    }
    SSL_CTX* const context = world.strike(Mark::tls_untrusted) ? keys().untrusted
                             : workspace.offers_http2          ? keys().with_http2
                                                               : keys().trusted;
    SSL* const ssl = SSL_new(context);
    SSL_set_accept_state(ssl);
    auto tls = std::make_unique<net::TlsTransport>(std::move(transport), ssl);
    Deadline late([](void* one) { static_cast<net::TlsTransport*>(one)->abort(make_error(Errc::timeout), true); }, tls.get());
    late.after(kPatience);
    auto done = co_await tls->handshake();
    if (!done) co_return;
    transport = std::move(tls);
  }
  Wire wire(std::move(transport), random.fork("sniff"), kPatience);
  while (wire.in.size() < 3) {
    const bool more = co_await wire.fill();
    if (!more) co_return;
  }
  const bool http2 = wire.in.starts_with("PRI");
  transport = wire.release();
  if (http2) co_await serve_http2(world, workspace, std::move(transport), random.fork("http2"));
  else co_await serve_http1(world, workspace, std::move(transport), random.fork("http1"));
}

struct Answer {
  std::string head, body;
  bool closes = false;
};

Answer answer_to(World& world, Random& random, int request, const std::string& method) {
  Answer answer;
  Entry& entry = world.book[request];
  const auto kind = random.below(100);
  entry.status = kind < 85 ? 200 : kind < 90 ? 404 : kind < 95 ? 500 : 204;
  entry.down = entry.status == 204 ? 0 : random.size(40'000) - 1;
  entry.whole = true;
  answer.head = fmt::format("HTTP/1.1 {} Some\r\nX-Tag: {}\r\n", entry.status, request);
  const auto framing = random.below(3);
  answer.closes = framing == 2 || random.chance(10);
  if (answer.closes) answer.head += "Connection: close\r\n";
  if (entry.status == 204) return answer.head += "\r\n", answer;
  const std::string body = bytes_of(request, true, 0, entry.down);
  if (framing == 0) answer.head += fmt::format("Content-Length: {}\r\n", body.size()), answer.body = body;
  if (framing == 1) {
    answer.head += "Transfer-Encoding: chunked\r\n";
    for (std::size_t at = 0; at < body.size();) {
      const std::size_t size = random.size(body.size() - at);
      answer.body += fmt::format("{:x}\r\n", size) + body.substr(at, size) + "\r\n";
      at += size;
    }
    answer.body += "0\r\n\r\n";
  }
  if (framing == 2) answer.body = body;
  answer.head += "\r\n";
  if (method == "HEAD") answer.body.clear();
  return answer;
}

// Instead of an answer, or of one that is whole. True: the connection is done with.
Task<bool> go_wrong(World& world, Wire& wire, int request, const std::string& method) {
  Entry& entry = world.book[request];
  if (world.strike(Mark::workspace_silent)) {
    for (bool more = true; more;) more = co_await wire.fill();
    co_return true;
  }
  if (world.strike(Mark::workspace_closes)) co_return true;
  if (world.strike(Mark::workspace_resets)) co_return wire.leave(true), true;
  if (world.strike(Mark::workspace_garbage)) {
    constexpr std::string_view kGarbage[] = {
        "\x16\x03garbage\r\n\r\n", "HTTP/1.1 200\x01OK\r\n\r\n", "HTTP/1.1 999999 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 3\r\n\r\nxyz"};
    std::string text(kGarbage[wire.random().below(std::size(kGarbage))]);
    co_await wire.send(std::move(text));
    for (bool more = true; more;) more = co_await wire.fill();
    co_return true;
  }
  if (world.strike(Mark::workspace_huge)) {
    std::string text = fmt::format("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", std::string(100'000, 'h'));
    co_await wire.send(std::move(text));
    co_return true;
  }
  const bool cuts = world.strike(Mark::workspace_cuts), breaks = world.strike(Mark::workspace_breaks);
  const bool stalls = world.strike(Mark::workspace_stalls);
  if (method == "HEAD" || (!cuts && !breaks && !stalls)) co_return false;
  entry.status = 200, entry.down = wire.random().size(20'000) + 1, entry.whole = false;
  const std::uint64_t part = wire.random().below(entry.down);
  std::string text = fmt::format("HTTP/1.1 200 OK\r\nX-Tag: {}\r\nContent-Length: {}\r\n\r\n", request, entry.down);
  text += bytes_of(request, true, 0, part);
  co_await wire.send(std::move(text));
  if (stalls)
    for (bool more = true; more;) more = co_await wire.fill();
  if (breaks) wire.leave(true);
  co_return true;
}

Task<void> tunnel(World& world, Wire& wire, int request, std::string answer) {
  const Entry asked = world.book[request];
  const bool sent = co_await wire.send(std::move(answer));
  if (!sent) co_return;
  const bool whole = co_await speak_raw(wire, request, asked.down, asked.up, true);
  if (!whole && world.book.clean()) fail_with("bytes", "tunnel {}: not all has come up, and nothing was wrong", request);
}

// One request. False: the connection is done with.
Task<bool> serve_request(World& world, Workspace& workspace, Wire& wire) {
  auto head = co_await read_head(wire);
  if (!head) co_return false;
  const std::string method = head->line.substr(0, head->line.find(' '));
  if (!head->get("proxy-authorization").empty()) fail("authority", "a workspace has got the client's credentials");
  if (head->get("host").empty()) fail("well-formed", "a request without Host");
  if (method == "CONNECT") {
    const int request = static_cast<int>(number(head->line.substr(18, 5))) - kTunnelPorts;  // "CONNECT localhost:12345 …"
    const bool refused = world.strike(Mark::tunnel_refused);
    // Requests follow, for a server that never speaks first.
    const bool inside = world.book[request].method != "CONNECT";
    if (!inside) execute(world, workspace, request);
    std::string answer = !refused                   ? "HTTP/1.1 200 OK\r\n\r\n"
                         : wire.random().chance(50) ? "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"
                                                    : "HTTP/1.1 2x0 Garbage\r\n\r\n";
    if (refused || inside) co_await wire.send(std::move(answer));
    if (inside) co_return !refused;
    if (!refused) co_await tunnel(world, wire, request, std::move(answer));
    co_return false;
  }
  const int request = static_cast<int>(number(head->get("x-tag")));
  execute(world, workspace, request);
  if (!head->get("upgrade").empty() && wire.random().chance(80)) {
    std::string answer = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: simulated\r\n\r\n";
    world.book[request].status = 101;
    co_await tunnel(world, wire, request, std::move(answer));
    co_return false;
  }
  const bool upgrade = !head->get("upgrade").empty();
  Reading reading{request, false};
  const bool has_body = world.book[request].up > 0 && !upgrade;
  const bool early = has_body && world.strike(Mark::workspace_early);
  if (has_body && world.strike(Mark::workspace_deaf)) {
    co_await sleep_for(milliseconds(400'000));
    co_return false;
  }
  if (!early) {
    const Ending ending = co_await read_body(wire, *head, true, false, reading);
    if (ending == Ending::cut) co_return false;
    if (!upgrade && reading.position != world.book[request].up)
      fail_with("bytes", "request {}: {} of {} bytes came up, and it was whole", request, reading.position,
                world.book[request].up);
  }
  if (wire.random().chance(20)) {
    const milliseconds pause(wire.random().size(1000));
    co_await sleep_for(pause);
  }
  const bool wrong = co_await go_wrong(world, wire, request, method);
  if (wrong) co_return false;
  if (wire.random().chance(10)) {
    std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n";
    co_await wire.send(std::move(interim));
  }
  Answer answer = answer_to(world, wire.random(), request, method);
  bool closes = answer.closes || early;
  std::string text = answer.head + answer.body;
  if (!closes && world.strike(Mark::workspace_extra)) text += "HTTP/1.1 200 OK\r\nX-Tag: 9999\r\nContent-Length: 0\r\n\r\n";
  const bool sent = co_await wire.send(std::move(text));
  if (sent && closes) wire.transport().shutdown_write();
  if (early && sent)
    for (bool more = true; more;) wire.in.clear(), more = co_await wire.fill();
  if (!closes && world.strike(Mark::workspace_ends)) {
    const milliseconds pause(wire.random().size(500));
    co_await sleep_for(pause);
    closes = true;
  }
  co_return sent && !closes;
}

}  // namespace

void execute(World& world, Workspace& workspace, int request) {
  const Entry& entry = world.book[request];
  const auto until = workspace.until.find(entry.context);
  world.book.executes(request, until != workspace.until.end() && request < until->second);
}

Task<void> serve_http1(World& world, Workspace& workspace, std::unique_ptr<net::Transport> transport, Random random) {
  Wire wire(std::move(transport), random, kPatience);
  for (bool more = true; more;) more = co_await serve_request(world, workspace, wire);
}

Task<void> run_workspace(World& world, Workspace& workspace) {
  std::function<void(net::Socket)> take = [&world, &workspace](net::Socket socket) {
    world.peers.spawn(serve(world, workspace, std::move(socket), world.random.fork("workspace")));
  };
  co_await workspace.listener->run(std::move(take));
}

}  // namespace sim
