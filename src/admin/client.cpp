#include "admin/client.hpp"

#include <fmt/format.h>

#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json.hpp>

#include "admin/http_socket.hpp"
#include "http1/semantics.hpp"

namespace cmux::admin {
namespace {

namespace json = boost::json;
namespace http = boost::beast::http;

using Request = http::request<http::string_body>;
using Response = HttpResponse<HttpSocket>;

std::string_view host_of(std::string_view admin) {
  if (admin.starts_with("http://")) return admin.substr(7);
  return "localhost";  // a Unix socket
}

Request make_request(const InstanceRecord& instance, const std::string& method, const std::string& path) {
  Request request;
  request.method_string(method);
  request.target(path);
  const std::string_view host = host_of(instance.admin);
  request.set(http::field::host, boost::beast::string_view(host.data(), host.size()));
  request.set(http::field::authorization, "Bearer " + instance.token);
  request.set(http::field::accept, "application/json");
  return request;
}

Task<Result<std::string>> read_text(Response& response, std::size_t most) {
  std::string text;
  while (true) {
    auto piece = co_await response.read_body();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return std::move(text);
    if (text.size() + piece->size() > most) co_return make_error(Errc::too_large, "the answer is too large");
    text += *piece;
  }
}

// Behind its head.
Task<Result<Answer>> read_answer(Response& response, std::size_t most_body) {
  Answer answer;
  answer.status = response.head().result_int();
  const bool is_json = response.field(http::field::content_type).find("json") != std::string_view::npos;
  auto text = co_await read_text(response, most_body);
  if (!text) co_return text.error();
  if (text->empty()) co_return std::move(answer);
  if (!is_json) {
    answer.body = json::value(*text);
    co_return std::move(answer);
  }
  json::error_code failed;
  answer.body = json::parse(*text, failed);
  if (failed) co_return make_error(Errc::malformed, "the answer is not JSON");
  co_return std::move(answer);
}

}  // namespace

std::string Answer::problem() const {
  if (const json::object* const object = body.if_object())
    if (const json::value* const detail = object->if_contains("detail"); detail && detail->is_string())
      return {detail->get_string().data(), detail->get_string().size()};
  return fmt::format("the instance answered {} {}", status, http1::reason_of(static_cast<std::uint16_t>(status)));
}

Task<Result<Answer>> Client::ask(std::string method, std::string path, std::optional<json::value> body) const {
  HttpSocket socket(Loop::current().context());
  auto connected = co_await connect_to(socket, instance_.admin, timeout_);
  if (!connected) co_return connected.error();
  Request request = make_request(instance_, method, path);
  if (body) {
    request.body() = json::serialize(*body);
    request.set(http::field::content_type, "application/json");
  }
  request.prepare_payload();
  const auto [failed, count] = co_await http::async_write(socket, request, awaited);
  if (failed) co_return to_error(failed, "write");
  boost::beast::flat_buffer buffer;
  Response response(socket, buffer);
  auto head = co_await response.read_head();
  if (!head) co_return head.error();
  co_return co_await read_answer(response, most_body_);
}

Task<void> Client::fetch_into(std::string path, std::function<bool(std::string_view)> take, Result<Answer>& out) const {
  HttpSocket socket(Loop::current().context());
  auto connected = co_await connect_to(socket, instance_.admin, timeout_);
  if (!connected) co_return void(out = connected.error());
  const Request request = make_request(instance_, "GET", path);
  const auto [failed, count] = co_await http::async_write(socket, request, awaited);
  if (failed) co_return void(out = to_error(failed, "write"));
  boost::beast::flat_buffer buffer;
  Response response(socket, buffer);
  auto head = co_await response.read_head();
  if (!head) co_return void(out = head.error());
  if (response.head().result() != http::status::ok) {
    out = co_await read_answer(response, most_body_);
    co_return;
  }
  while (true) {
    socket.expires_after(timeout_);
    auto piece = co_await response.read_body();
    if (!piece) co_return void(out = piece.error());
    if (piece->empty()) break;
    if (!take(*piece)) co_return void(out = make_error(Errc::cancelled, "given up"));
  }
  out = Answer{200, {}};
}

Result<Answer> Client::fetch(std::string path, std::function<bool(std::string_view)> take) const {
  Loop loop;
  Result<Answer> result = make_error(Errc::system, "not asked");
  loop.run(fetch_into(std::move(path), std::move(take), result));
  return result;
}

Result<Answer> Client::call(std::string method, std::string path, std::optional<json::value> body) const {
  Loop loop;
  Result<Answer> result = make_error(Errc::system, "not asked");
  struct Run {
    static Task<void> now(Task<Result<Answer>> asking, Result<Answer>& out) { out = co_await asking; }
  };
  loop.run(Run::now(ask(std::move(method), std::move(path), std::move(body)), result));
  return result;
}

struct EventStream::Connection {
  HttpSocket socket{Loop::current().context()};
  boost::beast::flat_buffer buffer;
  Response response{socket, buffer};
};

EventStream::EventStream(const InstanceRecord& instance) : instance_(instance) {}
EventStream::~EventStream() = default;

Task<Result<void>> EventStream::open(std::string path) {
  connection_ = std::make_unique<Connection>();
  HttpSocket& socket = connection_->socket;
  auto connected = co_await connect_to(socket, instance_.admin, Client::kTimeout);
  if (!connected) co_return connected.error();
  const Request request = make_request(instance_, "GET", path);
  const auto [failed, count] = co_await http::async_write(socket, request, awaited);
  if (failed) co_return to_error(failed, "write");
  Response& response = connection_->response;
  auto head = co_await response.read_head();
  if (!head) co_return head.error();
  if (response.head().result() == http::status::ok) co_return Result<void>{};
  co_return make_error(Errc::unsupported, fmt::format("the instance answered GET {} with {}", path.substr(0, path.find('?')),
                                                      response.head().result_int()));
}

void EventStream::close() {
  if (connection_) connection_->socket.close();
}

Task<Result<ServerEvent>> EventStream::next(milliseconds timeout) {
  connection_->socket.expires_after(timeout);
  while (true) {
    if (auto event = parser_.take()) co_return std::move(*event);
    auto piece = co_await connection_->response.read_body();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return make_error(Errc::closed, "the instance has ended the events");
    auto fed = parser_.feed(*piece);
    if (!fed) co_return fed.error();
  }
}

}  // namespace cmux::admin
