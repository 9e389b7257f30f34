#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace trireme::cli {

/// What a command does once the words are parsed; the result is the process's exit status.
using Run = std::function<int()>;

/// An option, a flag or a word of a command: a handle on what CLI11 keeps of it. CLI11 itself is included by
/// command_line.cpp alone, as its header takes longer to compile than a command does.
class Option {
 public:
  explicit Option(CLI::Option& known) : known_(&known) {}

  Option required();
  /// Help tells the value that the variable has now.
  Option shows_default();
  template <class Number>
  Option within(Number least, Number most);
  Option positive();
  Option not_negative();
  Option one_of(std::vector<std::string> words);
  Option existing_file();
  Option existing_folder();
  /// Takes all words that are left, one at least; help calls them "...".
  Option takes_the_rest();
  Option needs(Option other);
  Option excludes(Option other);

  std::string names() const;
  std::vector<std::string> long_names() const;
  std::string about() const;
  bool takes_value() const;

 private:
  CLI::Option* known_;
};

/// A command, or the program itself, which is the one above all others: a handle like Option.
class Command {
 public:
  Command(CLI::App& known, Run& chosen) : known_(&known), chosen_(&chosen) {}

  Command subcommand(const std::string& name, const std::string& about);
  /// Does nothing by itself: one of its subcommands must be named.
  void needs_subcommand();
  void alias(const std::string& name);
  /// `value` outlives the parsing.
  template <class Value>
  Option option(const std::string& names, Value& value, const std::string& about);
  Option flag(const std::string& names, bool& value, const std::string& about);
  /// Ends the command's help.
  void footer(const std::string& text);
  void runs(Run work);

  std::string name() const;
  std::string about() const;
  std::string footer() const;
  std::vector<Option> options() const;
  std::optional<Option> option_called(const std::string& name) const;
  std::vector<Command> subcommands() const;
  std::optional<Command> subcommand_called(const std::string& name) const;

 private:
  CLI::App* known_;
  Run* chosen_;
};

/// All that the program can be told, and what it was told to do.
class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& about);
  ~CommandLine();

  Command program();
  /// The exit status where nothing is left to do, as help was asked for or words were wrong; that was said.
  std::optional<int> parse(std::vector<std::string> words);
  int run() const;

 private:
  std::unique_ptr<CLI::App> known_;
  Run chosen_;
};

}  // namespace trireme::cli
