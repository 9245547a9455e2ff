#include "app/settings_table.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <thread>

#include <fmt/format.h>

#include "admin/instance_file.hpp"
#include "app/parent_setting.hpp"
#include "app/setting_values.hpp"
#include "app/settings_file.hpp"
#include "tls/system_roots.hpp"

namespace cmux::app {
namespace {

using namespace std::string_view_literals;

// The halves of a row that most settings share: a parser for one value, and where the value goes.
template <auto Member, class Parse>
auto one(Parse parse) {
  return [parse](Settings& settings, const std::vector<std::string>& values) -> Result<void> {
    const auto value = parse(values.front());
    if (!value) return value.error();
    settings.*Member = static_cast<std::remove_reference_t<decltype(settings.*Member)>>(*value);
    return {};
  };
}

template <auto Member, class Parse>
auto many(Parse parse) {
  return [parse](Settings& settings, const std::vector<std::string>& values) -> Result<void> {
    (settings.*Member).clear();
    for (const std::string& text : values) {
      const auto value = parse(text);
      if (!value) return value.error();
      (settings.*Member).push_back(*value);
    }
    return {};
  };
}

template <auto Member, class Print>
auto printed_list(Print print) {
  return [print](const Settings& settings) {
    std::string items;
    for (const auto& item : settings.*Member) items += fmt::format("{}{}", items.empty() ? "" : ", ", toml_string(print(item)));
    return fmt::format("[{}]", items);
  };
}

template <auto Member>
Row switch_row(SettingInfo info) {
  return {std::move(info), Shape::flag, one<Member>(parse_switch),
          [](const Settings& settings) -> std::string { return settings.*Member ? "true" : "false"; }, "true"};
}

// A rule of the localhost illusion: on unless switched off.
template <auto Member>
Row rewrite_row(SettingInfo info) {
  const auto read = [](Settings& settings, const std::vector<std::string>& values) -> Result<void> {
    const auto value = parse_switch(values.front());
    if (!value) return value.error();
    settings.rewrites.*Member = *value;
    return {};
  };
  info.negated_flag = true;
  return {std::move(info), Shape::flag, read,
          [](const Settings& settings) -> std::string { return settings.rewrites.*Member ? "true" : "false"; }, "true"};
}

template <auto Member>
Row number_row(SettingInfo info, std::uint64_t least, std::uint64_t most) {
  return {std::move(info), Shape::number, one<Member>([=](std::string_view text) { return parse_number(text, least, most); }),
          [](const Settings& settings) { return std::to_string(settings.*Member); }, "50"};
}

template <auto Member>
Row size_row(SettingInfo info, std::uint64_t least, std::uint64_t most) {
  return {std::move(info), Shape::number_or_text,
          one<Member>([=](std::string_view text) { return parse_size(text, least, most); }),
          [](const Settings& settings) { return toml_string(print_size(settings.*Member)); }, "64k"};
}

template <auto Member>
Row time_row(SettingInfo info) {
  return {std::move(info), Shape::text, one<Member>(parse_duration),
          [](const Settings& settings) { return toml_string(print_duration(settings.*Member)); }, "5s"};
}

template <auto Member>
Row endpoint_row(SettingInfo info, Result<net::Endpoint> (*parse)(std::string_view), std::string_view example) {
  return {std::move(info), Shape::text, one<Member>(parse),
          [](const Settings& settings) { return toml_string((settings.*Member).text()); }, example};
}

// An enumeration whose values are, in their order, called by `names`.
template <auto Member, std::size_t N>
Row choice_row(SettingInfo info, const std::array<std::string_view, N>& names) {
  info.choices.assign(names.begin(), names.end());
  const auto parse = [names](std::string_view text) -> Result<std::size_t> {
    const auto found = std::find(names.begin(), names.end(), net::to_lower(text));
    if (found == names.end()) return expected(fmt::format("one of {}", fmt::join(names, ", ")), text);
    return static_cast<std::size_t>(found - names.begin());
  };
  return {std::move(info), Shape::text, one<Member>(parse),
          [names](const Settings& settings) { return toml_string(names[static_cast<std::size_t>(settings.*Member)]); },
          names.front()};
}

Result<unsigned> parse_threads(std::string_view text) {
  if (text == "auto") return std::clamp(std::thread::hardware_concurrency(), 1u, 64u);
  const auto number = parse_number(text, 1, 64);
  if (!number) return expected("a number from 1 to 64, or auto", text);
  return static_cast<unsigned>(*number);
}

Result<std::string> parse_instance(const std::string& text) {
  if (const auto checked = admin::check_instance_name(text); !checked) return checked.error();
  return text;
}

Result<void> read_upstream_ca(Settings& settings, const std::vector<std::string>& values) {
  auto path = parse_readable_file(values.front());
  if (!path) return path.error();
  std::error_code unknown;
  settings.upstream_ca_written = std::filesystem::last_write_time(*path, unknown);
  if (!tls::holds_certificates(*path)) return expected("a file of certificates (PEM)", values.front());
  settings.upstream_ca = std::move(*path);
  return {};
}

std::vector<Row> make_rows() {
  using S = Settings;
  const auto print_ca = [](const S& s) { return s.upstream_ca.empty() ? std::string() : toml_string(s.upstream_ca); };
  const auto print_ready_fd = [](const S& s) { return s.ready_fd < 0 ? std::string() : std::to_string(s.ready_fd); };
  const auto print_owner = [](const S& s) { return s.owner_pid == 0 ? std::string() : std::to_string(s.owner_pid); };
  constexpr std::uint64_t kMostPid = std::numeric_limits<pid_t>::max();
  constexpr std::array kLevels{"trace"sv, "debug"sv, "info"sv, "warn"sv, "error"sv, "off"sv};
  constexpr std::array kFormats{"text"sv, "json"sv};
  std::vector<Row> rows;
  rows.push_back(endpoint_row<&S::listen>({"listen", "IP:PORT", "where clients connect; port 0: the kernel's choice"},
                                          parse_tcp_endpoint, "127.0.0.1:39385"));
  rows.push_back(
      number_row<&S::port_attempts>({"port-attempts", "N", "how many ports to try, from that of listen on"}, 1, 65535));
  rows.push_back(
      endpoint_row<&S::admin>({"admin", "IP:PORT|unix:PATH", "where the admin API listens"}, parse_any_endpoint, "127.0.0.1:0"));
  rows.push_back({{"instance", "NAME", "what this instance is called"},
                  Shape::text,
                  one<&S::instance>(parse_instance),
                  [](const S& s) { return toml_string(s.instance); },
                  "default"});
  rows.push_back({{"threads", "N|auto", "worker threads; auto: one a core"},
                  Shape::number_or_text,
                  one<&S::threads>(parse_threads),
                  [](const S& s) { return std::to_string(s.threads); },
                  "auto"});
  rows.push_back(switch_row<&S::allow_remote>({"allow-remote", "", "let listen be an address that is not loopback"}));
  rows.push_back(switch_row<&S::http2>({"http2", "", "speak HTTP/2 to clients", false, true}));
  rows.push_back(switch_row<&S::intercept>({"intercept", "", "answer TLS inside loopback tunnels", false, true}));
  rows.push_back({{"upstream-ca", "FILE", "CA certificates (PEM) to trust upstream besides the system's"},
                  Shape::file,
                  read_upstream_ca,
                  print_ca,
                  "ca.pem",
                  [](const S& one, const S& other) { return one.upstream_ca_written == other.upstream_ca_written; }});
  rows.push_back({{"resolve", "PATTERN=ADDR[:PORT]", "where hosts that match are; first match wins", true},
                  Shape::list,
                  many<&S::resolve>(net::parse_override),
                  printed_list<&S::resolve>(print_override),
                  "*.cmux.test=127.0.0.1:8443"});
  rows.push_back(
      {{"upstream-proxy", "URL|auto|env:VAR",
        "a proxy to connect through: http://[user:password@]host:port, https://… or socks5://…; auto: as HTTPS_PROXY, "
        "HTTP_PROXY, ALL_PROXY and NO_PROXY say; env:VAR: the URL is in a variable, where ps does not show it"},
       Shape::text,
       one<&S::upstream_proxy>(parse_parent_setting),
       [](const S& s) { return s.upstream_proxy.empty() ? std::string() : toml_string(print_parent_setting(s.upstream_proxy)); },
       "http://proxy.example:3128",
       [](const S& one, const S& other) { return one.upstream_proxy == other.upstream_proxy && one.parents == other.parents; }});
  rows.push_back(switch_row<&S::insecure_upstream>({"insecure-upstream", "", "accept any certificate upstream"}));
  rows.push_back({{"upstream-h2c", "PATTERN", "hosts that speak HTTP/2 without TLS, by prior knowledge", true},
                  Shape::list,
                  many<&S::upstream_h2c>(parse_host_pattern),
                  printed_list<&S::upstream_h2c>([](const std::string& pattern) { return pattern; }),
                  "*.internal.example"});
  rows.push_back({{"domains", "NAME", "another cmux domain, whose names are never rewritten", true},
                  Shape::list,
                  many<&S::domains>(parse_domain),
                  printed_list<&S::domains>([](const std::string& name) { return name; }),
                  "preview.example.com"});
  rows.push_back({{"never-route", "PATTERN", "hosts that go where they say, whatever a context's route says", true},
                  Shape::list,
                  many<&S::never_route>(parse_host_pattern),
                  printed_list<&S::never_route>([](const std::string& pattern) { return pattern; }),
                  "*.corp.example"});
  rows.push_back(switch_row<&S::via>({"via", "", "add a Via field to what is forwarded"}));
  using R = policy::Rewrites;
  rows.push_back(
      rewrite_row<&R::location>({"rewrite-location", "", "map a workspace's URLs in Location, Link etc. to localhost"}));
  rows.push_back(rewrite_row<&R::callbacks>(
      {"rewrite-callbacks", "", "map a workspace's URLs in the query of a Location to another site to localhost"}));
  rows.push_back(rewrite_row<&R::cookies>({"rewrite-cookies", "", "drop a workspace's Domain from Set-Cookie"}));
  rows.push_back(rewrite_row<&R::hsts>({"rewrite-hsts", "", "drop a workspace's Strict-Transport-Security"}));
  rows.push_back(rewrite_row<&R::cors>({"rewrite-cors", "", "map a workspace in Access-Control-Allow-Origin to localhost"}));
  rows.push_back(rewrite_row<&R::origin>({"rewrite-origin", "", "map localhost in Origin and Referer to the workspace"}));
  rows.push_back(choice_row<&S::log_level>({"log-level", "LEVEL", "trace, debug, info, warn, error or off"}, kLevels));
  rows.push_back(choice_row<&S::log_format>({"log-format", "FORMAT", "text, or json for one object a line"}, kFormats));
  rows.push_back(switch_row<&S::access_log>({"access-log", "", "log a line for every request"}));
  rows.push_back(switch_row<&S::watch_config>({"watch-config", "", "read the file again when it changes, as SIGHUP does"}));
  constexpr std::array kCapture{"auto"sv, "off"sv, "heads"sv, "bodies"sv};
  rows.push_back(choice_row<&S::capture>(
      {"capture", "WHAT", "what to keep of exchanges for the inspector; auto: all of it while somebody watches"}, kCapture));
  rows.push_back(size_row<&S::capture_memory>(
      {"capture-memory", "BYTES", "how much of exchanges is kept, of all threads together"}, 1 << 20, 1ull << 36));
  rows.push_back({{"inspector-dir", "FOLDER", "read the inspector's page from there, for who works on it"},
                  Shape::file,
                  one<&S::inspector_dir>(parse_folder),
                  [](const S& s) { return s.inspector_dir.empty() ? std::string() : toml_string(s.inspector_dir); },
                  "web/inspector"});
  rows.push_back(
      time_row<&S::drain_timeout>({"drain-timeout", "TIME", "how long requests may go on after a stop; 0: not at all"}));
  rows.push_back({{"ready-fd", "N", "a descriptor that gets the ready document and is then closed"},
                  Shape::number,
                  one<&S::ready_fd>([](std::string_view text) { return parse_number(text, 0, 65535); }),
                  print_ready_fd,
                  "3"});
  rows.push_back({{"owner-pid", "PID", "stop when that process has ended, however it ends"},
                  Shape::number,
                  one<&S::owner_pid>([](std::string_view text) { return parse_number(text, 1, kMostPid); }),
                  print_owner,
                  "4711"});
  rows.push_back(time_row<&S::connect_timeout>({"connect-timeout", "TIME", "to connect upstream; 0: no limit"}));
  rows.push_back(time_row<&S::refused_timeout>(
      {"refused-timeout", "TIME", "how long a refused connection to a workspace is tried again; 0: not at all"}));
  rows.push_back(time_row<&S::tls_timeout>({"tls-timeout", "TIME", "to shake hands upstream; 0: no limit"}));
  rows.push_back(time_row<&S::response_timeout>({"response-timeout", "TIME", "for a response to begin; 0: no limit"}));
  rows.push_back(
      time_row<&S::body_timeout>({"body-timeout", "TIME", "for more of a response's body whose length is known; 0: no limit"}));
  rows.push_back(time_row<&S::header_timeout>({"header-timeout", "TIME", "for a client's header to be whole; 0: no limit"}));
  rows.push_back(
      time_row<&S::send_timeout>({"send-timeout", "TIME", "for a peer to take some of what waits for it; 0: no limit"}));
  rows.push_back(time_row<&S::idle_timeout>({"idle-timeout", "TIME", "for connections that do nothing; 0: no limit"}));
  rows.push_back(time_row<&S::upstream_keep_alive>(
      {"upstream-keep-alive", "TIME", "how long an idle connection upstream is kept, unless its peer says less; 0: not at all"}));
  rows.push_back(time_row<&S::upstream_keep_alive_plain>(
      {"upstream-keep-alive-plain", "TIME", "the same where there is no TLS and the peer says nothing; 0: not at all"}));
  rows.push_back(time_row<&S::ping_interval>(
      {"ping-interval", "TIME", "silence on an HTTP/2 connection upstream after which it is asked for life; 0: never"}));
  rows.push_back(size_row<&S::max_header>({"max-header", "BYTES", "the largest header of a request or response"}, 1024, 1 << 20));
  rows.push_back(size_row<&S::max_url>({"max-url", "BYTES", "the longest request target"}, 1024, 1 << 20));
  rows.push_back(size_row<&S::max_body>({"max-body", "BYTES", "the largest body of a request; 0: no limit"}, 0, 1ull << 50));
  rows.push_back(
      number_row<&S::max_requests>({"max-requests", "N", "how many requests may be at work at once, a thread"}, 1, 1'000'000));
  rows.push_back(number_row<&S::max_context_requests>(
      {"max-context-requests", "N", "how many requests and tunnels a context may have open at once, a thread"}, 1, 1'000'000));
  rows.push_back(time_row<&S::silent_timeout>(
      {"silent-timeout", "TIME", "for a client's first byte while descriptors are scarce; 0: as long as idle-timeout"}));
  rows.push_back(number_row<&S::max_descriptors>(
      {"max-descriptors", "N", "how many to use at the most; 0: what the system gives"}, 0, 1 << 30));
  rows.push_back(
      switch_row<&S::dumpable>({"dumpable", "", "let other processes of this user read its memory, and core files be written"}));
  // What a listener, a thread or the process has been opened with.
  constexpr std::array kFixed{"listen"sv,       "port-attempts"sv, "admin"sv,     "instance"sv,        "threads"sv,
                              "allow-remote"sv, "ready-fd"sv,      "owner-pid"sv, "max-descriptors"sv, "dumpable"sv};
  for (Row& row : rows) row.info.fixed = std::find(kFixed.begin(), kFixed.end(), row.info.name) != kFixed.end();
  return rows;
}

}  // namespace

const std::vector<Row>& setting_rows() {
  static const std::vector<Row> made = make_rows();
  return made;
}

}  // namespace cmux::app
