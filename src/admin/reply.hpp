// Reply: an answer of the admin API, whole in memory; and the ones that say what is wrong (RFC 9457).
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/stream.hpp"

namespace cmux::admin {

struct Reply {
  std::uint16_t status = 200;
  std::string type, body;
  std::vector<std::pair<std::string, std::string>> fields;
};

Reply json_reply(std::uint16_t status, const boost::json::object& document);
// `field`: the key, parameter or header that is to blame, where there is one.
Reply problem(std::uint16_t status, std::string_view detail, std::string_view field = {});
// 503, of what there will be room for soon.
Reply too_much(std::string_view detail);

Task<Result<void>> send(http::Stream& stream, const Reply& reply);

// A client's text in a message: as JSON shows it, and short.
std::string quoted(std::string_view text);

}  // namespace cmux::admin
