#include "app/settings.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <thread>

#include <fmt/format.h>

#include "admin/instance_file.hpp"
#include "app/parent_setting.hpp"
#include "app/setting_values.hpp"
#include "app/settings_file.hpp"
#include "app/settings_table.hpp"

namespace cmux::app {
namespace {

const Row* find_row(std::string_view name) {
  const auto found =
      std::find_if(setting_rows().begin(), setting_rows().end(), [&](const Row& row) { return row.info.name == name; });
  return found == setting_rows().end() ? nullptr : &*found;
}

// "drain-timeout" as CMUXPROXY_DRAIN_TIMEOUT.
constexpr std::string_view kPrefix = "CMUXPROXY_";
std::string variable_of(std::string_view name) {
  std::string variable(kPrefix);
  for (const char c : name) variable += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return variable;
}

std::string unknown(std::string_view where, std::string_view what, std::string_view name, const std::vector<std::string>& known) {
  const std::string guess = closest(name, known);
  return fmt::format("{}: unknown {}{}; allowed are {}", where, what,
                     guess.empty() ? "" : fmt::format(" (did you mean {}?)", guess), fmt::join(known, ", "));
}

// One source's values for the settings, as they are read over each other. Remembers where each came from, for the checks that
// need more than one setting.
class Loader {
 public:
  void set(const Row& row, const std::string& where, const std::vector<std::string>& values) {
    if (auto done = row.read(settings_, values); !done) return fail(fmt::format("{}: {}", where, done.error().detail));
    sources_[row.info.name] = where;
  }
  // Goes on: all that is wrong is told at once.
  void fail(const std::string& problem) { problems_ += (problems_.empty() ? "" : "\n") + problem; }

  // After all else: they are read by what the environment says, too.
  void find_parents(const Environment& environment) {
    auto parents = app::find_parents(settings_.upstream_proxy, environment);
    if (parents) settings_.parents = std::move(*parents);
    else fail(fmt::format("upstream-proxy: {}", parents.error().detail));
  }

  Result<Settings> finish() {
    if (!settings_.allow_remote && !settings_.listen.is_loopback())
      fail_at(
          "listen",
          fmt::format("{} is not a loopback address: anyone who reaches it may try the proxy; to bind it, give --allow-remote",
                      settings_.listen.text()));
    if (!settings_.admin.is_unix() && !settings_.admin.is_loopback())
      fail_at("admin", fmt::format("{} is not a loopback address: expected 127.0.0.1:PORT, [::1]:PORT or unix:PATH",
                                   settings_.admin.text()));
    if (!problems_.empty()) return make_error(Errc::config, problems_);
    return settings_;
  }

