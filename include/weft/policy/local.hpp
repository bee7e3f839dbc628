// Local: everything on one device, the innermost policy of every stack.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "weft/backend/operators.hpp"
#include "weft/comm/mesh.hpp"
#include "weft/comm/strided_bytes.hpp"
#include "weft/core/head_split.hpp"
#include "weft/core/key_mask.hpp"
#include "weft/core/merge.hpp"
#include "weft/core/tensor.hpp"
#include "weft/policy/attended.hpp"
#include "weft/policy/hooks.hpp"
#include "weft/policy/job.hpp"
#include "weft/policy/key_values.hpp"
#include "weft/policy/order.hpp"
#include "weft/policy/pipeline.hpp"

namespace weft::inline v0_1 {

/// Every other policy hides the hooks of its own axis and inherits the rest from here.
struct Local {
  static constexpr bool has(Axis) { return false; }
  static constexpr bool reuses_steps = false;
  static constexpr int depth = detail::depth_of_local;

  template <class Backend, class Communicator>
  class On {
   public:
    using Queue = typename Backend::Queue;
    using Element = typename Backend::Element;
    using Heads = HeadsOf<Backend>;
    using Result = Attended<Backend>;

    On(const auto& world, const Mesh& mesh) : mesh_(mesh), rank_(world.rank()) {}

    /// Allocates all memory that the job needs.
    void prepare(Queue& queue, const Job& job) {
      job_ = job;
      const Rows kept = rows_kept(coordinate(Axis::ring));
      if (job.has_padding) padding_ = {queue, owners() * job.images};
      // One unit's keys on this rank are used where the model computed them.
      if (mesh_.ulysses == 1 && !mesh_.copies_ring_cache() && job.layout.patches == 1) {
        store_ = KeyValues<Backend>(kept);
        return;
      }
      // Without patches no stale keys are read again, and all blocks share the memory of one.
      const Index layers = job.layout.patches > 1 ? job.layers : 1;
      store_ = KeyValues<Backend>(queue, kept, layers, job.images, key_heads(), job.model.head_dim);
    }

    /// Frees it.
    void release() {
      store_ = {};
      padding_ = {};
    }

    /// Hides each image's tokens of the prefix from `valid`[image] on, which are padding, from all queries of
    /// the sequence; a job with padding needs it before its first step. Every rank knows all keys' tokens, so
    /// that nothing is sent.
    void hide_padding(Queue& queue, std::span<const Index> valid) {
      Tensor begins({owners(), static_cast<Index>(valid.size())});
      for (int owner = 0; owner < owners(); ++owner) {
        const Rows rows = rows_kept(owner);
        for (std::size_t image = 0; image < valid.size(); ++image)
          begins.view<2>()[owner][static_cast<Index>(image)] =
              static_cast<float>(rows.rows({0, rows.patches()}, {0, valid[image]}).size());
      }
      upload(queue, begins, padding());
    }

    /// Return which of `count` prompts, or of `count` guidance branches, a rank evaluates.
    static Range prompts(const Mesh&, int, Index count) { return {0, count}; }
    static Range branches(const Mesh&, int, Index count) { return {0, count}; }

    /// All-gathers predictions over the cfg group: (tokens, branches · prompts, features).
    void share_branches(Queue&, const View<float, 3>&, Index) {}

    /// Returns the blocks that a rank runs.
    static std::vector<Range> blocks(const Mesh&, int, const DitShape& model) {
      return pipeline_blocks(model, 1, 0);
    }
    /// Returns the schedule of this rank.
    std::vector<Task> tasks(const Job& job) const { return pipeline_tasks(job, 1, 0); }
    /// Returns the windows of the run, the same for all stages.
    std::vector<Window> windows(const Job& job) const { return pipeline_windows(job, 1); }

    /// Receive a task's activations from the stage before, and send them to the stage after, if it has one.
    void post_input(Queue&, const Task&, const StridedBytes&) {}
    void wait_input(Queue&, const Task&) {}
    void send_output(Queue&, const Task&, const StridedBytes&) {}
    /// Waits for all sends and receives of this window.
    void finish(Queue&) {}

    /// Returns those of a task's blocks that some steps leave out; by default none, after all others.
    Range spared(const Task& task) const { return {task.blocks.end, task.blocks.end}; }
    /// Called before the spared blocks with their input. Returns whether the task's step leaves them out, and
    /// if so writes what follows them to `out`, which may be x: both (rows, images, width).
    bool reuse(Queue&, const Task&, const View<const Element, 3>&, const View<Element, 3>&) { return false; }
    /// Called with the output of spared blocks that have run.
    void keep(Queue&, const Task&, const View<const Element, 3>&) {}

    /// Sums values over all ranks that hold tokens of these images.
    void sum(Queue&, const View<double, 1>&) {}

    /// Sums x (tokens, images, width) over all ranks that hold slices of the matrices of these blocks, each
    /// of which has computed its part of it.
    void reduce(Queue&, const View<Element, 3>&) {}

    /// All-gathers constants (rows, features) over these ranks, each of which has computed the columns of its
    /// slice. Called between requests.
    void share_columns(Queue&, const View<float, 2>&) {}

