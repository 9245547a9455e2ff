// The page that a browser shows in the place of one that cannot be fetched now: what failed, where, what to do; it asks by
// itself, with growing pauses, until the workspace answers, and then loads what was asked for. It needs nothing from anywhere
// else, may do nothing else (Content-Security-Policy), and can be read without scripts.
#pragma once

#include <string>

#include "proxy/reply.hpp"

namespace cmux::proxy {

// Would a browser show the answer as a page of its own? By Sec-Fetch-Mode, or where that is not sent, by an Accept that prefers
// HTML.
bool is_navigation(const http::Head& request);

// `method`: of the request. What was no GET is not sent again without the user.
std::string waiting_page(const Refusal& refusal, std::string_view method);

// The value of Content-Security-Policy that goes with it.
const std::string& waiting_page_policy();

}  // namespace cmux::proxy
