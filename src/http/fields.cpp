#include "http/fields.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace cmux::http {
namespace {

constexpr std::string_view kNames[] = {
    "",
    "Accept",
    "Access-Control-Allow-Origin",
    "Connection",
    "Content-Length",
    "Content-Location",
    "Content-Type",
    "Cookie",
    "Date",
    "Expect",
    "Host",
    "HTTP2-Settings",
    "Keep-Alive",
    "Link",
    "Location",
    "Origin",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Proxy-Status",
    "Referer",
    "Refresh",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Set-Cookie",
    "Strict-Transport-Security",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Via",
    "X-Cmux-Host-Override",
    "X-Cmux-Port-Internal",
    "X-Cmux-Proxied",
    "X-Cmux-Target-Internal",
    "X-Cmux-Workspace-Internal",
};
constexpr std::size_t kCount = std::size(kNames);
static_assert(kCount == static_cast<std::size_t>(Name::x_cmux_workspace_internal) + 1);

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// A hash that tells the known names apart: checked at compile time, so one comparison decides.
constexpr std::size_t kBuckets = 256;
constexpr std::size_t bucket_of(std::string_view name) {
  return (name.size() * 84 + static_cast<unsigned char>(lower(name.front())) * 49 +
          static_cast<unsigned char>(lower(name.back())) * 101 + static_cast<unsigned char>(lower(name[name.size() / 2])) * 27) %
         kBuckets;
}
constexpr std::array<std::uint8_t, kBuckets> make_table() {
  std::array<std::uint8_t, kBuckets> table{};
  for (std::size_t i = 1; i < kCount; ++i) table[bucket_of(kNames[i])] = static_cast<std::uint8_t>(i);
  return table;
}
constexpr auto kTable = make_table();
constexpr bool all_apart() {
  for (std::size_t i = 1; i < kCount; ++i)
    if (kTable[bucket_of(kNames[i])] != i) return false;
  return true;
}
static_assert(all_apart(), "two known names share a bucket: change the hash");

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

bool less_ignoring_case(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) < lower(y); });
}

Name name_of(std::string_view text) {
  if (text.empty()) return Name::other;
  const std::uint8_t index = kTable[bucket_of(text)];
  return index != 0 && equal_ignoring_case(text, kNames[index]) ? static_cast<Name>(index) : Name::other;
}

std::string_view text_of(Name name) { return kNames[static_cast<std::size_t>(name)]; }

Fields::Entry Fields::appended(std::string_view name, std::string_view value, Name known) {
  Entry entry{};
  entry.name_at = static_cast<std::uint32_t>(text_.size());
  entry.name_size = static_cast<std::uint32_t>(name.size()) & 0x7fffff;
  entry.value_at = static_cast<std::uint32_t>(text_.size() + name.size());
  entry.value_size = static_cast<std::uint32_t>(value.size());
  entry.known = known;
  // The arguments may be views of this very text: make room first, from a copy if it has to move.
  if (text_.capacity() - text_.size() < name.size() + value.size()) {
    std::string grown;
    grown.reserve((text_.size() + name.size() + value.size()) * 2);
    grown.append(text_).append(name).append(value);
    text_.swap(grown);
  } else {
    text_.append(name).append(value);
  }
  return entry;
}

void Fields::add(std::string_view name, std::string_view value, Name known, bool secret) {
  entries_.push_back(appended(name, value, known));
  entries_.back().secret = secret ? 1 : 0;
}

void Fields::set(Name name, std::string_view value, bool secret) {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].known == name) {
      replace(i, value);
      entries_[i].secret = secret ? 1 : 0;
      std::size_t at = 0;
      std::erase_if(entries_, [&](const Entry& entry) { return at++ > i && entry.known == name; });
      return;
    }
  add(text_of(name), value, name, secret);
}

void Fields::set(std::string_view name, std::string_view value, bool secret) {
  if (const Name known = name_of(name); known != Name::other) return set(known, value, secret);
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (equal_ignoring_case(field(entries_[i]).name, name)) {
      replace(i, value);
      entries_[i].secret = secret ? 1 : 0;
      const std::string_view kept = field(entries_[i]).name;  // `name` may have been a view of the text that moved
      std::size_t at = 0;
      std::erase_if(entries_, [&](const Entry& entry) { return at++ > i && equal_ignoring_case(field(entry).name, kept); });
      return;
    }
  add(name, value, Name::other, secret);
}

