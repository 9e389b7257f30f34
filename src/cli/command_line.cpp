#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/error.h"

namespace trireme::cli {

Option Option::required() {
  return Option(*known_->required());
}

Option Option::shows_default() {
  return Option(*known_->capture_default_str());
}

template <class Number>
Option Option::within(Number least, Number most) {
  return Option(*known_->check(CLI::Range(least, most)));
}
template Option Option::within(int, int);
template Option Option::within(std::int64_t, std::int64_t);
template Option Option::within(double, double);

Option Option::positive() {
  return Option(*known_->check(CLI::PositiveNumber));
}

Option Option::not_negative() {
  return Option(*known_->check(CLI::NonNegativeNumber));
}

Option Option::one_of(std::vector<std::string> words) {
  return Option(*known_->check(CLI::IsMember(std::move(words))));
}

Option Option::existing_file() {
  return Option(*known_->check(CLI::ExistingFile));
}

Option Option::existing_folder() {
  return Option(*known_->check(CLI::ExistingDirectory));
}

Option Option::takes_the_rest() {
  return Option(*known_->expected(1, -1)->type_name("..."));
}

Option Option::needs(Option other) {
  return Option(*known_->needs(other.known_));
}

Option Option::excludes(Option other) {
  return Option(*known_->excludes(other.known_));
}

std::string Option::names() const {
  return known_->get_name(false, true);
}

std::vector<std::string> Option::long_names() const {
  return known_->get_lnames();
}

std::string Option::about() const {
  return known_->get_description();
}

bool Option::takes_value() const {
  return known_->get_expected_min() > 0;
}

Command Command::subcommand(const std::string& name, const std::string& about) {
  return {*known_->add_subcommand(name, about), *chosen_};
}

void Command::needs_subcommand() {
  known_->require_subcommand(1);
}

void Command::alias(const std::string& name) {
  known_->alias(name);
}

template <class Value>
Option Command::option(const std::string& names, Value& value, const std::string& about) {
  return Option(*known_->add_option(names, value, about));
}
template Option Command::option(const std::string&, std::string&, const std::string&);
template Option Command::option(const std::string&, std::vector<std::string>&, const std::string&);
template Option Command::option(const std::string&, int&, const std::string&);
template Option Command::option(const std::string&, std::int64_t&, const std::string&);
template Option Command::option(const std::string&, std::uint64_t&, const std::string&);
template Option Command::option(const std::string&, double&, const std::string&);

Option Command::flag(const std::string& names, bool& value, const std::string& about) {
  return Option(*known_->add_flag(names, value, about));
}

void Command::footer(const std::string& text) {
  known_->footer(text);
}

void Command::runs(Run work) {
  known_->callback([&chosen = *chosen_, work = std::move(work)] { chosen = work; });
}

std::string Command::name() const {
  return known_->get_name();
}

std::string Command::about() const {
  return known_->get_description();
}

std::string Command::footer() const {
  return known_->get_footer();
}

std::vector<Option> Command::options() const {
  std::vector<Option> options;
  for (CLI::Option* option : known_->get_options()) options.emplace_back(*option);
  return options;
}

std::optional<Option> Command::option_called(const std::string& name) const {
  CLI::Option* option = known_->get_option_no_throw(name);
  return option ? std::optional<Option>(*option) : std::nullopt;
}

std::vector<Command> Command::subcommands() const {
  std::vector<Command> commands;
  for (CLI::App* command : known_->get_subcommands({})) commands.emplace_back(*command, *chosen_);
  return commands;
}

std::optional<Command> Command::subcommand_called(const std::string& name) const {
  const std::vector<CLI::App*> called =
      known_->get_subcommands([&](CLI::App* command) { return command->check_name(name); });
  return called.empty() ? std::nullopt : std::optional<Command>({*called.front(), *chosen_});
}

CommandLine::CommandLine(const std::string& name, const std::string& about)
    : known_(std::make_unique<CLI::App>(about, name)) {}

CommandLine::~CommandLine() = default;

Command CommandLine::program() {
  return {*known_, chosen_};
}

std::optional<int> CommandLine::parse(std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());
  try {
    known_->parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return static_cast<int>(known_->exit(error) == 0 ? ExitCode::done : ExitCode::usage);
  }
  return std::nullopt;
}

int CommandLine::run() const {
  return chosen_();
}

}  // namespace trireme::cli
