// Vocabulary: the ids of pieces of text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "weft/text/tokenizers/added_tokens.hpp"

namespace weft::inline v0_1::text {

class Vocabulary {
 public:
  /// Adds a piece; one that is there gets the new id.
  void add(std::string piece, Id id) { ids_.insert_or_assign(std::move(piece), id); }

  std::optional<Id> find(std::string_view piece) const {
    const auto at = ids_.find(piece);
    return at == ids_.end() ? std::nullopt : std::optional(at->second);
  }

  std::size_t size() const { return ids_.size(); }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::unordered_map<std::string, Id, Hash, std::equal_to<>> ids_;
};

}  // namespace weft::inline v0_1::text
