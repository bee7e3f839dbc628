// CountedModel: the work and the memory of any model, from its own code on the counting backend.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/backend/counting.hpp"
#include "weft/comm/rehearsal.hpp"
#include "weft/core/spans.hpp"
#include "weft/engine/denoiser.hpp"
#include "weft/engine/evaluator.hpp"
#include "weft/engine/part.hpp"
#include "weft/model/counting_context.hpp"
#include "weft/model/portion.hpp"
#include "weft/model/weight_source.hpp"
#include "weft/plan/model_work.hpp"
#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/data_parallel.hpp"
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/ring.hpp"
#include "weft/policy/step_cache.hpp"
#include "weft/policy/tensor_parallel.hpp"
#include "weft/policy/ulysses.hpp"

namespace weft::inline v0_1::planner {

/// `Model` is on a Counting backend, and loaded from settings and ShapesAlone: as HunyuanDiT<Counting<>>.
template <class Model>
class CountedModel final : public ModelWork {
 public:
  using Backend = typename Model::Backend;
  using Prompt = typename Model::Prompt;

  /// Counts for requests whose prompts are shaped as this one.
  template <class Settings>
  CountedModel(const Settings& settings, Prompt prompt)
      : model_(settings, ShapesAlone{}), shape_(model_.shape()), prompts_{std::move(prompt)} {
    model_.check(prompts_.front());
    prefix_ = weft::detail::prefix_of(model_, prompts_.front());
    const Counted probe = count({.rows = prefix_ + 4, .prefix = prefix_, .images = 1}, all_blocks());
    for (Index i = 0; i < shape_.blocks; ++i) {
      Index first = 0;
      while (!alike(probe, first, i)) ++first;
      kinds_.push_back(first);
    }
  }

  const DitShape& shape() const override { return shape_; }
  Index prefix() const override { return prefix_; }
  Index element_bytes() const override { return static_cast<Index>(sizeof(Element)); }
  Index kind(Index block) const override { return kinds_[static_cast<std::size_t>(block)]; }

  std::span<const Work> block(Index kind, const RankRows& rows) const override {
    return counted(rows).blocks.at(kind);
  }
  std::span<const Work> ends(const RankRows& rows) const override { return counted(rows).ends; }

  Index weights(const std::vector<Range>& blocks, TensorSlice slice = {}) const override {
    const auto& memory = model(slice).weight_memory();
    return sum(blocks, [&memory](std::size_t section) { return memory.sections[section].size(); });
  }
  Index staged(const std::vector<Range>& blocks, TensorSlice slice = {}) const override {
    const auto& memory = model(slice).weight_memory();
    return sum(blocks, [&memory](std::size_t section) { return memory.staged[section]; });
  }

  EngineMemory memory(const DitShape& placed, const Mesh& mesh, int rank,
                      const MemoryRequest& request) const override {
    using Parallel = DataParallel<CfgParallel<StepCache<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>>;
    using World = Rehearsal<counting::Queue>;
    using Policies = typename Parallel::template On<Backend, World>;
    const Range prompts = Policies::prompts(mesh, rank, request.prompts);
    const Index images = prompts.size() * Policies::branches(mesh, rank, request.branches).size();
    if (images == 0) return {};
    const ImageShape image = image_of(request.tokens);
    World world(
        mesh.ranks(), rank, [](const StridedBytes&) {}, 1, nullptr, request.pushes);
    counting::Queue queue;
    Policies policies(world, mesh);
    PartOf<ImageShape> part = PartOf<ImageShape>::of_rank(
        placed, mesh, rank, Policies::blocks(mesh, rank, placed), image, prefix_, images, request.steps);
    part.share.text_tokens = text_tokens();
    part.job.steps = part.job.warmup + 2;  // the evaluator's memory is that of any number of steps

    EngineMemory out;
    auto taken = [&queue, before = Index{0}]() mutable {
      return queue.memory().bytes() - std::exchange(before, queue.memory().bytes());
    };
    const Model& own = model(part.job.slice);
    const Conditioning conditioning = condition(own, queue, part.share, request.steps);
    out.conditioning = taken();
    out.temporary = queue.memory().peak() - out.conditioning;
    policies.prepare(queue, part.job);
    out.keys = taken();
    out.messages = world.reserved();
    part.job.reuse = request.reuse;
    Evaluator<Model, Policies> evaluator(own, policies);
    evaluator.prepare(queue, part.job, part.share.blocks, part.share.rows, conditioning);
    const RequestShape shape{.extent = {.height = image.height, .width = image.width},
                             .prefix = prefix_,
                             .text_tokens = text_tokens(),
                             .prompts = request.prompts,
                             .branches = request.branches,
                             .steps = request.steps,
                             .thresholds = request.thresholds};
    const Denoiser<Backend, Policies, ImageShape> denoiser(queue, shape, image, prompts,
                                                           evaluator.image_rows());
    out.activations = taken();
    return out;
  }

 private:
  using Element = typename Backend::Element;
  using Conditioning = typename Model::Conditioning;

  struct Counted {
    std::map<Index, std::vector<Work>> blocks;
    std::vector<Work> ends;
  };

