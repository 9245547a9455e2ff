#include "inspect/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "inspect/redact.hpp"

namespace cmux::inspect {
namespace {

constexpr std::size_t kMostFields = 500;
constexpr std::size_t kLongestUrl = 32 * 1024;

Error refused(std::uint16_t status, std::string detail) {
  return Error{Errc::malformed, Side::downstream, false, status, std::move(detail)};
}

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const auto good = [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), good);
}

bool is_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const unsigned code = static_cast<unsigned char>(c);
    return c == '\t' || (code >= 0x20 && code != 0x7f);
  });
}

// What a connection says of itself, and what the way of the body decides.
bool is_of_the_connection(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kNames{
      "Host",    "Content-Length", "Transfer-Encoding", "Connection",         "Keep-Alive", "Upgrade", "TE",
      "Trailer", "Expect",         "Proxy-Connection",  "Proxy-Authorization"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view each) { return http::equal_ignoring_case(each, name); });
}

bool is_hidden(std::string_view text) { return text.find(kHidden) != std::string_view::npos; }

Error goes_elsewhere(std::string_view what) {
  return refused(409,
                 fmt::format("{} is hidden, and another server gets nothing of what is: reveal it first, or leave it out", what));
}

// `target`: the scheme and authority that the client meant (Capture). True: it goes to another server now.
Result<bool> set_url(http::Head& head, const std::string& given, std::string_view target) {
  if (given.size() > kLongestUrl) return refused(400, fmt::format("url: is longer than {} bytes", kLongestUrl));
  const std::string_view url = std::string_view(given).substr(0, given.find('#'));
  const std::size_t mark = url.find("://");
  const std::string_view scheme = url.substr(0, mark);
  if (mark == std::string::npos || (scheme != "http" && scheme != "https"))
    return refused(400, "url: must begin with http:// or https://");
  const std::size_t path = std::min(url.find_first_of("/?", mark + 3), url.size());
  const std::string_view authority = url.substr(mark + 3, path - mark - 3);
  if (authority.empty() || authority.find('@') != std::string::npos) return refused(400, "url: must name a host, and no user");
  const bool same = url.substr(0, path) == target ||
                    (scheme == head.scheme && http::equal_ignoring_case(authority, without_user(head.authority)));
  std::string asked = std::string(url.substr(path));
  if (!asked.starts_with('/')) asked.insert(0, "/");
  if (same) asked = restored_url(asked, head.path);
  else if (is_hidden(asked)) return goes_elsewhere("url: •••");
  if (is_hidden(asked)) return refused(400, "url: a ••• stands where nothing was hidden: write what is meant");
  head.scheme = scheme;
  head.authority = authority;
  head.path = std::move(asked);
  if (!http::is_target(head.authority) || !http::is_target(head.path))
    return refused(400, "url: has characters that no URL has: encode them, as %20");
  return !same;
}

Result<void> set_fields(http::Head& head, const std::vector<std::pair<std::string, std::string>>& fields, bool elsewhere) {
  if (fields.size() > kMostFields) return refused(400, fmt::format("fields: {} at the most", kMostFields));
  const http::Fields before = std::move(head.fields);
  head.fields = {};
  std::vector<bool> used(before.size());
  for (const auto& [name, value] : fields) {
    if (is_of_the_connection(name)) continue;
    if (!is_token(name) || !is_value(value)) return refused(400, fmt::format("fields: '{}' is no field", utf8(name)));
    std::string_view meant = value;
    // What was left as it was shown. Of several of one name that look the same, the next gets the next.
    bool found = false;
    for (std::size_t i = 0; i < before.size() && !found; ++i) {
      if (used[i] || !http::equal_ignoring_case(before[i].name, name) || redacted(before[i]) != value) continue;
      used[i] = found = true;
      meant = before[i].value;
      if (elsewhere && utf8(meant) != value) return goes_elsewhere(fmt::format("fields: {}", name));
    }
    if (!found && is_hidden(value))
      return refused(400, fmt::format("fields: {}: a ••• stands where nothing was hidden: write what is meant", name));
    head.fields.add(name, meant);
  }
  return {};
}

}  // namespace

Result<Replay> replay_of(const Capture& capture, const Edit& edit) {
  if (!capture.heads.has(Heads::request_received)) return refused(409, "its head was not kept");
  Replay out;
  out.of = capture.number;
  out.context = capture.context;
  out.head = capture.heads.head(Heads::request_received);
  http::Head& head = out.head;
  if (head.is_connect()) return refused(409, "a tunnel cannot be sent again");
  if (capture.context.empty()) return refused(409, "it is not known whose it was");
  head.origin_form = false;
  head.version = 11;
  const std::string scheme = head.scheme, authority = head.authority;
  bool elsewhere = false;
  if (edit.url) {
    const auto set = set_url(head, *edit.url, capture.target);
    if (!set) return set.error();
    elsewhere = *set;
  }
  // A forwarded port was called by its own number.
  const std::size_t mark = capture.target.find("://");
  if (head.scheme == scheme && head.authority == authority && mark != std::string::npos) {
    head.scheme = capture.target.substr(0, mark);
    head.authority = capture.target.substr(mark + 3);
  }
  if (edit.method) {
    if (!is_token(*edit.method) || edit.method->size() > 32 || *edit.method == "CONNECT")
      return refused(400, "method: is none that can be sent again");
    head.method = *edit.method;
  }
  if (edit.fields) {
    if (auto set = set_fields(head, *edit.fields, elsewhere); !set) return set.error();
  } else if (elsewhere) {
    head.fields.remove_if([](const http::Fields::Field& field) { return redacted(field) != utf8(field.value); });
  }
  head.fields.remove_if([](const http::Fields::Field& field) { return is_of_the_connection(field.name); });
  if (!edit.body && !capture.request.whole())
    return refused(
        409, fmt::format("its body was not kept whole: {} of {} bytes", capture.request.bytes.size(), capture.request.size));
  out.body = edit.body ? *edit.body : capture.request.bytes;
  head.end = out.body.empty();
  if (!out.body.empty() || head.content_length) head.content_length = out.body.size();
  head.trailers_accepted = false;
  return out;
}

}  // namespace cmux::inspect
