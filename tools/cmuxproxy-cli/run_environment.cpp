#include "run_environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "net/address.hpp"
#include "run_trust.hpp"

namespace cmux::cli {
namespace {

constexpr const char* kProxyVariables[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

void set(const char* name, const std::string& value) { setenv(name, value.c_str(), 1); }

template <class Take>
void each_entry(std::string_view list, Take take) {
  while (!list.empty()) {
    const std::size_t end = list.find_first_of(", \t");
    if (const std::string_view entry = list.substr(0, end); !entry.empty()) take(entry);
    list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
  }
}

// "127.0.0.0/8", "0.0.0.0/0", "::1/128", "[::1]:3000", "localhost:3000", ".localhost", "*.localhost"
bool stands_for_loopback(std::string_view entry) {
  if (entry == "*") return true;
  std::string_view host = entry.substr(0, entry.find('/'));
  const bool network = host.size() < entry.size();
  if (host.starts_with("*")) host.remove_prefix(1);
  if (host.starts_with(".")) host.remove_prefix(1);
  if (host.starts_with("[")) host = host.substr(1, host.find(']') - 1);
  else if (std::count(host.begin(), host.end(), ':') == 1) host = host.substr(0, host.find(':'));
  if (network && entry.ends_with("/0")) return true;
  return net::is_loopback_name(net::to_lower(host.substr(0, host.find_last_not_of('.') + 1)));
}

// What a Java program takes from the environment. Its own ways are properties alone.
std::string java_options(std::string_view port, std::string_view no_proxy, const Trust& trust) {
  std::string options = variable("JAVA_TOOL_OPTIONS");
  const auto add = [&](std::string_view property, std::string_view value) {
    options += fmt::format("{}-D{}={}", options.empty() ? "" : " ", property, value);
  };
  for (const std::string_view scheme : {"http", "https"}) {
    add(fmt::format("{}.proxyHost", scheme), "127.0.0.1");
    add(fmt::format("{}.proxyPort", scheme), port);
  }
  // Without the property it is "localhost|127.*|[::1]|…".
  add("http.nonProxyHosts", java_non_proxy_hosts(no_proxy));
  const bool has_store = options.find("-Djavax.net.ssl.trustStore=") != std::string::npos;
  // Two kinds of quotes are all that this variable knows.
  if (has_store || !trust.java_store || trust.java_store->find_first_of("'\"") != std::string::npos) return options;
  add("javax.net.ssl.trustStore",
      trust.java_store->find(' ') == std::string::npos ? *trust.java_store : fmt::format("'{}'", *trust.java_store));
  add("javax.net.ssl.trustStoreType", "JKS");
  return options;
}

}  // namespace

std::string without_loopback(std::string_view no_proxy) {
  std::string kept;
  each_entry(no_proxy, [&](std::string_view entry) {
    if (!stands_for_loopback(entry)) kept += fmt::format("{}{}", kept.empty() ? "" : ",", entry);
  });
  return kept;
}

std::string java_non_proxy_hosts(std::string_view no_proxy) {
  std::string hosts;
  each_entry(no_proxy, [&](std::string_view entry) {
    std::string_view name = entry;
    if (name.starts_with("*")) name.remove_prefix(1);
    const bool below = name.starts_with(".");
    if (below) name.remove_prefix(1);
    const auto is_plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_'; };
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_plain)) return;
    // A name stands for all below it, too, as most programs read the list.
    hosts += fmt::format("{}{}|*.{}", hosts.empty() ? "" : "|", name, name);
  });
  return hosts;
}

void set_environment(const json::object& context, const std::string& ca_file) {
  // http: every program that reads all_proxy knows it, and not every one SOCKS.
  const std::string url = text_member(context, "proxyUrl");
  for (const char* const name : kProxyVariables) set(name, url);
  std::string lower = without_loopback(variable("no_proxy")), upper = without_loopback(variable("NO_PROXY"));
  if (!std::getenv("no_proxy")) lower = upper;
  if (!std::getenv("NO_PROXY")) upper = lower;
  set("no_proxy", lower);
  set("NO_PROXY", upper);
  set("NODE_USE_ENV_PROXY", "1");  // Node.js 22.21 and 24 on: fetch and http.get as well
  const Trust trust = ca_file.empty() ? Trust() : make_trust(ca_file);
  for (const auto& [name, value] : trust.variables) set(name, value);
  set("JAVA_TOOL_OPTIONS", java_options(shown(member(context, "dedicatedPort")), lower, trust));
  set("CMUXPROXY_CONTEXT", text_member(context, "id"));
  std::string forwards;
  if (const json::array* const list = member(context, "forwards").if_array())
    for (const json::value& each : *list)
      forwards += fmt::format("{}{}:{}", forwards.empty() ? "" : ",", shown(member(each, "port")), shown(member(each, "local")));
  if (forwards.empty()) unsetenv("CMUXPROXY_FORWARDS");  // of a `run` around this one
  else set("CMUXPROXY_FORWARDS", forwards);
}

}  // namespace cmux::cli
