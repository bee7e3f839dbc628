// Engine: one rank's denoising loop for a model, a stack of policies and a mesh.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "weft/comm/agreement.hpp"
#include "weft/comm/launch.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/on_exception.hpp"
#include "weft/core/spans.hpp"
#include "weft/engine/denoiser.hpp"
#include "weft/engine/evaluator.hpp"
#include "weft/engine/input_summary.hpp"
#include "weft/engine/part.hpp"
#include "weft/engine/request.hpp"
#include "weft/engine/reshard.hpp"
#include "weft/model/portion.hpp"
#include "weft/policy/check.hpp"
#include "weft/policy/local.hpp"
#include "weft/policy/policy.hpp"
#include "weft/policy/tokens.hpp"

namespace weft::inline v0_1 {

/// Every rank of the world makes one, and all call the same members in the same order, with the same model,
/// mesh and requests. Ranks compare these; if one differs, all throw the same InvalidArgument, which names
/// the difference, before any work.
///
/// Memory for a request is allocated, and its steps are recorded, before its first step. Both are kept: if
/// the next request has the same RequestShape, and the model can refill its conditioning, it begins with its
/// steps almost at once; otherwise they are dropped and made again.
///
/// Lifetime: the model and the world must outlive the engine. What it returns is independent of it.
///
/// Threads: one thread at a time may use an engine. Engines of different ranks are independent.
///
/// Exceptions: InvalidArgument leaves the engine as it was. Any other exception, such as a lack of memory or
/// one that `progress` throws, drops the memory and recordings of the request; then the same or another
/// request may be made, if all ranks have thrown, as in a world of one rank. If only some ranks throw, the
/// others wait for them: their exception must leave the launch, which ends all ranks.
template <class Model, class Parallel = Local, World WorldType = threads::World>
class Engine {
  static_assert(detail::explain_dit<Model>());
  static_assert(
      detail::explain_policy<Parallel, typename Model::Backend, typename WorldType::Communicator>());

 public:
  using World = WorldType;
  using Backend = typename Model::Backend;
  using Queue = typename Backend::Queue;
  using Prompt = typename Model::Prompt;
  using Conditioning = typename Model::Conditioning;
  using Policies = typename Parallel::template On<Backend, typename World::Communicator>;

  /// Throws InvalidArgument if the model's shape is invalid, the backend cannot run it, the mesh does not fit
  /// the world or the model, or the ranks' models or meshes differ.
  Engine(const Model& model, const Mesh& mesh, World& world)
      : model_(model),
        mesh_(mesh),
        world_(world),
        queue_(queue_for(model, world)),
        agreement_(queue_, world_),
        policies_(world, agreed_mesh()),
        evaluator_(model_, policies_) {}
  Engine(const Model&&, const Mesh&, World&) = delete;  // would outlive the model

  /// Returns the portion of the model's weights that a rank of the mesh needs. Throws as `blocks` does.
  [[nodiscard]] static Portion portion(const Mesh& mesh, int rank, const DitShape& model) {
    return {blocks(mesh, rank, model), slice_of_rank(mesh, rank)};
  }

  /// Returns the blocks that a rank of the mesh runs; it needs no weights of other blocks. Throws
  /// InvalidArgument if the mesh does not fit the model, or has no such rank.
  [[nodiscard]] static std::vector<Range> blocks(const Mesh& mesh, int rank, const DitShape& model) {
    model.check();
    check_mesh(mesh, model, mesh.ranks());
    if (rank < 0 || rank >= mesh.ranks())
      reject("there is no rank ", rank, " in a mesh of ", mesh.ranks(), "; the last is ", mesh.ranks() - 1);
    return Policies::blocks(mesh, rank, model);
  }

  /// Throws InvalidArgument if the request does not fit the model, or the mesh the request.
  static void check(const Model& model, const Mesh& mesh, const Request<Prompt>& request) {
    check(model, mesh, request, request.classifier_free());
  }
  template <class G>
  static void check(const Model& model, const Mesh& mesh, const Request<Prompt>& request, const G& guidance) {
    static_assert(detail::explain_guidance<G, Prompt, Queue>());
    const Grid image = detail::grid_of(model, request.extent());
    const auto prompts = static_cast<Index>(request.prompts.size());
    if (prompts == 0) reject("the request has no prompt; give at least one");
    if (request.sampler.empty()) reject("the request's sampler has no steps; make_sampler makes one");
    detail::check_effects(request);
    detail::check_guidance(request, guidance);
    detail::for_each_prompt(request.prompts, guidance,
                            [&model](const Prompt& prompt) { model.check(prompt); });
    Shape shape = detail::shape_of(image, prompts);
    if (!request.noise.empty()) detail::need_shape("starting noise", request.noise, shape);
    shape.insert(shape.begin(), static_cast<Index>(request.sampler.size()));
    if (!request.step_noise.empty()) detail::need_shape("noise of the steps", request.step_noise, shape);
    detail::check_image(model, image);
    const Index prefix = detail::common_prefix(model, request.prompts, guidance);
    const auto steps = static_cast<Index>(request.sampler.size());
    request.reuse.check(steps, model.shape());
    check(mesh, model.shape(),
          {prompts, guidance.branches(), prefix + image.tokens(), steps, !request.reuse.empty()});
  }

