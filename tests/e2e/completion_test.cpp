// Completions and man pages: made from the tree of commands, so that nothing of it can be missing, and understood by real shells.
#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "support.hpp"

namespace e2e {
namespace {

Strings lines_of(const std::string& text) {
  Strings lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The candidates for the last of the words, without what they mean.
Strings complete(Strings words, const Strings& environment = {}) {
  words.insert(words.begin(), {binary(), "__complete"});
  const Run done = run(words, environment);
  CHECK(done.exit == 0);
  CHECK(done.err.empty());
  Strings out;
  for (const std::string& line : lines_of(done.out)) out.push_back(line.substr(0, line.find('\t')));
  return out;
}

bool has(const Strings& list, const std::string& item) { return std::find(list.begin(), list.end(), item) != list.end(); }

// Every command there is, as its words; by the help, which is another way than the completion's own.
void add_commands(const Strings& words, std::vector<Strings>& all) {
  all.push_back(words);
  Strings asked{binary()};
  asked.insert(asked.end(), words.begin(), words.end());
  asked.emplace_back("--help");
  bool among = false;
  for (const std::string& line : lines_of(run(asked).out)) {
    if (line == "Subcommands:") among = true;
    else if (!line.starts_with("  ")) among = false;
    else if (among && line[2] != ' ') {
      Strings sub = words;
      sub.push_back(line.substr(2, line.find(' ', 2) - 2));
      add_commands(sub, all);
    }
  }
}

std::vector<Strings> all_commands() {
  std::vector<Strings> all;
  add_commands({}, all);
  return all;
}

// "--flag" of every line of the help that describes one.
std::set<std::string> flags_in_help(const Strings& words) {
  Strings asked{binary()};
  asked.insert(asked.end(), words.begin(), words.end());
  asked.emplace_back("--help");
  std::set<std::string> flags;
  for (const std::string& line : lines_of(run(asked).out)) {
    if (!line.starts_with("  -")) continue;
    std::istringstream in(line.substr(0, 40));
    std::string word;
    in >> word;
    std::istringstream names(word);
    for (std::string name; std::getline(names, name, ',');)
      if (name.starts_with("--")) flags.insert(name.substr(0, name.find_first_of(" =[")));
  }
  return flags;
}

}  // namespace

TEST_CASE("completion: every command and every flag of the help") {
  const auto commands = all_commands();
  CHECK(commands.size() > 20);
  for (const Strings& words : commands) {
    INFO(fmt::format("cmuxproxy {}", fmt::join(words, " ")));
    Strings dashes = words;
    dashes.emplace_back("--");
    const Strings offered = complete(dashes);
    for (const std::string& flag : flags_in_help(words)) {
      INFO(flag);
      CHECK(has(offered, flag));
    }
    if (words.empty()) continue;
    Strings unfinished(words.begin(), words.end() - 1);
    unfinished.push_back(words.back().substr(0, 1));
    CHECK(has(complete(unfinished), words.back()));
  }
}

TEST_CASE("completion: values, files, and a command of somebody else's") {
  CHECK(complete({"serve", "--log-level", ""}) == Strings{"trace", "debug", "info", "warn", "error", "off"});
  CHECK(complete({"serve", "--log-level", "=", "t"}) == Strings{"trace"});  // as bash splits it
  CHECK(complete({"serve", "--log-level=t"}) == Strings{"--log-level=trace"});
  CHECK(has(complete({"ctx", "create", "--format", "e"}), "env"));
  CHECK(complete({"run", "--preset", "codes"}) == Strings{"codespaces", "codesandbox"});
  CHECK(complete({"ctx", "create", "--host-override", ""}) == Strings{"auto", "on", "off"});
  CHECK(complete({"serve", "--config", ""}) == Strings{":files"});
  CHECK(complete({"run", "--direct", "--", "ls", "-"}) == Strings{":command 3"});
  CHECK(complete({"serve", "--label", ""}) != Strings{":files"});
  CHECK(complete({"no", "such", "--thing"}).empty());
  CHECK_FALSE(has(complete({"serve", "--detach", "--det"}), "--detach"));
  CHECK_FALSE(has(complete({"_"}), "__package-files"));
}

TEST_CASE("completion: the contexts and instances that there are") {
  const Proxy instance;
  const std::string id = instance.context().id;
  Strings named = instance.environment();
  named.push_back("CMUXPROXY_INSTANCE=" + instance.instance);
  for (const Strings& words : std::vector<Strings>{{"ctx", "show", ""}, {"ctx", "release", "ctx-"}, {"probe", "--ctx", ""}})
    CHECK(complete(words, named) == Strings{id});
  CHECK(complete({"ctx", "show", "--instance", instance.instance, ""}, instance.environment()) == Strings{id});
  CHECK(complete({"status", "--instance", ""}, instance.environment()) == Strings{instance.instance});
  CHECK(complete({"ctx", "show", ""}, {"CMUXPROXY_RUNTIME_DIR=/nonexistent"}).empty());
}

TEST_CASE("completion: the scripts work in their shells") {
  const TempDir folder;
  std::filesystem::create_symlink(binary(), folder / "cmuxproxy");
  const Strings path{"PATH=" + folder.path + ":" + std::getenv("PATH")};
  const Run bash = run({"bash", "-c",
                        "source <(cmuxproxy completion bash)\n"
                        "COMP_WORDS=(cmuxproxy serve --log-level tr) COMP_CWORD=3\n"
                        "_cmuxproxy cmuxproxy tr --log-level; echo \"${COMPREPLY[@]}\"\n"
                        "COMP_WORDS=(cmuxproxy ct) COMP_CWORD=1; _cmuxproxy cmuxproxy ct cmuxproxy; echo \"${COMPREPLY[@]}\""},
                       path);
  INFO(bash.err);
  CHECK(bash.out == "trace\nctx\n");
  const Run zsh = run({"zsh", "-fc",
                       "compdef() { :; }; _describe() { print -l -- \"${(@P)2}\"; }\n"
                       "source <(cmuxproxy completion zsh)\n"
                       "words=(cmuxproxy serve --log-level tr) CURRENT=4; _cmuxproxy\n"
                       "words=(cmuxproxy ct) CURRENT=2; _cmuxproxy"},
                      path);
  INFO(zsh.err);
  CHECK(zsh.out.starts_with("trace\nctx:"));
  const Run fish = run(
      {"fish", "--no-config", "-c", "cmuxproxy completion fish | source; complete -C 'cmuxproxy serve --log-level tr'"}, path);
  INFO(fish.err);
  CHECK(fish.out == "trace\n");
}

TEST_CASE("completion: no script runs the program of the folder that one is in, or what a program prints") {
  const TempDir folder;
  std::filesystem::create_directory(folder / "here");
  std::filesystem::create_directory(folder / "bin");
  const auto program = [&](const std::string& path, std::string_view text) {
    write_file(folder / path, fmt::format("#!/bin/sh\n{}\n", text));
    std::filesystem::permissions(folder / path, std::filesystem::perms::owner_all);
  };
  program("here/cmuxproxy", "touch \"$MARK\"; echo cfolder");
  program("bin/cmuxproxy",
          R"(echo ':command a[$(touch "$MARK")0]'; echo '$(touch "$MARK")'; printf '%s\n' '`touch $MARK`' -n cgood)");
  const std::string mark = folder / "mark", script = folder / "script";
  const auto ask = [&](const std::string& shell, const std::string& path, const std::string& text) {
    write_file(script, run({binary(), "completion", shell}).out);
    Strings command{shell, "-c", text};
    if (shell != "bash") command.insert(command.begin() + 1, shell == "zsh" ? "-f" : "--no-config");
    const Run done = run(command, {"SCRIPT=" + script, "HERE=" + (folder / "here"), "MARK=" + mark,
                                   fmt::format("PATH={}{}", path, std::getenv("PATH"))});
    INFO(shell << done.out << done.err);
    CHECK_FALSE(std::filesystem::exists(mark));
    return done.out;
  };
  const std::string bash =
      "source \"$SCRIPT\"; cd \"$HERE\"; COMP_WORDS=(./cmuxproxy c) COMP_CWORD=1; _cmuxproxy ./cmuxproxy c ./cmuxproxy; "
      "printf '%s\\n' \"${COMPREPLY[@]}\"";
  const std::string zsh =
      "compdef() { :; }; _describe() { print -rl -- \"${(@P)2}\"; }; source \"$SCRIPT\"; cd \"$HERE\"; "
      "words=(./cmuxproxy c) CURRENT=2; _cmuxproxy";
  const std::string fish = "source \"$SCRIPT\"; cd \"$HERE\"; complete -C './cmuxproxy c'";
  for (const auto& [shell, text] : {std::pair{"bash", bash}, {"zsh", zsh}, {"fish", fish}}) {
    INFO(shell);
    CHECK(ask(shell, (folder / "bin") + ":", text).find("cgood") != std::string::npos);
    CHECK(ask(shell, ".:", text).find("cfolder") == std::string::npos);
  }
}

TEST_CASE("man pages: one a command, with every flag of its help, and no complaint of man") {
  const TempDir folder;
  REQUIRE(run({binary(), "__package-files", folder.path}).exit == 0);
  for (const Strings& words : all_commands()) {
    const std::string name = fmt::format("cmuxproxy{}{}", words.empty() ? "" : "-", fmt::join(words, "-"));
    INFO(name);
    const std::string file = folder / fmt::format("man1/{}.1", name);
    REQUIRE(std::filesystem::exists(file));
    const Run page = run({"man", "--warnings", "-l", file}, {"MANWIDTH=200", "LC_ALL=C.UTF-8"});
    CHECK(page.exit == 0);
    CHECK(page.err.empty());
    for (const std::string& flag : flags_in_help(words)) {
      INFO(flag);
      CHECK(page.out.find(flag) != std::string::npos);
    }
    CHECK(page.out.find("EXIT STATUS") != std::string::npos);
  }
}

}  // namespace e2e
