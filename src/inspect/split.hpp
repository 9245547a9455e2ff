// Split: a text's parts between separators, from the left.
#pragma once

#include <string_view>

namespace cmux::inspect {

// Takes the part before the next separator off the front, and that. `more`: there was one.
inline std::string_view take_part(std::string_view& rest, char separator, bool& more) {
  const std::size_t end = rest.find(separator);
  more = end != std::string_view::npos;
  const std::string_view part = rest.substr(0, end);
  rest = more ? rest.substr(end + 1) : std::string_view();
  return part;
}

}  // namespace cmux::inspect