  static void check(const Model& model, const Mesh& mesh, const Evaluation<Prompt>& evaluation) {
    const auto prompts = static_cast<Index>(evaluation.prompts.size());
    if (prompts == 0) reject("the evaluation has no prompt; give at least one");
    if (evaluation.latents.shape.size() != 1 + std::tuple_size_v<decltype(Grid{}.extents())>)
      reject("the latents are ", to_string(evaluation.latents.shape), " and must be (images, ",
             Grid::dimensions, ")");
    const Grid image = detail::grid_of(model, detail::extent_of(evaluation.latents));
    detail::need_shape("latents", evaluation.latents, detail::shape_of(image, prompts));
    detail::need_shape("times", evaluation.times, {prompts});
    for (const Prompt& prompt : evaluation.prompts) model.check(prompt);
    detail::check_image(model, image);
    const Index prefix = detail::common_prefix(model, evaluation.prompts, NoGuidance{});
    check(mesh, model.shape(), {prompts, evaluation.branches(mesh.data), prefix + image.tokens()});
  }

  /// Generates the request's images by classifier-free guidance, or as `guidance` says. Returns their
  /// latents, (prompts, the grid's extents), on rank 0, and an empty tensor on the others. Throws
  /// InvalidArgument if the ranks' requests differ, or as `check` does, and Cancelled on all ranks if the
  /// request was asked to stop.
  Tensor generate(const Request<Prompt>& request) { return generate(request, request.classifier_free()); }
  template <class G>
  Tensor generate(const Request<Prompt>& request, const G& guidance) {
    const auto begin = Clock::now();
    denoise(request, guidance);
    Tensor out = latents();
    request_seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
    return out;
  }

  /// Does the same, and leaves the latents where they are, distributed over the ranks: `latents` gathers
  /// them, and `latents_band` hands them over to a stage that works on bands of rows.
  void denoise(const Request<Prompt>& request) { denoise(request, request.classifier_free()); }
  template <class G>
  void denoise(const Request<Prompt>& request, const G& guidance) {
    static_assert(detail::explain_guidance<G, Prompt, Queue>());
    const auto begin = Clock::now();
    agreement_.check([&request, &guidance] { return detail::summary_of(request, guidance); });
    check(model_, mesh_, request, guidance);
    const auto guard = dropping_on_exception();
    const RequestShape shape = detail::shape_of(model_, request, guidance);
    const Grid image = detail::grid_of(model_, shape.extent);
    const Range prompts = Policies::prompts(mesh_, world_.rank(), shape.prompts);
    const Range here = Policies::branches(mesh_, world_.rank(), shape.branches);

    const std::span<const Prompt> mine = kept(request, guidance, here, prompts);
    Tensor times({shape.steps, static_cast<Index>(mine.size())});
    for (Index step = 0; step < shape.steps; ++step)
      for (float& time : std::span<float>(times.view<2>()[step].data, mine.size()))
        time = request.sampler[static_cast<std::size_t>(step)].timestep;

    if (!resume(shape)) {
      prepare(mine, times, image, shape, image.features(), most_branches(shape.branches) * prompts.size(),
              [this, &shape, &image, prompts] {
                denoiser_.emplace(queue_, shape, image, prompts, evaluator_.image_rows());
              });
    } else {
      condition_again(mine, times, image, shape);
    }
    if (shape.has_padding) hide_padding(mine);
    denoiser_->start(queue_, request, guidance);
    record([this](Range unit_rows) { denoiser_->feed(queue_, unit_rows, evaluator_.latents(unit_rows)); },
           [this, here](const Unit& unit, Range unit_rows) {
             denoiser_->template step<G>(queue_, policies_, unit, unit_rows, here,
                                         evaluator_.prediction(unit_rows));
           });

    // The first milestone is the begin of the steps.
    typename Queue::Milestones passed(shape.steps + 1, [this, &request](Index count) {
      if (request.progress && world_.rank() == 0 && count > 1) request.progress(count - 1);
    });
    passed.pass(queue_);
    Index done = 0, shown = 0;
    loop_counts_ = evaluator_.replay(
        queue_,
        [this, &passed, &done] {
          passed.pass(queue_);
          ++done;
        },
        [this, &request, &shape, &done, &shown] {
          if (request.stop.stop_possible() && agreement_.any(request.stop.stop_requested()))
            throw Cancelled(sentence("cancelled after ", done, " of ", request.sampler.size(), " steps"));
          if (request.preview_every <= 0) return;
          const bool leads = world_.rank() == 0;
          if (!agreement_.any(leads && done >= shown + request.preview_every)) return;
          shown = done;
          const Tensor seen = latents(shape, &Engine::rows_on_first);
          if (leads && request.preview) request.preview(done, seen);
        });
    step_seconds_ = passed.watch();
    resumable_ = shape;
    request_seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
  }