void Fields::replace(std::size_t index, std::string_view value) {
  const Entry added = appended({}, value, Name::other);
  entries_[index].value_at = added.value_at;
  entries_[index].value_size = added.value_size;
}

void Fields::remove(Name name) {
  std::erase_if(entries_, [name](const Entry& entry) { return entry.known == name; });
}

void Fields::remove(std::string_view name) {
  std::erase_if(entries_, [&](const Entry& entry) { return equal_ignoring_case(field(entry).name, name); });
}

bool Fields::contains(Name name) const {
  for (const Entry& entry : entries_)
    if (entry.known == name) return true;
  return false;
}

std::optional<std::string_view> Fields::get(Name name) const {
  for (const Entry& entry : entries_)
    if (entry.known == name) return field(entry).value;
  return std::nullopt;
}

std::optional<std::string_view> Fields::get(std::string_view name) const {
  for (const Entry& entry : entries_)
    if (equal_ignoring_case(field(entry).name, name)) return field(entry).value;
  return std::nullopt;
}

std::size_t Fields::count(Name name) const {
  std::size_t found = 0;
  for (const Entry& entry : entries_) found += entry.known == name;
  return found;
}

void Fields::index(std::size_t name_at, std::size_t name_size, std::size_t value_at, std::size_t value_size) {
  Entry entry{};
  entry.name_at = static_cast<std::uint32_t>(name_at);
  entry.name_size = static_cast<std::uint32_t>(name_size) & 0x7fffff;
  entry.value_at = static_cast<std::uint32_t>(value_at);
  entry.value_size = static_cast<std::uint32_t>(value_size);
  entry.known = name_of({text_.data() + name_at, name_size});
  entries_.push_back(entry);
}

void Fields::pack(std::string& out) const {
  const std::uint32_t lines = static_cast<std::uint32_t>(entries_.size());
  out.append(reinterpret_cast<const char*>(&lines), sizeof lines);
  out.append(reinterpret_cast<const char*>(entries_.data()), lines * sizeof(Entry));
  out.append(text_);
}

Fields Fields::unpacked(std::string_view block) {
  Fields out;
  std::uint32_t lines = 0;
  std::memcpy(&lines, block.data(), sizeof lines);
  block.remove_prefix(sizeof lines);
  out.entries_.resize(lines);
  if (lines > 0) std::memcpy(static_cast<void*>(out.entries_.data()), block.data(), lines * sizeof(Entry));
  out.text_ = block.substr(lines * sizeof(Entry));
  return out;
}

bool may_upgrade_to(std::string_view protocol) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  std::size_t slashes = 0;
  for (const char c : protocol) {
    const bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c == '/') ++slashes;
    else if (!letter && kMarks.find(c) == std::string_view::npos) return false;
  }
  if (protocol.empty() || slashes > 1 || protocol.front() == '/' || protocol.back() == '/') return false;
  return !equal_ignoring_case(protocol, "h2c") && !equal_ignoring_case(protocol.substr(0, 4), "TLS/") &&
         !equal_ignoring_case(protocol.substr(0, 5), "HTTP/");
}

bool allowed_in_trailers(const Fields::Field& field) {
  switch (field.known) {
    case Name::connection:
    case Name::content_length:
    case Name::cookie:
    case Name::expect:
    case Name::host:
    case Name::http2_settings:
    case Name::keep_alive:
    case Name::proxy_authenticate:
    case Name::proxy_authorization:
    case Name::origin:
    case Name::proxy_connection:
    case Name::sec_websocket_accept:
    case Name::sec_websocket_key:
    case Name::sec_websocket_version:
    case Name::set_cookie:
    case Name::te:
    case Name::trailer:
    case Name::transfer_encoding:
    case Name::upgrade:
    case Name::x_cmux_host_override:
    case Name::x_cmux_port_internal:
    case Name::x_cmux_proxied:
    case Name::x_cmux_target_internal:
    case Name::x_cmux_workspace_internal: return false;
    default: return !equal_ignoring_case(field.name, "authorization");
  }
}

bool has_token(std::string_view list, std::string_view token) {
  bool found = false;
  for_each_token(list, [&](std::string_view item) { found = found || equal_ignoring_case(item, token); });
  return found;
}

}  // namespace cmux::http
