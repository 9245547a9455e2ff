// Clients and workspaces over HTTP/2.
#include "http2_peer.hpp"

namespace sim {

using namespace cmux;

namespace {

using StreamPtr = std::shared_ptr<Http2Peer::Stream>;

// What has come of a body by now, checked. Returns at its end, or the stream's.
Task<bool> take_body(StreamPtr stream, Reading& reading) {
  while (true) {
    reading.take(std::exchange(stream->in, {}));
    if (stream->ended) co_return true;
    if (stream->closed) co_return false;
    stream->changed.clear();
    co_await stream->changed;
  }
}

// --- a client's stream -------------------------------------------------------------------------------------------------------

Task<void> ask(World& world, Http2Peer& peer, int context, Random random, Event& done, unsigned& open) {
  const auto kind = random.below(100);
  const std::string method = kind < 50 ? "GET" : kind < 80 ? "POST" : kind < 95 ? "PUT" : "HEAD";
  const bool has_body = method == "POST" || method == "PUT";
  const std::uint64_t up = has_body ? random.size(20'000) : 0;
  const bool unknown = world.strike(Mark::client_unknown);
  const int request = open_request(world, context, method, up, unknown);
  std::vector<Header> head{
      {":method", method}, {":scheme", "http"}, {":authority", "localhost:3000"}, {":path", fmt::format("/r/{}", request)}};
  head.emplace_back("x-tag", std::to_string(request));
  head.emplace_back("proxy-authorization", unknown ? "Basic eDp5" : world.credentials(context));
  const StreamPtr stream = peer.open(head, bytes_of(request, false, 0, up), has_body);
  Entry* entry = &world.book[request];
  bool cancelled = false;
  if (!stream) entry->given_up = entry->ended = true;
  if (stream && world.strike(Mark::client_cancels)) {
    const milliseconds pause(random.size(3000));
    co_await sleep_for(pause);
    if (!stream->closed) cancelled = true, peer.reset(*stream, NGHTTP2_CANCEL);
  }
  while (stream && !stream->headed && !stream->closed) {
    stream->changed.clear();
    co_await stream->changed;
  }
  if (stream && stream->headed) {
    const std::string tag = stream->get("x-tag");
    const auto status = static_cast<unsigned>(number(stream->get(":status")));
    world.book.answered(request, status, tag);
    Reading reading{tag.empty() ? -1 : request, true};
    const bool whole = co_await take_body(stream, reading);
    if (whole) {
      const bool none = method == "HEAD" || status == 204;
      world.book.completed(request, tag.empty() || none ? UINT64_MAX : reading.position);
      if (!tag.empty()) hit(Mark::done_http2);
    }
  }
  entry = &world.book[request];
  if (!entry->ended && cancelled) entry->given_up = entry->ended = true;
  if (!entry->ended) end_request(world, request, peer.wire(), false);
  if (--open == 0) done.set();
}

Task<void> ask_all(World& world, Http2Peer& peer, int context, Random random) {
  Scope asking;
  Event done;
  unsigned open = 0;
  for (std::int64_t rounds = random.between(1, 3); rounds > 0 && !peer.over(); --rounds) {
    const auto count = random.between(1, 5);
    open += static_cast<unsigned>(count);
    done.clear();
    for (std::int64_t i = 0; i < count; ++i) asking.spawn(ask(world, peer, context, random.fork("stream"), done, open));
    if (world.strike(Mark::client_floods)) peer.ping_often(5000);
    co_await done;
  }
  co_await asking.join();
  peer.finish();
}

}  // namespace

Task<void> run_http2_client(World& world, int context, Random random) {
  auto transport = co_await connect_to(world, world.proxy_endpoint());
  if (!transport) co_return;
  std::vector<nghttp2_settings_entry> settings{{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
  if (random.chance(30))
    settings.push_back({NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 512 + static_cast<std::uint32_t>(random.size(20'000))});
  Http2Peer peer(std::move(transport), false, random.fork("wire"), std::move(settings));
  if (world.strike(Mark::client_resets)) peer.wire().break_after(random.size(4000), true);
  else if (world.strike(Mark::client_leaves)) peer.wire().break_after(random.size(4000), false);
  if (world.strike(Mark::client_slow)) peer.wire().slow();
  Scope asking;
  asking.spawn(ask_all(world, peer, context, random.fork("asking")));
  std::function<void(StreamPtr)> nobody = [](const StreamPtr&) {};
  co_await peer.run(std::move(nobody));
  co_await asking.join();
}

// --- a workspace's stream ----------------------------------------------------------------------------------------------------

namespace {

Task<void> tunnel(World& world, Http2Peer& peer, StreamPtr stream, int request) {
  const Entry asked = world.book[request];
  peer.respond(*stream, {{":status", "200"}}, bytes_of(request, true, 0, asked.down), false);
  Reading reading{request, false};
  const bool whole = co_await take_body(stream, reading);
  if (reading.position > asked.up) fail_with("bytes", "tunnel {}: more has come up than was sent", request);
  if (world.book.clean() && (!whole || reading.position != asked.up))
    fail_with("bytes", "tunnel {}: not all has come up", request);
}

// Instead of an answer. True: that was it.
bool go_wrong(World& world, Http2Peer& peer, Http2Peer::Stream& stream, int request, Random& random) {
  if (world.strike(Mark::workspace_silent)) return true;
  if (world.strike(Mark::workspace_closes)) return peer.leave(false), true;
  if (world.strike(Mark::workspace_resets)) return peer.reset(stream, NGHTTP2_INTERNAL_ERROR), true;
  if (world.strike(Mark::workspace_garbage)) return peer.respond(stream, {{":status", "abc"}}, {}, false), true;
  if (world.strike(Mark::workspace_huge)) {
    std::vector<Header> head{{":status", "200"}};
    for (int i = 0; i < 600; ++i) head.emplace_back("x-huge", "h");
    return peer.respond(stream, head, {}, false), true;
  }
  const bool breaks = world.strike(Mark::workspace_breaks), stalls = world.strike(Mark::workspace_stalls);
  if (!breaks && !stalls) return false;
  Entry& entry = world.book[request];
  entry.status = 200, entry.down = random.size(20'000) + 1, entry.whole = false;
  peer.respond(stream, {{":status", "200"}, {"x-tag", std::to_string(request)}, {"content-length", std::to_string(entry.down)}},
               bytes_of(request, true, 0, random.below(entry.down)), true);
  if (breaks) peer.leave(true);
  return true;
}

Task<void> answer(World& world, Workspace& workspace, Http2Peer& peer, StreamPtr stream, Random random) {
  const std::string method = stream->get(":method");
  if (!stream->get("proxy-authorization").empty()) fail("authority", "a workspace has got the client's credentials");
  if (stream->id > peer.last()) co_return;  // GOAWAY has said that nobody looks at it
  if (method == "CONNECT") {
    const std::string authority = stream->get(":authority");
    const int request = static_cast<int>(number(authority.substr(authority.find(':') + 1))) - kTunnelPorts;
    peer.act_on(stream->id);
    if (world.book[request].method != "CONNECT") {
      // A request would follow, in HTTP/1, which nobody speaks here.
      while (stream->in.empty() && !stream->ended && !stream->closed) {
        stream->changed.clear();
        co_await stream->changed;
      }
      peer.reset(*stream, NGHTTP2_CONNECT_ERROR);
      co_return;
    }
    execute(world, workspace, request);
    if (world.strike(Mark::tunnel_refused)) peer.respond(*stream, {{":status", "403"}}, {}, false);
    else co_await tunnel(world, peer, stream, request);
    co_return;
  }
  const int request = static_cast<int>(number(stream->get("x-tag")));
  // Refused before anything was done: it may come again.
  if (world.strike(Mark::h2_refuses)) {
    world.book[request].refused = true;
    peer.reset(*stream, NGHTTP2_REFUSED_STREAM);
    co_return;
  }
  if (stream->id > peer.acted() && world.strike(Mark::h2_goes_away)) {
    world.book[request].refused = true;
    peer.go_away(peer.acted());
    co_return;
  }
  peer.act_on(stream->id);
  execute(world, workspace, request);
  if (world.strike(Mark::h2_calm)) {
    peer.reset(*stream, NGHTTP2_ENHANCE_YOUR_CALM);
    co_return;
  }
  Reading reading{request, false};
  if (world.book[request].up > 0 && !world.strike(Mark::workspace_early)) {
    const bool whole = co_await take_body(stream, reading);
    if (!whole) co_return;
    if (reading.position != world.book[request].up)
      fail_with("bytes", "request {}: {} of {} bytes came up, and it was whole", request, reading.position,
                world.book[request].up);
  }
  if (random.chance(20)) {
    const milliseconds pause(random.size(1000));
    co_await sleep_for(pause);
  }
  if (go_wrong(world, peer, *stream, request, random)) co_return;
  if (random.chance(10)) peer.interim(*stream, {{":status", "103"}, {"link", "<x>"}});
  Entry& entry = world.book[request];
  entry.status = random.chance(90) ? 200 : 404;
  entry.down = random.size(40'000) - 1;
  entry.whole = true;
  std::vector<Header> head{{":status", std::to_string(entry.status)}, {"x-tag", std::to_string(request)}};
  if (random.chance(50)) head.emplace_back("content-length", std::to_string(entry.down));
  peer.respond(*stream, head, method == "HEAD" ? std::string() : bytes_of(request, true, 0, entry.down), false);
}

}  // namespace

Task<void> serve_http2(World& world, Workspace& workspace, std::unique_ptr<net::Transport> transport, Random random) {
  std::vector<nghttp2_settings_entry> settings;
  if (world.strike(Mark::h2_few, 50)) settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, random.chance(50) ? 1u : 2u});
  if (world.strike(Mark::h2_tight, 50))
    settings.push_back({NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 512 + static_cast<std::uint32_t>(random.size(300))});
  const bool mute = world.strike(Mark::h2_mute);
  Http2Peer peer(std::move(transport), true, random.fork("wire"), std::move(settings), mute);
  Scope serving;
  std::function<void(StreamPtr)> serve = [&](const StreamPtr& stream) {
    serving.spawn(answer(world, workspace, peer, stream, random.fork("stream")));
  };
  co_await peer.run(std::move(serve));
  co_await serving.join();
}

}  // namespace sim
