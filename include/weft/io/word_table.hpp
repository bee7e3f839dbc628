// WordTable: text states of captions over a small vocabulary, looked up in a table.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/core/tensor.hpp"
#include "weft/io/mapped_file.hpp"
#include "weft/io/safetensors.hpp"

namespace weft::inline v0_1 {

/// A table of V words that replaces text encoders: captions have at most L words, states D features.
class WordTable {
 public:
  struct States {
    Tensor clip;  // (L, D)
    Tensor t5;    // (L, D)
    Tensor mask;  // (L): 1 for a word, 0 for padding
  };

  /// Reads `folder`/vocab.txt, one word a line with the padding first and lines that end in LF or CRLF, and
  /// `folder`/embeddings.safetensors: clip (V, D), t5 (V, D) and position (L, D). Throws InvalidArgument if
  /// they do not fit together.
  explicit WordTable(const std::filesystem::path& folder) {
    read_vocabulary(folder / "vocab.txt");
    read_embeddings(folder / "embeddings.safetensors");
  }

  /// Returns all words. A word's id is its index; 0 is the padding.
  const std::vector<std::string>& vocabulary() const { return vocabulary_; }

  /// Looks up a caption's words, separated by white space and padded to L. Throws InvalidArgument if a word
  /// is unknown or is the padding, or if there are more than L.
  States encode(std::string_view caption) const {
    const std::vector<Index> ids = ids_of(caption);
    Tensor mask({position_.shape[0]});
    std::transform(ids.begin(), ids.end(), mask.data.begin(), [](Index id) { return id != 0 ? 1.0f : 0.0f; });
    return {looked_up(clip_, ids), looked_up(t5_, ids), std::move(mask)};
  }

 private:
  void read_vocabulary(const std::filesystem::path& path) {
    const MappedFile file(path);
    std::string_view text = file.text();
    while (!text.empty()) {
      std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      const auto id = static_cast<Index>(vocabulary_.size());
      if (line.empty() || line.find_first_of(" \t\v\f\r") != line.npos)
        reject(path.string(), ": line ", id + 1, " is not one word without white space");
      if (const auto [at, added] = ids_.emplace(line, id); !added)
        reject(path.string(), ": the word ", line, " is on lines ", at->second + 1, " and ", id + 1);
      vocabulary_.emplace_back(line);
    }
    if (vocabulary_.empty())
      reject(path.string(), " is empty; its first line is the padding, then follow the words");
  }

  void read_embeddings(const std::filesystem::path& path) {
    const SafeTensors file(path);
    position_ = file.tensor("position");
    if (position_.shape.size() != 2)
      reject(path.string(), ": tensor position is ", to_string(position_.shape),
             " and should be (length, features)");
    const Shape shape{static_cast<Index>(vocabulary_.size()), position_.shape[1]};
    const auto table = [&file, &shape, &path](const char* name) {
      Tensor words = file.tensor(name);
      if (words.shape != shape)
        reject(path.string(), ": tensor ", name, " is ", to_string(words.shape), " and should be ",
               to_string(shape), ": the lines of vocab.txt by the features of position");
      return words;
    };
    clip_ = table("clip");
    t5_ = table("t5");
  }

  /// Returns L ids.
  std::vector<Index> ids_of(std::string_view caption) const {
    std::vector<Index> ids;
    std::istringstream words{std::string(caption)};
    for (std::string word; words >> word;) ids.push_back(id_of(word));
    const auto longest = static_cast<std::size_t>(position_.shape[0]);
    if (ids.size() > longest) reject("the caption has ", ids.size(), " words, and at most ", longest, " fit");
    ids.resize(longest, 0);
    return ids;
  }

  Index id_of(const std::string& word) const {
    const auto at = ids_.find(word);
    if (at != ids_.end() && at->second != 0) return at->second;
    const std::vector<std::string> words(vocabulary_.begin() + 1, vocabulary_.end());
    reject("\"", word,
           at == ids_.end() ? "\" is not a word of the model" : "\" is the padding and not a word",
           "; the words are ", listed(words));
  }

  /// Returns the rows of `table` (V, D) for the ids, each plus its position: (L, D).
  Tensor looked_up(const Tensor& table, const std::vector<Index>& ids) const {
    Tensor out = position_;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const View<float, 1> row = out.view<2>()[static_cast<Index>(i)];
      const View<const float, 1> word = table.view<2>()[ids[i]];
      for (Index d = 0; d < row.size(); ++d) row[d] += word[d];
    }
    return out;
  }

  std::vector<std::string> vocabulary_;
  std::map<std::string, Index, std::less<>> ids_;
  Tensor clip_;      // (V, D)
  Tensor t5_;        // (V, D)
  Tensor position_;  // (L, D)
};

}  // namespace weft::inline v0_1
