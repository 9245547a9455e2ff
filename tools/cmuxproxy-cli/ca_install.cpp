// ca install, ca uninstall: the local CA into every store of this machine, and out of those that have it.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ca.hpp"
#include "tls/authority.hpp"
#include "trust_stores.hpp"

namespace cmux::cli {
namespace {

struct Options {
  bool yes = false, json = false;
  std::vector<std::string> kinds;
  bool wants(const TrustStore& store) const {
    return kinds.empty() || std::find(kinds.begin(), kinds.end(), store.kind) != kinds.end();
  }
};

struct Outcome {
  const char* result;  // installed, already, removed; foreign, missing-tool, not-allowed, failed
  std::string detail;
  bool good() const { return detail.empty(); }
};

std::string shown(const Command& command) { return fmt::format("{}", fmt::join(command, " ")); }

bool agrees(const Options& options) {
  if (options.yes) return true;
  if (!isatty(STDIN_FILENO)) return false;
  std::fputs("Go on? [y/N] ", stderr);
  char line[16]{};
  if (!std::fgets(line, sizeof line, stdin)) return false;
  const std::string_view answer(line, std::strcspn(line, "\n"));
  return answer == "y" || answer == "Y" || answer == "yes";
}

// By sudo, where it takes more rights than this process has: asked for first, with what is to be done.
Outcome carry_out(std::vector<Command> commands, const TrustStore& store, const Options& options, const char* done) {
  if (store.needs_root && geteuid() != 0) {
    std::string list;
    for (const Command& command : commands) list += fmt::format("  sudo {}\n", shown(command));
    if (find_program("sudo").empty())
      return {"not-allowed", fmt::format("it takes root, and there is no sudo; as root:\n{}", list)};
    print_note(fmt::format("For the {} store these run with an administrator's rights:\n{}", store.kind, list));
    if (!agrees(options)) return {"not-allowed", "not agreed to; --yes agrees where nobody can be asked"};
    for (Command& command : commands) command.insert(command.begin(), "sudo");
  }
  for (const Command& command : commands)
    if (const int code = run_command(command); code != 0)
      return {"failed", fmt::format("{}: exit code {}", shown(command), code)};
  return {done, ""};
}

Outcome install_into(const TrustStore& store, const Options& options) {
  if (!store.missing.empty()) return {"missing-tool", "it takes " + store.missing};
  switch (store.holds()) {
    case Holds::ours: return {"already", ""};
    case Holds::other: return {"foreign", "another certificate has the name of ours there; it stays as it is"};
    case Holds::nothing: break;
  }
  const Outcome outcome = carry_out(store.install, store, options, "installed");
  if (outcome.good() && store.holds() != Holds::ours) return {"failed", "it is not there, though no command failed"};
  return outcome;
}

Outcome remove_from(const TrustStore& store, const Options& options) {
  if (!store.missing.empty()) return {"missing-tool", "it takes " + store.missing};
  const Outcome outcome = carry_out(store.uninstall, store, options, "removed");
  if (outcome.good() && store.holds() == Holds::ours) return {"failed", "it is still there, though no command failed"};
  return outcome;
}

class Report {
 public:
  explicit Report(bool as_json) : as_json_(as_json) {}
  void add(const TrustStore& store, const Outcome& outcome) {
    good_ = good_ && outcome.good();
    ++count_;
    if (!as_json_) {
      print(
          fmt::format("{:<7} {}: {}{}{}\n", store.kind, store.place, outcome.result, outcome.good() ? "" : ": ", outcome.detail));
      return;
    }
    json::object row;
    row["kind"] = store.kind;
    row["place"] = store.place;
    row["result"] = outcome.result;
    row["detail"] = outcome.good() ? json::value() : json::value(outcome.detail);
    rows_.push_back(std::move(row));
  }
  std::size_t count() const { return count_; }
  int end() {
    if (as_json_) {
      json::object document;
      document["stores"] = std::move(rows_);
      print_json(document);
    }
    return good_ ? kOk : kFailed;
  }

 private:
  const bool as_json_;
  bool good_ = true;
  std::size_t count_ = 0;
  json::array rows_;
};

int install(const Options& options) {
  const auto authority = open_authority();
  Report report(options.json);
  for (const TrustStore& store : trust_stores(authority->certificate_path(), authority->certificate_pem()))
    if (options.wants(store)) report.add(store, install_into(store, options));
  if (report.count() > 0) return report.end();
  report.end();
  throw Exit{kFailed, "ca install: no store was found; by hand: cmuxproxy ca install-hint"};
}

// Whatever this CA, and the one before it, was put into.
int uninstall(const Options& options) {
  const auto authority = open_authority();
  Report report(options.json);
  for (const std::string& path : {authority->certificate_path(), authority->certificate_path() + ".old"}) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream pem;
    pem << file.rdbuf();
    if (!file) continue;
    for (const TrustStore& store : trust_stores(path, pem.str()))
      if (options.wants(store) && (!store.missing.empty() || store.holds() == Holds::ours))
        report.add(store, remove_from(store, options));
  }
  if (report.count() == 0) print_note("nothing to remove");
  return report.end();
}

void add_flags(CLI::App& command, Options& options) {
  command.add_flag("--yes", options.yes, "agree to what needs an administrator's rights (sudo)");
  command.add_option("--store", options.kinds, "only stores of that kind (repeatable)")
      ->allow_extra_args(false)
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kStoreKinds), std::end(kStoreKinds))));
  command.add_flag("--json", options.json, "print JSON");
}

}  // namespace

void add_ca_install(CLI::App& group, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* const in = group.add_subcommand("install", "make this machine's programs trust it; safe to repeat");
  add_flags(*in, *options);
  in->footer(
      "Stores: the system's (update-ca-certificates, update-ca-trust or trust; macOS: security), the NSS databases of Chromium, "
      "Chrome and\nFirefox (certutil), and Java's (keytool). Asks before it uses sudo.\n\nExamples:\n"
      "  cmuxproxy ca install\n  cmuxproxy ca install --store nss\n  cmuxproxy ca install --yes --json");
  in->callback([options, &chosen] { chosen = [options] { return install(*options); }; });

  CLI::App* const out = group.add_subcommand("uninstall", "take it out of every store that has it");
  add_flags(*out, *options);
  out->footer("Removes this CA, and the one that it has replaced, and nothing else.\n\nExample:\n  cmuxproxy ca uninstall");
  out->callback([options, &chosen] { chosen = [options] { return uninstall(*options); }; });
}

}  // namespace cmux::cli
