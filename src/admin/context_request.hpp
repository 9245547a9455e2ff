// What POST and PATCH on contexts say, read and checked. Pure: JSON in, values or a problem out.
#pragma once

#include <boost/json/fwd.hpp>
#include <variant>

#include "admin/reply.hpp"
#include "policy/context.hpp"

namespace cmux::admin {

// The value, or the answer that says what is wrong with it.
template <class T>
using OrProblem = std::variant<T, Reply>;

OrProblem<policy::ContextRequest> read_context_request(const boost::json::value& body,
                                                       const std::vector<std::string>& more_domains);

// The new route; nothing to have none.
OrProblem<std::optional<policy::Route>> read_route_change(const boost::json::value& body,
                                                          const std::vector<std::string>& more_domains);

// A refusal of the policy layer. Its detail begins with the field's name: "morphId: is required".
Reply refused_field(const Error& error, std::string_view prefix);

}  // namespace cmux::admin
