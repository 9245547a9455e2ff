// What the harness does by Boost.Beast: reading HTTP/1 responses, asking plain servers, WebSockets. The only file that includes
// it, which takes its time to compile.
#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include "harness.hpp"
#include "websocket.hpp"

namespace e2e {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using beast::error_code;

// Waits for asynchronous operations as for blocking ones, but not for ever.
struct Loop {
  asio::io_context context;

  // Starts operations, each with a handler that `start` makes for it, and runs them to their ends; the first error of any.
  template <class Start>
  error_code run(beast::tcp_stream& stream, milliseconds limit, Start start) {
    error_code first;
    stream.expires_after(limit);
    start([&first](error_code failed, auto&&...) {
      if (!first) first = failed;
    });
    context.restart();
    context.run();
    return first;
  }
};

template <class Message>
void set_lines(Message& message, const Strings& lines) {
  for (const std::string_view line : lines) {
    const std::size_t colon = line.find(':');
    const std::size_t start = std::min(line.find_first_not_of(' ', colon + 1), line.size());
    message.set(line.substr(0, colon), line.substr(start, line.find('\r') - start));
  }
}

}  // namespace

// --- responses ----------------------------------------------------------------------------------------------------------------

// The parser itself, not http::response_parser, whose container groups fields by name: their order is looked at.
class ResponseReader::Parser final : public http::basic_parser<false> {
 public:
  explicit Parser(std::string_view method) : connect_(method == "CONNECT") {
    header_limit(1 << 20);
    body_limit(boost::none);
    skip(method == "HEAD");
  }

  bool complete() const { return is_done() || (connect_ && is_header_done() && out.status < 300); }

  Response out;

 private:
  using Text = beast::string_view;
  using Length = boost::optional<std::uint64_t>;

  void on_request_impl(http::verb, Text, Text, int, error_code&) override {}
  void on_response_impl(int status, Text reason, int version, error_code&) override {
    out.status = status;
    out.head = fmt::format("HTTP/{}.{} {} {}\r\n", version / 10, version % 10, status, std::string_view(reason));
  }
  void on_field_impl(http::field, Text name, Text value, error_code&) override {
    (out.head.ends_with("\r\n\r\n") ? out.trailers : out.head) +=
        fmt::format("{}: {}\r\n", std::string_view(name), std::string_view(value));
  }
  void on_header_impl(error_code&) override {
    out.head += "\r\n";
    out.chunked = chunked() && !is_done();
  }
  std::size_t take(Text bytes) {
    out.body += std::string_view(bytes);
    return bytes.size();
  }
  void on_body_init_impl(const Length&, error_code&) override {}
  std::size_t on_body_impl(Text bytes, error_code&) override { return take(bytes); }
  void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text bytes, error_code&) override { return take(bytes); }
  void on_finish_impl(error_code&) override {}

  bool connect_;
};

ResponseReader::ResponseReader(std::string_view method) : parser_(std::make_unique<Parser>(method)) {}
ResponseReader::~ResponseReader() = default;

std::size_t ResponseReader::put(std::string_view bytes) {
  std::size_t taken = 0;
  while (!done() && taken < bytes.size()) {
    const std::string_view rest = bytes.substr(taken);
    // Behind the size of a last chunk Beast asserts that a chunk came before it. It did not where exactly this is there.
    if (has_head() && rest.size() == 4 && rest.starts_with("0\r\n")) break;
    error_code failed;
    taken += parser_->put({rest.data(), rest.size()}, failed);
    if (failed == http::error::need_more) break;
    if (failed)
      FAIL("no HTTP/1 response: " << failed.message() << ", at '" << rest.substr(0, 2000) << "' behind\n" << response().head);
  }
  return taken;
}

bool ResponseReader::has_head() const { return parser_->is_header_done(); }
bool ResponseReader::done() const { return parser_->complete(); }

bool ResponseReader::end() {
  error_code failed;
  if (has_head() && !done()) parser_->put_eof(failed);
  return done();
}

Response& ResponseReader::response() { return parser_->out; }

