#include "gateway_keys.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "app/settings.hpp"
#include "base/time_text.hpp"
#include "gateway/labels.hpp"
#include "gateway/token.hpp"
#include "policy/credentials.hpp"
#include "route_flags.hpp"

namespace cmux::cli {
namespace {

using gateway::Keys;
using gateway::WallTime;

struct Options {
  std::string file, algorithm = "ed25519", overlap = "24h", id, ttl = "8h";
  bool json = false, public_only = false;
};

WallTime now() { return std::chrono::system_clock::now(); }

milliseconds time_of(std::string_view flag, const std::string& text) {
  const auto time = app::parse_duration(text);
  if (!time || time->count() < 1000) throw Exit{kUsage, fmt::format("{}: expected a time of a second or more, such as 8h", flag)};
  return *time;
}

std::string read(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw Exit{kFailed, fmt::format("{}: {}", path, std::strerror(errno))};
  std::string text(1024 * 1024, '\0');
  const ssize_t size = ::read(descriptor, text.data(), text.size());
  ::close(descriptor);
  if (size < 0) throw Exit{kFailed, fmt::format("{}: {}", path, std::strerror(errno))};
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::shared_ptr<Keys> load(const std::string& path) {
  auto keys = gateway::parse_keys(read(path));
  if (!keys) throw Exit{kFailed, fmt::format("{}: {}", path, keys.error().detail)};
  return *keys;
}

// Whole, and for nobody else to read; a reader finds the old one or the new one. `fresh`: there must be none yet.
void save(const std::string& path, const Keys& keys, bool fresh) {
  const std::string text = print_keys(keys, true), next = fmt::format("{}.{}.new", path, getpid());
  const auto failed = [&](std::string_view doing) {
    const int number = errno;
    unlink(next.c_str());
    throw Exit{kFailed, number == EEXIST ? fmt::format("{} is there already: cmuxproxy gateway key rotate {}", path, path)
                                         : fmt::format("{} {}: {}", doing, path, std::strerror(number))};
  };
  const int descriptor = open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) failed("write");
  const bool written = write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(descriptor) == 0;
  ::close(descriptor);
  if (!written) failed("write");
  if (fresh ? link(next.c_str(), path.c_str()) != 0 : rename(next.c_str(), path.c_str()) != 0) failed("write");
  if (fresh) unlink(next.c_str());
}

gateway::Key fresh_key(gateway::Algorithm algorithm) {
  auto key = gateway::make_key(algorithm, now());
  if (!key) throw Exit{kFailed, key.error().detail};
  return std::move(*key);
}

std::string_view name_of(gateway::Algorithm algorithm) {
  return algorithm == gateway::Algorithm::ed25519 ? "ed25519" : "hmac-sha256";
}

int make(const Options& options) {
  Keys keys;
  keys.keys.push_back(fresh_key(options.algorithm == "ed25519" ? gateway::Algorithm::ed25519 : gateway::Algorithm::hmac_sha256));
  save(options.file, keys, true);
  print_note(fmt::format("made key {} in {}: keep it secret; gateways that only check need what key list --public prints",
                         keys.keys.front().id, options.file));
  return kOk;
}

// The new key signs from now on; the old ones are good for the tokens that they have signed until `overlap` is over.
int rotate(const Options& options) {
  const auto overlap = time_of("--overlap", options.overlap);
  const auto keys = load(options.file);
  const WallTime end = now() + overlap;
  const gateway::Key* const last = keys->signing(now());
  auto next = fresh_key(last ? last->algorithm : gateway::Algorithm::ed25519);
  std::erase_if(keys->keys, [](const gateway::Key& key) { return key.expires && *key.expires <= now(); });
  for (gateway::Key& key : keys->keys)
    if (!key.expires || *key.expires > end) key.expires = end;
  print_note(fmt::format("key {} signs from now on; the older ones are good until {}", next.id, rfc3339(end)));
  keys->keys.push_back(std::move(next));
  save(options.file, *keys, false);
  return kOk;
}

int list(const Options& options) {
  const auto keys = load(options.file);
  if (options.public_only) {
    print(print_keys(*keys, false));
    return kOk;
  }
  const gateway::Key* const signing = keys->signing(now());
  const auto state = [&](const gateway::Key& key) {
    return &key == signing ? "signs" : key.good_at(now()) ? "good" : key.expires && *key.expires <= now() ? "expired" : "not yet";
  };
  if (options.json) {
    json::array out;
    for (const gateway::Key& key : keys->keys)
      out.push_back(json::object{{"id", key.id},
                                 {"algorithm", std::string(name_of(key.algorithm))},
                                 {"notBefore", rfc3339(key.not_before)},
                                 {"expiresAt", key.expires ? json::value(rfc3339(*key.expires)) : json::value()},
                                 {"state", state(key)}});
    print_json(json::object{{"keys", std::move(out)}});
    return kOk;
  }
  std::vector<std::vector<std::string>> rows{{"KEY", "ALGORITHM", "FROM", "UNTIL", "STATE"}};
  for (const gateway::Key& key : keys->keys)
    rows.push_back({key.id, std::string(name_of(key.algorithm)), rfc3339(key.not_before),
                    key.expires ? rfc3339(*key.expires) : std::string("-"), state(key)});
  print_table(rows);
  return kOk;
}

int token(const Options& options) {
  if (!gateway::is_id(options.id)) throw Exit{kUsage, fmt::format("--id: expected {}, not '{}'", gateway::kIdForm, options.id)};
  const auto ttl = time_of("--ttl", options.ttl);
  const auto keys = load(options.file);
  const gateway::Key* const key = keys->signing(now());
  if (!key) throw Exit{kFailed, fmt::format("{}: no key in it is good for signing now", options.file)};
  const WallTime expires = std::chrono::floor<std::chrono::seconds>(now() + ttl);
  if (key->expires && expires > *key->expires)
    throw Exit{kFailed, fmt::format("--ttl: the key ends before, at {}", rfc3339(*key->expires))};
  constexpr std::size_t kDigits = 16;
  const std::string token_id = policy::random_hex(kDigits);
  const auto made = gateway::sign(*key, {options.id, expires, {}, token_id}, now());
  if (!made) throw Exit{kFailed, made.error().detail};
  if (options.json)
    print_json(json::object{
        {"token", *made}, {"id", options.id}, {"tokenId", token_id}, {"key", key->id}, {"expiresAt", rfc3339(expires)}});
  else print(*made + "\n");
  return kOk;
}

}  // namespace

void add_gateway_keys(CLI::App& group, Action& chosen) {
  const auto add = [&chosen](CLI::App& in, const char* name, const char* help, const char* footer, int (*run)(const Options&),
                             const std::function<void(CLI::App&, Options&)>& flags) {
    auto options = std::make_shared<Options>();
    CLI::App* const command = in.add_subcommand(name, help);
    flags(*command, *options);
    command->footer(std::string("Example:\n  ") + footer);
    command->callback([options, run, &chosen] { chosen = [options, run] { return run(*options); }; });
  };
  const auto file = [](CLI::App& command, Options& options) {
    command.add_option("FILE", options.file, "the keys, as a JWK set")->required()->check(not_empty());
  };
  CLI::App* const keys = group.add_subcommand("key", "the keys of access tokens");
  keys->require_subcommand(1);
  keys->footer("Example:\n  cmuxproxy gateway key make keys.json");
  add(*keys, "make", "make a file with a new key", "cmuxproxy gateway key make keys.json", make,
      [&](CLI::App& command, Options& options) {
        file(command, options);
        command.add_option("--algorithm", options.algorithm, "ed25519 (default) or hmac-sha256")
            ->check(CLI::IsMember({"ed25519", "hmac-sha256"}));
      });
  add(*keys, "rotate", "add a key that signs from now on, and let the older ones end",
      "cmuxproxy gateway key rotate keys.json --overlap 24h", rotate, [&](CLI::App& command, Options& options) {
        file(command, options);
        command.add_option("--overlap", options.overlap, "how long the older ones are still good (default 24h)")
            ->type_name("TIME");
      });
  add(*keys, "list", "show the keys", "cmuxproxy gateway key list keys.json --public > public.json", list,
      [&](CLI::App& command, Options& options) {
        file(command, options);
        command.add_flag("--public", options.public_only, "print the set without secrets, for gateways that only check");
        command.add_flag("--json", options.json, "as JSON");
      });
  add(group, "token", "make an access token for a machine", "cmuxproxy gateway token --keys keys.json --id abc123 --ttl 8h",
      token, [](CLI::App& command, Options& options) {
        command.add_option("--keys", options.file, "the keys")->required()->type_name("FILE")->check(not_empty());
        command.add_option("--id", options.id, "the machine's id")->required()->type_name("ID")->check(not_empty());
        command.add_option("--ttl", options.ttl, "how long it is good (default 8h)")->type_name("TIME");
        command.add_flag("--json", options.json, "as JSON");
      });
}

}  // namespace cmux::cli
