// Fields: a message's header or trailer lines, in order, repeated lines kept apart. One flat block of text and a list of where
// names and values stand in it: no allocation a line, and none at all once a connection has seen a message of that size. Views
// live until the next change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cmux::http {

// Names that the proxy itself looks at; compared as numbers instead of text.
enum class Name : std::uint8_t {
  other,
  accept,
  access_control_allow_origin,
  connection,
  content_length,
  content_location,
  content_type,
  cookie,
  date,
  expect,
  host,
  http2_settings,
  keep_alive,
  link,
  location,
  origin,
  proxy_authenticate,
  proxy_authorization,
  proxy_connection,
  proxy_status,
  referer,
  refresh,
  sec_websocket_accept,
  sec_websocket_key,
  sec_websocket_version,
  set_cookie,
  strict_transport_security,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  via,
  x_cmux_host_override,
  x_cmux_port_internal,
  x_cmux_proxied,
  x_cmux_target_internal,
  x_cmux_workspace_internal,
};

Name name_of(std::string_view text);  // case-insensitive
std::string_view text_of(Name name);  // as sent over HTTP/1, "Content-Length"
bool equal_ignoring_case(std::string_view a, std::string_view b);
bool less_ignoring_case(std::string_view a, std::string_view b);

class Fields {
 public:
  struct Field {
    std::string_view name, value;
    Name known;
    bool secret = false;  // never to be indexed by HPACK (RFC 7541 section 6.2.3)
  };

  void clear() { text_.clear(), entries_.clear(); }
  void reserve(std::size_t bytes, std::size_t lines) { text_.reserve(bytes), entries_.reserve(lines); }
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  std::size_t capacity() const { return text_.capacity(); }  // bytes that are held for names and values
  Field operator[](std::size_t index) const { return field(entries_[index]); }

  void add(std::string_view name, std::string_view value) { add(name, value, name_of(name)); }
  void add(Name name, std::string_view value) { add(text_of(name), value, name); }
  void add(std::string_view name, std::string_view value, Name known, bool secret = false);  // known: name_of(name)
  // Replaces the first line of that name and removes the others; adds one where there is none.
  void set(Name name, std::string_view value, bool secret = false);
  void set(std::string_view name, std::string_view value, bool secret = false);
  // Changes one line's value.
  void replace(std::size_t index, std::string_view value);
  void remove(Name name);
  void remove(std::string_view name);
  template <class Predicate>
  void remove_if(Predicate predicate) {
    std::erase_if(entries_, [&](const Entry& entry) { return predicate(field(entry)); });
  }

  bool contains(Name name) const;
  // The first line's value.
  std::optional<std::string_view> get(Name name) const;
  std::optional<std::string_view> get(std::string_view name) const;
  std::size_t count(Name name) const;

  // For parsers: takes a whole block of text over, then lines by their places in it.
  void assign_text(std::string_view block) { text_.assign(block), entries_.clear(); }
  void index(std::size_t name_at, std::size_t name_size, std::size_t value_at, std::size_t value_size);

  // For who keeps many: as one block, two copies of memory; and out of such a block again. It is for this process alone.
  void pack(std::string& out) const;
  static Fields unpacked(std::string_view block);

  class Iterator {
   public:
    Iterator(const Fields& fields, std::size_t at) : fields_(fields), at_(at) {}
    Field operator*() const { return fields_[at_]; }
    Iterator& operator++() { return ++at_, *this; }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const Fields& fields_;
    std::size_t at_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, entries_.size()}; }

 private:
  struct Entry {
    std::uint32_t name_at, value_at, value_size;
    std::uint32_t name_size : 23;  // a header of 1 MB may be one name
    std::uint32_t secret : 1;
    Name known : 8;
  };
  Field field(const Entry& entry) const {
    return {{text_.data() + entry.name_at, entry.name_size},
            {text_.data() + entry.value_at, entry.value_size},
            entry.known,
            entry.secret != 0};
  }
  Entry appended(std::string_view name, std::string_view value, Name known);

  std::string text_;
  std::vector<Entry> entries_;
};

// A protocol to upgrade to (RFC 9110 section 7.8), as a name with or without a version, that a client may ask for. HTTP/2 by
// upgrade is obsolete and would let a client talk past the proxy; TLS by upgrade has no use here.
bool may_upgrade_to(std::string_view protocol);

// RFC 9110 section 6.5.1: what changes how a message is read has no place behind it.
bool allowed_in_trailers(const Fields::Field& field);

// Calls `each` with every element of a comma-separated list, trimmed, empty ones left out (RFC 9110 section 5.6.1).
template <class Each>
void for_each_token(std::string_view list, Each each) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view item = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (!item.empty()) each(item);
  }
}
bool has_token(std::string_view list, std::string_view token);  // case-insensitive

}  // namespace cmux::http
