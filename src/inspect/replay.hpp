// Replay: a request that was kept, as it is sent again, as it was or edited. Pure.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "inspect/record.hpp"

namespace cmux::inspect {

struct Replay {
  std::uint64_t of = 0;  // the number of the exchange whose request it was
  std::string context;   // id
  http::Head head;       // scheme, authority and path say where to
  std::string body;
};

// What is to be another way; nothing: as it was. What is hidden (redact.hpp) in a URL or a field is what stands there, but for
// another server than the request's (scheme, host, port), which gets nothing of it: fields that are not given go without those
// that hide something, as at a redirect.
struct Edit {
  std::optional<std::string> method, url, body;
  std::optional<std::vector<std::pair<std::string, std::string>>> fields;
};

// Errors have a status: 409 where the request was not kept whole, is no request that could be sent again, or would take to
// another server what is hidden; 400 for a bad edit. Of an edit its key is at the beginning of the detail.
Result<Replay> replay_of(const Capture& capture, const Edit& edit);

}  // namespace cmux::inspect
