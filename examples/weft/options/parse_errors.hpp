// Sentences for command lines that CLI11 cannot parse.
#pragma once

#include <CLI/CLI.hpp>
#include <set>
#include <string>
#include <vector>

namespace command {

/// Throws InvalidArgument unless the line begins with a command, or with an option that needs none.
void check_first_argument(const CLI::App& app, const std::vector<std::string>& arguments);

/// Throws InvalidArgument with the arguments that no option takes, in their order, or else with `error`.
[[noreturn]] void reject_line(const CLI::App& app, const CLI::ParseError& error);

/// Returns the names of the options on the line. Throws InvalidArgument for an empty value that is not text.
[[nodiscard]] std::set<std::string, std::less<>> given_options(const CLI::App& command);

}  // namespace command
