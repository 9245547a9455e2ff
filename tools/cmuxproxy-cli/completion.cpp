// completion: what a shell reads to complete cmuxproxy's command lines. The scripts only ask the program (candidates.hpp): that
// of PATH, and not the one that the line names, which may be a stranger's in the folder that one looks at. What it prints is text
// to them: shells' arithmetic would carry out commands in it.
#include <fmt/format.h>

#include "cli.hpp"
#include "completion.hpp"

namespace cmux::cli {

constexpr const char* kBash = R"(# bash completion for cmuxproxy
_cmuxproxy() {
  local line rest= program
  COMPREPLY=()
  program=$(type -P cmuxproxy) && [[ $program == /* ]] || return
  while IFS= read -r line; do
    case $line in
      :files) compopt -o default 2>/dev/null ;;
      :command\ *) rest=${line#:command } ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <("$program" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ $rest =~ ^[0-9]{1,6}$ ]]; then
    if declare -F _command_offset >/dev/null; then _command_offset $((10#$rest + 1)); else compopt -o default 2>/dev/null; fi
  fi
}
complete -F _cmuxproxy cmuxproxy
)";

constexpr const char* kZsh = R"(#compdef cmuxproxy
_cmuxproxy() {
  local line program=$(whence -p cmuxproxy)
  local -a matches
  [[ $program == /* ]] || return
  for line in "${(@f)$("$program" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      (:files) _files; return ;;
      (:command\ <0-999999>)
        local -i skip=${line#:command }
        shift skip words
        shift words
        (( CURRENT -= skip + 1 ))
        _normal
        return ;;
      (*$'\t'*) matches+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
      (?*) matches+=("${line//:/\\:}") ;;
    esac
  done
  (( $#matches )) && _describe cmuxproxy matches
}
if [[ $funcstack[1] == _cmuxproxy ]]; then _cmuxproxy "$@"; else compdef _cmuxproxy cmuxproxy; fi
)";

constexpr const char* kFish = R"(# fish completion for cmuxproxy
function __cmuxproxy_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program (command --search cmuxproxy)
    string match -q '/*' -- "$program"; or return
    for line in ($program __complete $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$current"
            case ':command *'
                string match -qr '^:command (?<skip>[0-9]{1,6})$' -- $line
                and __fish_complete_subcommand --fcs-skip=(math 1 + $skip)
            case '*'
                printf '%s\n' $line
        end
    end
end
complete -c cmuxproxy -f -a '(__cmuxproxy_complete)'
)";

std::span<const ShellScript> completion_scripts() {
  static constexpr ShellScript kScripts[] = {
      {"bash", "cmuxproxy.bash", kBash, "source <(cmuxproxy completion bash)"},
      {"zsh", "_cmuxproxy", kZsh, "source <(cmuxproxy completion zsh)    # behind compinit"},
      {"fish", "cmuxproxy.fish", kFish, "cmuxproxy completion fish | source"},
  };
  return kScripts;
}

void add_completion(CLI::App& app, Action& chosen) {
  CLI::App* const group = app.add_subcommand("completion", "print what a shell needs to complete commands, flags and contexts");
  group->require_subcommand(1);
  group->footer(
      "Packages bring it along. Else, in a shell's start-up file:\n"
      "  source <(cmuxproxy completion bash)      # ~/.bashrc\n"
      "  source <(cmuxproxy completion zsh)       # ~/.zshrc, behind compinit\n"
      "  cmuxproxy completion fish | source       # ~/.config/fish/config.fish\n\nExample:\n"
      "  source <(cmuxproxy completion bash)");
  for (const ShellScript& script : completion_scripts()) {
    CLI::App* const command = group->add_subcommand(script.shell, fmt::format("for {}", script.shell));
    command->footer(fmt::format("Example:\n  {}", script.example));
    command->callback([&script, &chosen] {
      chosen = [&script] {
        print(script.text);
        return static_cast<int>(kOk);
      };
    });
  }
}

}  // namespace cmux::cli