  /// Returns the latents of the last request, (prompts, the grid's extents), on rank 0, and an empty tensor
  /// on the others. All ranks call it together. Throws std::logic_error if the last call made none.
  Tensor latents() {
    const RequestShape shape = last_shape();
    const auto guard = dropping_on_exception();
    return latents(shape, &Engine::rows_on_first);
  }

  /// Returns this rank's rows of the latents, split(height, ranks, rank), which may be none: (prompts, the
  /// grid's extents) with so many rows. All ranks call it together. Throws std::logic_error if the last call
  /// made none.
  Tensor latents_band() {
    const RequestShape shape = last_shape();
    const auto guard = dropping_on_exception();
    return latents(shape, [](Index height, int ranks) {
      std::vector<Range> bands;
      for (int rank = 0; rank < ranks; ++rank) bands.push_back(split(height, ranks, rank));
      return bands;
    });
  }

  /// Evaluates the model once. Returns its output, (images, out_channels, height, width), on rank 0, and an
  /// empty tensor on the others. Throws InvalidArgument as `generate` does.
  Tensor forward(const Evaluation<Prompt>& evaluation) {
    agreement_.check([&evaluation] { return detail::summary_of(evaluation); });
    check(model_, mesh_, evaluation);
    const auto guard = dropping_on_exception();
    const Shape& shape = evaluation.latents.shape;
    const Grid image = detail::grid_of(model_, detail::extent_of(evaluation.latents));
    const Grid out = image.with_channels(model_.shape().out_channels);
    const auto images_of = [this, &shape](int rank) {
      const Range prompts = Policies::prompts(mesh_, rank, shape[0]);
      return Policies::branches(mesh_, rank, prompts.size()) + prompts.begin;
    };
    const Range images = images_of(world_.rank());
    const std::span<const Prompt> mine(evaluation.prompts.data() + images.begin,
                                       static_cast<std::size_t>(images.size()));
    Tensor times({1, images.size()});
    std::copy_n(evaluation.times.data.begin() + images.begin, images.size(), times.data.begin());

    const RequestShape request_shape = detail::shape_of(model_, evaluation);
    const Index prefix = request_shape.prefix;
    if (resume(request_shape)) {
      condition_again(mine, times, image, request_shape);
    } else {
      prepare(mine, times, image, request_shape, out.features(), images.size(), [] {});
    }
    if (request_shape.has_padding) hide_padding(mine);
    const Rows& rows = evaluator_.image_rows();
    upload(queue_, to_tokens(evaluation.latents, image, images, rows), evaluator_.latents({0, rows.size()}));
    record([](Range) {}, [](const Unit&, Range) {});
    evaluator_.replay(
        queue_, [] {}, [] {});
    resumable_ = request_shape;
    return resharded(evaluator_.prediction({0, rows.size()}), out, prefix, shape[0], images_of,
                     &Engine::rows_on_first);
  }

