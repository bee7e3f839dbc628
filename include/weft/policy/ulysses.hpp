// Ulysses: ranks hold different tokens, and in attention different heads.
#pragma once

#include <array>
#include <vector>

#include "weft/comm/block.hpp"
#include "weft/policy/local.hpp"

namespace weft {

/// An all-to-all makes tokens of all heads into heads of all tokens, and one back after attention.
/// Jacobs et al., "DeepSpeed Ulysses: System Optimizations for Enabling Training of Extreme Long Sequence
/// Transformer Models", 2023. Heads and tokens may be uneven.
template <class Inner = Local>
struct Ulysses : detail::Ordered<Axis::ulysses, Inner> {
  template <class Backend, class Communicator>
  class On : public Inner::template On<Backend, Communicator> {
    using Base = typename Inner::template On<Backend, Communicator>;

   public:
    using typename Base::Element;
    using typename Base::Queue;

    On(const Communicator& world, const Mesh& mesh)
        : Base(world, mesh), group_(world.split("ulysses", mesh.group(Axis::ulysses, world.rank()))) {}

    void prepare(Queue& queue, const Job& job) {
      Base::prepare(queue, job);
      if (group_.size() == 1) return;
      rows_ = job.layout.of_ring(this->coordinate(Axis::ring));
      extents_ = {rows_.size(), job.pictures, this->heads().size(), job.model.head_dim};
      const Index size = rows_.size() * job.pictures * this->heads().size() * job.model.head_dim;
      q_ = {queue, size};
      out_ = {queue, size};
    }

    void sum(Queue& queue, const View<double, 1>& values) {
      if (group_.size() > 1) group_.all_reduce(queue, values);
      Base::sum(queue, values);
    }

    View<const Element, 4> place(Queue& queue, Index layer, const Unit& unit, const Heads<Element>& heads) {
      if (group_.size() == 1) return Base::place(queue, layer, unit, heads);
      norm_rotate(queue, heads.q, heads.q_norm, heads.rotation, heads.q);
      norm_rotate(queue, heads.k, heads.k_norm, heads.rotation, heads.k);

      Exchange exchange(*this, queue);
      Index row = 0;
      for (Index m = unit.patches.begin; m < unit.patches.end; ++m) {
        const Range own = this->slice(m, group_.rank());
        const Heads<Element> part = heads.rows({row, row + own.size()});
        for (int peer = 0; peer < group_.size(); ++peer) {
          const Range tokens = this->slice(m, peer), theirs = this->heads(peer);
          exchange.send(peer, part.q.template slice<2>(theirs), gathered(q_, m, tokens));
          exchange.send(peer, part.k.template slice<2>(theirs), this->keys_at(layer, m, tokens));
          exchange.send(peer, part.v.template slice<2>(theirs), this->values_at(layer, m, tokens));
        }
        row += own.size();
      }
      exchange.run();
      return q_.view(extents_).template slice<0>(rows_.rows(unit.patches));
    }

    void attend(Queue& queue, Index layer, const Unit& unit, const View<const Element, 4>& q,
                const View<Element, 4>& out) {
      if (group_.size() == 1) return Base::attend(queue, layer, unit, q, out);
      Base::attend(queue, layer, unit, q, out_.view(extents_).template slice<0>(rows_.rows(unit.patches)));

      Exchange exchange(*this, queue);
      Index row = 0;
      for (Index m = unit.patches.begin; m < unit.patches.end; ++m) {
        const Range own{row, row + this->slice(m, group_.rank()).size()};
        for (int peer = 0; peer < group_.size(); ++peer)
          exchange.send(peer, View<const Element, 4>(gathered(out_, m, this->slice(m, peer))),
                        out.template slice<0>(own).template slice<2>(this->heads(peer)));
        row = own.end;
      }
      exchange.run();
    }

   private:
    using Buffer = typename Backend::template Buffer<Element>;

    /// The blocks of one all-to-all; what is for oneself is copied.
    class Exchange {
     public:
      Exchange(On& policy, Queue& queue) : group_(policy.group_), queue_(queue) {}

      /// `from` goes to `peer`, and `to` comes from there.
      void send(int peer, const View<const Element, 4>& from, const View<Element, 4>& to) {
        if (peer == group_.rank()) return copy(queue_, from, to);
        sends_.push_back({peer, from});
        receives_.push_back({peer, to});
      }

      void run() {
        auto event = group_.all_to_all(queue_, sends_, receives_);
        group_.wait(queue_, event);
      }

     private:
      Communicator& group_;
      Queue& queue_;
      std::vector<Addressed> sends_, receives_;
    };

    /// This rank's heads of `tokens` of patch m.
    View<Element, 4> gathered(const Buffer& buffer, Index m, Range tokens) const {
      return buffer.view(extents_).template slice<0>(rows_.rows_of_tokens(m, tokens));
    }

    Communicator group_;
    Rows rows_;  // of the whole group
    std::array<Index, 4> extents_{};
    Buffer q_, out_;  // (rows, pictures, heads, head_dim)
  };
};

}  // namespace weft
