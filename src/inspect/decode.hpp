// Decode: a body's content codings taken off again (RFC 9110 section 8.4), for showing it. Bounded, since little bytes may hold
// much; what is not whole is decoded as far as it goes. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cmux::inspect {

struct Decoded {
  std::string bytes;
  bool cut = false;  // there is more, or there would be
};

// `codings`: the value of Content-Encoding; empty for none. Nothing: one of them is not known here, or it is not what it says.
std::optional<Decoded> decode(std::string_view codings, std::string_view bytes, std::size_t most);

}  // namespace cmux::inspect
