#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "core/error.h"

namespace trireme::cli {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

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

void add_command(std::string& out, const std::string& name, const CLI::App& command) {
  out += fmt::format(".SS {}\n{}\n", roff(name), roff(command.get_description()));
  for (const CLI::Option* option : command.get_options())
    out +=
        fmt::format(".TP\n.B {}\n{}\n", roff(option->get_name(false, true)), roff(option->get_description()));
  if (!command.get_footer().empty()) out += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(command.get_footer()));
  for (const CLI::App* below : commands_of(command)) add_command(out, name + " " + below->get_name(), *below);
}

std::string manual(const CLI::App& app) {
  std::string out = fmt::format(
      ".TH TRIREME 1 \"\" \"trireme {}\"\n.SH NAME\ntrireme \\- {}\n.SH SYNOPSIS\n.B trireme\ncommand "
      "[job.yaml] [key=value ...]\n.SH COMMANDS\n",
      TRIREME_VERSION, roff(app.get_description().substr(app.get_description().find(": ") + 2)));
  for (const CLI::App* command : commands_of(app)) add_command(out, command->get_name(), *command);
  out +=
      ".SH EXIT STATUS\n0 done, 64 usage, 70 internal, 75 run again, 76 data or checkpoint damaged, 78 "
      "configuration, 124 a rank hung.\n";
  return out;
}

/// Words that may follow: commands below it, and options.
std::string words_after(const CLI::App& command) {
  std::string words;
  for (const CLI::App* below : commands_of(command)) words += below->get_name() + " ";
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
  return words;
}

std::string bash_completion(const CLI::App& app) {
  std::string cases;
  for (const CLI::App* command : commands_of(app)) {
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(), words_after(*command));
    for (const CLI::App* below : commands_of(*command))
      cases += fmt::format("    \"{} {}\") words=\"{}\" ;;\n", command->get_name(), below->get_name(),
                           words_after(*below));
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

void add_manual(CLI::App& app, Run& chosen) {
  CLI::App* man = app.add_subcommand("man", "Print the manual page: trireme man | man -l -");
  man->footer("Example: trireme man > trireme.1");
  man->callback([&app, &chosen] { chosen = [&app] { return fmt::print("{}", manual(app)), 0; }; });

  CLI::App* completion = app.add_subcommand("completion", "Print what a shell needs to complete our words");
  auto shell = std::make_shared<std::string>("bash");
  completion->add_option("shell", *shell, "bash, or zsh, which reads bash's after bashcompinit")
      ->check(CLI::IsMember({"bash", "zsh"}));
  completion->footer("Example: eval \"$(trireme completion bash)\"");
  completion->callback([&app, &chosen, shell] {
    chosen = [&app, shell] {
      if (*shell == "zsh") fmt::print("autoload -U +X bashcompinit && bashcompinit\n");
      fmt::print("{}", bash_completion(app));
      return 0;
    };
  });
}

}  // namespace trireme::cli