Response ask(std::uint16_t port, std::string_view method, std::string_view target, const Strings& fields, std::string_view body) {
  http::request<http::string_body> request;
  request.method_string(method);
  request.target(target);
  request.body() = body;
  request.prepare_payload();
  set_lines(request, fields);

  Loop loop;
  beast::tcp_stream stream(loop.context);
  error_code failed = loop.run(stream, kPatience, [&](auto done) {
    stream.async_connect({asio::ip::address_v4::loopback(), port}, done);
  });
  if (failed) FAIL("connect to port " << port << ": " << failed.message());
  // A server may answer before it has read everything, and close: then the answer counts.
  loop.run(stream, kPatience, [&](auto done) { http::async_write(stream, request, done); });
  beast::flat_buffer buffer;
  ResponseReader::Parser parser(method);
  failed = loop.run(stream, kPatience, [&](auto done) { http::async_read(stream, buffer, parser, done); });
  if (failed) FAIL("the answer to " << method << " " << target << ": " << failed.message() << ", after\n" << parser.out.head);
  return std::move(parser.out);
}

// --- WebSockets ---------------------------------------------------------------------------------------------------------------

struct WebSocket::State {
  Loop loop;
  websocket::stream<beast::tcp_stream, false> stream{loop.context};
  Response answer;
  std::string pong;

  template <class Start>
  error_code run(Start start, milliseconds limit = kPatience) {
    return loop.run(stream.next_layer(), limit, start);
  }
};

WebSocket::WebSocket(Client below, std::string_view host, std::string_view target, const Strings& fields)
    : state_(std::make_unique<State>()) {
  auto& stream = state_->stream;
  stream.next_layer().socket().assign(asio::ip::tcp::v4(), below.release());
  stream.auto_fragment(false);
  stream.write_buffer_bytes(256 * 1024);
  stream.read_message_max(0);
  stream.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) { set_lines(request, fields); }));
  stream.control_callback([this](websocket::frame_type kind, beast::string_view payload) {
    if (kind == websocket::frame_type::pong) state_->pong = payload;
  });
  websocket::response_type answer;
  const error_code failed = state_->run([&](auto done) { stream.async_handshake(answer, host, target, done); });
  if (failed) FAIL("no WebSocket: " << failed.message() << "\n" << answer);
  state_->answer.status = static_cast<int>(answer.result_int());
  state_->answer.head = "HTTP/1.1 101\r\n";
  for (const auto& field : answer)
    state_->answer.head += fmt::format("{}: {}\r\n", std::string_view(field.name_string()), std::string_view(field.value()));
}

WebSocket::~WebSocket() = default;

const Response& WebSocket::answer() const { return state_->answer; }

void WebSocket::send(std::string_view message) {
  const error_code failed = state_->run([&](auto done) { state_->stream.async_write(asio::buffer(message), done); });
  if (failed) FAIL("a WebSocket message is not sent: " << failed.message());
}

std::string WebSocket::read() {
  beast::flat_buffer buffer;
  const error_code failed = state_->run([&](auto done) { state_->stream.async_read(buffer, done); });
  if (failed) FAIL("no WebSocket message: " << failed.message());
  return beast::buffers_to_string(buffer.data());
}

std::string WebSocket::echo(std::string_view message) {
  beast::flat_buffer buffer;
  const auto both = [&](auto done) {
    state_->stream.async_write(asio::buffer(message), done);
    state_->stream.async_read(buffer, done);
  };
  if (const error_code failed = state_->run(both, 6 * kPatience)) FAIL("a WebSocket message is not echoed: " << failed.message());
  return beast::buffers_to_string(buffer.data());
}

void WebSocket::ping(std::string_view payload) {
  const websocket::ping_data data(payload.data(), payload.size());
  const error_code failed = state_->run([&](auto done) { state_->stream.async_ping(data, done); });
  if (failed) FAIL("a ping is not sent: " << failed.message());
}

const std::string& WebSocket::pong() const { return state_->pong; }

unsigned WebSocket::close(unsigned code) {
  const websocket::close_reason reason(static_cast<websocket::close_code>(code));
  const error_code failed = state_->run([&](auto done) { state_->stream.async_close(reason, done); });
  if (failed) FAIL("a WebSocket does not close: " << failed.message());
  return state_->stream.reason().code;
}

bool WebSocket::is_reset() {
  error_code failed;
  while (!failed) {
    beast::flat_buffer buffer;
    failed = state_->run([&](auto done) { state_->stream.async_read(buffer, done); });
  }
  if (failed == beast::error::timeout) FAIL("a WebSocket does not end");
  return failed == asio::error::connection_reset;
}

void WebSocket::abort() {
  auto& socket = state_->stream.next_layer().socket();
  socket.set_option(asio::socket_base::linger(true, 0));
  socket.close();
}

}  // namespace e2e
