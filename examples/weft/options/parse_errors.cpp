#include "parse_errors.hpp"

#include <algorithm>

#include "weft/core/error.hpp"

namespace command {

namespace {

[[noreturn]] void reject_command(const CLI::App& app, const std::string& fault) {
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  weft::reject(fault, "; there are ", weft::listed(commands), ", and weft --help describes them");
}

/// Returns "weft generate --help", of the command on the line, if any.
std::string help_line(const CLI::App& app) {
  const std::vector<CLI::App*> commands = app.get_subcommands();
  return "weft " + (commands.empty() ? "" : commands.front()->get_name() + " ") + "--help";
}

}  // namespace

void check_first_argument(const CLI::App& app, const std::vector<std::string>& arguments) {
  if (arguments.empty()) reject_command(app, "no command is given");
  const std::string& first = arguments.front();
  const auto is_command = [&app](const std::string& argument) {
    return !app.get_subcommands([&argument](const CLI::App* sub) { return sub->get_name() == argument; })
                .empty();
  };
  if (is_command(first) || app.get_option_no_throw(first) != nullptr) return;
  if (!first.starts_with('-')) reject_command(app, "there is no command " + first);
  const auto command = std::ranges::find_if(arguments, is_command);
  if (command == arguments.end()) reject_command(app, "no command stands before " + first);
  weft::reject(first, " stands before the command; write weft ", *command, " ", first, " …");
}

void reject_line(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining(true);
  std::string all;
  for (const std::string& argument : unknown) all += (all.empty() ? "" : " ") + argument;
  const std::string fault =
      unknown.empty() ? error.what() : all + (unknown.size() == 1 ? " was" : " were") + " not expected";
  weft::reject(fault, "; ", help_line(app), " lists the options");
}

std::set<std::string, std::less<>> given_options(const CLI::App& command) {
  std::set<std::string, std::less<>> given;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    const std::string name = option->get_name();
    const bool is_text = option->get_type_name() == "TEXT";
    if (!is_text && std::ranges::count(option->results(), std::string()) > 0)
      weft::reject(name, " is empty; give it a value, or omit it");
    given.insert(name);
  }
  return given;
}

}  // namespace command
