// WeightSource: the concept of a source of weights, such as files or random numbers.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "weft/core/digest.hpp"
#include "weft/core/numbers.hpp"
#include "weft/core/progress.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1 {

/// A source of weights, such as WeightFiles. get(name, shape) returns a tensor's numbers in a form that a
/// backend's loader takes; expect(all) throws InvalidArgument unless it has exactly these tensors. A source
/// may also have std::uint64_t digest() const, a hash of its contents, and loaded(done, all) const, which is
/// called with how many bytes of all that is wanted of it are loaded.
template <class S>
concept WeightSource = requires(const S& source, const std::string& name, const Shape& shape,
                                const std::map<std::string, Shape>& all) {
  source.expect(all);
  source.get(name, shape);
};

/// Weights of which shapes alone are known, for a backend that counts.
struct ShapesAlone {
  void expect(const std::map<std::string, Shape>&) const {}
  std::monostate get(const std::string&, const Shape&) const { return {}; }
};

/// A source whose loading somebody waits for. It refers to both.
template <WeightSource Source>
struct WatchedWeights {
  const Source& source;
  const Progress& progress;

  void expect(const std::map<std::string, Shape>& all) const { source.expect(all); }
  decltype(auto) get(const std::string& name, const Shape& shape) const { return source.get(name, shape); }
  std::uint64_t digest() const requires requires(const Source& some) { some.digest(); }
  { return source.digest(); }
  void loaded(Index done, Index all) const {
    if (progress) progress(done, all);
  }
};

/// Random weights of the magnitudes of a trained model's, so that benchmarks need no files.
struct RandomWeights {
  std::uint64_t seed = 0;

  void expect(const std::map<std::string, Shape>&) const {}
  std::uint64_t digest() const { return digest_of(seed); }

  RandomNumbers get(const std::string& name, const Shape& shape) const {
    const bool is_vector = shape.size() == 1, is_scale = is_vector && name.ends_with(".weight");
    const auto inputs = static_cast<float>(element_count(Shape(shape.begin() + 1, shape.end())));
    return {.seed = seed,
            .stream = hash(name),
            .mean = is_scale ? 1.0f : 0.0f,
            .deviation = is_scale    ? 0
                         : is_vector ? 0.02f
                                     : 1 / std::sqrt(inputs)};
  }

 private:
  /// Computes FNV-1a: Fowler, Noll and Vo.
  static std::uint32_t hash(std::string_view name) {
    std::uint32_t out = 2166136261u;
    for (const char letter : name) out = (out ^ static_cast<unsigned char>(letter)) * 16777619u;
    return out;
  }
};

}  // namespace weft::inline v0_1
