// View: exchanges as the admin API shows them (docs/openapi.yaml), as JSON, and as HAR 1.2. Pure. What is secret is hidden unless
// the caller says otherwise.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "inspect/record.hpp"

namespace cmux::inspect {

// "x-1f", and back; nothing for what is none.
std::string id_of(std::uint64_t number);
std::optional<std::uint64_t> number_of(std::string_view id);

// What is known without the messages.
boost::json::object summary(const Record& record);
// Heads and bodies too.
boost::json::object details(const Capture& capture, bool revealed);
// Of its WebSocket, from the one after `after` on.
boost::json::object messages(const Capture& capture, std::uint64_t after, std::size_t most);

// An entry of a HAR document's log.
boost::json::object har_entry(const Capture& capture);
// What goes before the entries of such a document, and behind them.
std::string har_begin(std::string_view version);
inline constexpr std::string_view kHarEnd = "]}}\n";

// The URL that its request was for, whole.
std::string whole_url(const http::Head& request);
std::string_view media_type(std::string_view content_type);  // without parameters

}  // namespace cmux::inspect
