// GET /v1/exchanges/stream: what has changed since the listener was told last, ten times a second while something does. Nothing
// is queued for it: who reads slowly is told later, and of what has gone meanwhile, that it has. Private to Api.
#pragma once

#include "admin/api_call.hpp"

namespace cmux::admin {

class Api::ExchangeStream final : public http::Abortable {
 public:
  static constexpr std::size_t kMost = 32;       // at once
  static constexpr milliseconds kPause{100};     // between two looks
  static constexpr milliseconds kPing{15'000};   // without a word
  static constexpr std::size_t kAtOnce = 1'000;  // exchanges

  ExchangeStream(Api& api, http::Stream& stream, std::uint64_t after);
  ~ExchangeStream();
  ExchangeStream(const ExchangeStream&) = delete;

  // Answers the request and goes on until the client goes, or close().
  Task<void> run();
  void close();
  void reset(Errc why) noexcept override;  // the client has gone

 private:
  Task<std::string> news();

  Api& api_;
  http::Stream& stream_;
  std::uint64_t after_, first_ = 0;
  std::string capture_;
  bool more_ = false;  // than was told of at once
  bool over_ = false, gone_ = false, writing_ = false;
  Clock::time_point said_{};
  Event wake_;
  Deadline again_{[](void* self) { static_cast<ExchangeStream*>(self)->wake_.set(); }, this};
};

}  // namespace cmux::admin
