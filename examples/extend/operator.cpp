// An operator of your own: a function on each backend's queue, which the model calls by its name.
#include <cmath>
#include <iostream>

#include "ranks.hpp"
#include "small_dit.hpp"

#ifdef __CUDACC__
#include <weft/elementwise.cuh>
#include <weft/rows.cuh>

struct SoftCap {
  float limit;
  weft::kernels::RowsOf<float, 3> x;

  __device__ void operator()(weft::Index row, int column) const {
    float& number = x.row(row)[column];
    number = limit * tanhf(number / limit);
  }
};

/// Brings the numbers of x, (tokens, images, features), smoothly between −limit and limit.
void soft_cap(weft::cuda::Queue& queue, float limit, const weft::View<float, 3>& x) {
  weft::kernels::for_each_number(queue.stream(), x.extent[0] * x.extent[1], x.extent[2], SoftCap{limit, x});
}
#else
/// Brings the numbers of x, (tokens, images, features), smoothly between −limit and limit.
void soft_cap(weft::host::Queue& queue, float limit, const weft::View<float, 3>& x) {
  queue.workers().parallel_for(x.extent[0], 1, [limit, &x](weft::Range tokens) {
    for (weft::Index t = tokens.begin; t < tokens.end; ++t)
      for (weft::Index image = 0; image < x.extent[1]; ++image)
        for (weft::Index f = 0; f < x.extent[2]; ++f)
          x[t][image][f] = limit * std::tanh(x[t][image][f] / limit);
  });
}
#endif

/// Counts what it reads and writes: the engine measures memory, and the planner time, by a run that counts.
void soft_cap(weft::counting::Queue& queue, float, const weft::View<float, 3>& x) {
  const weft::Index bytes = 2 * x.size() * static_cast<weft::Index>(sizeof(float));
  queue.append({.kind = weft::counting::WorkKind::rows, .bytes = bytes});
}

template <class Backend>
struct CappedDit : SmallDit<Backend> {
  using Base = SmallDit<Backend>;
  static constexpr float limit = 0.75f;

  void unembed(auto& context, const typename Base::Conditioning& conditioning, weft::View<const float, 3> x,
               weft::View<float, 3> prediction) const {
    Base::unembed(context, conditioning, x, prediction);
    soft_cap(context.queue(), limit, prediction);
  }
};

int main() {
  weft::Evaluation<int> evaluation{{3, 7}, weft::Tensor({2, 1, 14, 22}), weft::Tensor({2})};
  for (std::size_t i = 0; i < evaluation.latents.data.size(); ++i)
    evaluation.latents.data[i] = weft::normal(1, 0, i);
  evaluation.times.data = {900, 500};
  const auto predicted = [&evaluation]<class Model>(const weft::Mesh& mesh, std::type_identity<Model>) {
    return on_ranks(mesh, [&mesh, &evaluation](World& world) {
      const Model model;
      weft::Engine<Model, weft::Ulysses<>, World> engine(model, mesh, world);
      return engine.forward(evaluation);
    });
  };
  weft::Tensor expected = predicted({}, std::type_identity<SmallDit<Backend>>{});
  for (float& number : expected.data)
    number = CappedDit<Backend>::limit * std::tanh(number / CappedDit<Backend>::limit);
  const bool equal = are_close(predicted({.ulysses = 3}, std::type_identity<CappedDit<Backend>>{}), expected);
  std::cout << "Predictions of three ranks are " << (equal ? "capped.\n" : "wrong.\n");
  return equal ? 0 : 1;
}
