// The cost of one block on a rank: kernels, and the transfers inside of attention.
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "weft/plan/engine_traits.hpp"
#include "weft/plan/kernels.hpp"
#include "weft/plan/model_work.hpp"
#include "weft/policy/reuse.hpp"

namespace weft::inline v0_1::planner {

/// The images to be generated, and the number of GPUs.
struct PlanRequest {
  int gpus = 1;
  Index tokens = 0;  // of an image
  Index prompts = 1;
  Index branches = 2;
  Index steps = 50;
  int warmup = 1;
  bool exact = false;       // only methods whose output equals one rank's
  bool thresholds = false;  // whether estimates are bounded by a quantile, which takes memory
  Reuse reuse{};
};

/// Seconds of a block.
struct BlockCost {
  double products = 0, attention = 0, rows = 0;  // kernels; `rows` are norms and rotations
  double ulysses = 0, ring = 0, tensor = 0;      // transfers that no kernel hides
  double host = 0;                               // launching, beyond all of the above

  constexpr double computed() const { return products + attention + rows; }
  constexpr double seconds() const { return computed() + ulysses + ring + tensor + host; }

  constexpr BlockCost& operator+=(const BlockCost& more) {
    products += more.products;
    attention += more.attention;
    rows += more.rows;
    ulysses += more.ulysses;
    ring += more.ring;
    tensor += more.tensor;
    host += more.host;
    return *this;
  }
};

/// The cost model of a mesh, for the rank of each group that has the largest share. The model's work must
/// outlive it.
struct CostModel {
  const ModelWork* work;
  Hardware hardware;
  PlanRequest request;
  EngineTraits engine;
  Mesh mesh;

  const DitShape& model() const { return work->shape(); }
  /// Returns the model with its blocks where the engine places them.
  DitShape placed() const {
    DitShape out = model();
    out.placement = engine.placement_of(out);
    return out;
  }

  /// Returns the tokens of the sequence: the prefix, then the image.
  Index tokens() const { return work->prefix() + request.tokens; }
  /// Returns the tokens of patch m.
  Range patch(Index m) const { return split(tokens(), mesh.patch_count(), m); }

  /// Returns how many images a rank evaluates as one batch.
  Index images() const { return ceil_div(request.prompts, mesh.data) * ceil_div(request.branches, mesh.cfg); }
  /// Returns the largest slice of the blocks' matrices.
  TensorSlice slice() const { return {mesh.tensor - 1, mesh.tensor}; }
  Index heads() const { return ceil_div(model().heads_of(slice()).size(), mesh.ulysses); }
  Index ring_rows(Index tokens) const { return ceil_div(tokens, mesh.ring); }
  Index rows(Index tokens) const { return ceil_div(ring_rows(tokens), mesh.ulysses); }

  /// Return the bytes of the activations of some tokens, or of their keys or values for a rank's heads.
  double activations(Index tokens) const {
    return static_cast<double>(tokens * images() * model().width * work->element_bytes());
  }
  double head_bytes(Index tokens) const {
    return static_cast<double>(tokens * images() * heads() * model().head_dim * work->element_bytes());
  }

  /// Returns the cost of block i on a unit of these tokens of the sequence, on the rank whose slice of them
  /// takes longest.
  BlockCost block(Index i, Range unit) const {
    BlockCost slowest;
    for (const RankRows& rows : slices(unit)) {
      const BlockCost cost = block(work->block(work->kind(i), rows), unit);
      if (cost.seconds() > slowest.seconds()) slowest = cost;
    }
    return slowest;
  }

  /// Returns the seconds of embed and unembed.
  double ends(Range unit) const {
    double slowest = 0;
    for (const RankRows& rows : slices(unit)) {
      BlockCost cost;
      for (const Work& some : work->ends(rows)) add_kernel(cost, some);
      slowest = std::max(slowest, cost.computed() / engine.efficiency);
    }
    return slowest;
  }

 private:
  /// Returns the different slices of a unit that ranks hold: without a prefix, the largest.
  std::vector<RankRows> slices(Range unit) const {
    const int last_ring = mesh.ring - 1, last_ulysses = mesh.ulysses - 1;
    const auto held = [this, unit](int ring, int ulysses) {
      const Range tokens = split(split(unit, mesh.ring, ring), mesh.ulysses, ulysses);
      return RankRows{tokens.size(), common(tokens, {0, work->prefix()}).size(), images(), slice()};
    };
    std::vector<RankRows> out{held(last_ring, last_ulysses)};
    const auto add = [&out](const RankRows& rows) {
      if (std::ranges::find(out, rows) == out.end()) out.push_back(rows);
    };
    if (unit.begin >= work->prefix()) return out;
    for (int ring = 0; ring < mesh.ring; ++ring)
      for (int ulysses = 0; ulysses < mesh.ulysses; ++ulysses) add(held(ring, ulysses));
    return out;
  }

