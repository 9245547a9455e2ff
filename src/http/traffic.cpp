#include "http/traffic.hpp"

#include "base/check.hpp"

namespace cmux::http {

Traffic::Traffic() : last_(Loop::current().now()) {}

void Traffic::came(Side from) {
  ++passing_;
  asked_ = from == Side::downstream;
}

void Traffic::passed_on() {
  CMUX_CHECK(passing_ > 0, "what was passed on had come");
  --passing_;
  last_ = Loop::current().now();
}

void Traffic::end_at_rest(Stream& downstream, Stream& upstream) {
  downstream_ = &downstream;
  upstream_ = &upstream;
  look();
}

void Traffic::look() {
  const auto wanted = asked_ ? kAnswer : kRest;
  const auto rested = Loop::current().now() - last_;
  if (passing_ > 0) return again_.after(wanted);
  if (rested < wanted) return again_.after(std::chrono::ceil<milliseconds>(wanted - rested));
  over_ = true;
  downstream_->interrupt_body(true);
  upstream_->interrupt_body(true);
}

}  // namespace cmux::http
