#include "manual.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "candidates.hpp"

namespace cmux::cli {
namespace {

// Text as roff takes it: no line begins with a control character, and dashes can be copied.
std::string roff(std::string_view text) {
  std::string out;
  bool first = true;
  for (const char c : text) {
    if (first && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else out += c;
    first = c == '\n';
  }
  return out;
}

std::string name_of(const CLI::App& command, char between) {
  const CLI::App* const parent = command.get_parent();
  return parent ? name_of(*parent, between) + between + command.get_name() : "cmuxproxy";
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string reference(const CLI::App& command) { return fmt::format(".BR {} (1)", roff(name_of(command, '-'))); }

std::string value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return {};
  const std::string type = option.get_type_name();
  const std::size_t list = type.find(":{");  // of a choice among words
  std::string shown = list == std::string::npos ? type : type.substr(list + 2, type.size() - list - 3);
  if (list != std::string::npos) std::replace(shown.begin(), shown.end(), ',', '|');
  return fmt::format(" \\fI{}\\fR", roff(shown));
}

void add_flag(std::string& page, const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += fmt::format("{}\\fB\\-{}\\fR", names.empty() ? "" : ", ", name);
  for (const std::string& name : option.get_lnames())
    names += fmt::format("{}\\fB\\-\\-{}\\fR", names.empty() ? "" : ", ", roff(name));
  page += fmt::format(".TP\n{}{}\n{}", names, value_of(option), roff(option.get_description()));
  if (!option.get_default_str().empty()) page += fmt::format(" (default: {})", roff(option.get_default_str()));
  if (!option.get_envname().empty()) page += fmt::format("\n($\\fB{}\\fR)", option.get_envname());
  page += "\n";
}

void add_flags(std::string& page, const CLI::App& command) {
  std::string group;
  for (const CLI::Option* option : shown_flags(command)) {
    if (option->get_group() != group) {
      group = option->get_group();
      page += group == "Options" ? ".SH OPTIONS\n" : fmt::format(".SH {} OPTIONS\n", upper(group));
    }
    add_flag(page, *option);
  }
}

std::string synopsis(const CLI::App& command) {
  std::string out = fmt::format(".B {}\n", roff(name_of(command, ' ')));
  if (!shown_commands(command).empty()) return out + ".I COMMAND\n";
  out += "[\\fIflags\\fR]\n";
  for (const CLI::Option* option : command.get_options())
    if (option->get_positional()) out += fmt::format("[\\fI{}\\fR]\n", roff(option->get_type_name()));
  return out;
}

// The help's last part: what is to be known, then examples as they are typed.
void add_footer(std::string& page, const std::string& footer) {
  std::size_t mark = footer.find("Examples:\n");
  std::size_t size = std::string_view("Examples:\n").size();
  if (mark == std::string::npos) {
    mark = footer.find("Example:\n");
    --size;
  }
  const std::string notes = footer.substr(0, mark);
  if (notes.find_first_not_of(" \n") != std::string::npos) page += fmt::format(".SH NOTES\n.nf\n{}\n.fi\n", roff(notes));
  if (mark == std::string::npos) return;
  std::string examples = footer.substr(mark + size), after;
  if (const std::size_t end = examples.find("\n\n"); end != std::string::npos) {
    after = examples.substr(end + 2);
    examples.resize(end);
  }
  page += fmt::format(".SH EXAMPLES\n.nf\n{}\n.fi\n", roff(examples));
  if (!after.empty()) page += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(after));
}

constexpr std::string_view kShared = R"(.SH EXIT STATUS
0 ok, 1 failed, 2 usage, 3 no instance reachable, 4 no such context, 5 probe failed.
.SH ENVIRONMENT
Every setting of \fBcmuxproxy serve\fR is a variable too: \fBCMUXPROXY_DRAIN_TIMEOUT\fR for \fB\-\-drain\-timeout\fR.
.TP
.B CMUXPROXY_RUNTIME_DIR
Where instances are found; else \fI$XDG_RUNTIME_DIR/cmuxproxy\fR, else \fI~/.cmuxproxy/run\fR.
.TP
.B CMUXPROXY_STATE_DIR
The local CA and logs; else \fI$XDG_STATE_HOME/cmuxproxy\fR, else \fI~/.local/state/cmuxproxy\fR.
.TP
.B CMUXPROXY_CONFIG
The file of settings; else \fI$XDG_CONFIG_HOME/cmuxproxy/config.toml\fR, else \fI~/.config/cmuxproxy/config.toml\fR.
)";

std::string page_of(const CLI::App& command) {
  std::string page =
      fmt::format(".TH {} 1 \"\" \"cmuxproxy {}\" \"cmuxproxy\"\n", upper(name_of(command, '-')), CMUXPROXY_VERSION);
  page += fmt::format(".SH NAME\n{} \\- {}\n", roff(name_of(command, '-')), roff(command.get_description()));
  page += ".SH SYNOPSIS\n" + synopsis(command);
  const auto subs = shown_commands(command);
  if (!subs.empty()) page += ".SH COMMANDS\n";
  for (const CLI::App* sub : subs) page += fmt::format(".TP\n{}\n{}\n", reference(*sub), roff(sub->get_description()));
  add_flags(page, command);
  add_footer(page, command.get_footer());
  page += kShared;
  page += ".SH SEE ALSO\n";
  if (const CLI::App* const parent = command.get_parent()) page += reference(*parent) + "\n";
  else page += ".BR curl (1)\n";
  return page;
}

void add_pages(const CLI::App& command, std::map<std::string, std::string>& pages) {
  pages[name_of(command, '-') + ".1"] = page_of(command);
  for (const CLI::App* sub : shown_commands(command)) add_pages(*sub, pages);
}

}  // namespace

std::map<std::string, std::string> man_pages(const CLI::App& app) {
  std::map<std::string, std::string> pages;
  add_pages(app, pages);
  return pages;
}

}  // namespace cmux::cli
