// What the admin API is asked for: JSON in, a context or a problem out.
#include <boost/json.hpp>

#include "../fuzz.hpp"
#include "admin/context_request.hpp"
#include "policy/route_json.hpp"

namespace {

using namespace cmux;

void run(std::string_view bytes) {
  boost::system::error_code failed;
  const auto value = boost::json::parse({bytes.data(), bytes.size()}, failed);
  if (failed) return;
  static const std::vector<std::string> more = {"previews.example"};
  const auto request = admin::read_context_request(value, more);
  if (const auto* made = std::get_if<policy::ContextRequest>(&request); made && made->route)
    fuzz::check(policy::check_route(*made->route).has_value(), "a context that is made has a route that is one", bytes);
  const auto change = admin::read_route_change(value, more);
  if (const auto* route = std::get_if<std::optional<policy::Route>>(&change); route && *route)
    fuzz::check(policy::check_route(**route).has_value(), "a route that is changed to is one", bytes);
}
CMUX_FUZZ_TARGET("admin_json", run);

}  // namespace
