// The cost of one block on a rank: kernels, and the transfers inside of attention.
#pragma once

#include <algorithm>

#include "weft/plan/engine_traits.hpp"
#include "weft/plan/kernels.hpp"

namespace weft::inline v0_1::planner {

/// The images to be generated, and the number of GPUs.
struct PlanRequest {
  int gpus = 1;
  Index tokens = 0;  // of an image
  Index prompts = 1;
  Index branches = 2;
  Index steps = 50;
  int warmup = 1;
  Index element_bytes = 2;
  Index operand_bytes = 0;  // of the operands of blocks' linear layers; 0: as element_bytes
  bool exact = false;       // only methods whose output equals one rank's
  bool thresholds = false;  // whether estimates are bounded by a quantile, which takes memory
};

/// Seconds of a block, and the bytes that a rank sends.
struct BlockCost {
  double products = 0, attention = 0, rows = 0;  // kernels; `rows` are norms and rotations
  double ulysses = 0, ring = 0;                  // transfers that no kernel hides
  double host = 0;                               // launching, beyond all of the above
  double sent = 0;                               // bytes

  constexpr double computed() const { return products + attention + rows; }
  constexpr double seconds() const { return computed() + ulysses + ring + host; }

  constexpr BlockCost& operator+=(const BlockCost& more) {
    products += more.products;
    attention += more.attention;
    rows += more.rows;
    ulysses += more.ulysses;
    ring += more.ring;
    host += more.host;
    sent += more.sent;
    return *this;
  }
};

/// The cost model of a mesh, for the rank of each group that has the largest share.
struct CostModel {
  DitShape model;
  Hardware hardware;
  PlanRequest request;
  EngineTraits engine;
  Mesh mesh;

  /// Returns how many images a rank evaluates as one batch.
  constexpr Index images() const {
    return ceil_div(request.prompts, mesh.data) * ceil_div(request.branches, mesh.cfg);
  }
  constexpr Index heads() const { return ceil_div(model.heads, mesh.ulysses); }
  constexpr Index ring_rows(Index tokens) const { return ceil_div(tokens, mesh.ring); }
  constexpr Index rows(Index tokens) const { return ceil_div(ring_rows(tokens), mesh.ulysses); }

  /// Return the bytes of the activations of some tokens, or of their keys or values for a rank's heads.
  constexpr double activations(Index tokens) const {
    return static_cast<double>(tokens * images() * model.width * request.element_bytes);
  }
  constexpr double head_bytes(Index tokens) const {
    return static_cast<double>(tokens * images() * heads() * model.head_dim * request.element_bytes);
  }

  /// Returns the cost of a block on a unit of `tokens` tokens of the image.
  constexpr BlockCost block(Index tokens, bool reads_skip) const {
    BlockCost cost;
    add_products(cost, tokens, reads_skip);
    add_rows(cost, tokens, reads_skip);
    add_attention(cost, tokens);
    if (mesh.ulysses > 1) add_ulysses(cost, tokens);
    cost.products /= engine.efficiency;
    cost.attention /= engine.efficiency;
    cost.rows /= engine.efficiency;
    const int exchanges = (mesh.ulysses > 1 ? 2 : 0) + (mesh.ring > 1 ? mesh.ring - 1 : 0);
    const double launching = engine.host_per_block + exchanges * engine.host_per_exchange;
    cost.host = std::max(launching - cost.seconds(), 0.0);
    return cost;
  }

  /// Returns the seconds of the first and the last layer.
  constexpr double ends(Index tokens) const {
    const Index n = rows(tokens) * images(), features = model.channels * model.patch * model.patch;
    return (product(n, model.width, features) + product(n, features, model.width) +
            rows_seconds(hardware.gpu, 2 * activations(rows(tokens)))) /
           engine.efficiency;
  }

 private:
  constexpr double product(Index m, Index n, Index k) const {
    return product_seconds(under_load(hardware.gpu), m, n, k, request.element_bytes);
  }

  constexpr void add_products(BlockCost& cost, Index tokens, bool reads_skip) const {
    const Index n = rows(tokens) * images(), c = model.width, ffn = model.ffn_width();
    cost.products += product(n, 3 * c, c) + product(n, c, c);
    cost.products += product(n, ffn, c) + product(n, c, ffn);
    if (model.text_length > 0) cost.products += 2 * product(n, c, c);
    if (!engine.keeps_text && model.text_length > 0)
      cost.products += product(model.text_length * images(), 2 * c, model.text_width);
    if (reads_skip) cost.products += product(n, c, 2 * c);
    const Index residuals = model.text_length > 0 ? 3 : 2;
    cost.products +=
        epilogue_seconds(hardware.gpu, n * ffn) + residuals * epilogue_seconds(hardware.gpu, n * c);
  }

