// Evaluator: runs one rank's share of a model's evaluations, task by task, in memory that is allocated once;
// recorded once, and replayed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/model/counting_context.hpp"
#include "weft/model/dit.hpp"
#include "weft/policy/job.hpp"
#include "weft/policy/pipeline.hpp"

namespace weft::inline v0_1 {

namespace detail {

/// A model's access to queue, memory and attention; models AnyContext.
template <class Backend, class Policies>
class Context {
 public:
  using Queue = typename Backend::Queue;
  using Element = typename Backend::Element;

  /// Makes the context of `rows` of the unit; `layers` are the numbers of the calls of attention.
  Context(Queue& queue, Scratch<Backend>& scratch, Policies& policies, const Job& job, const Unit& unit,
          Range rows, Range prefix_rows, Range layers = {})
      : queue_(queue),
        scratch_(scratch),
        policies_(policies),
        job_(job),
        unit_(unit),
        rows_(rows),
        prefix_rows_(prefix_rows),
        layers_(layers) {
    scratch_.reset();
  }

  Queue& queue() { return queue_; }
  Scratch<Backend>& scratch() { return scratch_; }
  Range rows() const { return rows_; }
  Range prefix_rows() const { return prefix_rows_; }
  Step step() const { return queue_.step(unit_.step); }

  template <class Out>
  void attend(const HeadsOf<Backend>& heads, const View<Out, 4>& out, Among among = Among::sequence) {
    if (layers_.empty())
      throw std::logic_error("the block asks for attention more often than its BlockShape says");
    const Index query_heads = heads.q.extent[2], key_heads = heads.k.extent[2];
    if (query_heads != job_.model.heads || key_heads != job_.model.key_heads())
      throw std::logic_error(sentence("the block asks for attention of ", query_heads, " heads to ",
                                      key_heads, " of keys, and its DitShape says ", job_.model.heads, " to ",
                                      job_.model.key_heads()));
    const Scope scope{layers_.begin, unit_,
                      among == Among::sequence ? job_.all_tokens() : job_.image_tokens()};
    ++layers_.begin;
    const View<const Element, 4> q = policies_.place(queue_, scope, heads);
    policies_.attend(queue_, scope, q, Stretches<Out, 4>(out));
  }
  void reduce(const View<Element, 3>& x) { policies_.reduce(queue_, x); }
  View<const Element, 3> once(const View<const Element, 3>& x) const {
    return job_.slice.is_first() ? x : View<const Element, 3>();
  }

 private:
  Queue& queue_;
  Scratch<Backend>& scratch_;
  Policies& policies_;
  const Job& job_;
  Unit unit_;
  Range rows_, prefix_rows_;
  Range layers_;  // that are left
};

}  // namespace detail

/// The model, the policies and the queue must outlive it.
template <class Model, class Policies>
class Evaluator {
 public:
  using Backend = typename Model::Backend;
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  /// Fills the model's input for rows of the image's tokens.
  using Feed = std::function<void(Range rows)>;
  /// Uses the model's prediction for a unit's rows of the image's tokens.
  using Take = std::function<void(const Unit& unit, Range rows)>;

  Evaluator(const Model& model, Policies& policies) : model_(model), policies_(policies) {}

  /// Allocates all memory for a rank's blocks. The conditioning is that of a request of the job's shape.
  void prepare(Queue& queue, const Job& job, std::vector<Range> blocks, const Rows& rows,
               const typename Model::Conditioning& conditioning) {
    job_ = job;
    rows_ = rows;
    image_rows_ = rows.within(job.image_tokens());
    blocks_ = std::move(blocks);
    kept_blocks_.clear();
    for (const Range& range : blocks_)
      for (Index i = range.begin; i < range.end; ++i)
        if (job.model.is_kept(i)) kept_blocks_.push_back(i);
    policies_.prepare(queue, job);
    tasks_ = policies_.tasks(job);
    groups_ = task_groups(tasks_, policies_.windows(job));
    const Index n = rows.size(), sampled = image_rows_.size(), b = job.images, width = job.model.width;
    hidden_ = {queue, n * b * width};
    kept_ = {queue, static_cast<Index>(kept_blocks_.size()) * n * b * width};
    latents_ = {queue, sampled * b * job.latent_features};
    prediction_ = {queue, sampled * b * job.predicted_features};
    measure_scratch(conditioning);
    scratch_.allocate(queue);
  }

