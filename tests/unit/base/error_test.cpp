#include "base/error.hpp"

#include <catch2/catch.hpp>

using namespace cmux;

TEST_CASE("an error says what whoever sent the request may do") {
  const auto remedy = [](Errc code, Side side, bool retryable, bool untouched) {
    Error error = make_error(code);
    error.side = side, error.retryable = retryable, error.untouched = untouched;
    return error.remedy();
  };
  CHECK(remedy(Errc::malformed, Side::downstream, false, false) == Remedy::change);
  CHECK(remedy(Errc::malformed, Side::upstream, false, false) == Remedy::none);
  CHECK(remedy(Errc::closed, Side::upstream, true, false) == Remedy::repeat);
  CHECK(remedy(Errc::busy, Side::upstream, true, true) == Remedy::resend);
  CHECK(remedy(Errc::busy, Side::upstream, false, false) == Remedy::none);
  for (const Errc code : {Errc::refused, Errc::unreachable, Errc::dns, Errc::connect_timeout, Errc::tls, Errc::certificate})
    CHECK(remedy(code, Side::upstream, true, false) == Remedy::elsewhere);
}
