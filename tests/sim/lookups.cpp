// Names, in place of src/net/lookup.cpp with its threads: the run's world answers, at a time of its choice. The linker takes
// these for the library's.
#include "world.hpp"

namespace cmux::net {

Lookups::Answer Lookups::ask_system(const std::string& host) { return make_error(Errc::dns, host); }

void Lookups::Request::give_up() { loop_ = nullptr; }
bool Lookups::Request::give_up_waiting() { return !begun_ && (loop_ = nullptr, true); }
bool Lookups::Request::begin() { return loop_ && !std::exchange(begun_, true); }
void Lookups::Request::finish(Answer answer) {
  if (loop_) loop_->post([answered = std::move(answered_), answer = std::move(answer)] { answered(answer); });
}

Lookups::Lookups(std::function<Answer(const std::string&)> ask, Limits limits) : ask_(std::move(ask)), limits_(limits), pool_(1) {
  pool_.stop();
}
Lookups::~Lookups() = default;

Lookups& Lookups::shared() {
  static Lookups* const lookups = new Lookups;
  return *lookups;
}

Result<void> Lookups::add(RequestPtr request, const std::string&) {
  if (!request->begin()) return {};
  const std::string host = request->host_;
  auto [after, answer] = sim::World::current().look_up(host);
  sim::trace("look-up", after / sim::kMilli, answer.has_value(), 0, "{}: {} in {} ms", host, answer ? "found" : "fails",
             after / sim::kMilli);
  if (after < 0) return {};  // for ever
  sim::kernel->at(sim::kernel->now() + after, [request, answer = std::move(answer)] { request->finish(answer); });
  return {};
}

}  // namespace cmux::net
