// Ring: ranks hold different tokens, and send keys and values round.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/comm/strided_bytes.hpp"
#include "weft/core/merge.hpp"
#include "weft/policy/local.hpp"

namespace weft::inline v0_1 {

/// Computes attention over one slice of the keys after another, merged by their log-sum-exp, while the next
/// slice is received. Liu et al., "Ring Attention with Blockwise Transformers for Near-Infinite Context",
/// 2023. With RingCache::copy every rank keeps the keys of all ranks, and only fresh ones are sent.
template <class Inner = Local>
struct Ring : AxisPolicy<Axis::ring, Inner> {
  using Replaces = Hooks<"prepare", "release", "sum", "attend">;

  template <class Backend, class Communicator>
  class On : public Inner::template On<Backend, Communicator> {
    using Base = typename Inner::template On<Backend, Communicator>;

   public:
    using typename Base::Element;
    using typename Base::Queue;
    using typename Base::Result;

    On(const auto& world, const Mesh& mesh)
        : Base(world, mesh), group_(world.split("ring", mesh.group(Axis::ring, world.rank()))) {}

    void prepare(Queue& queue, const Job& job) {
      Base::prepare(queue, job);
      if (group_.size() == 1) return;
      lse_ = {queue, job.layout.of_ring(group_.rank()).size() * job.images * this->heads().size()};
      Index most = 0;
      for (int member = 0; member < group_.size(); ++member)
        most = std::max(most, job.layout.of_ring(member).size());
      const Index size = 2 * most * job.images * this->key_heads() * job.model.head_dim;
      const Index bytes = size * static_cast<Index>(sizeof(Element));
      if (this->mesh().copies_ring_cache()) return reserve(group_, others(group_), bytes);
      reserve(group_, {previous()}, bytes);
      for (Buffer& buffer : travelling_) buffer = {queue, size};
    }

    void release() {
      Base::release();
      travelling_ = {};
      lse_ = {};
    }

    void sum(Queue& queue, const View<double, 1>& values) {
      if (group_.size() > 1) group_.all_reduce(queue, values);
      Base::sum(queue, values);
    }

    void attend(Queue& queue, const Scope& scope, const View<const Element, 4>& q, const Result& out) {
      if (group_.size() == 1) return Base::attend(queue, scope, q, out);
      attend_in_elements<Backend>(queue, out,
                                  [this, &queue, &scope, &q](const Stretches<Element, 4>& elements) {
                                    if (this->mesh().copies_ring_cache()) {
                                      attend_copied(queue, scope, q, elements);
                                    } else {
                                      attend_rotating(queue, scope, q, elements);
                                    }
                                  });
    }

   private:
    using Event = typename Communicator::Event;
    using Buffer = typename Backend::template Buffer<Element>;
    struct Slice {
      View<Element, 4> k, v;  // (rows, images, heads, head_dim)
      KeyMask mask{};

      Slice rows(Range range) const {
        return {k.template slice<0>(range), v.template slice<0>(range), mask.keys(range)};
      }
    };

    /// Returns a function that attends to one more slice of the keys and merges the result into `out`.
    auto attend_slices(Queue& queue, const Scope& scope, const View<const Element, 4>& q,
                       const Stretches<Element, 4>& out) {
      const View<float, 3> lse = lse_.view(std::array{q.extent[0], q.extent[1], q.extent[2]});
      return [&queue, layer = scope.layer, q, out, lse, output = Output::replace](const Slice& keys) mutable {
        const auto span = queue.span("attention", "attention", layer);
        attention(queue, q, keys.k, keys.v, out, lse, std::exchange(output, Output::merge), keys.mask);
      };
    }

    int previous() const { return (group_.rank() + group_.size() - 1) % group_.size(); }

    /// Attends to slices that every rank passes on to the next one.
    void attend_rotating(Queue& queue, const Scope& scope, const View<const Element, 4>& q,
                         const Stretches<Element, 4>& out) {
      const int size = group_.size(), rank = group_.rank(), next = (rank + 1) % size;
      auto attend = attend_slices(queue, scope, q, out);
      Slice slice{this->keys(scope), this->values(scope), this->mask(scope, rank)};
      for (int hop = 0; hop < size; ++hop) {
        const int coming = (rank + 2 * size - hop - 1) % size;  // whose slice comes next
        Slice incoming;
        Event event;
        if (hop + 1 < size) {
          incoming = travelling(scope, hop % 2, coming);
          const std::array<Addressed, 2> sends{{{next, slice.k}, {next, slice.v}}};
          const std::array<Addressed, 2> receives{{{previous(), incoming.k}, {previous(), incoming.v}}};
          event = group_.all_to_all(queue, sends, receives);
        }
        attend(slice);
        group_.wait(queue, event);
        slice = incoming;
      }
    }

    /// Sends the unit's fresh keys to all ranks, while it attends to the stale ones of other patches.
    void attend_copied(Queue& queue, const Scope& scope, const View<const Element, 4>& q,
                       const Stretches<Element, 4>& out) {
      const Slice all{this->keys(scope), this->values(scope), this->mask(scope, group_.rank())};
      std::vector<Addressed> sends, receives;
      for (Index m = scope.unit.patches.begin; m < scope.unit.patches.end; ++m) {
        const auto fresh = [this, &scope, m](int member) {
          const Range tokens = common(this->job().layout.ring_slice(m, member), scope.tokens);
          return Slice{this->keys_at(scope.layer, m, tokens), this->values_at(scope.layer, m, tokens)};
        };
        const Slice own = fresh(group_.rank());
        for (int peer = 0; peer < group_.size(); ++peer) {
          if (peer == group_.rank()) continue;
          const Slice theirs = fresh(peer);
          sends.insert(sends.end(), {{peer, own.k}, {peer, own.v}});
          receives.insert(receives.end(), {{peer, theirs.k}, {peer, theirs.v}});
        }
      }
      Event event = group_.all_to_all(queue, sends, receives);
      const Rows& rows = this->store().rows();
      const Range fresh =
          rows.rows(scope.unit.patches, scope.tokens) + -rows.rows({0, rows.patches()}, scope.tokens).begin;
      auto attend = attend_slices(queue, scope, q, out);
      if (fresh.begin > 0) attend(all.rows({0, fresh.begin}));
      if (fresh.end < all.k.extent[0]) attend(all.rows({fresh.end, all.k.extent[0]}));
      group_.wait(queue, event);
      attend(all.rows(fresh));
    }

    Slice travelling(const Scope& scope, int i, int owner) {
      const std::array extents{this->job().layout.of_ring(owner).within(scope.tokens).size(),
                               this->job().images, this->key_heads(), this->job().model.head_dim};
      const View<Element, 4> k = travelling_[static_cast<std::size_t>(i)].view(extents);
      return {k, {k.data + k.size(), extents}, this->mask(scope, owner)};
    }

    Communicator group_;
    std::array<Buffer, 2> travelling_;  // keys, then values
    typename Backend::template Buffer<float> lse_;
  };
};

}  // namespace weft::inline v0_1
