// Where a client's token stands in a request, and a request without it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/token.hpp"
#include "http/stream.hpp"

namespace cmux::gateway {

// __Host-: browsers keep it to the one host that has set it, over TLS.
inline constexpr std::string_view kCookie = "__Host-cmux_token";
inline constexpr std::string_view kParameter = "cmux_token";

// The value of `cmux_token` in the path's query, as it stands there; nothing where it is not.
std::optional<std::string_view> parameter_of(std::string_view path);
// The path without that parameter, wherever and however often it stands.
std::string without_parameter(std::string_view path);

// Takes the token out of the request: of a CONNECT's Proxy-Authorization, else the URL, the cookie, and a bearer with a key of
// ours: a dev server's own stays. Whatever else they hold stays, too. Nothing where there is none. `known`: a token that is ours,
// which saves looking into one that is the same.
std::optional<std::string> take_token(http::Head& request, bool connect, const Keys& keys, std::string_view known = {});

}  // namespace cmux::gateway
