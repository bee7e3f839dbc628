// Ulysses: ranks hold different tokens, and in attention different heads.
#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/comm/strided_bytes.hpp"
#include "weft/core/stretches.hpp"
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
    using typename Base::Heads;
    using typename Base::Queue;
    using typename Base::Result;

    On(const auto& world, const Mesh& mesh)
        : Base(world, mesh), group_(world.split("ulysses", mesh.group(Axis::ulysses, world.rank()))) {}

    void prepare(Queue& queue, const Job& job) {
      Base::prepare(queue, job);
      if (group_.size() == 1) return;
      rows_ = job.layout.of_ring(this->coordinate(Axis::ring));
      extents_ = {rows_.size(), job.images, this->heads().size(), job.model.head_dim};
      const Index size = rows_.size() * job.images * this->heads().size() * job.model.head_dim;
      q_ = {queue, size};
      if (!stores_result()) out_ = {queue, size};
      head_stores_.clear();
      has_begun_ = false;
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

    View<const Element, 4> place(Queue& queue, const Scope& scope, const Heads& heads) {
      if (group_.size() == 1) return Base::place(queue, scope, heads);
      if (pushes(group_)) {
        push_heads(queue, scope, heads);
      } else {
        exchange_heads(queue, scope, heads);
      }
      return q_.view(extents_).template slice<0>(rows_.rows(scope.unit.patches, scope.tokens));
    }

    void attend(Queue& queue, const Scope& scope, const View<const Element, 4>& q, const Result& out) {
      if (group_.size() == 1) return Base::attend(queue, scope, q, out);
      if (stores_result())
        return std::visit(
            [this, &queue, &scope, &q](const auto& to) { store_result(queue, scope, q, to.whole()); }, out);
      Base::attend(queue, scope, q,
                   out_.view(extents_).template slice<0>(rows_.rows(scope.unit.patches, scope.tokens)));
      attend_in_elements<Backend>(queue, out, [this, &queue, &scope](const Stretches<Element, 4>& elements) {
        if (pushes(group_)) {
          push_back(queue, scope, elements.whole());
        } else {
          exchange_back(queue, scope, elements.whole());
        }
      });
    }

   private:
    using Buffer = typename Backend::template Buffer<Element>;

    /// Returns whether attention stores its result where it is needed. A ring computes it in parts, which it
    /// merges in memory of its own.
    bool stores_result() const { return pushes(group_) && this->mesh().ring == 1; }

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

    /// Makes the queue wait, before the first of all pushes, until every member's memory may be overwritten.
    /// Later ones need not wait: a member pushes heads after it has passed the barrier behind the last
    /// result, which follows every member's attention, and stores results after that of the heads, which
    /// follows all that a member has queued on its output before, such as the layer of the heads, whose input
    /// may be in the same memory.
    void begin_pushes(Queue& queue) {
      if constexpr (Push<Communicator>)
        if (!has_begun_) {
          group_.barrier(queue);
          has_begun_ = !queue.is_dry_run();
        }
    }

    /// Makes what members have written into each other's memory visible to what is queued next.
    void end_push(Queue& queue, const Traffic& sent) {
      if constexpr (Push<Communicator>) group_.pushed(queue, sent);
    }

    /// Writes every head to the rank that attends to it, by the kernel that normalizes and rotates, or
    /// computes them too.
    void push_heads(Queue& queue, const Scope& scope, const Heads& heads) {
      const Pointers& memory = head_stores(queue, scope.layer);
      begin_pushes(queue);
      std::vector<HeadMove<Element>> moves;
      Traffic sent;
      Index row = 0;
      for (Index m = scope.unit.patches.begin; m < scope.unit.patches.end; ++m) {
        const Range own = this->slice(scope, m, group_.rank());
        for (int peer = 0; peer < group_.size(); ++peer) {
          const Heads part = heads.rows({row, row + own.size()}).query_heads(this->heads(peer));
          const auto at = [&memory, &part, peer, m, own](std::size_t which, const Rows& rows, Index count) {
            return View<Element, 4>(static_cast<Element*>(memory[static_cast<std::size_t>(peer)][which]),
                                    {rows.size(), part.q.extent[1], count, part.q.extent[3]})
                .template slice<0>(rows.rows_of_tokens(m, own));
          };
          const auto count_sent = [this, &sent, peer](Index messages, const View<Element, 4>& each) {
            if (peer != group_.rank())
              sent += {messages, messages * each.size() * static_cast<Index>(sizeof(Element))};
          };
          part.move_q(at(0, rows_, part.q.extent[2]), moves);
          count_sent(1, part.q);
          const View<Element, 4> keys = at(1, this->store().rows(), this->key_heads(peer)),
                                 values = at(2, this->store().rows(), this->key_heads(peer));
          const auto move_stretch = [&part, &keys, &values, &moves, &count_sent](Range from, Range to) {
            const Heads stretch = part.key_heads(from);
            stretch.move_k(keys.template slice<2>(to), moves);
            stretch.move_v(values.template slice<2>(to), moves);
            count_sent(2, stretch.k);
          };
          this->head_split().for_each_stretch(peer, move_stretch);
        }
        row += own.size();
      }
      project_heads(queue, heads.projections(), moves, HeadsGo::to_other_ranks);
      end_push(queue, sent);
    }

    /// The memory for the result of this rank's heads, of one member's tokens of patch m.
    template <class Out>
    struct OwnedTokens {
      int member;
      Index m;
      Range tokens;
      View<Out, 4> memory;
    };

    /// Returns where the result of the scope belongs, in the order of its tokens, if every member's own is
    /// like `out`. A model may put it elsewhere in every call, so members exchange pointers to it every time.
    template <class Out>
    std::vector<OwnedTokens<Out>> owners(Queue& queue, const Scope& scope, const View<Out, 4>& out) {
      const Pointers memory = exchange_pointers(queue, {out.data});
      std::vector<Index> rows(memory.size());
      std::vector<OwnedTokens<Out>> owners;
      for (Index m = scope.unit.patches.begin; m < scope.unit.patches.end; ++m)
        for (int member = 0; member < group_.size(); ++member) {
          const auto at = static_cast<std::size_t>(member);
          const Range tokens = this->slice(scope, m, member);
          View<Out, 4> theirs = out;
          theirs.data = static_cast<Out*>(memory[at].front()) + rows[at] * theirs.stride[0];
          theirs.extent[0] = tokens.size();
          owners.push_back({member, m, tokens, theirs.template slice<2>(this->heads())});
          rows[at] += tokens.size();
        }
      return owners;
    }

    template <class Out>
    Traffic sent_to(const std::vector<OwnedTokens<Out>>& owners) const {
      Traffic sent;
      for (const OwnedTokens<Out>& owned : owners)
        if (owned.member != group_.rank()) sent += {1, owned.memory.size() * static_cast<Index>(sizeof(Out))};
      return sent;
    }

    /// Attends, and stores the result at the ranks that hold the tokens.
    template <class Out>
    void store_result(Queue& queue, const Scope& scope, const View<const Element, 4>& q,
                      const View<Out, 4>& out) {
      const std::vector<OwnedTokens<Out>> owned = owners(queue, scope, out);
      std::vector<View<Out, 4>> memory;
      for (const OwnedTokens<Out>& some : owned) memory.push_back(some.memory);
      Base::attend(queue, scope, q, Stretches<Out, 4>(std::move(memory)));
      end_push(queue, sent_to(owned));
    }

    /// Stores a result that is there at the ranks that hold the tokens.
    void push_back(Queue& queue, const Scope& scope, const View<Element, 4>& out) {
      const std::vector<OwnedTokens<Element>> owned = owners(queue, scope, out);
      std::vector<HeadMove<Element>> moves;
      for (const OwnedTokens<Element>& some : owned)
        moves.push_back({gathered(out_, some.m, some.tokens), some.memory});
      move_heads(queue, moves);
      end_push(queue, sent_to(owned));
    }

    void exchange_heads(Queue& queue, const Scope& scope, const Heads& heads) {
      heads.project(queue);
      std::vector<HeadMove<Element>> moves;
      heads.move_q(heads.q, moves);
      heads.move_k(heads.k, moves);
      move_heads(queue, moves);

      Exchange exchange(*this, queue);
      Index row = 0;
      for (Index m = scope.unit.patches.begin; m < scope.unit.patches.end; ++m) {
        const Range own = this->slice(scope, m, group_.rank());
        const Heads part = heads.rows({row, row + own.size()});
        for (int peer = 0; peer < group_.size(); ++peer) {
          const Range tokens = this->slice(scope, m, peer);
          exchange.send(peer, part.q.template slice<2>(this->heads(peer)));
          exchange.receive(peer, gathered(q_, m, tokens));
          this->head_split().for_each_stretch(peer, [&exchange, &part, peer](Range from, Range) {
            exchange.send(peer, part.k.template slice<2>(from));
            exchange.send(peer, part.v.template slice<2>(from));
          });
          const View<Element, 4> keys = this->keys_at(scope.layer, m, tokens),
                                 values = this->values_at(scope.layer, m, tokens);
          this->head_split().for_each_stretch(group_.rank(),
                                              [&exchange, &keys, &values, peer](Range, Range to) {
                                                exchange.receive(peer, keys.template slice<2>(to));
                                                exchange.receive(peer, values.template slice<2>(to));
                                              });
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
        for (int peer = 0; peer < group_.size(); ++peer) {
          exchange.send(peer, gathered(out_, m, this->slice(scope, m, peer)));
          exchange.receive(peer, out.template slice<0>(own).template slice<2>(this->heads(peer)));
        }
        row = own.end;
      }
      exchange.run();
    }

    /// The pieces of one all-to-all. Those between two ranks match in their order; this rank's own are
    /// copied.
    class Exchange {
     public:
      Exchange(On& policy, Queue& queue) : group_(policy.group_), queue_(queue) {}

      void send(int peer, const View<const Element, 4>& from) {
        if (peer == group_.rank()) {
          own_.push_back(from);
        } else {
          sends_.push_back({peer, from});
        }
      }
      void receive(int peer, const View<Element, 4>& to) {
        if (peer == group_.rank()) {
          copy(queue_, own_[copied_++], to);
        } else {
          receives_.push_back({peer, to});
        }
      }

      void run() {
        auto event = group_.all_to_all(queue_, sends_, receives_);
        group_.wait(queue_, event);
      }

     private:
      Communicator& group_;
      Queue& queue_;
      std::vector<Addressed> sends_, receives_;
      std::vector<View<const Element, 4>> own_;
      std::size_t copied_ = 0;
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
    bool has_begun_ = false;             // to push, since `prepare`
  };
};

}  // namespace weft::inline v0_1
