// Revoked: tokens that let nobody in any more, by their ids ("jti"), each with the time from which it would not have anyway, and
// may be forgotten. Pure.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/token.hpp"

namespace cmux::gateway {

using Revoked = std::map<std::string, WallTime, std::less<>>;
using RevokedPtr = std::shared_ptr<const Revoked>;

constexpr std::size_t kMostRevoked = 100'000;

// Of those that nobody knows the end of.
constexpr WallTime kNever = WallTime::max();

// A line a token: its id, and the time as seconds since 1970 where that is known; '#' begins a comment. Errors (Errc::config)
// name the line.
Result<std::shared_ptr<Revoked>> parse_revoked(std::string_view text);
std::string print_revoked(std::string_view id, WallTime until);  // its line

// Of both; null: of none.
RevokedPtr joined(const RevokedPtr& a, const RevokedPtr& b);

}  // namespace cmux::gateway
