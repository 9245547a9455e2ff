#include "redis/link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/log.hpp"

namespace cmux::redis {
namespace {

std::shared_ptr<const upstream::DiallerOptions> hurried(upstream::DiallerOptions options) {
  options.dial.timeout = options.tls_timeout = Link::kConnect;
  options.dial.patience = milliseconds(0);
  return std::make_shared<const upstream::DiallerOptions>(std::move(options));
}

// Between half of it and all: many who have lost the same server do not come back at once.
milliseconds spread(milliseconds time) {
  static thread_local std::minstd_rand random(std::random_device{}());
  return time / 2 + milliseconds(random() % static_cast<unsigned>(time.count() / 2 + 1));
}

}  // namespace

Link::Link(std::string what, Url url, upstream::DiallerOptions options, Work work)
    : what_(std::move(what)), url_(std::move(url)), work_(std::move(work)), dialler_(resolver_, hurried(std::move(options))) {}

Link::~Link() = default;

void Link::start() { scope_.spawn(run()); }

Task<void> Link::run() {
  while (!closing_) {
    auto opened = co_await Connection::open(dialler_, url_);
    Result<void> ended = opened ? Result<void>{} : Result<void>(opened.error());
    if (opened && !closing_) {
      connection_ = opened->get();
      ended = co_await work_(**opened);
      connection_ = nullptr;
    }
    if (closing_) break;
    failed(ended ? make_error(Errc::closed, "the connection has ended") : ended.error());
    opened = make_error(Errc::closed);  // closes it
    co_await rest(spread(next_pause_));
    next_pause_ = std::min(next_pause_ * 2, kLongestPause);
  }
  up_ = false;
}

void Link::up() {
  next_pause_ = kFirstPause;
  if (std::exchange(up_, true)) return;
  log::info("{} {} is there", what_, url_.text());
}

// The same again and again is said once.
void Link::failed(const Error& error) {
  ++failures_;
  const bool news = std::exchange(up_, false) || error.detail != problem_;
  problem_ = error.detail;
  if (news) log::warn("{} {}: {}", what_, url_.text(), problem_);
  else log::debug("{} {}: {}", what_, url_.text(), problem_);
}

Task<void> Link::rest(milliseconds time) {
  if (closing_) co_return;
  rested_.clear();
  pause_.after(time);
  co_await rested_;
  pause_.cancel();
}

Task<void> Link::close() {
  closing_ = true;
  resolver_.cancel();
  rested_.set();
  if (connection_) connection_->abort();
  co_await scope_.join();
}

}  // namespace cmux::redis