  /// Returns the rows of the image's tokens, which are numbered without those of the prefix.
  const Rows& image_rows() const { return image_rows_; }
  /// Returns the model's input for rows of the image's tokens, which `feed` fills: (rows, images, features).
  View<Element, 3> latents(Range rows) const {
    return token_rows(latents_, image_rows_, job_.latent_features, rows);
  }
  /// Returns the model's prediction for them, which `take` reads: (rows, images, features).
  View<float, 3> prediction(Range rows) const {
    return token_rows(prediction_, image_rows_, job_.predicted_features, rows);
  }

  /// Frees all memory, and drops what was recorded.
  void release() {
    forget();
    hidden_ = {};
    kept_ = {};
    latents_ = {};
    prediction_ = {};
    scratch_ = {};
    policies_.release();
  }

  /// Records all tasks; all ranks call it together. The recording can be replayed while the arguments live
  /// and their memory stays where it is. feed(rows) is called before this rank embeds, take(unit, rows) where
  /// it samples.
  void record(Queue& queue, const typename Model::Conditioning& conditioning, Feed feed, Take take) {
    forget();
    feed_ = std::move(feed);
    take_ = std::move(take);
    std::vector<Recording> recorded;
    for (const TaskGroup& group : groups_)
      if (group.window.recording == std::ssize(recorded))
        recorded.push_back(queue.record(Body([this, &queue, &conditioning, &group](Index step) {
                                          run_group(queue, conditioning, group, step);
                                        }),
                                        step_of(group)));
    recorded_ = std::move(recorded);
  }
  bool has_recorded() const { return !recorded_.empty(); }
  /// Drops the recording.
  void forget() { recorded_.clear(); }

  /// Queues the recording, and calls passed() whenever this rank's part of a step is queued for all patches,
  /// and between() where none of its messages is on its way: as often on all ranks, at least between any two
  /// steps. Returns the queue's counts of this replay.
  template <class Passed, class Between>
  QueueCounts replay(Queue& queue, Passed passed, Between between) {
    const QueueCounts before = queue.counts();
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const auto& [window, tasks] = groups_[g];
      for (Index time = 0; time < window.times; ++time) {
        if (g > 0 || time > 0) between();
        queue.replay(recorded_[static_cast<std::size_t>(window.recording)], step_of(groups_[g]) + time);
        for (Index i = tasks.begin; i < tasks.end; ++i)
          if (task_at(i).ends_unit && task_at(i).unit.patches.end == rows_.patches()) passed();
      }
    }
    return queue.counts() - before;
  }

 private:
  using Context = detail::Context<Backend, Policies>;
  struct Measuring : counting::Queue {};
  using Body = std::function<void(Index step)>;
  using Recording = decltype(std::declval<Queue&>().record(std::declval<Body>(), Index{}));

  Index task_count() const { return static_cast<Index>(tasks_.size()); }
  const Task& task_at(Index i) const { return tasks_[static_cast<std::size_t>(i)]; }

  /// Returns the step of the group's first task, in the first repetition.
  Index step_of(const TaskGroup& group) const {
    return group.tasks.empty() ? 0 : task_at(group.tasks.begin).unit.step;
  }

