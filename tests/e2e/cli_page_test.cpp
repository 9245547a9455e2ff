// docs/cli.md is what the program says of itself: made from the help of every command; CMUX_UPDATE_DOCS=1 writes it anew.
#include <sstream>

#include "support.hpp"

namespace e2e {
namespace {

std::string help_of(Strings command) {
  command.insert(command.begin(), binary());
  command.emplace_back("--help");
  const Run said = run(command, {"HOME=/home/me", "COLUMNS=100"});
  INFO(fmt::format("{}", fmt::join(command, " ")));
  CHECK(said.exit == 0);
  return said.out;
}

// The names that stand under "Subcommands:".
Strings commands_in(const std::string& help) {
  Strings out;
  std::istringstream lines(help);
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "Subcommands:") inside = true;
    else if (line.empty() || line.front() != ' ') inside = false;
    else if (inside && line.size() > 2 && line[2] != ' ') out.push_back(line.substr(2, line.find(' ', 2) - 2));
  }
  return out;
}

void add_pages(const Strings& command, std::string& out) {
  std::string help = help_of(command);
  const std::string name = command.empty() ? "cmuxproxy" : fmt::format("cmuxproxy {}", fmt::join(command, " "));
  while (help.ends_with('\n')) help.pop_back();
  out += fmt::format("\n## {}\n\n```\n{}\n```\n", name, help);
  for (const std::string& sub : commands_in(help)) {
    Strings deeper = command;
    deeper.push_back(sub);
    add_pages(deeper, out);
  }
}

}  // namespace

TEST_CASE("cli: docs/cli.md is what the program says of itself") {
  std::string page =
      "# Commands\n\nWhat `--help` says, of every command. Made from the program by `tests/e2e/cli_page_test.cpp`, which holds "
      "it "
      "against it\n(`CMUX_UPDATE_DOCS=1 build/release/cmux-e2e 'cli: docs*'`). What `--json` prints is described in "
      "[cli.schema.yaml](cli.schema.yaml), and the\nsettings of `serve` in [configuration.md](configuration.md).\n";
  add_pages({}, page);
  CHECK(page.find("## cmuxproxy ctx create\n") != std::string::npos);
  const std::string path = source("docs/cli.md");
  if (std::getenv("CMUX_UPDATE_DOCS")) write_file(path, page);
  INFO("CMUX_UPDATE_DOCS=1 writes it anew");
  CHECK(read_file(path) == page);
}

}  // namespace e2e