 private:
  void fail_at(const std::string& name, const std::string& detail) { fail(fmt::format("{}: {}", sources_.at(name), detail)); }
  std::string problems_;
  Settings settings_;
  std::map<std::string, std::string> sources_;
};

// What the file must hold for a setting, and whether it does.
bool fits(Shape shape, FileType type) {
  switch (shape) {
    case Shape::flag: return type == FileType::boolean;
    case Shape::number: return type == FileType::integer;
    case Shape::number_or_text: return type == FileType::integer || type == FileType::string;
    case Shape::list: return type == FileType::strings;
    default: return type == FileType::string;
  }
}
std::string file_form(const Row& row) {
  switch (row.shape) {
    case Shape::flag: return "true or false";
    case Shape::number: return "an integer";
    case Shape::number_or_text: return fmt::format("an integer or a string such as \"{}\"", row.example);
    case Shape::list: return fmt::format("an array of strings such as [\"{}\"]", row.example);
    default: return fmt::format("a string such as \"{}\"", row.example);
  }
}

void load_file(Loader& loader, const std::string& path) {
  auto entries = read_settings_file(path);
  if (!entries) return loader.fail(entries.error().detail);
  for (FileEntry& entry : *entries) {
    const std::string where = fmt::format("{}:{}: {}", path, entry.line, entry.key);
    const Row* row = find_row(entry.key);
    if (!row) {
      std::vector<std::string> keys;
      for (const Row& known : setting_rows()) keys.push_back(known.info.name);
      loader.fail(unknown(where, "key", entry.key, keys));
      continue;
    }
    if (!fits(row->shape, entry.type)) {
      loader.fail(fmt::format("{}: expected {}, not {}", where, file_form(*row), entry.type_name));
      continue;
    }
    // A file names other files from where it lies, not from where the program was started.
    if (row->shape == Shape::file && !entry.texts.front().empty())
      entry.texts.front() = std::filesystem::path(path).parent_path() / entry.texts.front();
    loader.set(*row, where, entry.texts);
  }
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

void load_environment(Loader& loader, const Environment& environment, const std::vector<std::string>& names) {
  std::vector<std::string> known{"CMUXPROXY_CONFIG", "CMUXPROXY_RUNTIME_DIR", "CMUXPROXY_STATE_DIR",
                                 "CMUXPROXY_BIN",    "CMUXPROXY_CONTEXT",     "CMUXPROXY_FORWARDS"};
  for (const Row& row : setting_rows()) known.push_back(variable_of(row.info.name));
  for (const std::string& name : names)
    if (name.starts_with(kPrefix) && std::find(known.begin(), known.end(), name) == known.end())
      loader.fail(unknown(name, "variable", name, known));
  for (const Row& row : setting_rows()) {
    const std::string variable = variable_of(row.info.name);
    const char* value = environment(variable.c_str());
    if (!value || !*value) continue;  // an empty variable is how shells unset one for a command
    const auto values = row.info.repeatable ? split(value) : std::vector<std::string>{value};
    loader.set(row, variable, values);
  }
}

void load_flags(Loader& loader, const FlagValues& flags) {
  for (const auto& [name, values] : flags) {
    const Row* row = find_row(name);
    if (!row) loader.fail(fmt::format("--{}: unknown flag", name));
    if (!row || values.empty()) continue;
    const std::string where = fmt::format("--{}{}", row->info.negated_flag ? "no-" : "", name);
    const auto effective = row->info.repeatable ? values : std::vector<std::string>{values.back()};
    loader.set(*row, where, effective);
  }
}

// Empty where it is not set.
std::string text_variable(const Environment& environment, const char* name) {
  const char* const value = environment(name);
  return value ? value : "";
}

}  // namespace

Settings::Settings() : listen(*net::Endpoint::from_ip("127.0.0.1", 39385)), admin(*net::Endpoint::from_ip("127.0.0.1", 0)) {}

const std::vector<SettingInfo>& setting_table() {
  static const std::vector<SettingInfo> table = [] {
    std::vector<SettingInfo> made;
    for (const Row& row : setting_rows()) made.push_back(row.info);
    return made;
  }();
  return table;
}

std::optional<std::string> config_path(const std::optional<std::string>& flag, const Environment& environment) {
  const auto variable = [&](const char* name) { return text_variable(environment, name); };
  if (flag) return flag;
  if (const std::string path = variable("CMUXPROXY_CONFIG"); !path.empty()) return path;
  // The XDG base directory specification: a relative path there counts as none.
  std::filesystem::path base = variable("XDG_CONFIG_HOME");
  if (!base.is_absolute()) base = variable("HOME").empty() ? "" : std::filesystem::path(variable("HOME")) / ".config";
  if (base.empty()) return std::nullopt;
  const std::filesystem::path path = base / "cmuxproxy" / "config.toml";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return path.string();
}

Result<std::string> state_directory(const Environment& environment) {
  if (std::string own = text_variable(environment, "CMUXPROXY_STATE_DIR"); !own.empty()) return own;
  const std::filesystem::path base = text_variable(environment, "XDG_STATE_HOME");
  if (base.is_absolute()) return (base / "cmuxproxy").string();
  const std::filesystem::path home = text_variable(environment, "HOME");
  if (!home.empty()) return (home / ".local/state/cmuxproxy").string();
  return make_error(Errc::config, "no state directory: set CMUXPROXY_STATE_DIR, XDG_STATE_HOME or HOME");
}

Result<Settings> load_settings(const FlagValues& flags, const Environment& environment,
                               const std::vector<std::string>& variable_names, const std::optional<std::string>& path) {
  Loader loader;
  if (path) load_file(loader, *path);
  load_environment(loader, environment, variable_names);
  load_flags(loader, flags);
  loader.find_parents(environment);
  return loader.finish();
}

std::string to_toml(const Settings& settings) {
  std::string text;
  for (const Row& row : setting_rows()) {
    const std::string value = row.print(settings);
    text += value.empty() ? fmt::format("# {} is not set\n", row.info.name) : fmt::format("{} = {}\n", row.info.name, value);
  }
  return text;
}

}  // namespace cmux::app
