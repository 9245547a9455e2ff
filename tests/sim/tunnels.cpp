// Clients of tunnels: CONNECT and SOCKS5 to a workspace's port, with bytes that are nobody's protocol or with requests inside,
// and upgrades. The port that is asked for tells the workspace which request it is.
#include "world.hpp"

namespace sim {

using namespace cmux;

namespace {

Task<void> say_raw(Wire& wire, int request, std::uint64_t size, bool down) {
  std::string bytes = bytes_of(request, down, 0, size);
  const bool sent = co_await wire.send(std::move(bytes));
  if (sent) wire.transport().shutdown_write();
}

Task<bool> through_connect(World& world, Wire& wire, int context, int request) {
  std::string head = fmt::format("CONNECT localhost:{} HTTP/1.1\r\nHost: localhost:{}\r\nProxy-Authorization: {}\r\n\r\n",
                                 kTunnelPorts + request, kTunnelPorts + request, world.credentials(context));
  co_await wire.send(std::move(head));
  auto answer = co_await read_head(wire);
  if (!answer) co_return false;
  if (answer->status() == 200) co_return true;
  world.book.answered(request, answer->status(), {});
  Reading reading;
  const Ending ending = co_await read_body(wire, *answer, false, false, reading);
  if (ending == Ending::whole) world.book.completed(request, UINT64_MAX);
  co_return false;
}

Task<bool> read_count(Wire& wire, std::size_t count) {
  while (wire.in.size() < count) {
    const bool more = co_await wire.fill();
    if (!more) co_return false;
  }
  co_return true;
}

// RFC 1928, RFC 1929.
Task<bool> through_socks(World& world, Wire& wire, int context, int request) {
  const policy::Context& who = *world.contexts[static_cast<std::size_t>(context)].context;
  std::string text("\x05\x01\x02", 3);
  co_await wire.send(std::move(text));
  bool there = co_await read_count(wire, 2);
  if (!there) co_return false;
  if (wire.take(2) != std::string("\x05\x02", 2)) fail("socks", "the way to log in is another one than was offered");
  std::string login = "\x01";
  for (const std::string& word : {who.username, who.password}) login += static_cast<char>(word.size()) + word;
  co_await wire.send(std::move(login));
  there = co_await read_count(wire, 2);
  if (!there) co_return false;
  if (wire.take(2)[1] != 0) {
    const ContextSlot& slot = world.contexts[static_cast<std::size_t>(context)];
    if (!world.book[request].forbidden && !slot.released && !slot.context->is_over())
      fail_with("socks", "the login of request {} was refused", request);
    world.book.answered(request, 407, {});
    world.book.completed(request, UINT64_MAX);
    co_return false;
  }
  const int port = kTunnelPorts + request;
  std::string wanted("\x05\x01\x00\x03\x09localhost", 14);
  wanted += static_cast<char>(port >> 8);
  wanted += static_cast<char>(port & 255);
  co_await wire.send(std::move(wanted));
  there = co_await read_count(wire, 10);
  if (!there) co_return false;
  const char reply = wire.take(10)[1];
  if (reply == 0) co_return true;
  world.book.answered(request, 500, {});
  world.book.completed(request, UINT64_MAX);
  co_return false;
}

Task<bool> through_upgrade(World& world, Wire& wire, int context, int request) {
  std::string head = fmt::format(
      "GET http://localhost:3000/r/{0} HTTP/1.1\r\nHost: localhost:3000\r\nX-Tag: {0}\r\nProxy-Authorization: {1}\r\n"
      "Connection: Upgrade\r\nUpgrade: simulated\r\n\r\n",
      request, world.credentials(context));
  co_await wire.send(std::move(head));
  std::optional<Text> answer = co_await read_head(wire);
  while (answer && answer->status() < 200 && answer->status() != 101) answer = co_await read_head(wire);
  if (!answer) co_return false;
  if (answer->status() == 101) co_return true;
  world.book.answered(request, answer->status(), answer->get("x-tag"));
  Reading reading{answer->get("x-tag").empty() ? -1 : request, true};
  const Ending ending = co_await read_body(wire, *answer, false, false, reading);
  if (ending == Ending::whole) world.book.completed(request, UINT64_MAX);
  co_return false;
}

// A request inside a tunnel whose target is its own.
Task<void> ask_inside(World& world, Wire& wire, int request) {
  std::string head =
      fmt::format("GET /r/{0} HTTP/1.1\r\nHost: localhost:{1}\r\nX-Tag: {0}\r\n\r\n", request, kTunnelPorts + request);
  co_await wire.send(std::move(head));
  std::optional<Text> answer = co_await read_head(wire);
  while (answer && answer->status() < 200) answer = co_await read_head(wire);
  if (!answer) co_return;
  const std::string tag = answer->get("x-tag");
  world.book.answered(request, answer->status(), tag);
  Reading reading{tag.empty() ? -1 : request, true};
  const Ending ending = co_await read_body(wire, *answer, false, false, reading);
  if (ending == Ending::cut) co_return;
  world.book.completed(request, tag.empty() ? UINT64_MAX : reading.position);
  if (!tag.empty()) hit(Mark::done_tunnelled);
}

}  // namespace

Task<bool> speak_raw(Wire& wire, int request, std::uint64_t send, std::uint64_t expect, bool down) {
  Scope saying;
  saying.spawn(say_raw(wire, request, send, down));
  Reading reading{request, !down};
  for (bool more = true; more;) {
    reading.take(std::exchange(wire.in, {}));
    more = co_await wire.fill();
  }
  if (wire.failed()) wire.leave(true);
  co_await saying.join();
  if (reading.position > expect) fail_with("bytes", "tunnel {}: more has come than was sent", request);
  co_return !wire.failed() && !wire.left() && reading.position == expect;
}

Task<void> run_tunnel_client(World& world, int context, Random random) {
  auto transport = co_await connect_to(world, world.proxy_endpoint());
  if (!transport) co_return;
  Wire wire(std::move(transport), random.fork("wire"), kPatience);
  if (world.strike(Mark::client_resets)) wire.break_after(random.size(4000), true);
  else if (world.strike(Mark::client_leaves)) wire.break_after(random.size(4000), false);
  if (world.strike(Mark::client_slow)) wire.slow();

  const int workspace = world.contexts[static_cast<std::size_t>(context)].workspace;
  const Kind kind = world.workspaces[static_cast<std::size_t>(workspace)]->kind;
  const bool raw = kind == Kind::origin || kind == Kind::origin_h2c;
  const auto way = random.below(3);
  const bool inside = way != 2 && (!raw || random.chance(30));
  const std::uint64_t up = random.size(30'000), down = random.size(30'000);
  const int request = open_request(world, context, inside || way == 2 ? "GET" : "CONNECT", inside ? 0 : up, false);
  Entry& before = world.book[request];
  before.down = inside ? 0 : down;
  bool open = false;
  if (way == 0) open = co_await through_connect(world, wire, context, request);
  else if (way == 1) open = co_await through_socks(world, wire, context, request);
  else open = co_await through_upgrade(world, wire, context, request);
  if (open && inside) {
    co_await ask_inside(world, wire, request);
  } else if (open) {
    const bool whole = co_await speak_raw(wire, request, up, down, false);
    Entry& entry = world.book[request];
    if (whole && entry.executed > 0) {
      entry.answers = 1, entry.ended = true;
      hit(way == 0 ? Mark::done_tunnel : way == 1 ? Mark::done_socks : Mark::done_upgrade);
    }
  }
  end_request(world, request, wire, false);
}

}  // namespace sim
