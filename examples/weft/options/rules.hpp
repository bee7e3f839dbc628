// Combinations in which an option has no effect, and is rejected rather than ignored.
#pragma once

#include <span>
#include <string_view>

#include "options.hpp"

namespace command {

/// A set of commands.
class Commands {
 public:
  template <class... Each>
  constexpr explicit Commands(Each... each) : bits_((0u | ... | bit(each))) {}

  constexpr bool contains(Command command) const { return (bits_ & bit(command)) != 0; }

 private:
  static constexpr unsigned bit(Command command) { return 1u << static_cast<unsigned>(command); }

  unsigned bits_;
};

/// The parts of the sentence "--warmup REASON; REMEDY omit --warmup". Library and command give the same
/// reason where both have a rule.
struct Need {
  std::string_view reason;
  std::string_view remedy{};  // with a space at its end; or none but to omit the option
};

/// A condition under which an option of some commands has an effect.
struct OptionRule {
  std::string_view option;
  Commands commands;
  bool (*has_effect)(const Options& options);
  Need need;
};

/// Returns all rules; a pair of option and command may have several.
std::span<const OptionRule> option_rules();

/// Throws InvalidArgument if a given option has no effect; the sentence names what would give it one.
void check_effects(const Options& options);

}  // namespace command
