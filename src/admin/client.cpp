#include "admin/client.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "http1/semantics.hpp"
#include "net/dial.hpp"

namespace cmux::admin {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostBody = 256 * 1024 * 1024;  // a list of as many contexts as there may be

std::string_view host_of(std::string_view admin) {
  if (admin.starts_with("http://")) return admin.substr(7);
  return "localhost";  // a Unix socket
}

http::Head request_head(const InstanceRecord& instance, std::string_view method, std::string_view path) {
  http::Head head;
  head.method = method;
  head.scheme = "http";
  head.authority = host_of(instance.admin);
  head.path = path;
  head.fields.add("Authorization", "Bearer " + instance.token);
  head.fields.add(http::Name::accept, "application/json");
  head.end = true;
  return head;
}

Task<Result<std::string>> read_text(http::Stream& stream) {
  std::string text;
  while (true) {
    auto piece = co_await stream.read_body();
    if (!piece) co_return piece.error();
    if (text.size() + piece->bytes.size() > kMostBody) co_return make_error(Errc::too_large, "the answer is too large");
    text += piece->bytes;
    if (piece->end) co_return std::move(text);
  }
}

bool says_json(const http::Head& head) {
  return head.fields.get(http::Name::content_type).value_or("").find("json") != std::string_view::npos;
}

Task<Result<Answer>> read_answer(http::Stream& stream) {
  auto head = co_await stream.read_head();
  while (head && (*head)->is_interim()) head = co_await stream.read_head();
  if (!head) co_return head.error();
  Answer answer;
  answer.status = (*head)->status;
  const bool is_json = says_json(**head);
  if ((*head)->end) co_return std::move(answer);
  auto text = co_await read_text(stream);
  if (!text) co_return text.error();
  if (!is_json) {
    answer.body = json::value(*text);
    co_return std::move(answer);
  }
  json::error_code failed;
  answer.body = json::parse(*text, failed);
  if (failed) co_return make_error(Errc::malformed, "the answer is not JSON");
  co_return std::move(answer);
}

void give_up(void* transport) { static_cast<net::Transport*>(transport)->abort(make_error(Errc::timeout, "no answer in time")); }

}  // namespace

std::string Answer::problem() const {
  if (const json::object* const object = body.if_object())
    if (const json::value* const detail = object->if_contains("detail"); detail && detail->is_string())
      return {detail->get_string().data(), detail->get_string().size()};
  return fmt::format("the instance answered {} {}", status, http1::reason_of(static_cast<std::uint16_t>(status)));
}

Task<Result<std::unique_ptr<net::Transport>>> connect_to(std::string address, milliseconds timeout) {
  std::string_view where = address;
  if (where.starts_with("http://")) where.remove_prefix(7);
  std::optional<net::Endpoint> endpoint;
  if (where.starts_with("unix:")) {
    auto path = net::Endpoint::from_unix(where.substr(5));
    if (!path) co_return path.error();
    endpoint = *path;
  } else if (const auto parsed = net::parse_authority(where); parsed && parsed->port) {
    endpoint = net::Endpoint::from_ip(parsed->host, *parsed->port);
  }
  if (!endpoint) co_return make_error(Errc::config, fmt::format("'{}' is no address", where));
  auto socket = co_await net::dial(*endpoint, timeout);
  if (!socket) co_return socket.error();
  std::unique_ptr<net::Transport> transport = std::move(*socket);
  co_return std::move(transport);
}

Task<Result<Answer>> Client::ask(std::string method, std::string path, std::optional<json::value> body) const {
  auto transport = co_await connect_to(instance_.admin, kTimeout);
  if (!transport) co_return transport.error();
  Deadline late(give_up, transport->get());
  late.after(kTimeout);
  http1::ClientOptions options;
  http1::ClientConnection connection(std::move(*transport), options);
  http::Head head = request_head(instance_, method, path);
  std::string text;
  if (body) {
    text = json::serialize(*body);
    head.fields.add(http::Name::content_type, "application/json");
    head.content_length = text.size();
    head.end = false;
  }
  auto written = co_await connection.write_head(head, body ? http::Next::soon : http::Next::end);
  if (written && body) written = co_await connection.write_body(text, http::Next::end, nullptr);
  if (!written) co_return written.error();
  co_return co_await read_answer(connection);
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

Task<Result<void>> EventStream::open(std::string path) {
  auto transport = co_await connect_to(instance_.admin, Client::kTimeout);
  if (!transport) co_return transport.error();
  connection_ = std::make_unique<http1::ClientConnection>(std::move(*transport), options_);
  http::Head request = request_head(instance_, "GET", path);
  auto written = co_await connection_->write_head(request, http::Next::end);
  if (!written) co_return written.error();
  Deadline late(give_up, &connection_->transport());
  late.after(Client::kTimeout);
  auto head = co_await connection_->read_head();
  if (!head) co_return head.error();
  if ((*head)->status == 200 && !(*head)->end) co_return Result<void>{};
  co_return make_error(Errc::unsupported, fmt::format("the instance answered GET /v1/events with {}", (*head)->status));
}

Task<Result<ServerEvent>> EventStream::next(milliseconds timeout) {
  Deadline late(give_up, &connection_->transport());
  late.after(timeout);
  while (true) {
    if (auto event = parser_.take()) co_return std::move(*event);
    auto piece = co_await connection_->read_body();
    if (!piece) co_return piece.error();
    auto fed = parser_.feed(piece->bytes);
    if (!fed) co_return fed.error();
    if (piece->end) co_return make_error(Errc::closed, "the instance has ended the events");
  }
}

}  // namespace cmux::admin
