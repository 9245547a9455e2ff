// Every flag of every command, as completion tells them: empty, twice, too long, and not UTF-8. Whatever is said, the program
// ends by itself with a code of its own, and what it cannot use it refuses in words.
#include <cstdlib>
#include <sstream>

#include "support.hpp"

namespace e2e {
namespace {

std::string asan_options() {
  const char* const given = std::getenv("ASAN_OPTIONS");
  return given ? given : "";
}

struct World {
  TempDir home;
  Strings environment{"HOME=" + home.path, "CMUXPROXY_RUNTIME_DIR=" + (home / "run"), "CMUXPROXY_STATE_DIR=" + (home / "state"),
                      "PATH=/nonexistent",  // no sudo, no browser, no systemd
                      // The search for leaks at a process's end takes as long as all else of these thousands; others have it.
                      "ASAN_OPTIONS=" + asan_options() + ":detect_leaks=0"};
  Run ask(Strings words, const Strings& more) const {
    words.insert(words.begin(), binary());
    words.insert(words.end(), more.begin(), more.end());
    return run(words, environment, {}, 30s);
  }
};

struct Candidate {
  std::string word, meaning;
};
std::vector<Candidate> candidates(const World& world, Strings words) {
  words.insert(words.begin(), "__complete");
  std::vector<Candidate> out;
  std::istringstream lines(world.ask(words, {}).out);
  for (std::string line; std::getline(lines, line);)
    out.push_back(
        {line.substr(0, line.find('\t')), line.find('\t') == std::string::npos ? "" : line.substr(line.find('\t') + 1)});
  return out;
}

// What a command is given besides, so that it does nothing for long.
Strings harmless(const Strings& words) {
  if (words.front() == "serve") return {"--check"};
  if (words == Strings{"gateway", "machine"}) return {"--check"};
  if (words == Strings{"gateway", "names"}) return {"--domain", "cmux.test", "--machine-template", "http://{id}.test", "--check"};
  if (words.front() == "run") return {"--", "/nonexistent"};
  // Root's tests must not reach the system's own store; there is no Java here.
  if (words == Strings{"ca", "install"} || words == Strings{"ca", "uninstall"}) return {"--store", "java"};
  return {};
}

void add_commands(const World& world, const Strings& words, std::vector<Strings>& all) {
  Strings asked = words;
  asked.emplace_back("");
  bool leaf = true;
  for (const Candidate& each : candidates(world, asked)) {
    if (each.word.starts_with('-') || each.word.starts_with(':') || each.meaning.empty()) continue;
    leaf = false;
    Strings sub = words;
    sub.push_back(each.word);
    add_commands(world, sub, all);
  }
  if (leaf && !words.empty()) all.push_back(words);
}

}  // namespace

TEST_CASE("bad flags: every flag of every command empty, twice, too long and not UTF-8") {
  const World world;
  std::vector<Strings> commands;
  add_commands(world, {}, commands);
  CHECK(commands.size() > 15);
  std::size_t tried = 0;
  for (const Strings& words : commands) {
    // Nothing of these is a file's or a system's to change: they are refused before, or have nothing to work on.
    Strings asked = words;
    asked.emplace_back("--");
    for (const Candidate& flag : candidates(world, asked)) {
      if (flag.word == "--help") continue;
      const Strings attempts[] = {{flag.word, ""},
                                  {flag.word, "1", flag.word, "1"},
                                  {flag.word, std::string(100'000, 'x')},
                                  {flag.word, "\xff\xfe\x80"},
                                  {flag.word + "="},
                                  {flag.word + "=\xff"}};
      for (Strings more : attempts) {
        const Strings rest = harmless(words);
        more.insert(more.end(), rest.begin(), rest.end());
        const Run done = world.ask(words, more);
        ++tried;
        INFO(fmt::format("cmuxproxy {} {} …: exit {}", fmt::join(words, " "), flag.word, done.exit));
        CHECK(((done.exit >= 0 && done.exit <= 5) || done.exit == 126 || done.exit == 127));
        if (done.exit != 0) CHECK_FALSE(done.err.empty());
        CHECK(done.err.size() < 1'000'000);
      }
    }
  }
  CHECK(tried > 500);
}

}  // namespace e2e
