// Ulysses: ranks hold different tokens, and in attention different heads.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/comm/strided_bytes.hpp"
#include "weft/policy/local.hpp"

namespace weft::inline v0_1 {

/// An all-to-all turns a rank's tokens of all heads into all tokens of its heads; another one after attention
/// turns them back. Jacobs et al., "DeepSpeed Ulysses: System Optimizations for Enabling Training of Extreme
/// Long Sequence Transformer Models", 2023. Heads and tokens may be uneven.
template <class Inner = Local>
struct Ulysses : AxisPolicy<Axis::ulysses, Inner> {
  using Replaces = Hooks<"prepare", "release", "sum", "place", "attend">;

  template <class Backend, class Communicator>
  class On : public Inner::template On<Backend, Communicator> {
    using Base = typename Inner::template On<Backend, Communicator>;

   public:
    using typename Base::Element;
    using typename Base::Queue;

    On(const auto& world, const Mesh& mesh)
        : Base(world, mesh), group_(world.split("ulysses", mesh.group(Axis::ulysses, world.rank()))) {}

    void prepare(Queue& queue, const Job& job) {
      Base::prepare(queue, job);
      if (group_.size() == 1) return;
      rows_ = job.layout.of_ring(this->coordinate(Axis::ring));
      extents_ = {rows_.size(), job.images, this->heads().size(), job.model.head_dim};
      const Index size = rows_.size() * job.images * this->heads().size() * job.model.head_dim;
      q_ = {queue, size};
      out_ = {queue, size};
      head_stores_.clear();
    }

    void release() {
      Base::release();
      q_ = {};
      out_ = {};
      head_stores_.clear();
    }

    void sum(Queue& queue, const View<double, 1>& values) {
      if (group_.size() > 1) group_.all_reduce(queue, values);
      Base::sum(queue, values);
    }

    View<const Element, 4> place(Queue& queue, const Scope& scope, const Heads<Element>& heads) {
      if (group_.size() == 1) return Base::place(queue, scope, heads);
      if (pushes()) {
        push_heads(queue, scope, heads);
      } else {
        exchange_heads(queue, scope, heads);
      }
      return q_.view(extents_).template slice<0>(rows_.rows(scope.unit.patches, scope.tokens));
    }

    void attend(Queue& queue, const Scope& scope, const View<const Element, 4>& q,
                const View<Element, 4>& out) {
      if (group_.size() == 1) return Base::attend(queue, scope, q, out);
      Base::attend(queue, scope, q,
                   out_.view(extents_).template slice<0>(rows_.rows(scope.unit.patches, scope.tokens)));
      if (pushes()) {
        push_back(queue, scope, out);
      } else {
        exchange_back(queue, scope, out);
      }
    }

   private:
    using Buffer = typename Backend::template Buffer<Element>;

    bool pushes() const {
      if constexpr (Push<Communicator>) return group_.pushes();
      return false;
    }

    using Pointers = std::vector<std::vector<void*>>;  // of every member

    Pointers exchange_pointers(Queue& queue, const std::vector<void*>& memory) {
      if constexpr (Push<Communicator>) return group_.exchange_pointers(queue, memory);
      return {};
    }

    /// Returns every member's queries, and keys and values of a layer. They stay where they are between
    /// `prepare` and `release`, so members exchange them once, when they first come to the layer.
    const Pointers& head_stores(Queue& queue, Index layer) {
      const auto at = static_cast<std::size_t>(layer);
      if (head_stores_.size() <= at) head_stores_.resize(at + 1);
      if (head_stores_[at].empty())
        head_stores_[at] = exchange_pointers(queue, {q_.view(extents_).data, this->store().keys(layer).data,
                                                     this->store().values(layer).data});
      return head_stores_[at];
    }

    /// Makes the queue wait until every member's memory may be overwritten.
    void begin_push(Queue& queue) {
      if constexpr (Push<Communicator>) group_.barrier(queue);
    }

    /// Makes what members have written into each other's memory visible to what is queued next.
    void end_push(Queue& queue, const Traffic& sent) {
      if constexpr (Push<Communicator>) group_.pushed(queue, sent);
    }