    /// Computes a unit's heads by their projections, normalizes and rotates them, and writes keys and values
    /// where attention reads them; returns the queries for `attend`. The heads are those of the tokens in the
    /// scope.
    View<const Element, 4> place(Queue& queue, const Scope& scope, const Heads& heads) {
      std::vector<HeadMove<Element>> moves;
      if (!store_.has_room()) {
        heads.move_q(heads.q, moves);
        heads.move_k(heads.k, moves);
        store_.hold(heads.k, heads.v);
      }
      Index row = 0;
      for (Index m = scope.unit.patches.begin; m < scope.unit.patches.end && store_.has_room(); ++m) {
        const Range tokens = slice(scope, m, coordinate(Axis::ulysses));
        const Heads part = heads.rows({row, row + tokens.size()});
        part.move_q(part.q, moves);
        part.move_k(keys_at(scope.layer, m, tokens), moves);
        part.move_v(values_at(scope.layer, m, tokens), moves);
        row += tokens.size();
      }
      project_heads(queue, heads.projections(), moves, HeadsGo::to_own_memory);
      return heads.q;
    }

    /// Computes attention of placed queries over all keys of the scope: q (tokens, images, heads, head_dim)
    /// and out, which may lie in the memory of several ranks.
    void attend(Queue& queue, const Scope& scope, const View<const Element, 4>& q, const Result& out) {
      const auto span = queue.span("attention", "attention", scope.layer);
      std::visit(
          [this, &queue, &scope, &q](const auto& to) {
            attention(queue, q, keys(scope), values(scope), to, {}, Output::replace,
                      mask(scope, coordinate(Axis::ring)));
          },
          out);
    }

   protected:
    const Job& job() const { return job_; }
    const Mesh& mesh() const { return mesh_; }
    int rank() const { return rank_; }
    int coordinate(Axis axis) const { return mesh_.coordinate(axis, rank_); }
    KeyValues<Backend>& store() { return store_; }

    /// Returns the sequence's tokens that this rank holds, and how many.
    Rows rows() const { return job_.layout.of_rank(coordinate(Axis::ring), coordinate(Axis::ulysses)); }
    Index tokens() const { return rows().size(); }

    /// Returns which heads the ulysses ranks attend to.
    HeadSplit head_split() const { return {job_.model.heads, job_.model.key_heads(), mesh_.ulysses}; }
    /// Return the query heads of ulysses rank u, or of this rank, and how many key heads it keeps.
    Range heads(int u) const { return head_split().queries_of(u); }
    Range heads() const { return heads(coordinate(Axis::ulysses)); }
    Index key_heads(int u) const { return head_split().keys_of(u).size(); }
    Index key_heads() const { return key_heads(coordinate(Axis::ulysses)); }

    /// Returns the tokens of patch m in the scope that the ulysses rank u of this ring rank holds.
    Range slice(const Scope& scope, Index m, int u) const {
      return common(job_.layout.slice(m, coordinate(Axis::ring), u), scope.tokens);
    }

    /// Returns all keys and values of the scope that this rank keeps: (tokens, images, heads, head_dim).
    View<Element, 4> keys(const Scope& scope) const { return in_scope(store_.keys(scope.layer), scope); }
    View<Element, 4> values(const Scope& scope) const { return in_scope(store_.values(scope.layer), scope); }

    /// Returns which of the scope's keys that ring rank `owner` keeps are hidden. The image alone has none.
    KeyMask mask(const Scope& scope, int owner) const {
      if (!job_.has_padding || scope.tokens.begin > 0) return {};
      const Rows rows = rows_kept(owner);
      const Index prefix = rows.rows({0, rows.patches()}, {0, job_.prefix}).size();
      if (prefix == 0) return {};
      return {View<const std::int32_t, 2>(padding())[mesh_.copies_ring_cache() ? 0 : owner], prefix};
    }

    /// Return where keys, or values, of these tokens of patch m are kept: (tokens, images, heads, head_dim).
    View<Element, 4> keys_at(Index layer, Index m, Range tokens) {
      return store_.keys(layer).template slice<0>(store_.rows().rows_of_tokens(m, tokens));
    }
    View<Element, 4> values_at(Index layer, Index m, Range tokens) {
      return store_.values(layer).template slice<0>(store_.rows().rows_of_tokens(m, tokens));
    }

   private:
    /// Returns the tokens whose keys ring rank r keeps.
    Rows rows_kept(int r) const {
      return mesh_.copies_ring_cache() ? job_.layout.of_all() : job_.layout.of_ring(r);
    }
    /// Returns how many different keys ranks of the ring keep.
    int owners() const { return mesh_.copies_ring_cache() ? 1 : mesh_.ring; }

    /// Returns how many of an owner's first rows are not hidden: (owners, images).
    View<std::int32_t, 2> padding() const { return padding_.view(std::array{Index{owners()}, job_.images}); }

    /// Returns the part of what is kept that is in the scope; keys that stay where the model made them are in
    /// it.
    View<Element, 4> in_scope(const View<Element, 4>& kept, const Scope& scope) const {
      if (!store_.has_room()) return kept;
      return kept.template slice<0>(store_.rows().rows({0, store_.rows().patches()}, scope.tokens));
    }

    Mesh mesh_;
    int rank_;
    Job job_;
    KeyValues<Backend> store_;
    typename Backend::template Buffer<std::int32_t> padding_;
  };
};

}  // namespace weft::inline v0_1
