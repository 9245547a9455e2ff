// Clients over HTTP/1.1: requests one after the other or pipelined, some of which are none, and some of which leave early.
#include "net/dial.hpp"
#include "world.hpp"

namespace sim {

using namespace cmux;

Task<std::unique_ptr<net::Transport>> connect_to(World&, net::Endpoint to) {
  std::unique_ptr<net::Transport> transport;
  try {
    auto made = co_await net::dial(to, milliseconds(30'000));
    if (made) transport = std::move(*made);
  } catch (const std::system_error&) {}  // it cannot be watched
  co_return std::move(transport);
}

bool is_lost(net::Transport& transport) {
  const auto* const socket = dynamic_cast<net::SocketTransport*>(&transport);
  return socket && kernel->find<Socket>(socket->descriptor()) && kernel->find<Socket>(socket->descriptor())->lost();
}

int open_request(World& world, int context, std::string method, std::uint64_t up, bool nobody) {
  const ContextSlot& slot = world.contexts[static_cast<std::size_t>(context)];
  const int request = world.book.open(context, std::move(method), up);
  world.book[request].forbidden = nobody || slot.released || slot.context->is_over();
  return request;
}

void end_request(World& world, int request, Wire& wire, bool excused) {
  Entry& entry = world.book[request];
  if (entry.ended) return;
  if (wire.late() && !excused && !is_lost(wire.transport()))
    fail_with("one answer", "request {} has neither an answer nor an end in {} s", request, kPatience.count() / 1000);
  if (wire.left() || excused) entry.given_up = entry.ended = true;
  else world.book.broken(request);
}

namespace {

struct Asked {
  int request = -1;
  std::string method, head, body;
};

constexpr std::string_view kMalformed[] = {
    "X Y: z\r\n",
    "Content-Length: 3\r\nContent-Length: 4\r\n",
    "Transfer-Encoding: gzip\r\n",
    "X: \x01\r\n",
    " X: folded\r\n",
    "Host: elsewhere:1\r\n",
    "Content-Length: -1\r\n",
    "X : y\r\n",
};

std::string in_chunks(Random& random, const std::string& body) {
  std::string out;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t size = random.size(body.size() - at);
    out += fmt::format("{:x}\r\n", size) + body.substr(at, size) + "\r\n";
    at += size;
  }
  return out + (random.chance(20) ? "0\r\nX-Trailer: t\r\n\r\n" : "0\r\n\r\n");
}

Asked ask(World& world, int context, Random& random, bool door) {
  Asked asked;
  const auto kind = random.below(100);
  asked.method = kind < 50 ? "GET" : kind < 80 ? "POST" : kind < 95 ? "PUT" : "HEAD";
  const bool has_body = asked.method == "POST" || asked.method == "PUT";
  const std::uint64_t up = has_body ? random.size(20'000) - 1 : 0;
  const bool unknown = !door && world.strike(Mark::client_unknown);
  const bool malformed = world.strike(Mark::client_malformed);
  asked.request = open_request(world, context, asked.method, up, unknown || malformed);
  const std::string body = bytes_of(asked.request, false, 0, up);
  const bool huge = !world.book.clean() && !world.book.mild() && random.chance(5);
  const bool chunked = has_body && random.chance(40);
  asked.head = fmt::format("{} http://localhost:3000/r/{} HTTP/1.1\r\nHost: localhost:3000\r\nX-Tag: {}\r\n", asked.method,
                           asked.request, asked.request);
  if (!door) asked.head += fmt::format("Proxy-Authorization: {}\r\n", unknown ? "Basic eDp5" : world.credentials(context));
  if (malformed) asked.head += kMalformed[random.below(std::size(kMalformed))];
  else if (chunked) asked.head += "Transfer-Encoding: chunked\r\n";
  else if (has_body) asked.head += fmt::format("Content-Length: {}\r\n", body.size());
  if (huge) asked.head += fmt::format("X-Huge: {}\r\n", std::string(random.size(6000), 'h'));
  asked.head += "\r\n";
  asked.body = chunked && !malformed ? in_chunks(random, body) : body;
  return asked;
}

Task<void> say(World& world, Wire& wire, const Asked& asked) {
  const bool together = wire.random().chance(50);
  std::string first = together ? asked.head + asked.body : asked.head, second = together ? std::string() : asked.body;
  bool sent = co_await wire.send(std::move(first));
  if (sent) sent = co_await wire.send(std::move(second));
  world.book[asked.request].sent = sent;
}

// The answer. False: there will be no other on this connection.
Task<bool> hear(World& world, Wire& wire, int request, const std::string& method) {
  std::optional<Text> head;
  bool interim = false;
  while (true) {
    head = co_await read_head(wire);
    if (!head || head->status() >= 200 || head->status() == 101) break;
    interim = true;
  }
  if (!head) co_return false;
  const std::string tag = head->get("x-tag");
  if (tag.empty() && head->get("proxy-status").empty()) fail_with("tags", "request {} got an answer that is nobody's", request);
  world.book.answered(request, head->status(), tag);
  Reading reading{tag.empty() ? -1 : request, true};
  const bool none = method == "HEAD" || head->status() == 204 || head->status() == 304;
  const Ending ending = co_await read_body(wire, *head, false, none, reading);
  if (ending == Ending::cut) co_return false;
  world.book.completed(request, tag.empty() || none ? UINT64_MAX : reading.position);
  if (!tag.empty()) {
    hit(Mark::done_http1);
    if (world.book[request].up > 0) hit(Mark::done_post);
    if (interim) hit(Mark::done_interim);
  }
  const bool closes = head->get("connection").find("close") != std::string::npos;
  const bool delimited = !none && head->get("content-length").empty() && head->get("transfer-encoding").empty();
  co_return !closes && !delimited;
}

Task<void> ask_in_turn(World& world, Wire& wire, int context, Random& random, bool door) {
  const auto count = random.between(1, 6);
  bool more = true;
  for (std::int64_t i = 0; more && i < count; ++i) {
    const Asked asked = ask(world, context, random, door);
    const bool deaf = world.strike(Mark::client_deaf, 5);
    wire.patient();
    Scope sending;
    sending.spawn(say(world, wire, asked));
    if (deaf) co_await sleep_for(milliseconds(200'000));
    more = co_await hear(world, wire, asked.request, asked.method);
    if (!more && !world.book[asked.request].ended) end_request(world, asked.request, wire, deaf);
    if (!more) wire.leave(false);
    co_await sending.join();
    if (more && !wire.in.empty()) fail_with("one answer", "behind the answer of {} come bytes that are nobody's", asked.request);
    if (more && door) hit(Mark::done_door);
    if (more && i + 2 == count && world.strike(Mark::client_half_closes)) {
      // The last request, and the end with it.
      const Asked last = ask(world, context, random, door);
      co_await say(world, wire, last);
      wire.transport().shutdown_write();
      more = co_await hear(world, wire, last.request, last.method);
      if (!world.book[last.request].ended) end_request(world, last.request, wire, true);
      co_return;
    }
    if (more && random.chance(20)) {
      const milliseconds pause(random.size(10'000));
      co_await sleep_for(pause);
    }
  }
}

Task<void> say_all(World& world, Wire& wire, const std::vector<Asked>& all) {
  std::string together;
  for (const Asked& asked : all) together += asked.head + asked.body;
  const bool sent = co_await wire.send(std::move(together));
  for (const Asked& asked : all) world.book[asked.request].sent = sent;
}

Task<void> ask_at_once(World& world, Wire& wire, int context, Random& random, bool door) {
  std::vector<Asked> all;
  for (std::int64_t i = random.between(2, 4); i > 0; --i) all.push_back(ask(world, context, random, door));
  Scope sending;
  sending.spawn(say_all(world, wire, all));
  bool more = true;
  for (const Asked& asked : all) {
    if (more) more = co_await hear(world, wire, asked.request, asked.method);
    // What stands behind the last answer of a connection was not looked at: its client may send it again.
    if (!world.book[asked.request].ended) end_request(world, asked.request, wire, wire.left() || &asked != &all.front());
  }
  if (more) hit(Mark::done_pipelined);
  wire.leave(false);
  co_await sending.join();
}

}  // namespace

Task<void> run_http1_client(World& world, int context, Random random, bool door) {
  net::Endpoint to = world.proxy_endpoint();
  if (door) to.set_port(world.contexts[static_cast<std::size_t>(context)].door);
  auto transport = co_await connect_to(world, to);
  if (!transport) co_return;
  Wire wire(std::move(transport), random.fork("wire"), kPatience);
  if (world.strike(Mark::client_resets)) wire.break_after(random.size(4000), true);
  else if (world.strike(Mark::client_leaves)) wire.break_after(random.size(4000), false);
  if (world.strike(Mark::client_slow)) wire.slow();
  if (random.chance(15)) co_await ask_at_once(world, wire, context, random, door);
  else co_await ask_in_turn(world, wire, context, random, door);
}

// Connects and says nothing: browsers hold such connections in reserve. The proxy is to end it, at the latest when it stops.
Task<void> run_silent_client(World& world, Random random) {
  auto transport = co_await connect_to(world, world.proxy_endpoint());
  if (!transport) co_return;
  Wire wire(std::move(transport), random, kPatience);
  for (bool more = true; more;) more = co_await wire.fill();
  if (!wire.in.empty()) fail("one answer", "a client that has asked nothing was answered");
  if (wire.late() && !is_lost(wire.transport())) fail("time limits", "a silent client is kept for ever");
  if (!wire.late()) hit(Mark::done_silent);
}

Task<void> run_client(World& world, Random random) {
  const milliseconds pause(random.size(500));
  co_await sleep_for(pause);
  const int context = static_cast<int>(random.below(world.contexts.size()));
  const bool door = world.contexts[static_cast<std::size_t>(context)].door != 0 && random.chance(50);
  const auto kind = random.below(100);
  if (kind >= 97) world.peers.spawn(run_silent_client(world, random.fork("silent")));
  else if (kind < 45) co_await run_http1_client(world, context, random.fork("http1"), door);
  else if (kind < 75) co_await run_http2_client(world, context, random.fork("http2"));
  else co_await run_tunnel_client(world, context, random.fork("tunnel"));
  --world.busy_clients;
}

}  // namespace sim
