#include "gateway_fleet.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "app/fleet.hpp"
#include "app/settings.hpp"
#include "base/time_text.hpp"
#include "route_flags.hpp"

namespace cmux::cli {
namespace {

using gateway::WallTime;

struct Options {
  app::StoreFlags store;
  std::vector<std::string> ids;
  std::string token, file, ttl;
  bool json = false;
};

// The flags, or the store.
Exit failed(const Error& error) { return Exit{error.code == Errc::config ? kUsage : kFailed, error.detail}; }

json::value time_or_null(WallTime until) { return until == gateway::kNever ? json::value() : json::value(rfc3339(until)); }

// --- revoke --------------------------------------------------------------------------------------------------------------------

using Token = std::pair<std::string, WallTime>;  // its id, and its end

// Of a token in a file, or on stdin.
Token token_in(const std::string& path) {
  std::ifstream file(path == "-" ? "/dev/stdin" : path, std::ios::binary);
  if (!file) throw Exit{kFailed, fmt::format("--token: {}: {}", path, std::strerror(errno))};
  std::string text(gateway::kLongestToken + 2, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  auto claims = gateway::read_claims(text);
  if (!claims) throw Exit{kFailed, fmt::format("--token: {}", claims.error().detail)};
  if (claims->id.empty())
    throw Exit{kFailed,
               "--token: the token has no id (\"jti\") by which it could be revoked: gateway key rotate ends all of a key's"};
  return {claims->id, claims->expires};
}

gateway::Revoked tokens_of(const Options& options) {
  WallTime until = gateway::kNever;
  if (!options.ttl.empty()) {
    const auto ttl = app::parse_duration(options.ttl);
    if (!ttl || ttl->count() < 1000) throw Exit{kUsage, "--ttl: expected a time of a second or more, such as 720h"};
    until = std::chrono::ceil<std::chrono::seconds>(std::chrono::system_clock::now() + *ttl);
  }
  gateway::Revoked out;
  for (const std::string& id : options.ids) {
    if (!gateway::is_token_id(id) || id.find('.') != id.npos)
      throw Exit{kUsage, "expected ids of tokens, as gateway token --json prints them; of a token itself: --token FILE"};
    out[id] = until;
  }
  if (!options.token.empty()) out.insert(token_in(options.token));
  if (out.empty()) throw Exit{kUsage, "expected the ids of tokens, or --token FILE"};
  return out;
}

// In one write at the end: who reads the file finds whole lines, and two who write do not lose each other's.
void append(const std::string& path, const gateway::Revoked& tokens) {
  std::string lines;
  for (const auto& [id, until] : tokens) lines += gateway::print_revoked(id, until);
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const bool done = descriptor >= 0 && write(descriptor, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()) &&
                    fsync(descriptor) == 0;
  const int number = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!done) throw Exit{kFailed, fmt::format("write {}: {}", path, std::strerror(number))};
}

int revoke(const Options& options) {
  if (options.store.url.empty() == options.file.empty()) throw Exit{kUsage, "either --store or --file is needed"};
  const gateway::Revoked tokens = tokens_of(options);
  if (!options.file.empty()) append(options.file, tokens);
  else if (auto done = app::revoke_in_store(options.store, tokens); !done) throw failed(done.error());
  json::array out;
  for (const auto& [id, until] : tokens) {
    out.push_back(json::object{{"id", id}, {"until", time_or_null(until)}});
    if (!options.json) print_note(fmt::format("token {} is revoked", id));
  }
  if (options.json) print_json(json::object{{"revoked", std::move(out)}});
  return kOk;
}

// --- fleet ---------------------------------------------------------------------------------------------------------------------

int list(const Options& options) {
  const auto listed = app::list_store(options.store);
  if (!listed) throw failed(listed.error());
  std::vector<std::vector<std::string>> rows{{"MACHINE", "AT", "LEASE"}}, tokens{{"REVOKED", "UNTIL"}};
  json::array machines, revoked;
  for (const auto& [id, machine] : listed->machines) {
    const bool good = machine.problem.empty();
    json::value lease;
    std::string left = "-";
    if (machine.left) {
      const double seconds = static_cast<double>(machine.left->count()) / 1000;
      lease = seconds;
      left = fmt::format("{:.0f} s", seconds);
    }
    machines.push_back(json::object{{"id", id},
                                    {"url", good ? json::value(machine.url) : json::value()},
                                    {"leaseSeconds", lease},
                                    {"problem", good ? json::value() : json::value(machine.problem)}});
    rows.push_back({id, good ? machine.url : machine.problem, left});
  }
  for (const auto& [id, until] : listed->revoked) {
    revoked.push_back(json::object{{"id", id}, {"until", time_or_null(until)}});
    tokens.push_back({id, until == gateway::kNever ? "-" : rfc3339(until)});
  }
  if (options.json) {
    print_json(json::object{{"machines", std::move(machines)}, {"revoked", std::move(revoked)}});
    return kOk;
  }
  print_table(rows);
  if (tokens.size() > 1) print_table(tokens);
  return kOk;
}

}  // namespace

void add_store_flags(CLI::App& command, app::StoreFlags& flags) {
  command
      .add_option("--store", flags.url,
                  "the fleet's Redis or Valkey: redis://[user@]host[:port][/database], rediss:// with TLS, or env:VAR")
      ->type_name("URL")
      ->check(not_empty());
  command.add_option("--store-password", flags.password, "a file with the store's password")
      ->type_name("FILE")
      ->check(not_empty());
  command.add_option("--store-ca", flags.ca, "certificates (PEM) that are trusted for the store besides the system's")
      ->type_name("FILE")
      ->check(not_empty());
}

void add_gateway_fleet(CLI::App& group, Action& chosen) {
  const auto add = [&](const char* name, const char* help, const char* footer, int (*run)(const Options&)) {
    auto options = std::make_shared<Options>();
    CLI::App* const command = group.add_subcommand(name, help);
    add_store_flags(*command, options->store);
    command->add_flag("--json", options->json, "as JSON");
    command->footer(footer);
    command->callback([options, run, &chosen] { chosen = [options, run] { return run(*options); }; });
    return std::pair(command, options);
  };
  const auto [command, options] =
      add("revoke", "let a token open nothing any more",
          "A revocation cannot be taken back: make another token.\n\nExamples:\n"
          "  cmuxproxy gateway revoke --token leaked.token --store redis://store.internal --store-password redis.password\n"
          "  cmuxproxy gateway revoke 6f1c1a9e27b04d0f --file revoked.txt\n"
          "  cmuxproxy gateway names --domain cmux.example --machines machines.toml --keys keys.json --revoked revoked.txt",
          revoke);
  command->add_option("ID", options->ids, "ids of tokens (\"jti\"), as gateway token --json prints them");
  command->add_option("--token", options->token, "the token itself, in a file, or - for stdin")
      ->type_name("FILE")
      ->check(not_empty());
  command->add_option("--file", options->file, "write it at the end of this file, which gateway names --revoked reads")
      ->type_name("FILE")
      ->check(not_empty());
  command->add_option("--ttl", options->ttl, "how long tokens with these ids may still be good; default: for ever")
      ->type_name("TIME");
  const auto listing =
      add("fleet", "show the machines that have registered themselves, and the tokens that are revoked",
          "Example:\n  cmuxproxy gateway fleet --store redis://store.internal --store-password redis.password", list);
  listing.first->get_option("--store")->required();
}

}  // namespace cmux::cli
