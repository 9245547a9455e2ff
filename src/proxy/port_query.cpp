#include "proxy/port_query.hpp"

#include <fmt/format.h>

namespace cmux::proxy {
namespace {

class Query final : public Active, public http::Drainable {
 public:
  Query(Worker& worker, SessionPtr session) : worker_(worker), session_(std::move(session)) {
    link_after(session_->active);
    worker_.open().insert(this);
    late_.after(PortQuery::kTime);
  }
  ~Query() { worker_.open().erase(this); }

  Task<Result<std::string>> run() {
    const policy::ContextPtr context = session_->context;
    if (!context->route) co_return make_error(Errc::unsupported, "the context has no route");
    auto to = policy::destination_of_ports(*context->route);
    if (!to) co_return to.error();
    const upstream::Origin origin{to->scheme == policy::Scheme::https, to->h2c, to->host, to->port};
    upstream::Wanted wanted;
    wanted.checked = true;
    wanted.client = {context, &context->id};
    auto lease = co_await worker_.pool().acquire(origin, wanted, &claim_);
    if (!lease && !given_up_) co_return lease.error();
    if (given_up_) co_return no_answer(origin);
    lease_ = std::move(*lease);
    auto answer = co_await exchange(origin, *to);
    const Error error = answer ? Error{} : given_up_ ? no_answer(origin) : answer.error();
    if (!answer) lease_.stream().reset(Errc::cancelled);
    if (!answer) co_return error;
    co_return answer;
  }

  void cancel(Errc) noexcept override {
    given_up_ = true;
    claim_.reset(Errc::cancelled);
    if (lease_) lease_.stream().reset(Errc::cancelled);
  }
  bool is_tunnel() const override { return true; }  // it is about the route, and ends with it
  void drain() override { cancel(Errc::closed); }

 private:
  static Error no_answer(const upstream::Origin& origin) {
    return make_error(Errc::cancelled, fmt::format("{} did not tell its ports in time", origin.text()));
  }

  Task<Result<std::string>> exchange(const upstream::Origin& origin, const policy::Destination& to) {
    http::Stream& stream = lease_.stream();
    http::Head head;
    head.method = "GET";
    head.scheme = origin.tls ? "https" : "http";
    head.authority = to.authority;
    head.path = to.path_prefix + "/_cmux/ports";
    head.end = true;
    head.fields.add(http::Name::accept, "application/json");
    for (const auto& [name, value] : to.headers) head.fields.set(name, value, true);
    auto written = co_await stream.write_head(head, http::Next::end);
    if (!written) co_return written.error();
    auto answer = co_await stream.read_head();
    while (answer && (*answer)->is_interim()) answer = co_await stream.read_head();
    if (!answer) co_return answer.error();
    const unsigned status = (*answer)->status;
    std::string body;
    for (bool end = (*answer)->end; !end;) {
      auto piece = co_await stream.read_body();
      if (!piece) co_return piece.error();
      if (body.size() + piece->bytes.size() > PortQuery::kMostAnswer)
        co_return make_error(Errc::too_large, fmt::format("{} tells of its ports without end", origin.text()));
      body.append(piece->bytes);
      end = piece->end;
    }
    if (status == 200) co_return body;
    co_return make_error(Errc::refused, fmt::format("{} does not tell its ports: it answers GET /_cmux/ports with {}{}",
                                                    origin.text(), status, hint(status)));
  }

  static std::string_view hint(unsigned status) {
    return status == 403   ? " (is the machine's secret among the route's headers?)"
           : status == 401 ? " (is the access token among the route's headers?)"
                           : "";
  }

  Worker& worker_;
  const SessionPtr session_;
  upstream::Claim claim_;
  upstream::Lease lease_;
  bool given_up_ = false;
  Deadline late_{[](void* self) { static_cast<Query*>(self)->cancel(Errc::cancelled); }, this};
};

Task<void> ask(Worker& worker, SessionPtr session, std::function<void(Result<std::string>)> told) {
  Result<std::string> answer = std::string();
  {
    Query query(worker, std::move(session));
    answer = co_await query.run();
  }
  told(std::move(answer));
}

}  // namespace

void ask_ports(Worker& worker, const std::string& username, std::function<void(Result<std::string>)> told) {
  SessionPtr session = worker.session_of(username);
  if (!session || session->ended()) return told(make_error(Errc::cancelled, "the context has gone"));
  if (worker.draining()) return told(make_error(Errc::cancelled, "the instance is stopping"));
  worker.begin(ask(worker, std::move(session), std::move(told)));
}

}  // namespace cmux::proxy