  /// Adds norms, which read and write the activations once, and the rotation of queries, keys and values and
  /// of the text's queries, which do so once each.
  constexpr void add_rows(BlockCost& cost, Index tokens, bool reads_skip) const {
    const double once = 2 * activations(rows(tokens));
    const int passes = 2 + 3 + (model.text_length > 0 ? 2 : 0) + (reads_skip ? 2 : 0) + engine.extra_passes;
    cost.rows += passes * rows_seconds(hardware.gpu, once);
  }

  constexpr void add_attention(BlockCost& cost, Index tokens) const {
    const Gpu& gpu = hardware.gpu;
    const Index queries = ring_rows(tokens), here = heads() * images();
    if (model.text_length > 0)
      cost.attention +=
          attention_seconds(gpu, rows(tokens), model.text_length, model.heads * images(), model.head_dim);
    if (mesh.ring == 1) {
      cost.attention += attention_seconds(gpu, queries, request.tokens, here, model.head_dim);
      return;
    }
    const Group group = group_of(mesh, Axis::ring);
    const double merged = engine.merge_passes * head_bytes(queries);
    if (mesh.copies_ring_cache()) {  // stale keys first, fresh ones when they have arrived
      const double stale = attention_seconds(gpu, queries, request.tokens - tokens, here, model.head_dim);
      const double fresh = attention_seconds(gpu, queries, tokens, here, model.head_dim);
      const double bytes = 2 * head_bytes(queries) * (mesh.ring - 1);
      cost.attention += (tokens < request.tokens ? stale : 0) + fresh;
      if (tokens < request.tokens) cost.rows += rows_seconds(gpu, merged);
      add_hop(cost, exchange_seconds(hardware, bytes, group, engine.carrier),
              tokens < request.tokens ? stale : 0, bytes);
      return;
    }
    const Index slice = ring_rows(request.tokens);
    const double part = attention_seconds(gpu, queries, slice, here, model.head_dim);
    const double bytes = 2 * head_bytes(slice);
    for (int hop = 0; hop < mesh.ring; ++hop) {
      cost.attention += part;
      if (hop == 0) continue;
      cost.rows += rows_seconds(gpu, merged);
      add_hop(cost, neighbour_seconds(hardware, bytes, group, engine.carrier), part, bytes);
    }
  }

  /// Adds a transfer of the ring, which attention of `hidden` seconds overlaps, and the waits for its keys
  /// and its values.
  constexpr void add_hop(BlockCost& cost, double seconds, double hidden, double bytes) const {
    constexpr int messages = 2;
    cost.ring += std::max(seconds - (engine.overlaps_ring ? hidden / engine.efficiency : 0), 0.0);
    cost.ring += messages * awaiting_seconds(group_of(mesh, Axis::ring));
    cost.sent += bytes;
  }

  /// Adds the exchanges of queries, keys and values before attention, and of its output after it.
  constexpr void add_ulysses(BlockCost& cost, Index tokens) const {
    if (engine.packs_exchanges)
      cost.rows += 2 * 4 * rows_seconds(hardware.gpu, 2 * activations(rows(tokens)));
    const double one = activations(rows(tokens)) * (mesh.ulysses - 1) / mesh.ulysses;
    const Group group = group_of(mesh, Axis::ulysses);
    cost.sent += 4 * one;
    if (!stores_heads()) {
      cost.ulysses += exchange_seconds(hardware, 3 * one, group, engine.carrier) +
                      exchange_seconds(hardware, one, group, engine.carrier);
      return;
    }
    const double pass = rows_seconds(hardware.gpu, 2 * activations(rows(tokens)));
    cost.rows += pass;  // the exchange after attention has a kernel of its own
    cost.ulysses += push_seconds(3 * one, 3 * pass, group) + push_seconds(one, pass, group);
  }

  constexpr bool stores_heads() const { return engine.stores_heads && hardware.knows_stores(); }

  /// Returns the seconds that a kernel takes for storing into other GPUs, with its barriers, beyond the
  /// `local` seconds of one that stores in its own memory.
  constexpr double push_seconds(double bytes, double local, Group group) const {
    const ExchangeCost cost = exchange_cost(hardware, bytes, group, Carrier::stores);
    const int awaited = engine.barriers_per_push * (group.degree - 1);
    return awaited * awaiting_seconds(group) + std::max(cost.bytes - local, 0.0);
  }

  /// Returns the seconds until a queue has noticed an event of another GPU, even one in the past; 0 if that
  /// is unknown.
  constexpr double awaiting_seconds(Group group) const {
    return hardware.knows_stores() ? exchange_cost(hardware, 0, group, Carrier::stores).latency : 0;
  }
};

}  // namespace weft::inline v0_1::planner
