// Where a model's weights come from: files, or random numbers.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "weft/core/digest.hpp"
#include "weft/core/numbers.hpp"
#include "weft/core/tensor.hpp"

namespace weft {

/// Says what a tensor's numbers are, in a form that a backend's loader takes; rejects a model whose tensors
/// it has not. WeightFiles is one. A source may also have std::uint64_t digest() const, which tells its
/// contents from others.
template <class S>
concept WeightSource = requires(const S& source, const std::string& name, const Shape& shape,
                                const std::map<std::string, Shape>& all) {
  source.expect(all);
  source.get(name, shape);
};

/// Weights that compute nothing of use, but in numbers of a trained model's size. Made where they are needed,
/// so that a benchmark reads no file.
struct RandomWeights {
  std::uint64_t seed = 0;

  void expect(const std::map<std::string, Shape>&) const {}
  std::uint64_t digest() const { return digest_of(seed); }

  RandomNumbers get(const std::string& name, const Shape& shape) const {
    const bool is_vector = shape.size() == 1, is_scale = is_vector && name.ends_with(".weight");
    const auto inputs = static_cast<float>(element_count(shape) / shape[0]);
    return {.seed = seed,
            .stream = hash(name),
            .mean = is_scale ? 1.0f : 0.0f,
            .deviation = is_scale    ? 0
                         : is_vector ? 0.02f
                                     : 1 / std::sqrt(inputs)};
  }

 private:
  /// Fowler, Noll and Vo's 1a.
  static std::uint32_t hash(std::string_view name) {
    std::uint32_t out = 2166136261u;
    for (const char letter : name) out = (out ^ static_cast<unsigned char>(letter)) * 16777619u;
    return out;
  }
};

}  // namespace weft
