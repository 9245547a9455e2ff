#include "cli.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/log.hpp"
#include "net/socket.hpp"

namespace cmux::cli {
namespace {

bool wants_colour() {
  const char* const no = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) && !(no && *no);
}

// Columns as a terminal counts them, near enough: one a UTF-8 character.
std::size_t width(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return count;
}

constexpr std::chrono::seconds kStartWait{10};  // for an instance that the system starts

// A service manager may hold a socket for an instance that does not run yet (`service install`): a connection to it starts the
// instance. Returns when it is there, or not.
void knock(const std::string& instance) {
  const auto folder = admin::runtime_directory();
  const auto endpoint = folder ? net::Endpoint::from_unix(fmt::format("{}/{}.socket", *folder, instance)) : folder.error();
  if (!endpoint) return;
  const net::Socket socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&endpoint->storage), endpoint->size) != 0) return;
  const auto end = Clock::now() + kStartWait;
  while (!admin::read_instance(instance) && Clock::now() < end) std::this_thread::sleep_for(milliseconds(10));
}

}  // namespace

void add_common(CLI::App& command, Common& common) {
  command.add_option("--instance", common.instance, "the instance to talk to")
      ->envname("CMUXPROXY_INSTANCE")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_flag("--json", common.json, "print JSON");
}

admin::Client connect(const std::string& instance, MayStart may_start) {
  auto record = admin::read_instance(instance);
  if (!record && record.error().code == Errc::closed && may_start == MayStart::yes) {
    knock(instance);
    record = admin::read_instance(instance);
  }
  if (record) return admin::Client(std::move(*record));
  const Error& error = record.error();
  if (error.code == Errc::closed) throw Exit{kNoInstance, error.detail + "; start one with: cmuxproxy serve"};
  if (!admin::check_instance_name(instance)) throw Exit{kUsage, "--instance: " + error.detail};
  throw Exit{kNoInstance, error.detail};
}

json::object expect(const admin::Client& client, const Result<admin::Answer>& answer) {
  const admin::InstanceRecord& instance = client.instance();
  if (!answer)
    throw Exit{kNoInstance, fmt::format("instance '{}' (pid {}) cannot be reached at {}: {}", instance.name, instance.pid,
                                        instance.admin, answer.error().detail)};
  if (answer->ok()) {
    if (const json::object* const document = answer->body.if_object()) return *document;
    throw Exit{kFailed, "the instance's answer is not what was expected; are both of one version?"};
  }
  switch (answer->status) {
    case 400: throw Exit{kUsage, as_flag(answer->problem())};
    case 404: throw Exit{kNoContext, answer->problem()};
    default: throw Exit{kFailed, answer->problem()};
  }
}

std::string as_flag(std::string_view detail) {
  static constexpr std::pair<std::string_view, std::string_view> kFlags[] = {
      {"morphId", "--morph-id"},
      {"scope", "--scope"},
      {"domainSuffix", "--domain-suffix"},
      {"morphDomainSuffix", "--morph-domain-suffix"},
      {"cmuxProxyOrigin", "--cmux-proxy-origin"},
      {"template", "--template"},
      {"suffix", "--suffix"},
      {"headers", "--header"},
      {"hosts", "--host"},
      {"hostOverride", "--host-override"},
      {"hostHeader", "--host-header"},
      {"rewriteOrigin", "--rewrite-origin"},
      {"preset", "--preset"},
      {"token", "--token"},
      {"direct", "--direct"},
      {"dedicatedPort", "--dedicated-port"},
      {"forwards", "--forward"},
      {"fromUrl", "--from-url"},
      {"label", "--label"},
      {"ttlSeconds", "--ttl"},
      {"ownerPid", "--owner-pid"},
      {"webContentsId", "--web-contents-id"},
  };
  for (const auto& [key, flag] : kFlags)
    if (detail.starts_with(key) && detail.substr(key.size()).starts_with(": "))
      return fmt::format("{}{}", flag, detail.substr(key.size()));
  return std::string(detail);
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_json(const json::object& document) { print(json::serialize(document) + "\n"); }

// Whoever has closed stderr, or filled the disk that it goes to, is told nothing; the exit code says it all the same.
void print_note(std::string_view text) {
  const std::string line = fmt::format("{}\n", text);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::string shown(const json::value& value) {
  if (value.is_null()) return "-";
  if (const json::string* const text = value.if_string()) return log::printable({text->data(), text->size()});
  return log::printable(json::serialize(value));
}

const json::value& member(const json::object& object, std::string_view key) {
  static const json::value kNull;
  const json::value* const found = object.if_contains({key.data(), key.size()});
  return found ? *found : kNull;
}

const json::value& member(const json::value& object, std::string_view key) {
  static const json::object kEmpty;
  const json::object* const members = object.if_object();
  return member(members ? *members : kEmpty, key);
}

std::string text_member(const json::object& object, std::string_view key) {
  const json::value& value = member(object, key);
  const json::string* const text = value.if_string();
  return text ? std::string(text->data(), text->size()) : std::string();
}

std::string text_member(const json::value& object, std::string_view key) {
  const json::object* const members = object.if_object();
  return members ? text_member(*members, key) : std::string();
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  bool first = true;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    print(painted(line, std::exchange(first, false) ? Colour::bold : Colour::none) + "\n");
  }
}

std::string painted(std::string_view text, Colour colour) {
  static const bool wanted = wants_colour();
  if (!wanted || colour == Colour::none) return std::string(text);
  static constexpr std::string_view kCodes[] = {"", "1", "31", "32", "33"};
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<std::size_t>(colour)], text);
}

}  // namespace cmux::cli
