// EncoderFolder: a text encoder's settings, and its weights in mapped files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "weft/backend/counting.hpp"
#include "weft/core/digest.hpp"
#include "weft/core/tensor.hpp"
#include "weft/io/json.hpp"
#include "weft/io/weight_files.hpp"
#include "weft/model/weight_loader.hpp"
#include "weft/text/encoders/config.hpp"
#include "weft/text/encoders/names.hpp"
#include "weft/text/encoders/weights.hpp"

namespace weft::inline v0_1::text {

/// The source of an encoder's weights. Tables of embeddings stay in the files, from where the rows of a
/// prompt's tokens are read. Threads may read at once.
class EncoderFolder {
 public:
  /// Opens `folder`/config.json and model.safetensors, or the latter's shards. Throws InvalidArgument, before
  /// any weight is read, if it is of another model or tensors are missing, surplus or misshapen.
  explicit EncoderFolder(const std::filesystem::path& folder)
      : name_(folder.string()),
        config_(Config::read(folder / "config.json")),
        files_(folder, "model"),
        names_(EncoderNames::in(files_, config_)) {
    std::map<std::string, Shape> tensors = layer_tensors();
    for (const auto& [name, shape] : tensors) parameters_ += element_count(shape);
    for (const auto& [name, rows] : tables()) tensors[*name] = {rows, config_.width};
    if (!names_.distances.empty()) tensors[names_.distances] = {config_.buckets, config_.heads};
    files_.expect(tensors, names_.unread);
    for (const auto& [name, shape] : tensors) static_cast<void>(files_.get(name, shape));
  }

  const EncoderConfig& config() const { return config_; }
  const EncoderNames& names() const { return names_; }
  /// Returns how many weights the layers have.
  Index parameters() const { return parameters_; }
  /// Returns a hash of settings and weights.
  std::uint64_t digest() const { return digest_of(config_.digest(), files_.digest()); }

  /// Makes it a WeightSource of the layers; the constructor has checked the files.
  void expect(const std::map<std::string, Shape>&) const {}
  const SafeTensors::Entry& get(const std::string& name, const Shape& shape) const {
    return files_.get(name, shape);
  }

  /// Throws InvalidArgument unless the encoder can read these tokens: ids of its vocabulary, a token at
  /// least, padding only behind them, and no more than it has positions.
  void check(const TokenIds& tokens) const {
    constexpr Index longest = 1 << 14;
    const auto size = static_cast<Index>(tokens.ids.size());
    const Index most = config_.positions > 0 ? config_.positions : longest;
    if (size < 1 || size > most) reject(name_, " was given ", size, " tokens, and reads 1 to ", most);
    for (const Id id : tokens.ids)
      if (id < 0 || id >= config_.vocabulary)
        reject(name_, " was given the token ", id, ", and its vocabulary ends at ", config_.vocabulary - 1,
               "; the folder's tokenizer may be another model's");
    const auto padding = std::ranges::find(tokens.mask, Id{0});
    const bool is_prefix = std::all_of(tokens.mask.begin(), padding, [](Id one) { return one == 1; }) &&
                           std::all_of(padding, tokens.mask.end(), [](Id zero) { return zero == 0; });
    if (tokens.mask.size() != tokens.ids.size() || tokens.mask.front() != 1 || !is_prefix)
      reject(name_, " was given a mask that is not 1 for some of the ", size,
             " tokens and then 0 for padding");
    if (config_.kind == EncoderKind::clip) static_cast<void>(pooled_token(tokens.ids));
  }

  /// Returns the token at which CLIP's state is pooled. eos_token_id 2, which old files have by mistake,
  /// stands for the largest id.
  Index pooled_token(const std::vector<Id>& ids) const {
    constexpr Id mistaken = 2;
    const auto at =
        config_.end == mistaken ? std::ranges::max_element(ids) : std::ranges::find(ids, config_.end);
    if (at == ids.end())
      reject(name_, ": eos_token_id is ", config_.end,
             ", at which the states are pooled, and no token has it");
    return at - ids.begin();
  }

  /// Returns the sum of the tokens' rows in all tables, (tokens, width).
  Tensor embedded(const std::vector<Id>& ids) const {
    Tensor out({static_cast<Index>(ids.size()), config_.width});
    const View<float, 2> rows = out.view<2>();
    for (Index i = 0; i < rows.extent[0]; ++i) {
      add_row(names_.words, config_.vocabulary, ids[static_cast<std::size_t>(i)], rows[i]);
      if (config_.positions > 0) add_row(names_.positions, config_.positions, i, rows[i]);
      if (config_.token_types > 0) add_row(names_.token_types, config_.token_types, 0, rows[i]);
    }
    return out;
  }

  /// Returns T5's table of biases (buckets, heads), of a slice's heads, or an empty tensor.
  Tensor distances(TensorSlice slice = {}) const {
    if (names_.distances.empty()) return {};
    const SafeTensors::Entry& entry = files_.get(names_.distances, {config_.buckets, config_.heads});
    const Range heads = config_.heads_of(slice);
    Tensor out({config_.buckets, heads.size()});
    for (Index bucket = 0; bucket < config_.buckets; ++bucket)
      read_row(entry, config_.heads, bucket, heads, out.data.data() + bucket * heads.size());
    return out;
  }

 private:
  std::map<std::string, Shape> layer_tensors() const {
    counting::Queue queue;
    const ShapesAlone shapes;
    WeightLoader<Counting<>, ShapesAlone> loader(queue, shapes, {}, {});
    return loader.list(
        [this](auto& lister) { return EncoderWeights<float>::place(lister, config_, names_); });
  }

  /// Returns the names of the tables of embeddings, and their rows.
  std::vector<std::pair<const std::string*, Index>> tables() const {
    std::vector<std::pair<const std::string*, Index>> out{{&names_.words, config_.vocabulary}};
    if (config_.positions > 0) out.emplace_back(&names_.positions, config_.positions);
    if (config_.token_types > 0) out.emplace_back(&names_.token_types, config_.token_types);
    return out;
  }

  /// Reads some columns of a row of a tensor (rows, width).
  static void read_row(const SafeTensors::Entry& entry, Index width, Index row, Range columns, float* to) {
    const auto first = static_cast<std::size_t>(row * width + columns.begin);
    to_float(entry.dtype, entry.bytes.data() + first * size_of(entry.dtype),
             static_cast<std::size_t>(columns.size()), to);
  }

  void add_row(const std::string& table, Index rows, Index row, const View<float, 1>& to) const {
    std::vector<float> numbers(static_cast<std::size_t>(config_.width));
    read_row(files_.get(table, {rows, config_.width}), config_.width, row, {0, config_.width},
             numbers.data());
    for (Index i = 0; i < to.size(); ++i) to[i] += numbers[static_cast<std::size_t>(i)];
  }

  std::string name_;
  EncoderConfig config_;
  WeightFiles files_;
  EncoderNames names_;
  Index parameters_ = 0;
};

}  // namespace weft::inline v0_1::text
