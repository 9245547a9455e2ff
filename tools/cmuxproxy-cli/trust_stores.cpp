#include "trust_stores.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "tls/digest.hpp"

namespace cmux::cli {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

// What is between BEGIN and END: tools print the same certificate with other line ends and words around it.
std::string body_of(const std::string& pem) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  const std::size_t begin = pem.find(kBegin), end = pem.find("-----END", begin + 1);
  std::string body;
  if (begin == std::string::npos || end == std::string::npos) return body;
  for (const char c : pem.substr(begin + kBegin.size(), end - begin - kBegin.size()))
    if (!std::isspace(static_cast<unsigned char>(c))) body += c;
  return body;
}

Holds compare(const std::string& found, const std::string& pem) {
  return body_of(found) == body_of(pem) ? Holds::ours : Holds::other;
}

// Its own for each CA, so that those of two users, and an old one and the new, do not meet.
std::string name_of(const std::string& pem) {
  std::string name = "cmuxproxy-";
  for (const char c : tls::sha256(body_of(pem)).substr(0, 4)) name += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return name;
}

// Where root's programs are. What root runs is not to depend on the PATH or the JAVA_HOME of whoever became root.
constexpr std::array<std::string_view, 6> kRootsFolders{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                                        "/usr/bin",        "/sbin",          "/bin"};

std::string find_roots_tool(const std::string& name) {
  for (const std::string_view folder : kRootsFolders)
    if (const std::string found = find_program(fmt::format("{}/{}", folder, name)); !found.empty()) return found;
  return {};
}

// Administrators' programs are not in every user's PATH.
std::string find_tool(const std::string& name) {
  const std::string found = find_program(name);
  return found.empty() ? find_roots_tool(name) : found;
}

// Neither it nor what leads there can others change. In a folder with the sticky bit they have no hand on what is not theirs.
// `path` is canonical.
bool is_roots(const fs::path& path) {
  for (fs::path at = path;; at = at.parent_path()) {
    struct stat status {};
    if (stat(at.c_str(), &status) != 0 || status.st_uid != 0) return false;
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !(S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0))
      return false;
    if (at == at.parent_path()) return true;
  }
}

// --- the system's ---

struct SystemFolder {
  const char* folder;
  Command update, update_after_removal;
};

std::optional<TrustStore> system_store(const std::string& path, const std::string& pem) {
#ifdef __APPLE__
  const std::string keychain = "/Library/Keychains/System.keychain";
  TrustStore store{"system", keychain, true, {}, {}, {}, {}};
  store.holds = [=] {
    const Said said = ask_command({"security", "find-certificate", "-a", "-p", "-c", "cmuxproxy", keychain});
    return said.text.find(pem) == std::string::npos ? Holds::nothing : Holds::ours;
  };
  store.install = {{"security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", keychain, path}};
  store.uninstall = {{"security", "remove-trusted-cert", "-d", path}};
  return store;
#else
  // Debian and Ubuntu; Fedora and RHEL; Arch; SUSE.
  const SystemFolder kFolders[] = {
      {"/usr/local/share/ca-certificates", {"update-ca-certificates"}, {"update-ca-certificates", "--fresh"}},
      {"/etc/pki/ca-trust/source/anchors", {"update-ca-trust", "extract"}, {"update-ca-trust", "extract"}},
      {"/etc/ca-certificates/trust-source/anchors", {"trust", "extract-compat"}, {"trust", "extract-compat"}},
      {"/usr/share/pki/trust/anchors", {"update-ca-certificates"}, {"update-ca-certificates"}},
  };
  for (const SystemFolder& each : kFolders) {
    const std::string tool = find_roots_tool(each.update.front());
    std::error_code failed;
    if (tool.empty() || !fs::is_directory(each.folder, failed)) continue;
    const std::string file = fmt::format("{}/{}.crt", each.folder, name_of(pem));
    const auto by_tool = [&](Command command) {
      command.front() = tool;
      return command;
    };
    TrustStore store{"system", file, true, {}, {}, {}, {}};
    store.holds = [=] {
      std::error_code none;
      if (!fs::exists(fs::symlink_status(file, none))) return Holds::nothing;
      std::ifstream in(file, std::ios::binary);
      std::ostringstream text;
      text << in.rdbuf();
      return compare(text.str(), pem);
    };
    store.install = {{"install", "-m", "0644", path, file}, by_tool(each.update)};
    store.uninstall = {{"rm", "-f", file}, by_tool(each.update_after_removal)};
    return store;
  }
  return std::nullopt;
#endif
}

