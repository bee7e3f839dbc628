// LoadedModel: a model's settings, and its weights in a backend's memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "weft/core/digest.hpp"
#include "weft/core/dit_shape.hpp"
#include "weft/io/json.hpp"
#include "weft/io/weight_files.hpp"
#include "weft/model/weight_loader.hpp"

namespace weft::inline v0_1 {

/// The base of a model whose `SettingsType` are made from config.json and have shape() and digest(), and
/// whose `Weights` have place(loader, config), which WeightLoader calls. Ranks that are threads may share a
/// model, of all weights or those of some blocks; it must outlive their engines.
template <class BackendType, class SettingsType, class Weights>
class LoadedModel {
 public:
  using Backend = BackendType;
  using Settings = SettingsType;
  using Element = typename Backend::Element;
  using Operand = typename Backend::Operand;
  using Queue = typename Backend::Queue;
  using Others = std::vector<const LoadedModel*>;

  /// Reads `folder`/config.json and the weights beside it, all or a portion, as the next constructor does.
  explicit LoadedModel(const std::filesystem::path& folder, const Portion& portion = {},
                       const Others& others = {})
      : LoadedModel(Settings(Config::read(folder / "config.json")), folder, portion, others) {}

  /// Takes weights from any source. Those that one of `others` has, which are of the same settings and come
  /// from the same source, are copied from its memory, on whatever device that is. Throws InvalidArgument,
  /// before any is read, if they are not those of the settings, or the backend cannot run the model.
  template <WeightSource Source>
  LoadedModel(const Settings& settings, const Source& source, const Portion& portion = {},
              const Others& others = {})
      : config_(settings), digest_(settings.digest()) {
    if constexpr (requires { source.digest(); }) digest_ = digest_of(digest_, source.digest());
    Queue queue;  // ends when all is there
    const DitShape shape = config_.shape();
    if (portion.slice.count > shape.most_slices() || portion.slice.count < 1)
      reject("the model is to be cut into ", portion.slice.count, " slices, and can be cut into 1 to ",
             shape.most_slices());
    Backend::check(shape);
    Backend::check(shape.of_slice(portion.slice));
    std::vector<const WeightMemory<Backend>*> memories;
    for (const LoadedModel* other : others) memories.push_back(&other->memory_);
    weights_ = WeightLoader<Backend, Source>(queue, source, portion, memories)
                   .load([this](auto& loader) { return Weights::place(loader, config_); }, memory_);
  }

  const Settings& config() const { return config_; }
  DitShape shape() const { return config_.shape(); }
  /// Returns the slice of its blocks' matrices that is here.
  TensorSlice slice() const { return memory_.slice; }
  /// Returns whether the weights of block i are here.
  bool has_block(Index i) const { return memory_.has_section(static_cast<std::size_t>(i) + 1); }
  const WeightMemory<Backend>& weight_memory() const { return memory_; }
  /// Returns a hash of the settings, and of the weights too where their source has one.
  std::uint64_t digest() const { return digest_; }

 protected:
  const Weights& weights() const { return weights_; }

 private:
  /// Opens the weights in `folder`, for settings that were read before.
  LoadedModel(const Settings& settings, const std::filesystem::path& folder, const Portion& portion,
              const Others& others)
      : LoadedModel(settings, WeightFiles(folder), portion, others) {}

  Settings config_;
  std::uint64_t digest_;
  WeightMemory<Backend> memory_;
  Weights weights_;
};

}  // namespace weft::inline v0_1