  BlockCost block(std::span<const Work> kernels, Range unit) const {
    BlockCost cost;
    int exchanges = (mesh.ulysses > 1 ? 2 : 0) + (mesh.ring > 1 ? mesh.ring - 1 : 0);
    double early = 0;  // rows of the next call's heads that are stored while their layer computes
    for (const Work& kernel : kernels) {
      early += rows_stored_early(kernel);
      if (kernel.kind == WorkKind::heads) add_heads(cost, kernel, unit, std::exchange(early, 0.0));
      if (kernel.kind == WorkKind::sum) add_sum(cost, kernel), exchanges += 2;
      add_kernel(cost, kernel);
    }
    const auto& [m, n, k] = engine.repeated;
    if (m > 0) cost.products += product(m * images(), n, k);
    const double once = 2 * activations(rows(unit.size()));
    cost.rows += engine.extra_passes * rows_seconds(hardware.gpu, once);
    cost.products /= engine.efficiency;
    cost.attention /= engine.efficiency;
    cost.rows /= engine.efficiency;
    const double launching = engine.host_per_block + exchanges * engine.host_per_exchange;
    cost.host = std::max(launching - cost.seconds(), 0.0);
    return cost;
  }

  double product(Index m, Index n, Index k) const {
    return product_seconds_in_step(hardware.gpu, m, n, k, work->element_bytes());
  }

  void add_kernel(BlockCost& cost, const Work& kernel) const {
    switch (kernel.kind) {
      case WorkKind::product:
        cost.products +=
            product(kernel.m, kernel.n, kernel.k) +
            static_cast<double>(kernel.passes) * epilogue_seconds(hardware.gpu, kernel.m * kernel.n);
        break;
      case WorkKind::attention:
        cost.attention += attention_seconds(hardware.gpu, kernel.m, kernel.n, kernel.k, kernel.head_dim);
        break;
      case WorkKind::rows:
        cost.rows += rows_seconds(hardware.gpu, static_cast<double>(kernel.bytes));
        break;
      case WorkKind::sum:
      case WorkKind::heads:
        break;
    }
  }

  /// Adds a sum over the ranks that hold slices: an exchange of its pieces, their additions, and an exchange
  /// of the sums; or one kernel that reads the pieces where they are and stores the sums, which waits for
  /// links and not for its own memory, with a barrier before and one behind it.
  void add_sum(BlockCost& cost, const Work& sum) const {
    const double bytes = static_cast<double>(sum.m * sum.n * work->element_bytes()), others = mesh.tensor - 1;
    const double sent = bytes * others / mesh.tensor;
    const Group group = group_of(mesh, Axis::tensor);
    if (stores()) {
      cost.tensor += 2 * push_seconds(sent, 0, group);
      return;
    }
    cost.rows += others * rows_seconds(hardware.gpu, 3 * bytes / mesh.tensor);
    cost.tensor += 2 * exchange_seconds(hardware, sent, group, engine.carrier);
  }

  /// Adds a call of attention: the rotation of queries and keys, and the move of values unless they stay
  /// where the model computed them, which read and write them once each, the exchanges of Ulysses, and
  /// attention itself. Of the rows, the moves of `early` are hidden by the layer before.
  void add_heads(BlockCost& cost, const Work& call, Range unit, double early) const {
    const Range scope{call.n == 1 ? work->prefix() : 0, tokens()};
    const double once = 2 * static_cast<double>(call.m * call.k * call.head_dim * work->element_bytes());
    const bool keeps_values = mesh.ulysses == 1 && mesh.patch_count() == 1 && !mesh.copies_ring_cache();
    const double left = early > 0 ? 1 - early / static_cast<double>(call.m * images()) : 1;
    cost.rows += (keeps_values ? 2 : 3) * left * rows_seconds(hardware.gpu, once);
    const double before = cost.attention;
    add_attention(cost, common(unit, scope).size(), scope.size());
    if (mesh.ulysses > 1) add_ulysses(cost, once, left, cost.attention - before);
  }