// --- browsers' ---

std::vector<std::string> nss_databases() {
  const std::string home = variable("HOME");
  std::vector<std::string> found;
  if (!home.starts_with('/')) return found;
  const auto add = [&](const fs::path& folder) {
    std::error_code failed;
    if (fs::exists(folder / "cert9.db", failed)) found.push_back(folder.string());
  };
  add(home + "/.pki/nssdb");
  add(home + "/snap/chromium/current/.pki/nssdb");
  for (const char* const profiles :
       {"/.mozilla/firefox", "/snap/firefox/common/.mozilla/firefox", "/Library/Application Support/Firefox/Profiles"}) {
    std::error_code failed;
    for (const auto& profile : fs::directory_iterator(home + profiles, failed)) add(profile.path());
  }
  return found;
}

TrustStore nss_store(const std::string& folder, const std::string& path, const std::string& pem) {
  const std::string tool = find_tool("certutil"), database = "sql:" + folder, name = name_of(pem);
  TrustStore store{"nss", folder, false, {}, {}, {}, {}};
  if (tool.empty()) store.missing = "certutil, of the package libnss3-tools, nss-tools or nss";
  store.holds = [=] {
    const Said said = ask_command({tool, "-L", "-d", database, "-n", name, "-a"});
    return said.code == 0 ? compare(said.text, pem) : Holds::nothing;
  };
  store.install = {{tool, "-A", "-d", database, "-t", "C,,", "-n", name, "-i", path}};
  store.uninstall = {{tool, "-D", "-d", database, "-n", name}};
  return store;
}

// --- Java's ---

std::optional<TrustStore> java_store(const std::string& path, const std::string& pem) {
  std::error_code failed;
  fs::path home = variable("JAVA_HOME");
  if (home.empty()) home = fs::canonical(find_program("java"), failed).parent_path().parent_path();
  if (!home.is_absolute()) return std::nullopt;
  home = fs::canonical(home, failed);
  if (failed) return std::nullopt;
  fs::path keys = home / "lib/security/cacerts";
  if (!fs::exists(keys, failed)) keys = home / "jre/lib/security/cacerts";
  const std::string real = fs::canonical(keys, failed).string();
  // Below /etc it is made from the system's roots, and follows them.
  if (failed || real.starts_with("/etc/")) return std::nullopt;
  const fs::path place = home / "bin/keytool";
  const std::string tool = fs::weakly_canonical(place, failed).string(), name = name_of(pem);
  const auto keytool = [=](Command more) {
    Command command{tool};
    command.insert(command.end(), more.begin(), more.end());
    // The password is the one that every key store of Java's begins with: it keeps nobody out.
    command.insert(command.end(), {"-keystore", real, "-storepass", "changeit", "-alias", name});
    return command;
  };
  TrustStore store{"java", real, access(real.c_str(), W_OK) != 0, {}, {}, {}, {}};
  if (find_program(tool).empty()) store.missing = place.string();
  else if ((store.needs_root || geteuid() == 0) && !(is_roots(tool) && is_roots(real)))
    store.missing =
        fmt::format("a Java that root alone can change, for root to run its keytool; that in {} is not", home.string());
  store.holds = [=] {
    const Said said = ask_command(keytool({"-exportcert", "-rfc"}));
    return said.code == 0 ? compare(said.text, pem) : Holds::nothing;
  };
  store.install = {keytool({"-importcert", "-noprompt", "-file", path})};
  store.uninstall = {keytool({"-delete"})};
  return store;
}

}  // namespace

std::vector<TrustStore> trust_stores(const std::string& path, const std::string& pem) {
  if (geteuid() == 0) setenv("PATH", fmt::format("{}", fmt::join(kRootsFolders, ":")).c_str(), 1);
  std::vector<TrustStore> stores;
  if (auto system = system_store(path, pem)) stores.push_back(std::move(*system));
  for (const std::string& folder : nss_databases()) stores.push_back(nss_store(folder, path, pem));
  if (auto java = java_store(path, pem)) stores.push_back(std::move(*java));
  return stores;
}

}  // namespace cmux::cli
