// Settings: everything `serve` can be told, in one struct, filled from flags, then CMUXPROXY_* variables, then the TOML file,
// then the defaults here. One table in settings.cpp describes each setting once: its flag, variable, key, help, parser and
// printer.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "net/address.hpp"
#include "net/resolver.hpp"
#include "policy/rewrite.hpp"
#include "upstream/parent.hpp"

namespace cmux::app {

// What is kept of exchanges for the inspector; automatic: all of it while somebody watches.
enum class Capturing : std::uint8_t { automatic, off, heads, bodies };

struct Settings {
  net::Endpoint listen;  // default 127.0.0.1:39385
  unsigned port_attempts = 50;
  net::Endpoint admin;  // default 127.0.0.1:0; may be a Unix socket
  std::string instance = "default";
  unsigned threads = 1;  // "auto": one a core
  bool allow_remote = false;
  bool http2 = true;
  bool intercept = true;
  std::string upstream_ca;
  std::filesystem::file_time_type upstream_ca_written{};  // another file of that name is another setting
  std::vector<net::Override> resolve;
  bool insecure_upstream = false;
  std::string upstream_proxy;             // as it was given; empty: none
  upstream::Parents parents;              // ... and what that means
  std::vector<std::string> upstream_h2c;  // globs over hosts
  std::vector<std::string> domains;       // more cmux domains
  std::vector<std::string> never_route;   // globs over hosts
  bool via = false;
  policy::Rewrites rewrites;

  log::Level log_level = log::Level::info;
  log::Format log_format = log::Format::text;
  bool access_log = false;
  bool watch_config = false;
  Capturing capture = Capturing::automatic;
  std::size_t capture_memory = 64 * 1024 * 1024;
  std::string inspector_dir;  // empty: out of the program
  milliseconds drain_timeout{5'000};
  int ready_fd = -1;
  pid_t owner_pid = 0;  // 0: none

  milliseconds connect_timeout{10'000}, refused_timeout{1'000};
  milliseconds tls_timeout{10'000};
  milliseconds response_timeout{120'000};
  milliseconds body_timeout{300'000};
  milliseconds header_timeout{10'000};
  milliseconds send_timeout{120'000};
  milliseconds idle_timeout{120'000};
  milliseconds upstream_keep_alive{55'000}, upstream_keep_alive_plain{4'000};
  milliseconds ping_interval{15'000};
  std::size_t max_header = 64 * 1024;
  std::size_t max_url = 32 * 1024;
  std::uint64_t max_body = 0;  // 0: without limit
  std::size_t max_requests = 10'000;
  std::size_t max_context_requests = 5'000;
  milliseconds silent_timeout{10'000};
  unsigned max_descriptors = 0;  // 0: as many as the system gives
  bool dumpable = false;

  Settings();
};

// One setting as flags, environment and file name it.
struct SettingInfo {
  std::string name;      // "drain-timeout": flag --drain-timeout, CMUXPROXY_DRAIN_TIMEOUT, key drain-timeout
  std::string argument;  // "TIME"; empty for a switch
  std::string help;      // one line
  bool repeatable = false;
  bool negated_flag = false;           // the flag switches off: "http2" has --no-http2
  bool fixed = false;                  // only a start can change it
  std::vector<std::string> choices{};  // the words it can be; empty: others
};
const std::vector<SettingInfo>& setting_table();

// What the command line gave: setting name to its values in order ("true"/"false" for switches).
using FlagValues = std::map<std::string, std::vector<std::string>>;
using Environment = std::function<const char*(const char*)>;

// The file to read: `flag`, else $CMUXPROXY_CONFIG, else $XDG_CONFIG_HOME or ~/.config + /cmuxproxy/config.toml where that
// exists.
std::optional<std::string> config_path(const std::optional<std::string>& flag, const Environment& environment);

// Where what outlives an instance is kept: $CMUXPROXY_STATE_DIR, else $XDG_STATE_HOME/cmuxproxy, else
// ~/.local/state/cmuxproxy. Errc::config where none of them is set.
Result<std::string> state_directory(const Environment& environment);

// All sources in their order. The error (Errc::config) tells of all that is wrong, a line each, and says where: "config.toml:3:
// drain-timeout: expected a time such as 5s, 300ms, 1h", "--threads: …", "CMUXPROXY_THREADS: …"; unknown keys and CMUXPROXY_*
// variables are errors that list what is allowed.
Result<Settings> load_settings(const FlagValues& flags, const Environment& environment,
                               const std::vector<std::string>& variable_names, const std::optional<std::string>& path);

// The effective settings as TOML text that load_settings would read back, for `serve --check`.
std::string to_toml(const Settings& settings);

// "300ms", "5s", "1m", "1h", "2d", "0": a time. Errc::config otherwise.
Result<milliseconds> parse_duration(std::string_view text);

}  // namespace cmux::app
