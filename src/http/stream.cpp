#include "http/stream.hpp"

#include <array>

#include "http/traffic.hpp"

namespace cmux::http {

void Head::clear() {
  method.clear(), scheme.clear(), authority.clear(), path.clear(), protocol.clear(), reason.clear();
  status = 0;
  fields.clear();
  content_length.reset();
  end = tunnel = trailers_accepted = origin_form = false;
  version = 11;
}

namespace {

// Of a byte of a target: 1 where it may never stand, 2 where it may stand in a query alone.
constexpr auto kTargetBytes = [] {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 0; c < table.size(); ++c) table[c] = c <= 0x20 || c >= 0x7f || c == '#';
  table['\\'] = 2;
  return table;
}();

std::uint8_t seen_in(std::string_view text) {
  std::uint8_t seen = 0;
  for (const char c : text) seen |= kTargetBytes[static_cast<unsigned char>(c)];
  return seen;
}

}  // namespace

bool is_target(std::string_view text) {
  const std::uint8_t seen = seen_in(text);
  if (seen == 0) return !text.empty();
  return (seen & 1) == 0 && seen_in(text.substr(0, text.find('?'))) == 0;
}

bool Head::is_idempotent() const {
  return is_upgrade() || method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" || method == "OPTIONS" ||
         method == "TRACE";
}

std::size_t tunnel_room(std::uint64_t moved) {
  constexpr std::size_t kFirst = 16 * 1024 - 512;  // with what is held already, a 16 KB block
  constexpr std::size_t kLarge = 128 * 1024;
  return moved >= 4 * kFirst ? kLarge : kFirst;
}

Task<Result<void>> relay_body(Stream& from, Side from_side, Stream& to, Side to_side, Meter* meter, Traffic* traffic) {
  while (true) {
    auto body = co_await from.read_body();
    if (!body && traffic && traffic->over() && body.error().code == Errc::cancelled) body = Body{{}, true};
    if (!body) {
      Error error = body.error();
      error.side = from_side;
      co_return error;
    }
    const Next next = body->end ? Next::end : from.body_ready() ? Next::soon : Next::later;
    if (traffic) traffic->came(from_side);
    auto written = co_await to.write_body(body->bytes, next, body->trailers);
    if (traffic) traffic->passed_on();
    if (!written) {
      Error error = written.error();
      error.side = to_side;
      co_return error;
    }
    if (meter) meter->add(body->bytes);
    if (next == Next::end) co_return Result<void>{};
  }
}

namespace {

Task<void> relay_half(Stream& from, Side from_side, Stream& to, Side to_side, Meter* meter, Traffic& traffic,
                      Result<void>& outcome) {
  auto result = co_await relay_body(from, from_side, to, to_side, meter, &traffic);
  if (result) co_return;
  if (outcome) outcome = result.error();  // the first error is the cause, the other half's its echo
  from.reset(Errc::reset);
  to.reset(Errc::reset);
}

}  // namespace

Task<Result<void>> relay_tunnel(Stream& downstream, Stream& upstream, Traffic& traffic, Meter* downstream_said,
                                Meter* upstream_said) {
  Result<void> outcome;
  Scope halves;
  halves.spawn(relay_half(downstream, Side::downstream, upstream, Side::upstream, downstream_said, traffic, outcome));
  co_await relay_half(upstream, Side::upstream, downstream, Side::downstream, upstream_said, traffic, outcome);
  co_await halves.join();
  co_return outcome;
}

}  // namespace cmux::http
