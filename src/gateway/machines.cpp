#include "gateway/machines.hpp"

#include <toml++/toml.h>

#include <fmt/format.h>

#include "net/address.hpp"

namespace cmux::gateway {
namespace {

Error refused(std::string why) { return make_error(Errc::config, std::move(why)); }

Result<void> check_template(std::string_view text, bool wants_port) {
  if (text.find("{id}") == text.npos) return refused("expected {id} in it");
  if (wants_port != (text.find("{port}") != text.npos))
    return refused(wants_port ? "expected {port} in it" : "{port} has no place in it: it names a machine's gateway");
  if (auto machine = parse_machine(filled(text, "x", 65535)); !machine) return machine.error();
  return {};
}

}  // namespace

std::string filled(std::string_view text, std::string_view id, std::uint16_t port) {
  std::string out;
  while (!text.empty()) {
    if (text.starts_with("{id}")) out += id, text.remove_prefix(4);
    else if (text.starts_with("{port}")) out += fmt::format("{}", port), text.remove_prefix(6);
    else out += text.front(), text.remove_prefix(1);
  }
  return out;
}

Result<Machine> parse_machine(std::string_view url) {
  Machine out;
  std::string_view scheme;
  for (const std::string_view known : {"https://", "http://", "h2c://"})
    if (url.starts_with(known)) scheme = known;
  if (scheme.empty()) return refused("expected https://HOST[:PORT], http://… or h2c://…");
  url.remove_prefix(scheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  auto authority = net::parse_authority(url);
  if (!authority) return refused("expected a host, and perhaps a port, behind the scheme: " + authority.error().detail);
  out.origin = {scheme == "https://", scheme == "h2c://", authority->host,
                authority->port.value_or(scheme == "https://" ? std::uint16_t{443} : std::uint16_t{80})};
  out.authority = authority->text();
  return out;
}

Result<void> Machines::set_template(std::string url_template) {
  if (auto checked = check_template(url_template, false); !checked) return checked;
  template_ = std::move(url_template);
  return {};
}

Result<void> Machines::set_port_template(std::string url_template) {
  if (auto checked = check_template(url_template, true); !checked) return checked;
  port_template_ = std::move(url_template);
  return {};
}

Result<void> Machines::read_table(std::string_view text) {
  toml::table parsed;
  try {
    parsed = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return refused(fmt::format("line {}: not TOML: {}", error.source().begin.line, error.description()));
  }
  const toml::table* const inner = parsed["machines"].as_table();
  MachineTable table;
  // As when a file is read while it is being written.
  if (parsed.empty()) return refused("is empty: without machines, write [machines] alone");
  if (inner && parsed.size() > 1) return refused("has [machines], and machines outside of it: write all of them there");
  for (const auto& [key, value] : inner ? *inner : parsed) {
    const std::string id = net::to_lower(key.str());
    const auto wrong = [&, line = value.source().begin.line](std::string_view why) {
      return refused(fmt::format("line {}: {}: {}", line, id, why));
    };
    const auto* const url = value.as_string();
    if (!url) return wrong("expected a URL as a string");
    auto machine = parse_machine(url->get());
    if (!machine) return wrong(machine.error().detail);
    if (!table.emplace(id, std::move(*machine)).second) return wrong("is there twice");
    if (table.size() > kMostMachines) return wrong(fmt::format("there are more than {}", kMostMachines));
  }
  table_ = std::make_shared<const MachineTable>(std::move(table));
  return {};
}

std::optional<Machine> Machines::find(const std::string& id) const {
  for (const auto* const table : {table_.get(), registered_.get()}) {
    if (!table) continue;
    if (const auto found = table->find(id); found != table->end()) return found->second;
  }
  if (template_.empty()) return std::nullopt;
  auto machine = parse_machine(filled(template_, id));
  return machine ? std::optional(std::move(*machine)) : std::nullopt;  // an id that makes the name too long
}

std::optional<Machine> Machines::find_port(const std::string& id, std::uint16_t port) const {
  auto machine = parse_machine(filled(port_template_, id, port));
  return machine ? std::optional(std::move(*machine)) : std::nullopt;
}

}  // namespace cmux::gateway
