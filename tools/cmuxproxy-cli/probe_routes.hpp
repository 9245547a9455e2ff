// The route of every context, really asked: the name, the connection, TLS and HTTP.
#pragma once

#include "cli.hpp"

namespace cmux::cli {

enum class Verdict { ok, warning, failed };

struct Check {
  std::string name;
  Verdict verdict = Verdict::ok;
  std::string detail, hint;
};

// One check a route; contexts that share one are asked once. Through contexts of its own, so that those that there are do not
// notice.
std::vector<Check> check_routes(const admin::Client& client);

}  // namespace cmux::cli
