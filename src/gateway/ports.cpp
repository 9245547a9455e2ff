#include "gateway/ports.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/platform.hpp"
#include "net/address.hpp"

#if CMUX_LINUX
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#endif

#include <arpa/inet.h>

namespace cmux::gateway {
namespace {

constexpr std::string_view kListens = "0A";  // TCP_LISTEN

std::optional<std::uint32_t> hex(std::string_view text) {
  std::uint32_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

// An address as its words in this machine's order of bytes, eight hexadecimal digits each; and a port.
std::optional<Listening> parse_local(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  const auto port = hex(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  std::uint32_t words[4] = {};
  for (std::size_t i = 0; i * 8 < colon; ++i) {
    const auto word = hex(text.substr(i * 8, 8));
    if (!word) return std::nullopt;
    words[i] = *word;
  }
  char out[INET6_ADDRSTRLEN];
  if (!inet_ntop(colon == 8 ? AF_INET : AF_INET6, words, out, sizeof out)) return std::nullopt;
  return Listening{out, static_cast<std::uint16_t>(*port)};
}

// The next word of a line.
std::string_view word_of(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

#if CMUX_LINUX
constexpr std::size_t kEnough = 1024 * 1024;

// Piece by piece, as the system makes it, and no further than those who listen.
Result<void> read_into(std::vector<Listening>& all, const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return {};  // no IPv6
  if (file < 0) return from_errno(errno, path);
  std::string text;
  char block[16 * 1024];
  ssize_t size = 0;
  std::vector<Listening> found;
  while (text.size() < kEnough && (size = read(file, block, sizeof block)) > 0) {
    text.append(block, static_cast<std::size_t>(size));
    const std::size_t lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    found = parse_proc_net(text);
    if (found.size() + 1 < lines) break;
  }
  const int failed = errno;
  close(file);
  if (size < 0) return from_errno(failed, path);
  all.insert(all.end(), found.begin(), found.end());
  return {};
}
#endif

}  // namespace

std::vector<Listening> parse_proc_net(std::string_view text) {
  std::vector<Listening> out;
  bool title = true;
  while (true) {
    const std::size_t end = text.find('\n');
    if (end == text.npos) return out;
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (std::exchange(title, false)) continue;
    word_of(line);
    const auto local = parse_local(word_of(line));
    word_of(line);
    if (!local || word_of(line) != kListens) return out;
    out.push_back(*local);
  }
}

std::vector<std::uint16_t> ports_at(const std::vector<Listening>& all, std::string_view address) {
  std::vector<std::uint16_t> out;
  for (const Listening& one : all)
    if (one.address == address || one.address == "0.0.0.0" || one.address == "::" ||
        (address == "localhost" && (one.address == "127.0.0.1" || one.address == "::1")))
      out.push_back(one.port);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<std::vector<Listening>> listening() {
#if CMUX_LINUX
  std::vector<Listening> all;
  for (const char* const path : {"/proc/self/net/tcp", "/proc/self/net/tcp6"})
    if (auto read = read_into(all, path); !read) return read.error();
  return all;
#else
  return make_error(Errc::unsupported, "this system does not say which ports are listened on");
#endif
}

}  // namespace cmux::gateway
