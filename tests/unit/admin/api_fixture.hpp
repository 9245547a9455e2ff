// The admin API on a port of its own, in front of an instance that only remembers, and raw requests to it.
#pragma once

#include <boost/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "admin/api.hpp"
#include "http1/server.hpp"
#include "net/listener.hpp"
#include "net/pair.hpp"

namespace cmux::admin {

inline constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef";

// Keeps nothing: what the rings keep is theirs to test.
class FakeExchanges final : public Exchanges {
 public:
  Task<Changes> changes(std::uint64_t, std::size_t, std::string) override { co_return Changes(); }
  Task<inspect::CapturePtr> find(std::uint64_t) override { co_return nullptr; }
  Task<std::vector<std::uint64_t>> numbers(std::string) override { co_return std::vector<std::uint64_t>(); }
  Task<void> clear() override { co_return; }
  Task<boost::json::object> capture() override { co_return boost::json::object(); }
  void set_capture(std::optional<inspect::Level>) override {}
  void watched(bool by_somebody) override { somebody = by_somebody; }
  Task<Result<std::uint64_t>> replay(const inspect::Replay&) override { co_return std::uint64_t{1}; }
  boost::json::object series() const override { return {}; }

  bool somebody = false;
};

class FakeInstance final : public Instance {
 public:
  policy::ContextStore& contexts() override { return store; }
  Result<policy::ContextPtr> create(policy::ContextRequest request) override { return store.create(std::move(request)); }
  Task<void> settled() override {
    ++settled_calls;
    co_await Yield{};
  }
  Task<std::vector<policy::Usage>> usage(std::vector<policy::ContextPtr> contexts) override {
    co_await settled();
    co_return std::vector<policy::Usage>(contexts.size(), used);
  }
  Task<boost::json::object> status() override {
    boost::json::object out;
    out["instance"] = "test";
    co_return out;
  }
  Task<std::string> metrics() override { co_return "cmuxproxy_contexts 0\n"; }
  void shut_down(std::optional<milliseconds> limit) override {
    stopped = true;
    stop_limit = limit;
  }
  milliseconds drain_timeout() const override { return milliseconds(5'000); }
  const std::string& proxy_address() const override { return proxy; }
  const std::vector<std::string>& more_domains() const override { return domains; }
  const TunnelFailure* tunnel_failure(const std::string& context) const override {
    return failure && context == failed_context ? &*failure : nullptr;
  }
  Task<Result<std::vector<std::uint16_t>>> ports(policy::ContextPtr) override { co_return std::vector<std::uint16_t>{3000}; }
  const AutoForward* auto_forward(const std::string&) const override { return nullptr; }
  Task<void> forwarded(const std::string&) override { co_return; }
  void set_observed(bool value) override { observed = value; }
  Exchanges& exchanges() override { return kept; }
  const std::string& inspector_folder() const override { return folder; }

  policy::ContextStore store{[](policy::ContextStore::Change, const policy::ContextPtr&, std::string_view) {}};
  std::string proxy = "127.0.0.1:39385", folder;
  FakeExchanges kept;
  std::vector<std::string> domains{"example.test"};
  std::string failed_context;
  policy::Usage used;
  std::optional<TunnelFailure> failure;
  unsigned settled_calls = 0;
  std::optional<milliseconds> stop_limit;
  bool stopped = false, observed = false;
};

struct RawAnswer {
  unsigned status = 0;
  std::string text, body;
  boost::json::value json() const { return boost::json::parse(body); }
};

class ApiFixture {
 public:
  ApiFixture() {
    listener = *net::Listener::bind(*net::Endpoint::from_ip("127.0.0.1", 0));
    host = listener->endpoint().text();
    api = std::make_unique<Api>(instance, std::string(kToken), host);
    options.idle_timeout = milliseconds(2'000);
    scope.spawn(accept());
  }
  ~ApiFixture() {
    api->close_events();
    listener->close();
    for (http::Drainable* connection : std::set<http::Drainable*>(open)) connection->drain();
    loop.run(scope.join());
  }

  // Sends the bytes and reads until the server closes; for requests that end the connection.
  RawAnswer raw(std::string request) {
    RawAnswer answer;
    loop.run(exchange(std::move(request), answer.text));
    if (answer.text.size() > 12) answer.status = static_cast<unsigned>(std::stoul(answer.text.substr(9, 3)));
    if (const std::size_t at = answer.text.find("\r\n\r\n"); at != std::string::npos) answer.body = answer.text.substr(at + 4);
    return answer;
  }
  // A request with the token.
  RawAnswer ask(std::string_view method, std::string_view path, std::string_view body = {}, std::string_view more = {}) {
    std::string request =
        std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n";
    request += "Authorization: Bearer " + std::string(kToken) + "\r\n" + std::string(more);
    if (!body.empty()) request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    return raw(request + "\r\n" + std::string(body));
  }
  std::string make_context(std::string_view body = "{}") {
    const boost::json::value made = ask("POST", "/v1/contexts", body).json();
    return made.as_object().at("id").as_string().c_str();
  }

  Loop loop;
  FakeInstance instance;
  std::unique_ptr<net::Listener> listener;
  std::unique_ptr<Api> api;
  std::string host;

 private:
  Task<void> accept() {
    std::function<void(net::Socket)> take = [this](net::Socket socket) {
      auto transport = std::make_unique<net::SocketTransport>(std::move(socket));
      scope.spawn(http1::serve(std::move(transport), *api, "http", options, open));
    };
    co_await listener->run(std::move(take));
  }
  Task<void> exchange(std::string request, std::string& text) {
    const auto socket = net::connected_to(listener->endpoint());
    if (!socket) co_return;
    auto written = co_await net::write_all(*socket, request);
    Buffer in;
    while (written) {
      auto read = co_await net::read_some(*socket, in, 4096);
      if (!read || *read == 0) break;
      text += in.view();
      in.clear();
    }
  }

  http1::ServerOptions options;
  std::set<http::Drainable*> open;
  Scope scope;
};

}  // namespace cmux::admin
