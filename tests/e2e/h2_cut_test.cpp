// Connections that end at any byte: what is left of the exchange fails cleanly, others do not notice, and nothing stays behind.
#include "frames.hpp"
#include "rows.hpp"

using namespace e2e;
using namespace e2e::h2;
using namespace std::string_literals;

namespace {

struct Setup {
  Workspace workspace;
  Proxy proxy{{"--upstream-h2c", "127.0.0.1", "--threads", "1"}, &workspace};
  Context context = context_to(proxy, "h2c", workspace.http_port());
  std::int64_t fds = 0;

  boost::json::object status() const { return proxy.api("GET", "/v1/status").json(); }
  std::int64_t open_fds() {
    return static_cast<std::int64_t>(proxy.process().fds()) - number_in(status().at("upstream").as_object(), "idle");
  }
  bool is_quiet() const {
    const auto now = status();
    return number_in(now.at("connections").as_object(), "open") == 0 && number_in(now.at("requests").as_object(), "open") == 0;
  }
  void measure() {
    REQUIRE(proxy.get(context, "http://localhost:3000/").status == 200);
    REQUIRE(eventually([&] { return is_quiet(); }));
    REQUIRE(eventually([&] { return std::exchange(fds, open_fds()) == fds; }));  // the question's own connection ends as well
  }
  void check_nothing_left() {
    CHECK(eventually([&] { return is_quiet(); }));
    INFO(boost::json::serialize(status()));
    CHECK(eventually([&] { return open_fds() == fds; }));
    CHECK(workspace.malformed() == 0);
  }
};

// Every offset; under sanitizers every seventh, which is at any place within a frame sooner or later.
std::size_t step() { return slow() ? 7 : 1; }

struct Outcome {
  int status = 0;  // 0: cut off before there was one
  std::string text;
  bool whole = false;
};

// Everything that an HTTP/1 client gets to see, to the response's or the connection's end.
Outcome outcome_of(Client& client, bool interim) {
  Outcome out;
  out.text = client.read_until("\r\n\r\n");
  if (interim && out.text.starts_with("HTTP/1.1 103")) out.text = client.read_until("\r\n\r\n");
  out.status = std::atoi(out.text.c_str() + 9);
  while (out.status == 200 && !out.whole) {
    const std::string more = client.read_some();
    if (more.empty()) break;
    out.text += more;
    out.whole = out.text.ends_with("\r\nx-sum: 1\r\n\r\n");
  }
  return out;
}

}  // namespace

TEST_CASE("h2: a client that goes away at any byte leaves nothing behind") {
  Setup setup;
  const Lines post = request(setup.context, "/upload", "POST"), get = request(setup.context, "/");
  const std::string first = block(get).substr(0, 30), rest = block(get).substr(30);
  const std::string exchange = std::string(kPreface) + settings({{kInitialWindow, 100'000}}) + window(0, 100'000) +
                               headers(1, post, kEndHeaders) + settings({}, kAck) + data(1, "hello", kNone) +
                               frame(kHeaders, kEndStream, 3, first) + frame(kContinuation, kEndHeaders, 3, rest) + ping() +
                               frame(kData, kPadded, 1, "\x02hello\1\2") + window(3, 1) + data(1, "", kNone) +
                               headers(1, {{"x-sum", "1"}}) + headers(5, request(setup.context, "/hang")) + reset(5) + goaway(0);
  const auto cut_everywhere = [&] {
    ClientSide other(setup.proxy.port());
    std::uint32_t id = 1;
    for (std::size_t at = 1; at <= exchange.size(); at += step()) {
      Client client = setup.proxy.connect();
      client.send(std::string_view(exchange).substr(0, at));
      if (at % 2 == 0) {
        client.half_close();
        if (!client.closed_by_peer()) FAIL("not closed, cut at byte " << at << " of " << exchange.size());
      } else {
        client.abort();
      }
      if (at % 8 > 1) continue;
      other.send(headers(id, get));
      if (other.message(id).status() != 200) FAIL("another client is not served, cut at byte " << at);
      id += 2;
    }
  };
  cut_everywhere();  // once more than needed: then everything has been allocated
  setup.measure();
  cut_everywhere();
  setup.check_nothing_left();
}

TEST_CASE("h2: an upstream that goes away at any byte fails its own requests alone") {
  Setup setup;
  const Context plain = setup.proxy.context();
  Upstream upstream;
  const Lines ok{{":status", "200"}};
  const std::string start = settings({{kMaxStreams, 10}});
  const std::string answer = start + settings({}, kAck) + window(0, 100) + headers(1, {{":status", "103"}}, kEndHeaders) +
                             headers(1, ok, kEndHeaders) + frame(kData, kPadded, 1, "\x02hello\1\2") + ping() +
                             headers(3, ok, kEndHeaders) + data(3, "world", kNone) + data(1, "again", kNone) +
                             headers(1, {{"x-sum", "1"}}) + data(3, "", kNone) + headers(3, {{"x-sum", "1"}});
  const std::string get = request_text("GET", upstream.url(), plain), post = request_text("POST", upstream.url(), plain, {}, "x");
  const auto cut_everywhere = [&] {
    Client other = setup.proxy.connect();
    for (std::size_t at = 0; at <= answer.size(); at += step()) {
      INFO("cut at byte " << at << " of " << answer.size());
      Client one = setup.proxy.connect(), two = setup.proxy.connect();
      one.send(get);
      ServerSide server(upstream, "");
      server.answers = server.gives_windows = false;
      if (server.request() != 1) FAIL("the first request does not come");
      const bool settled = at >= start.size();  // until then there is one request
      server.send(answer.substr(0, std::min(at, start.size())));
      if (settled) {
        two.send(post);
        if (server.request() != 3) FAIL("the second request does not come");
        server.send(answer.substr(start.size(), at - start.size()));
      }
      if (at % 2 == 0) server.peer.half_close();
      else server.peer.abort();
      for (Client* client : {&one, &two}) {
        if (client == &two && !settled) continue;
        const Outcome outcome = outcome_of(*client, client == &one);
        if (outcome.status != 502 && outcome.status != 200) FAIL("status " << outcome.status << ": " << outcome.text);
        if (outcome.status == 502 && outcome.text.find("Proxy-Status: cmuxproxy; error=") == std::string::npos)
          FAIL("a 502 of nobody: " << outcome.text);
        if (at == answer.size() && at % 2 == 0 && !outcome.whole) FAIL("not whole: " << outcome.text);
        if (at + 10 < answer.size() && client == &two && outcome.whole) FAIL("cut, but whole: " << outcome.text);
      }
      if (at % 8 > 1) continue;
      other.send(request_text("GET", "http://localhost:3000/", setup.context));
      if (other.read_response().status != 200) FAIL("another request is not served");
    }
  };
  cut_everywhere();
  setup.measure();
  cut_everywhere();
  setup.check_nothing_left();
}