    /// Writes every head to the rank that attends to it, by the kernel that normalizes and rotates.
    void push_heads(Queue& queue, const Scope& scope, const Heads<Element>& heads) {
      const Pointers& memory = head_stores(queue, scope.layer);
      begin_push(queue);
      std::vector<HeadMove<Element>> moves;
      Traffic sent;
      Index row = 0;
      for (Index m = scope.unit.patches.begin; m < scope.unit.patches.end; ++m) {
        const Range own = this->slice(scope, m, group_.rank());
        for (int peer = 0; peer < group_.size(); ++peer) {
          const Range theirs = this->heads(peer);
          const auto part = heads.rows({row, row + own.size()}).heads(theirs);
          const auto at = [&memory, &theirs, &part, peer](std::size_t which, const Rows& rows, Range range) {
            return View<Element, 4>(static_cast<Element*>(memory[static_cast<std::size_t>(peer)][which]),
                                    {rows.size(), part.q.extent[1], theirs.size(), part.q.extent[3]})
                .template slice<0>(range);
          };
          const Rows& kept = this->store().rows();
          part.move_q(at(0, rows_, rows_.rows_of_tokens(m, own)), moves);
          part.move_k(at(1, kept, kept.rows_of_tokens(m, own)), moves);
          part.move_v(at(2, kept, kept.rows_of_tokens(m, own)), moves);
          if (peer != group_.rank()) sent += {3, 3 * part.q.size() * static_cast<Index>(sizeof(Element))};
        }
        row += own.size();
      }
      move_heads(queue, moves);
      end_push(queue, sent);
    }

    /// Stores the result of this rank's heads at the ranks that hold the tokens. A model may put its result
    /// elsewhere in every call, so members exchange pointers to it every time.
    void push_back(Queue& queue, const Scope& scope, const View<Element, 4>& out) {
      const Pointers memory = exchange_pointers(queue, {out.data});
      begin_push(queue);
      std::vector<HeadMove<Element>> moves;
      Traffic sent;
      for (int peer = 0; peer < group_.size(); ++peer) {
        Index row = 0;
        for (Index m = scope.unit.patches.begin; m < scope.unit.patches.end; ++m) {
          const Range tokens = this->slice(scope, m, peer);
          View<Element, 4> theirs = out;
          theirs.data = static_cast<Element*>(memory[static_cast<std::size_t>(peer)].front());
          theirs.extent[0] = row + tokens.size();
          const View<Element, 4> from = gathered(out_, m, tokens);
          moves.push_back(
              {from, theirs.template slice<0>({row, row + tokens.size()}).template slice<2>(this->heads())});
          row += tokens.size();
          if (peer != group_.rank()) sent += {1, from.size() * static_cast<Index>(sizeof(Element))};
        }
      }
      move_heads(queue, moves);
      end_push(queue, sent);
    }

    void exchange_heads(Queue& queue, const Scope& scope, const Heads<Element>& heads) {
      std::vector<HeadMove<Element>> moves;
      heads.move_q(heads.q, moves);
      heads.move_k(heads.k, moves);
      move_heads(queue, moves);

      Exchange exchange(*this, queue);
      Index row = 0;
      for (Index m = scope.unit.patches.begin; m < scope.unit.patches.end; ++m) {
        const Range own = this->slice(scope, m, group_.rank());
        const Heads<Element> part = heads.rows({row, row + own.size()});
        for (int peer = 0; peer < group_.size(); ++peer) {
          const Range tokens = this->slice(scope, m, peer), theirs = this->heads(peer);
          exchange.send(peer, part.q.template slice<2>(theirs), gathered(q_, m, tokens));
          exchange.send(peer, part.k.template slice<2>(theirs), this->keys_at(scope.layer, m, tokens));
          exchange.send(peer, part.v.template slice<2>(theirs), this->values_at(scope.layer, m, tokens));
        }
        row += own.size();
      }
      exchange.run();
    }

    void exchange_back(Queue& queue, const Scope& scope, const View<Element, 4>& out) {
      Exchange exchange(*this, queue);
      Index row = 0;
      for (Index m = scope.unit.patches.begin; m < scope.unit.patches.end; ++m) {
        const Range own{row, row + this->slice(scope, m, group_.rank()).size()};
        for (int peer = 0; peer < group_.size(); ++peer)
          exchange.send(peer, View<const Element, 4>(gathered(out_, m, this->slice(scope, m, peer))),
                        out.template slice<0>(own).template slice<2>(this->heads(peer)));
        row = own.end;
      }
      exchange.run();
    }

    /// The pieces of one all-to-all; this rank's own are copied.
    class Exchange {
     public:
      Exchange(On& policy, Queue& queue) : group_(policy.group_), queue_(queue) {}

      /// Adds a pair of pieces: `from` is sent to `peer`, and `to` received from it.
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

    /// Returns this rank's heads of `tokens` of patch m.
    View<Element, 4> gathered(const Buffer& buffer, Index m, Range tokens) const {
      return buffer.view(extents_).template slice<0>(rows_.rows_of_tokens(m, tokens));
    }

    Communicator group_;
    Rows rows_;  // the tokens of the whole group
    std::array<Index, 4> extents_{};
    Buffer q_, out_;                     // (rows, images, heads, head_dim)
    std::vector<Pointers> head_stores_;  // by layer; empty before they were exchanged
  };
};

}  // namespace weft::inline v0_1