  /// Adds attention of `fresh` tokens, those of a unit that take part, to `all`.
  void add_attention(BlockCost& cost, Index fresh, Index all) const {
    const Gpu& gpu = hardware.gpu;
    const Index queries = ring_rows(fresh), here = heads() * images(), head_dim = model().head_dim;
    if (mesh.ring == 1) {
      cost.attention += attention_seconds(gpu, queries, all, here, head_dim);
      return;
    }
    const Group group = group_of(mesh, Axis::ring);
    const double merge = merge_seconds(gpu, head_bytes(queries));
    if (mesh.copies_ring_cache()) {  // stale keys first, fresh ones when they have arrived
      const double stale = fresh < all ? attention_seconds(gpu, queries, all - fresh, here, head_dim) : 0;
      cost.attention += stale + attention_seconds(gpu, queries, fresh, here, head_dim);
      if (fresh < all) cost.attention += merge;
      const double bytes = 2 * head_bytes(queries) * (mesh.ring - 1);
      add_hop(cost, exchange_seconds(hardware, bytes, group, engine.carrier), stale);
      return;
    }
    const Index slice = ring_rows(all);
    const double part = attention_seconds(gpu, queries, slice, here, head_dim);
    for (int hop = 0; hop < mesh.ring; ++hop) {
      cost.attention += part;
      if (hop == 0) continue;
      cost.attention += merge;
      add_hop(cost, neighbour_seconds(hardware, 2 * head_bytes(slice), group, engine.carrier), part);
    }
  }

  /// Adds a transfer of the ring, which attention of `hidden` seconds overlaps, and the waits for its keys
  /// and its values.
  void add_hop(BlockCost& cost, double seconds, double hidden) const {
    constexpr int messages = 2;
    cost.ring += std::max(seconds - (engine.overlaps_ring ? hidden / engine.efficiency : 0), 0.0);
    cost.ring += awaiting_seconds(group_of(mesh, Axis::ring), messages);
  }

  /// Adds the exchanges of queries, keys and values before attention, and of its output after it, each of
  /// which takes `once` bytes to read and write. Of what is stored before it, the share `left` is not hidden.
  void add_ulysses(BlockCost& cost, double once, double left, double attention) const {
    const double pass = rows_seconds(hardware.gpu, once);
    if (engine.packs_exchanges) cost.rows += 2 * 4 * pass;
    const double one = once / 2 * (mesh.ulysses - 1) / mesh.ulysses;
    const Group group = group_of(mesh, Axis::ulysses);
    if (!stores()) {
      cost.ulysses += exchange_seconds(hardware, 3 * one, group, engine.carrier) +
                      exchange_seconds(hardware, one, group, engine.carrier);
      return;
    }
    cost.ulysses += push_seconds(3 * one * left, 3 * pass * left, group);
    if (mesh.ring == 1) {  // then attention stores its result at the owners
      cost.ulysses += push_seconds(one, attention, group);
    } else {
      cost.rows += pass;
      cost.ulysses += push_seconds(one, pass, group);
    }
  }

  /// Returns how many rows of heads a layer hides the stores of; 0 of any other kernel.
  double rows_stored_early(const Work& kernel) const {
    const bool is_layer_of_heads = kernel.kind == WorkKind::product && kernel.head_dim > 0;
    if (!is_layer_of_heads || mesh.ulysses == 1 || !stores()) return 0;
    return static_cast<double>(kernel.m) * stored_early(hardware.gpu, kernel.m, kernel.n, kernel.head_dim);
  }

  bool stores() const { return engine.stores_heads && hardware.knows_stores(); }

  /// Returns the seconds that a kernel takes for storing into other GPUs, with the barrier behind it, beyond
  /// the `local` seconds of one that stores in its own memory.
  double push_seconds(double bytes, double local, Group group) const {
    const ExchangeCost cost = exchange_cost(hardware, bytes, group, Carrier::stores);
    return awaiting_seconds(group, group.degree - 1) + std::max(cost.bytes - local, 0.0);
  }

  /// Returns the seconds until a queue has noticed so many events of other GPUs, one after another; 0 if that
  /// is unknown. Those after the first have mostly come by then, and take half as long.
  double awaiting_seconds(Group group, int events) const {
    if (!hardware.knows_stores()) return 0;
    return (1 + events) / 2.0 * exchange_cost(hardware, 0, group, Carrier::stores).latency;
  }
};

}  // namespace weft::inline v0_1::planner
