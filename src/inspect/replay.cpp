#include "inspect/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "inspect/redact.hpp"
#include "inspect/view.hpp"

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

Result<void> set_url(http::Head& head, const std::string& given) {
  if (given.size() > kLongestUrl) return refused(400, fmt::format("url: is longer than {} bytes", kLongestUrl));
  const std::string url = restored_url(given, whole_url(head));
  const std::size_t mark = url.find("://");
  const std::string scheme = url.substr(0, std::min(mark, url.size()));
  if (scheme != "http" && scheme != "https") return refused(400, "url: must begin with http:// or https://");
  const std::size_t path = std::min(url.find_first_of("/?", mark + 3), url.size());
  const std::string authority = url.substr(mark + 3, path - mark - 3);
  if (authority.empty() || authority.find('@') != std::string::npos) return refused(400, "url: must name a host, and no user");
  head.scheme = scheme;
  head.authority = authority;
  head.path = url.substr(path);
  if (!head.path.starts_with('/')) head.path.insert(0, "/");
  if (!http::is_target(head.authority) || !http::is_target(head.path))
    return refused(400, "url: has characters that no URL has: encode them, as %20");
  return {};
}

Result<void> set_fields(http::Head& head, const std::vector<std::pair<std::string, std::string>>& fields) {
  if (fields.size() > kMostFields) return refused(400, fmt::format("fields: {} at the most", kMostFields));
  const http::Fields before = std::move(head.fields);
  head.fields = {};
  std::vector<bool> used(before.size());
  for (const auto& [name, value] : fields) {
    if (is_of_the_connection(name)) continue;
    if (!is_token(name) || !is_value(value)) return refused(400, fmt::format("fields: '{}' is no field", utf8(name)));
    std::string_view meant = value;
    if (value.find(kHidden) != std::string::npos) {
      // Of several of one name that look the same, the next gets the next.
      for (std::size_t i = 0; i < before.size(); ++i) {
        if (used[i] || !http::equal_ignoring_case(before[i].name, name) || redacted(before[i]) != value) continue;
        used[i] = true;
        meant = before[i].value;
        break;
      }
    }
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
  if (edit.url)
    if (auto set = set_url(head, *edit.url); !set) return set.error();
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
  if (edit.fields)
    if (auto set = set_fields(head, *edit.fields); !set) return set.error();
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