  /// Runs the group with its first task in `step`. A task's input is computed at the tick before, so its
  /// receive is posted in the window of that tick, one task ahead: it is received while another task
  /// computes.
  void run_group(Queue& queue, const typename Model::Conditioning& conditioning, const TaskGroup& group,
                 Index step) {
    const auto post = [this, &queue, &group](Index i) {
      if (i < task_count() && group.window.ticks.contains(task_at(i).tick - 1)) post_input(queue, task_at(i));
    };
    post(group.tasks.begin);
    for (Index i = group.tasks.begin; i < group.tasks.end; ++i) {
      post(i + 1);
      Task task = task_at(i);
      task.unit.step += step - step_of(group);
      run_task(queue, conditioning, task);
    }
    policies_.finish(queue);
  }

  void run_task(Queue& queue, const typename Model::Conditioning& conditioning, const Task& task) {
    const Range image_rows = image_rows_.rows(task.unit.patches);
    policies_.wait_input(queue, task);
    if (task.embed) {
      feed_(image_rows);
      embed(queue, conditioning, task);
    }
    const View<Element, 3> x = run_blocks(queue, conditioning, task);
    if (task.unembed) {
      unembed(queue, conditioning, task, x);
      policies_.send_output(queue, task, prediction(image_rows));
    } else {
      policies_.send_output(queue, task, x);
    }
    if (task.sample) take_(task.unit, image_rows);
  }

  /// Runs this rank's part of the model, once for all units of as many rows, on a queue that only counts.
  void measure_scratch(const typename Model::Conditioning& conditioning) {
    scratch_ = {};
    Measuring queue;
    std::vector<std::array<Index, 4>> measured;  // rows, those of the prefix, and blocks
    for (const Task& task : tasks_) {
      const std::array part{rows_.rows(task.unit.patches).size(), prefix_rows(task.unit).size(),
                            task.blocks.begin, task.blocks.end};
      if (std::ranges::find(measured, part) != measured.end()) continue;
      measured.push_back(part);
      if (task.embed) embed(queue, conditioning, task);
      const View<Element, 3> x =
          run_blocks(queue, conditioning, task.unit, task.blocks, hidden(rows_.rows(task.unit.patches)));
      if (task.unembed) unembed(queue, conditioning, task, x);
      queue.clear();
    }
  }

  void post_input(Queue& queue, const Task& task) {
    if (task.blocks.empty()) {
      policies_.post_input(queue, task, prediction(image_rows_.rows(task.unit.patches)));
    } else {
      policies_.post_input(queue, task, hidden(rows_.rows(task.unit.patches)));
    }
  }

  void embed(auto& queue, const typename Model::Conditioning& conditioning, const Task& task) {
    const auto span = queue.span("model", "embed", task.unit.patches.begin);
    const Range rows = rows_.rows(task.unit.patches);
    auto context = context_of(queue, task.unit, rows, prefix_rows(task.unit));
    model_.embed(context, conditioning, latents(image_rows_.rows(task.unit.patches)), hidden(rows));
  }

  /// Runs a task's blocks, or leaves out those that the policies spare; returns their output (rows, images,
  /// width).
  View<Element, 3> run_blocks(Queue& queue, const typename Model::Conditioning& conditioning,
                              const Task& task) {
    const View<Element, 3> input = hidden(rows_.rows(task.unit.patches));
    const Range spared = policies_.spared(task);
    View<Element, 3> x = run_blocks(queue, conditioning, task.unit, {task.blocks.begin, spared.begin}, input);
    if (!spared.empty()) {
      if (policies_.reuse(queue, task, x, input)) {
        x = input;
      } else {
        x = run_blocks(queue, conditioning, task.unit, spared, x);
        policies_.keep(queue, task, x);
      }
    }
    return run_blocks(queue, conditioning, task.unit, {spared.end, task.blocks.end}, x);
  }

