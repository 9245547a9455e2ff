// What names say to a gateway: a public host's first label which machine, port and workspace it stands for, and a workspace's
// name at which address of its machine it lives. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cmux::gateway {

struct Label {
  enum class Kind : std::uint8_t {
    port,       // port-<port>-<id…>: that port of the machine itself
    cmux,       // cmux-<id>-[scope-…]<port>
    workspace,  // <workspace…>-<port>-<vm>
  };
  Kind kind = Kind::cmux;
  std::string machine;    // its id
  std::string workspace;  // empty: the machine's own
  std::uint16_t port = 0;
  bool brief = false;  // a cmux one in which no workspace stood, rather than `base`

  bool operator==(const Label&) const = default;
  // What stands around the port, in the label of every port of this place.
  std::string before_port() const, after_port() const;
};

// `text` is in lower case. Errors are Errc::malformed with status 400, and say what is missing.
Result<Label> parse_label(std::string_view text);

// Lower-case letters, digits and dashes, as they may stand in a name: a machine's id, or a workspace's.
bool is_id(std::string_view text);
constexpr std::string_view kIdForm = "an id of lower-case letters, digits and dashes, 63 characters at the most";

// "127.18.x.y", where the processes of that workspace listen: the digits at the end of the name's last path component, or where
// there are none a hash (32-bit FNV-1a, of which the low 16 bits) of it in lower case. Nothing for an empty name, and for a
// number of more than 32 bits.
std::optional<std::string> workspace_address(std::string_view name);

}  // namespace cmux::gateway
