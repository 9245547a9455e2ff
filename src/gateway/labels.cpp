#include "gateway/labels.hpp"

#include <fmt/format.h>

#include <charconv>

#include "net/address.hpp"

namespace cmux::gateway {
namespace {

Error refused(std::string_view why) { return Error{Errc::malformed, Side::downstream, false, 400, std::string(why)}; }

constexpr std::string_view kForms = "expected port-<port>-<id>, cmux-<id>-[<workspace>-]<port> or <workspace>-<port>-<id>";

struct Split {
  std::string_view left, right;
};
std::optional<Split> at_first_dash(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == text.npos) return std::nullopt;
  return Split{text.substr(0, dash), text.substr(dash + 1)};
}
std::optional<Split> at_last_dash(std::string_view text) {
  const std::size_t dash = text.rfind('-');
  if (dash == text.npos) return std::nullopt;
  return Split{text.substr(0, dash), text.substr(dash + 1)};
}

// As it stands in a name: no zeros in front, so that one place has one name.
std::optional<std::uint16_t> port_of(std::string_view text) {
  return text.starts_with('0') ? std::nullopt : net::parse_port(text);
}

Result<Label> checked(Label::Kind kind, std::string_view machine, std::string_view workspace, std::string_view port) {
  const auto number = port_of(port);
  if (!number) return refused(fmt::format("the host's name has no port from 1 to 65535 where one must stand: {}", kForms));
  if (!is_id(machine)) return refused(fmt::format("the host's name has no machine's id: {}", kForms));
  if (!workspace.empty() && !is_id(workspace)) return refused(fmt::format("the host's name has no workspace: {}", kForms));
  const bool brief = kind == Label::Kind::cmux && workspace.empty();
  if (kind == Label::Kind::cmux && workspace == "base") workspace = {};
  return Label{kind, std::string(machine), std::string(workspace), *number, brief};
}

}  // namespace

// Goes into a machine's URL: a part of a DNS label, whatever stands beside it.
bool is_id(std::string_view text) {
  constexpr std::size_t kLabel = 63;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  for (const char c : text)
    if (!plain(c)) return false;
  return !text.empty() && text.size() <= kLabel && text.front() != '-' && text.back() != '-';
}

std::string Label::before_port() const {
  switch (kind) {
    case Kind::port: return "port-";
    case Kind::cmux:
      return brief ? fmt::format("cmux-{}-", machine)
                   : fmt::format("cmux-{}-{}-", machine, workspace.empty() ? "base" : workspace);
    case Kind::workspace: return workspace + "-";
  }
  return {};
}

std::string Label::after_port() const { return kind == Kind::cmux ? std::string() : "-" + machine; }

Result<Label> parse_label(std::string_view text) {
  if (text.starts_with("port-")) {
    const auto parts = at_first_dash(text.substr(5));
    if (!parts) return refused(fmt::format("the host's name is too short: {}", kForms));
    return checked(Label::Kind::port, parts->right, {}, parts->left);
  }
  if (text.starts_with("cmux-")) {
    // The id is the first segment: one with a dash reads as an id and a workspace.
    const auto parts = at_first_dash(text.substr(5));
    if (!parts) return refused(fmt::format("the host's name is too short: {}", kForms));
    const auto rest = at_last_dash(parts->right);
    if (rest && rest->left.empty()) return refused(fmt::format("the host's name has no workspace: {}", kForms));
    return checked(Label::Kind::cmux, parts->left, rest ? rest->left : std::string_view(), rest ? rest->right : parts->right);
  }
  const auto last = at_last_dash(text);
  const auto rest = last ? at_last_dash(last->left) : std::nullopt;
  if (!rest || rest->left.empty()) return refused(fmt::format("the host's name is too short: {}", kForms));
  return checked(Label::Kind::workspace, last->right, rest->left, rest->right);
}

std::optional<std::string> workspace_address(std::string_view name) {
  while (name.ends_with('/')) name.remove_suffix(1);
  if (const std::size_t slash = name.rfind('/'); slash != name.npos) name.remove_prefix(slash + 1);
  if (name.empty()) return std::nullopt;
  const std::size_t digits = name.find_last_not_of("0123456789") + 1;  // npos + 1 is 0
  std::uint32_t number = 0;
  if (digits < name.size()) {
    const auto read = std::from_chars(name.data() + digits, name.data() + name.size(), number);
    if (read.ec != std::errc()) return std::nullopt;
  } else {
    number = 0x811c9dc5;
    for (const char c : net::to_lower(name)) number = (number ^ static_cast<unsigned char>(c)) * 0x01000193;
  }
  return fmt::format("127.18.{}.{}", number >> 8 & 255, number & 255);
}

}  // namespace cmux::gateway