  /// Runs `blocks` on x (rows, images, width) and returns their output. Outputs that a long skip reads again
  /// are kept; all others overwrite `hidden`.
  View<Element, 3> run_blocks(auto& queue, const typename Model::Conditioning& conditioning, const Unit& unit,
                              Range blocks, View<Element, 3> x) {
    const Range rows = rows_.rows(unit.patches);
    for (Index i = blocks.begin; i < blocks.end; ++i) {
      const auto span = queue.span("model", "block", i);
      const View<Element, 3> skip =
          job_.model.reads_skip(i) ? kept(job_.model.block(i).skip_from, rows) : View<Element, 3>();
      const View<Element, 3> out = job_.model.is_kept(i) ? kept(i, rows) : hidden(rows);
      auto context = context_of(queue, unit, rows, prefix_rows(unit), layers_of(i));
      model_.block(i, context, conditioning, x, skip, out);
      x = out;
    }
    return x;
  }

  /// Predicts for the image's tokens alone.
  void unembed(auto& queue, const typename Model::Conditioning& conditioning, const Task& task,
               const View<Element, 3>& x) {
    const auto span = queue.span("model", "unembed", task.unit.patches.begin);
    const Range rows = rows_.rows(task.unit.patches), skipped = prefix_rows(task.unit);
    const Range left{skipped.end, rows.end};
    auto context = context_of(queue, task.unit, left, {left.begin, left.begin});
    model_.unembed(context, conditioning, x.template slice<0>({skipped.size(), rows.size()}),
                   prediction(image_rows_.rows(task.unit.patches)));
  }

  /// Returns the context of a call that runs, or of one that is only counted.
  template <class AnyQueue>
  auto context_of(AnyQueue& queue, const Unit& unit, Range rows, Range prefix_rows, Range layers = {}) {
    if constexpr (std::is_same_v<AnyQueue, Measuring>)
      return detail::CountingContext<Backend>(queue, scratch_, rows, prefix_rows, job_.slice);
    else
      return Context(queue, scratch_, policies_, job_, unit, rows, prefix_rows, layers);
  }

  /// Returns the unit's rows of tokens of the prefix, which are its first.
  Range prefix_rows(const Unit& unit) const { return rows_.rows(unit.patches, {0, job_.prefix}); }

  /// Returns the numbers of block i's calls of attention among this rank's.
  Range layers_of(Index i) const {
    Index before = 0;
    for (const Range& range : blocks_) {
      if (range.contains(i)) {
        before += job_.model.attentions({range.begin, i});
        return {before, before + job_.model.block(i).attentions};
      }
      before += job_.model.attentions(range);
    }
    return {before, before};
  }

  View<Element, 3> hidden(Range rows) const { return token_rows(hidden_, rows_, job_.model.width, rows); }

  /// Returns the output of block i of this rank's, which a later block reads again.
  View<Element, 3> kept(Index i, Range rows) const {
    const auto slot = std::ranges::find(kept_blocks_, i) - kept_blocks_.begin();
    const View<Element, 4> all = kept_.view(
        std::array{static_cast<Index>(kept_blocks_.size()), rows_.size(), job_.images, job_.model.width});
    return all[slot].template slice<0>(rows);
  }

  /// Returns `range` of a buffer of (rows, images, features).
  template <class T>
  View<T, 3> token_rows(const typename Backend::template Buffer<T>& buffer, const Rows& rows, Index features,
                        Range range) const {
    return buffer.view(std::array{rows.size(), job_.images, features}).template slice<0>(range);
  }

  const Model& model_;
  Policies& policies_;
  Job job_;
  Rows rows_, image_rows_;
  std::vector<Range> blocks_;       // of this rank
  std::vector<Index> kept_blocks_;  // those of them whose output is read again
  std::vector<Task> tasks_;
  std::vector<TaskGroup> groups_;
  typename Backend::template Buffer<Element> hidden_;    // (rows, images, width)
  typename Backend::template Buffer<Element> kept_;      // (blocks, rows, images, width), for long skips
  typename Backend::template Buffer<Element> latents_;   // (rows, images, features)
  typename Backend::template Buffer<float> prediction_;  // (rows, images, features)
  Scratch<Backend> scratch_;
  Feed feed_;
  Take take_;
  std::vector<Recording> recorded_;  // by Window::recording
};

}  // namespace weft::inline v0_1
