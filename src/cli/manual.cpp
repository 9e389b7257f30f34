#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "core/error.h"

namespace trireme::cli {
namespace {

/// Text as roff reads it: no line may begin with a dot, and a backslash is one.
std::string roff(const std::string& text) {
  std::string out;
  bool line_begins = true;
  for (const char letter : text) {
    if (line_begins && (letter == '.' || letter == '\'')) out += "\\&";
    if (letter == '\\') {
      out += "\\e";
    } else if (letter == '-') {
      out += "\\-";
    } else {
      out += letter;
    }
    line_begins = letter == '\n';
  }
  return out;
}

void add_command(std::string& out, const std::string& name, const Command& command) {
  out += fmt::format(".SS {}\n{}\n", roff(name), roff(command.about()));
  for (const Option& option : command.options())
    out += fmt::format(".TP\n.B {}\n{}\n", roff(option.names()), roff(option.about()));
  if (!command.footer().empty()) out += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(command.footer()));
  for (const Command& below : command.subcommands()) add_command(out, name + " " + below.name(), below);
}

std::string manual(const Command& app) {
  std::string out = fmt::format(
      ".TH TRIREME 1 \"\" \"trireme {}\"\n.SH NAME\ntrireme \\- {}\n.SH SYNOPSIS\n.B trireme\ncommand "
      "[job.yaml] [key=value ...]\n.SH COMMANDS\n",
      TRIREME_VERSION, roff(app.about().substr(app.about().find(": ") + 2)));
  for (const Command& command : app.subcommands()) add_command(out, command.name(), command);
  out +=
      ".SH EXIT STATUS\n0 done, 64 usage, 70 internal, 75 run again, 76 data or checkpoint damaged, 78 "
      "configuration, 124 a rank hung.\n";
  return out;
}

/// Words that may follow: commands below it, and options.
std::string words_after(const Command& command) {
  std::string words;
  for (const Command& below : command.subcommands()) words += below.name() + " ";
  for (const Option& option : command.options())
    for (const std::string& name : option.long_names()) words += "--" + name + " ";
  return words;
}

std::string bash_completion(const Command& app) {
  std::string cases;
  for (const Command& command : app.subcommands()) {
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command.name(), words_after(command));
    for (const Command& below : command.subcommands())
      cases +=
          fmt::format("    \"{} {}\") words=\"{}\" ;;\n", command.name(), below.name(), words_after(below));
  }
  return fmt::format(R"sh(# eval "$(trireme completion bash)"
_trireme() {{
  local here=${{COMP_WORDS[COMP_CWORD]}} words="{}"
  COMPREPLY=()
  if [ "$COMP_CWORD" -gt 1 ]; then
    case "${{COMP_WORDS[1]}}" in
{}    esac
    case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{}    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$here"))
  [ "${{#COMPREPLY[@]}}" -gt 0 ] || COMPREPLY=($(compgen -f -- "$here"))
}}
complete -o filenames -F _trireme trireme
)sh",
                     words_after(app), cases, cases);
}

}  // namespace

void add_manual(Command app) {
  Command man = app.subcommand("man", "Print the manual page: trireme man | man -l -");
  man.footer("Example: trireme man > trireme.1");
  man.runs([app] { return fmt::print("{}", manual(app)), 0; });

  Command completion = app.subcommand("completion", "Print what a shell needs to complete our words");
  auto shell = std::make_shared<std::string>("bash");
  completion.option("shell", *shell, "bash, or zsh, which reads bash's after bashcompinit")
      .one_of({"bash", "zsh"});
  completion.footer("Example: eval \"$(trireme completion bash)\"");
  completion.runs([app, shell] {
    if (*shell == "zsh") fmt::print("autoload -U +X bashcompinit && bashcompinit\n");
    fmt::print("{}", bash_completion(app));
    return 0;
  });
}

}  // namespace trireme::cli
