#include "admin/exchange_stream.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "inspect/view.hpp"

namespace cmux::admin {
namespace {

namespace json = boost::json;

}  // namespace

Api::ExchangeStream::ExchangeStream(Api& api, http::Stream& stream, std::uint64_t after)
    : api_(api), stream_(stream), after_(after) {
  api_.exchange_streams_.insert(this);
  if (api_.exchange_streams_.size() == 1) api_.instance_.exchanges().watched(true);
}

Api::ExchangeStream::~ExchangeStream() {
  api_.exchange_streams_.erase(this);
  if (api_.exchange_streams_.empty()) api_.instance_.exchanges().watched(false);
}

void Api::ExchangeStream::close() {
  over_ = true;
  wake_.set();
  if (writing_) stream_.reset(Errc::cancelled);  // it may wait for a client that reads nothing
}

void Api::ExchangeStream::reset(Errc) noexcept {
  gone_ = true;
  wake_.set();
}

Task<std::string> Api::ExchangeStream::news() {
  std::string out;
  const json::object capture = co_await api_.instance_.exchanges().capture();
  if (std::string now = json::serialize(capture); now != capture_) {
    capture_ = std::move(now);
    out += fmt::format("event: capture\ndata: {}\n\n", capture_);
  }
  std::string all;
  const Changes changes = co_await api_.instance_.exchanges().changes(after_, kAtOnce, std::move(all));
  more_ = changes.list.size() >= kAtOnce;
  if (changes.lost > 0) out += fmt::format("event: lost\ndata: {{\"count\":{}}}\n\n", changes.lost);
  if (changes.first != first_) {
    first_ = changes.first;
    out += fmt::format("event: dropped\ndata: {{\"first\":{}}}\n\n", first_);
  }
  for (const inspect::Changed& one : changes.list)
    out += fmt::format("event: exchange\ndata: {}\n\n", json::serialize(inspect::summary(one.record)));
  after_ = changes.next;
  co_return out;
}

Task<void> Api::ExchangeStream::run() {
  co_await api_.instance_.settled();  // what begins from the answer on is kept
  http::Head head;
  head.status = 200;
  head.fields.add(http::Name::content_type, "text/event-stream");
  head.fields.add("Cache-Control", "no-store");
  head.fields.add("X-Content-Type-Options", "nosniff");
  stream_.close_after();
  stream_.cancel_on_abort(this);
  writing_ = true;
  auto written = co_await stream_.write_head(head, http::Next::later);
  writing_ = false;
  while (written && !over_ && !gone_) {
    std::string text = co_await news();
    const auto now = Clock::now();
    if (text.empty() && now - said_ >= kPing) text = ": ping\n\n";
    if (!text.empty()) {
      said_ = now;
      writing_ = true;
      written = co_await stream_.write_body(text, http::Next::later);
      writing_ = false;
    }
    if (more_ || over_ || gone_) continue;
    wake_.clear();
    again_.after(kPause);
    co_await wake_;
  }
  again_.cancel();
  stream_.cancel_on_abort(nullptr);
  if (gone_ || !written) stream_.reset(Errc::cancelled);
  else co_await stream_.write_body({}, http::Next::end);
}

}  // namespace cmux::admin
