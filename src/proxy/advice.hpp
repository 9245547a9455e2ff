// What a user can do about an error of the proxy's: one text, for `probe` and for the page that waits.
#pragma once

#include <string_view>

namespace cmux::proxy {

// `error`: as in Proxy-Status (RFC 9209 section 2.3). Empty for one that is not known.
std::string_view advice_for(std::string_view error);

}  // namespace cmux::proxy
