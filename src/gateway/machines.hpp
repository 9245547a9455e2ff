// Where machines are: by a table of ids, else as they have registered themselves (follower.hpp), else by a template. Table and
// template are read from the outside as text. Immutable once made; copies share what is large. Pure.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "upstream/origin.hpp"

namespace cmux::gateway {

// The machine's own gateway, or a port of it: http://, https:// or h2c://, a host, and nothing behind it.
struct Machine {
  upstream::Origin origin;
  std::string authority;  // for Host and :authority
};
Result<Machine> parse_machine(std::string_view url);

using MachineTable = std::map<std::string, Machine>;  // by id

// A template with its {id} and {port} filled in.
std::string filled(std::string_view url_template, std::string_view id, std::uint16_t port = 0);

class Machines {
 public:
  // `url_template` holds {id}, and may hold {port}; empty: none. Errors (Errc::config) say what is wrong with it.
  Result<void> set_template(std::string url_template);
  // For port-<port>-<id> labels, which then go straight to that port, and not through the machine's own gateway. Holds both.
  Result<void> set_port_template(std::string url_template);
  // A TOML text: one line a machine, id = "https://host:port", at the top or under [machines].
  Result<void> read_table(std::string_view toml);
  void set_registered(std::shared_ptr<const MachineTable> table) { registered_ = std::move(table); }

  // Of its gateway. Nothing: there is no such machine.
  std::optional<Machine> find(const std::string& id) const;
  bool has_port_template() const { return !port_template_.empty(); }
  std::optional<Machine> find_port(const std::string& id, std::uint16_t port) const;
  std::size_t size() const { return table_ ? table_->size() : 0; }  // of the table

 private:
  std::string template_, port_template_;
  std::shared_ptr<const MachineTable> table_, registered_;  // null: none
};

constexpr std::size_t kMostMachines = 100'000;

}  // namespace cmux::gateway