  Queue& queue() { return queue_; }
  /// The allocations, waits and host copies of the last loop, all of which are 0.
  const QueueCounts& loop_counts() const { return loop_counts_; }
  /// Returns the duration of each step of the last loop on this rank.
  const std::vector<double>& step_seconds() const { return step_seconds_; }
  /// Returns the duration of the last `generate` or `denoise` on this rank. Beyond its steps this is
  /// conditioning, gathering of the latents and, for the first request of a shape, recording.
  double request_seconds() const { return request_seconds_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Grid = detail::GridOf<Model>;

  static void check(const Mesh& mesh, const DitShape& model, const Demand& demand) {
    if (const auto fault = weft::check<Parallel>(mesh, model, demand, mesh.ranks()))
      reject(to_string(*fault));
  }

  /// Throws InvalidArgument if the mesh fits no request, or not the number of ranks.
  static void check_mesh(const Mesh& mesh, const DitShape& model, Index ranks) {
    const Demand most{.prompts = mesh.data, .branches = mesh.cfg, .tokens = mesh.patch_count()};
    if (const auto fault = weft::check<Parallel>(mesh, model, most, ranks)) reject(to_string(*fault));
  }

  static Queue queue_for(const Model& model, World& world) {
    model.shape().check();
    Backend::check(model.shape());
    return Backend::queue(world);
  }

  /// Returns the mesh after all ranks have compared it. Called before communicators are split by it, since
  /// ranks with different meshes would wait for each other there.
  const Mesh& agreed_mesh() {
    agreement_.check([this] { return detail::summary_of<Model, Parallel>(model_, mesh_); });
    check_mesh(mesh_, model_.shape(), world_.size());
    check_slice();
    return mesh_;
  }

  /// Throws InvalidArgument unless the model holds the slice that this rank needs.
  void check_slice() const {
    const TensorSlice held = detail::slice_of(model_), needed = slice_of_rank(mesh_, world_.rank());
    if (held == needed) return;
    if (!detail::HasSlice<Model>)
      reject("the mesh has tensor ", mesh_.tensor,
             ", and the matrices of this model's blocks cannot be cut into slices; use tensor 1");
    const auto named = [](TensorSlice slice) {
      return slice.count == 1 ? "whole" : sentence("as slice ", slice.index, " of ", slice.count);
    };
    reject("rank ", world_.rank(), " needs the matrices of its blocks ", named(needed),
           ", and its model holds them ", named(held), "; load what Engine::portion returns for the rank");
  }

  /// Drops the unfinished request when the scope of what it returns is left by an exception.
  auto dropping_on_exception() {
    return OnException([this] { drop(); });
  }

  /// Returns whether memory and recordings of the request before serve one of this shape. All ranks must
  /// decide alike, since they record together: so the decision uses nothing that differs between ranks.
  bool resume(const RequestShape& shape) { return std::exchange(resumable_, std::nullopt) == shape; }

  /// Drops all memory and recordings of requests.
  void drop() {
    resumable_.reset();
    evaluator_.release();
    conditioning_.reset();
    denoiser_.reset();
  }

  /// Returns the most branches that any rank evaluates.
  Index most_branches(Index count) const {
    Index most = 0;
    for (int rank = 0; rank < world_.size(); ++rank)
      most = std::max(most, Policies::branches(mesh_, rank, count).size());
    return most;
  }

  /// Drops memory and recordings of the request before, conditions the model on these prompts at `times`
  /// (steps, images), and allocates the evaluator's memory and, by take_more(), what else the request keeps;
  /// the prediction has `features` a token.
  template <class TakeMore>
  void prepare(std::span<const Prompt> prompts, const Tensor& times, const Grid& image,
               const RequestShape& shape, Index features, Index most_images, const TakeMore& take_more) {
    drop();
    queue_.trim();
    PartOf<Grid> part = part_of(prompts, times, image, shape);
    part.job.predicted_features = features;
    part.job.most_images = most_images;
    part.job.has_padding = shape.has_padding;
    part.job.reuse = shape.reuse;
    // Braces: parentheses around an aggregate make nvcc's front end give up.
    conditioning_.reset(new Conditioning{model_.condition(queue_, prompts, times, part.share)});
    complete_conditioning();
    queue_.take_together([this, &part, &take_more] {
      evaluator_.prepare(queue_, part.job, part.share.blocks, part.share.rows, *conditioning_);
      take_more();
    });
  }

  /// Hides the padding among this rank's prompts' tokens.
  void hide_padding(std::span<const Prompt> prompts) {
    std::vector<Index> valid;
    for (const Prompt& prompt : prompts) valid.push_back(detail::valid_prefix_of(model_, prompt));
    policies_.hide_padding(queue_, valid);
  }

  /// Conditions the model on other prompts: in place if the model can refill a conditioning, since recorded
  /// work reads it there.
  void condition_again(std::span<const Prompt> prompts, const Tensor& times, const Grid& image,
                       const RequestShape& shape) {
    if constexpr (detail::HasRefill<Model>) {
      model_.refill(queue_, prompts, times, *conditioning_);
    } else {
      evaluator_.forget();
      conditioning_.reset();
      conditioning_.reset(new Conditioning{
          model_.condition(queue_, prompts, times, part_of(prompts, times, image, shape).share)});
    }
    complete_conditioning();
  }

  /// Receives what ranks with other slices of the model have computed of the conditioning.
  void complete_conditioning() {
    if constexpr (detail::HasSlicedConstants<Model>)
      for (const View<float, 2>& constants : model_.sliced_constants(*conditioning_))
        policies_.share_columns(queue_, constants);
  }

  PartOf<Grid> part_of(std::span<const Prompt> prompts, const Tensor& times, const Grid& image,
                       const RequestShape& shape) const {
    const DitShape model = model_.shape();
    PartOf<Grid> part =
        PartOf<Grid>::of_rank(model, mesh_, world_.rank(), Policies::blocks(mesh_, world_.rank(), model),
                              image, shape.prefix, static_cast<Index>(prompts.size()), times.shape[0]);
    part.share.text_tokens = shape.text_tokens;
    return part;
  }

  /// Records the evaluator's tasks, unless they are recorded already.
  template <class Feed, class Take>
  void record(Feed feed, Take take) {
    if (!evaluator_.has_recorded()) evaluator_.record(queue_, *conditioning_, feed, take);
  }

  /// Returns copies of these prompts of these branches, in the memory of those of the request before: the
  /// megabytes of a prompt are copied into new memory many times more slowly.
  template <class G>
  std::span<const Prompt> kept(const Request<Prompt>& request, const G& guidance, Range branches,
                               Range prompts) {
    std::size_t count = 0;
    for (Index branch = branches.begin; branch < branches.end; ++branch)
      for (Index i = prompts.begin; i < prompts.end; ++i, ++count) {
        auto&& prompt = guidance.prompt(branch, span_of(request.prompts), i);
        if (count < prompts_.size())
          prompts_[count] = std::forward<decltype(prompt)>(prompt);
        else
          prompts_.push_back(std::forward<decltype(prompt)>(prompt));
        if constexpr (requires { guidance.tell(prompts_[count]); }) guidance.tell(prompts_[count]);
      }
    prompts_.erase(prompts_.begin() + static_cast<std::ptrdiff_t>(count), prompts_.end());
    return prompts_;
  }

  /// Returns the shape of the last request.
  const RequestShape& last_shape() const {
    if (!resumable_ || !resumable_->denoises)
      throw std::logic_error("an engine has latents only after it has denoised some");
    return *resumable_;
  }

  /// Returns the rows that each rank is to hold where rank 0 gets all.
  static std::vector<Range> rows_on_first(Index height, int ranks) {
    std::vector<Range> rows(static_cast<std::size_t>(ranks));
    rows.front() = {0, height};
    return rows;
  }

  /// Returns this rank's rows of the denoiser's latents, of those that rows_of(height, ranks) gives the
  /// ranks.
  template <class RowsOf>
  Tensor latents(const RequestShape& shape, const RowsOf& rows_of) {
    const auto images_of = [this, &shape](int rank) {
      return mesh_.coordinate(Axis::cfg, rank) == 0 ? Policies::prompts(mesh_, rank, shape.prompts) : Range{};
    };
    return resharded(denoiser_->state(), detail::grid_of(model_, shape.extent), shape.prefix, shape.prompts,
                     images_of, rows_of);
  }

  /// Returns this rank's rows of all images, from the tokens that ranks hold of those which of_rank(rank)
  /// gives. Ranks of later stages and of later slices send nothing: what they hold, the first has too.
  template <class OfRank, class RowsOf>
  Tensor resharded(const View<float, 3>& own, const Grid& image, Index prefix, Index count,
                   const OfRank& of_rank, const RowsOf& rows_of) {
    const Index sequence = prefix + image.tokens(), height = image.extents()[image.extents().size() - 2];
    std::vector<TokenShard> shards;
    for (int rank = 0; rank < world_.size(); ++rank) {
      const bool is_first =
          mesh_.coordinate(Axis::pipe, rank) == 0 && mesh_.coordinate(Axis::tensor, rank) == 0;
      shards.push_back({is_first ? of_rank(rank) : Range{},
                        rows_of_rank(mesh_, rank, sequence).within({prefix, sequence})});
    }
    return reshard<Backend>(queue_, world_, own, image, count, shards, rows_of(height, world_.size()));
  }

  const Model& model_;
  Mesh mesh_;
  World& world_;
  Queue queue_;
  Agreement<Backend, World> agreement_;
  Policies policies_;
  Evaluator<Model, Policies> evaluator_;
  std::vector<Prompt> prompts_;  // this rank's, of the last request
  std::unique_ptr<Conditioning> conditioning_;
  std::optional<Denoiser<Backend, Policies, Grid>> denoiser_;
  std::optional<RequestShape> resumable_;  // the shape of the request before, unless that threw
  QueueCounts loop_counts_;
  std::vector<double> step_seconds_;
  double request_seconds_ = 0;
};

}  // namespace weft::inline v0_1
