// A user with nothing running, and a workspace that settings alone lead to: for `run` and `browser`.
#pragma once

#include <fmt/format.h>

#include <filesystem>

#include "support.hpp"

namespace e2e {

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }
inline bool runs(pid_t pid) { return kill(pid, 0) == 0; }

inline const Strings kFromUrl{"--from-url", "https://cmux-abc-base-3000.cmux.test"};

inline const Strings kRootVariables{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
                                    "PIP_CERT",      "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO",
                                    "AWS_CA_BUNDLE", "DENO_CERT",      "NIX_SSL_CERT_FILE"};

struct User {
  Workspace workspace;
  TempDir folder;
  std::string runtime = folder / "run", state = folder / "state";
  Strings environment{"CMUXPROXY_RUNTIME_DIR=" + runtime,
                      "CMUXPROXY_STATE_DIR=" + state,
                      "HOME=" + folder.path,
                      "XDG_CONFIG_HOME=" + folder / "config",
                      fmt::format("CMUXPROXY_RESOLVE=*.cmux.test=127.0.0.1:{}", workspace.https_port()),
                      "CMUXPROXY_UPSTREAM_CA=" + pki() + "/ca.crt",
                      "CMUXPROXY_DOMAINS=cmux.test"};

  User() {
    for (const std::string& name : kRootVariables) environment.push_back(name + "=");  // whatever this machine has
    environment.insert(environment.end(), {"NODE_EXTRA_CA_CERTS=", "JAVA_TOOL_OPTIONS="});
  }
  Strings argv(const Strings& command, const Strings& flags = kFromUrl) const {
    Strings all{binary(), "run"};
    all.insert(all.end(), flags.begin(), flags.end());
    all.emplace_back("--");
    all.insert(all.end(), command.begin(), command.end());
    return all;
  }
  Run run(const Strings& command, const Strings& flags = kFromUrl, const Strings& more = {}) const {
    Strings all = environment;
    all.insert(all.end(), more.begin(), more.end());
    return e2e::run(argv(command, flags), all);
  }
  // The private instance goes with the command, and is nobody's child.
  bool nothing_is_left() const {
    if (eventually([&] { return !std::filesystem::exists(runtime) || std::filesystem::is_empty(runtime); })) return true;
    for (const auto& left : std::filesystem::directory_iterator(runtime)) {
      const std::string path = left.path().string();
      UNSCOPED_INFO(path << (path.ends_with(".json") ? ": " + read_file(path) : std::string()));
    }
    return false;
  }
};

}  // namespace e2e
