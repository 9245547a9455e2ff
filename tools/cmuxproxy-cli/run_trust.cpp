#include "run_trust.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "app/settings.hpp"
#include "base/private_folder.hpp"
#include "cli.hpp"
#include "tls/digest.hpp"
#include "tls/java_store.hpp"
#include "tls/system_roots.hpp"

namespace cmux::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 16;
constexpr std::size_t kMostBytes = 16 * 1024 * 1024;  // of a file of roots; the usual ones have 200 KB

// Each names a file with all roots, in place of those that the program has.
constexpr const char* kBundleVariables[] = {
    "SSL_CERT_FILE",   // OpenSSL, Go, Ruby, Rust's native roots
    "CURL_CA_BUNDLE",  // curl, Python's requests
    "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE", "DENO_CERT", "NIX_SSL_CERT_FILE",
};
constexpr const char* kNodeVariable = "NODE_EXTRA_CA_CERTS";  // besides the program's own

std::optional<std::string> read_text(const std::string& path) {
  std::error_code failed;
  if (!fs::is_regular_file(path, failed) || fs::file_size(path, failed) > kMostBytes || failed) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || !text) return std::nullopt;
  return std::move(text).str();
}

const char* variable(const char* name) {
  const char* const value = std::getenv(name);
  return value && *value ? value : nullptr;
}

class Files {
 public:
  explicit Files(std::string folder) : folder_(std::move(folder)) {}

  // The file that is made from `source`, by `make` where it is not there yet; nothing, with a note, where there can be none.
  std::optional<std::string> made_from(const std::string& source, std::string_view ending,
                                       const std::function<Result<std::string>(const std::string&)>& make) {
    std::string name;
    for (const char c : tls::sha256(source).substr(0, 8)) name += fmt::format("{:02x}", static_cast<unsigned char>(c));
    const std::string path = fmt::format("{}/{}.{}", folder_, name, ending);
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() && status.st_size > 0) {
      utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // used now: see drop_old()
      return path;
    }
    const auto content = make(source);
    if (content && write(path, *content)) return path;
    print_note(fmt::format("cmuxproxy: run: the local CA is not trusted by all: {}",
                           content ? "cannot write " + path : content.error().detail));
    return std::nullopt;
  }
  std::optional<std::string> with(const std::string& content) {
    return made_from(content, "pem", [](const std::string& same) -> Result<std::string> { return same; });
  }

 private:
  bool write(const std::string& path, const std::string& content) {
    if (!make_private_folder(folder_)) return false;
    drop_old();
    const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
    unlink(temporary.c_str());
    const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return false;
    std::string_view rest = content;
    while (!rest.empty()) {
      const ssize_t count = ::write(file, rest.data(), rest.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
    close(file);
    if (rest.empty() && rename(temporary.c_str(), path.c_str()) == 0) return true;
    unlink(temporary.c_str());
    return false;
  }
  // Makes room for one more: those go that were not used for the longest time.
  void drop_old() const {
    std::vector<std::pair<fs::file_time_type, fs::path>> all;
    std::error_code failed;
    for (const auto& each : fs::directory_iterator(folder_, failed)) all.emplace_back(each.last_write_time(failed), each.path());
    std::sort(all.begin(), all.end());
    for (std::size_t i = 0; i + kMostFiles <= all.size(); ++i) fs::remove(all[i].second, failed);
  }

  const std::string folder_;
};

}  // namespace

// Those roots and ours; themselves where ours is among them, as in a `run` inside `run`.
static std::string with_ours(const std::string& roots, const std::string& ours) {
  if (roots.find(ours) != std::string::npos) return roots;
  return roots + (roots.empty() || roots.ends_with('\n') ? "" : "\n") + ours;
}

Trust make_trust(const std::string& ca_file) {
  Trust trust;
  const auto ours = read_text(ca_file);
  const auto state = app::state_directory([](const char* name) -> const char* { return std::getenv(name); });
  if (!ours || !state) {
    print_note(
        fmt::format("cmuxproxy: run: the local CA is not trusted: {}", ours ? state.error().detail : "cannot read " + ca_file));
    return trust;
  }
  Files files(*state + "/trust");
  const std::optional<std::string> system = read_text(tls::system_roots());
  // Without the system's roots such a file would shut out the rest of the world.
  const auto bundle = system ? files.with(with_ours(*system, *ours)) : std::nullopt;
  for (const char* const name : kBundleVariables) {
    const char* const own = variable(name);
    if (!own) {
      if (bundle) trust.variables.emplace_back(name, *bundle);
      continue;
    }
    const auto roots = read_text(own);  // not a folder, which some of them may name: it stays
    if (!roots || roots->find(*ours) != std::string::npos) continue;
    if (const auto path = files.with(with_ours(*roots, *ours))) trust.variables.emplace_back(name, *path);
  }
  const char* const more = variable(kNodeVariable);
  const auto added = more ? read_text(more) : std::nullopt;
  if (!added) trust.variables.emplace_back(kNodeVariable, ca_file);
  else if (added->find(*ours) == std::string::npos)
    if (const auto path = files.with(with_ours(*added, *ours))) trust.variables.emplace_back(kNodeVariable, *path);
  if (!system) return trust;
  trust.java_store =
      files.made_from(with_ours(*system, *ours), "jks", [](const std::string& pem) { return tls::java_trust_store(pem); });
  return trust;
}

std::string trust_bundle(const std::string& ours) {
  const auto system = read_text(tls::system_roots());
  if (!system) throw Exit{kFailed, "ca bundle: the system's roots are in no file that is known; ca pem is ours alone"};
  return with_ours(*system, ours);
}

}  // namespace cmux::cli