  /// Returns the model that holds a slice.
  const Model& model(TensorSlice slice) const {
    if (slice.count == 1) return model_;
    std::unique_ptr<const Model>& out = slices_[slice];
    if (!out) out = std::make_unique<const Model>(model_.config(), ShapesAlone{}, Portion({}, slice));
    return *out;
  }

  template <class OfSection>
  static Index sum(const std::vector<Range>& blocks, const OfSection& of_section) {
    Index sum = of_section(0);
    for (const Range& range : blocks)
      for (Index i = range.begin; i < range.end; ++i) sum += of_section(static_cast<std::size_t>(i) + 1);
    return sum;
  }

  Index text_tokens() const { return weft::detail::text_tokens_of(model_, prompts_.front()); }

  std::vector<Index> all_blocks() const {
    std::vector<Index> all;
    for (Index i = 0; i < shape_.blocks; ++i) all.push_back(i);
    return all;
  }

  bool alike(const Counted& probe, Index a, Index b) const {
    return probe.blocks.at(a) == probe.blocks.at(b) && shape_.is_kept(a) == shape_.is_kept(b) &&
           shape_.reads_skip(a) == shape_.reads_skip(b) && weights({{a, a + 1}}) == weights({{b, b + 1}});
  }

  /// Returns an image of so many tokens, all in one row, since nothing depends on where they are.
  ImageShape image_of(Index tokens) const {
    return {shape_.channels, shape_.patch, shape_.patch * tokens, shape_.patch};
  }

  Conditioning condition(const Model& model, counting::Queue& queue, const Share& share, Index steps) const {
    const auto images = static_cast<std::size_t>(share.images);
    if (prompts_.size() < images) prompts_.resize(images, prompts_.front());
    return model.condition(queue, span_of(prompts_).first(images), Tensor({steps, share.images}), share);
  }

  const Counted& counted(const RankRows& rows) const {
    const auto [at, is_new] = counted_.try_emplace(rows);
    if (is_new) {
      std::vector<Index> first = kinds_;
      std::ranges::sort(first);
      first.erase(std::unique(first.begin(), first.end()), first.end());
      at->second = count(rows, first);
    }
    return at->second;
  }

  /// Runs embed, `blocks` and unembed on such rows.
  Counted count(const RankRows& rows, const std::vector<Index>& blocks) const {
    const auto& [n, prefix, images, slice] = rows;
    const Model& model = this->model(slice);
    const ImageShape image = image_of(n - prefix);
    const Share share{image, Rows({{0, n}}), {{0, shape_.blocks}}, images, prefix, text_tokens()};
    counting::Queue queue;
    const Conditioning conditioning = condition(model, queue, share, 1);
    const typename Backend::template Buffer<Element> tokens(queue, n * images * shape_.width),
        latents(queue, (n - prefix) * images * image.features());
    const typename Backend::template Buffer<float> prediction(queue,
                                                              (n - prefix) * images * image.features());
    const View<Element, 3> x = tokens.view(std::array{n, images, shape_.width});
    const std::array features{n - prefix, images, image.features()};
    Scratch<Backend> scratch;
    const auto run = [&queue, &scratch, slice = slice](Range own, Range own_prefix, const auto& call) {
      queue.clear();
      weft::detail::CountingContext<Backend> context(queue, scratch, own, own_prefix, slice);
      call(context);
      return queue.work();
    };

    Counted out;
    out.ends = run({0, n}, {0, prefix}, [&model, &conditioning, &latents, &features, &x](auto& context) {
      model.embed(context, conditioning, latents.view(features), x);
    });
    for (const Index i : blocks)
      out.blocks[i] = run({0, n}, {0, prefix}, [this, &model, i, &conditioning, &x](auto& context) {
        model.block(i, context, conditioning, x, shape_.reads_skip(i) ? x : View<Element, 3>(), x);
      });
    const std::vector<Work> last = run(
        {prefix, n}, {prefix, prefix},
        [&model, &conditioning, &prediction, &features, &x, n = n, prefix = prefix](auto& context) {
          model.unembed(context, conditioning, x.template slice<0>({prefix, n}), prediction.view(features));
        });
    out.ends.insert(out.ends.end(), last.begin(), last.end());
    return out;
  }

  Model model_;
  DitShape shape_;
  mutable std::vector<Prompt> prompts_;  // all alike
  Index prefix_ = 0;
  std::vector<Index> kinds_;  // of every block
  mutable std::map<RankRows, Counted> counted_;
  mutable std::map<TensorSlice, std::unique_ptr<const Model>> slices_;
};

/// A type of the size of T for the counting backend.
template <class T>
using CountedNumber = std::conditional_t<std::is_same_v<T, float>, float, counting::Number<sizeof(T)>>;

namespace detail {

template <class Model>
struct OnCounting;
template <template <class> class Model, class Backend>
struct OnCounting<Model<Backend>> {
  using type =
      Model<Counting<CountedNumber<typename Backend::Element>, CountedNumber<typename Backend::Operand>>>;
};

}  // namespace detail

/// Counts a model of any backend.
template <class Model>
using CountedModelOf = CountedModel<typename detail::OnCounting<Model>::type>;

}  // namespace weft::inline v0_1::planner
