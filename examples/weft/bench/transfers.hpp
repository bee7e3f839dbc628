// Times of the messages between the ranks of a group, sent as policies send them: recorded, one after
// another, from all ranks at once.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "transfer_report.hpp"
#include "weft/backend/operators.hpp"
#include "weft/comm/communicator.hpp"
#include "weft/comm/strided_bytes.hpp"

namespace command {

/// Returns the seconds of one `call()` in a recording of many, in the best of three runs after a warm-up. All
/// ranks of the world call this together.
template <class Queue, class Call>
double seconds_among(Queue& queue, const Call& call) {
  constexpr int calls = 20, runs = 3;
  const auto recorded = queue.record(
      [&call](weft::Index) {
        for (int i = 0; i < calls; ++i) call();
      },
      0);
  typename Queue::Milestones passed(runs + 2, nullptr);
  for (int run = 0; run < runs + 1; ++run) {
    passed.pass(queue);
    queue.replay(recorded, run);
  }
  passed.pass(queue);
  const std::vector<double> seconds = passed.watch();
  return *std::min_element(seconds.begin() + 1, seconds.end()) / calls;
}

/// One rank's part in the messages of a group. A group of one sends none.
template <class Backend, class Communicator>
class Transfers {
 public:
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  /// Allocates for messages of at most `most_bytes`. With `is_ring` the last rank sends to the first, as
  /// Ring's ranks do and PipeFusion's stages do not.
  Transfers(Queue& queue, Communicator group, weft::Index most_bytes, bool is_ring)
      : queue_(queue), group_(std::move(group)), is_ring_(is_ring) {
    queue.take_together([this, most_bytes] {
      const weft::Index size = 2 * rows_of(most_bytes) * width;
      from_ = {queue_, size};
      to_ = {queue_, size};
    });
    if (group_.size() > 1) weft::reserve(group_, weft::others(group_), most_bytes);
  }

  /// Returns whether the communicator can make such transfers.
  bool has(TransferKind kind) const {
    if (kind != TransferKind::stores && kind != TransferKind::barrier) return true;
    if constexpr (weft::Push<Communicator>) return group_.size() == 1 || group_.pushes();
    return false;
  }

  /// Returns the seconds of one transfer in which a rank sends `bytes`, rounded to rows. All ranks of the
  /// world call this together.
  double seconds(TransferKind kind, weft::Index bytes) {
    const weft::Index rows = std::max(rows_of(bytes), weft::Index{group_.size()});
    return seconds_among(queue_, [this, kind, rows] {
      if (group_.size() > 1) call(kind, rows);
    });
  }

 private:
  static constexpr weft::Index heads = 8, head_dim = 88, width = heads * head_dim;

  static weft::Index rows_of(weft::Index bytes) { return bytes / (width * weft::Index{sizeof(Element)}); }

  void call(TransferKind kind, weft::Index rows) {
    switch (kind) {
      case TransferKind::send:
        return send(dense(from_, {0, rows}), rows);
      case TransferKind::strided_send:
        return send(strided({0, rows}), rows);
      case TransferKind::all_to_all:
        return all_to_all(rows);
      case TransferKind::all_gather:
        return all_gather(rows);
      case TransferKind::stores:
        if constexpr (weft::Push<Communicator>) store(rows);
        return;
      case TransferKind::barrier:
        if constexpr (weft::Push<Communicator>) group_.pushed(queue_, {});
        return;
    }
  }

  void send(const weft::StridedBytes& block, weft::Index rows) {
    const int size = group_.size(), next = group_.rank() + 1, previous = group_.rank() - 1;
    const weft::StridedBytes landing = dense(to_, {0, rows});
    if (is_ring_) {
      const std::array sends{weft::Addressed{next % size, block}};
      const std::array receives{weft::Addressed{(previous + size) % size, landing}};
      auto event = group_.all_to_all(queue_, sends, receives);
      return group_.wait(queue_, event);
    }
    std::vector<typename Communicator::Event> events;
    if (previous >= 0) events.push_back(group_.receive(queue_, landing, previous));
    if (next < size) events.push_back(group_.send(queue_, block, next));
    for (auto& event : events) group_.wait(queue_, event);
  }

  void all_to_all(weft::Index rows) {
    std::vector<weft::Addressed> sends, receives;
    for (const int peer : weft::others(group_)) {
      sends.push_back({peer, strided(part(rows, slot(peer)))});
      receives.push_back({peer, dense(to_, part(rows, peer))});
    }
    auto event = group_.all_to_all(queue_, sends, receives);
    group_.wait(queue_, event);
  }

  void all_gather(weft::Index rows) {
    std::vector<weft::StridedBytes> blocks;
    for (int member = 0; member < group_.size(); ++member)
      blocks.emplace_back(dense(to_, part(rows, member)));
    auto event = group_.all_gather(queue_, blocks);
    group_.wait(queue_, event);
  }

  /// Stores heads into the memory of the ranks that attend to them, by the kernel that moves them, as Ulysses
  /// does.
  void store(weft::Index rows) {
    const auto memory = group_.exchange_pointers(queue_, {dense(to_, {0, 0}).data});
    group_.barrier(queue_);
    std::vector<weft::HeadMove<Element>> moves;
    for (const int peer : weft::others(group_)) {
      const weft::Range own = part(rows, group_.rank());
      auto* const theirs = static_cast<Element*>(memory[static_cast<std::size_t>(peer)].front());
      moves.push_back(
          {.from = heads_of(strided(part(rows, slot(peer)))),
           .to = heads_of(weft::View<Element, 2>(theirs + own.begin * width, {own.size(), width}))});
    }
    move_heads(queue_, moves);
    group_.pushed(queue_, {});
  }

  /// Returns the rows of a member where `rows` are shared by all others.
  weft::Range part(weft::Index rows, int member) const {
    const weft::Index each = rows / (group_.size() - 1);
    return {member * each, (member + 1) * each};
  }

  /// Returns a peer's index among the other ranks.
  int slot(int peer) const { return peer < group_.rank() ? peer : peer - 1; }

  using Buffer = typename Backend::template Buffer<Element>;

  static weft::View<Element, 2> dense(const Buffer& buffer, weft::Range rows) {
    return {buffer.view(std::array{buffer.size()}).data + rows.begin * width, {rows.size(), width}};
  }
  /// Returns half of the heads of rows twice as wide.
  weft::View<Element, 2> strided(weft::Range rows) const {
    return {from_.view(std::array{from_.size()}).data + 2 * rows.begin * width,
            {rows.size(), width},
            {2 * width, 1}};
  }
  static weft::View<Element, 4> heads_of(const weft::View<Element, 2>& rows) {
    const weft::Index stride = rows.stride[0];
    return {rows.data, {rows.extent[0], 1, heads, head_dim}, {stride, stride, head_dim, 1}};
  }

  Queue& queue_;
  Communicator group_;
  bool is_ring_;
  Buffer from_, to_;
};

/// Returns the kinds of transfers that a mesh's policies make along an axis.
inline std::vector<TransferKind> kinds_along(weft::Axis axis, const weft::Mesh& mesh) {
  using enum TransferKind;
  switch (axis) {
    case weft::Axis::cfg:
      return {all_gather};
    case weft::Axis::pipe:
      return {send, strided_send};
    case weft::Axis::ring:
      return mesh.copies_ring_cache() ? std::vector{all_to_all} : std::vector{send, strided_send};
    case weft::Axis::ulysses:
      return {all_to_all, stores, barrier};
    case weft::Axis::tensor:
      return {all_to_all, all_gather};
    default:
      return {};
  }
}

/// Returns the times of the transfers of a mesh's policies at three sizes, as this rank measures them. All
/// ranks call this together.
template <class Backend, class World>
std::vector<TransferReport> measured_transfers(const weft::Mesh& mesh, World& world) {
  constexpr std::array<weft::Index, 3> sizes{500'000, 3'000'000, 25'000'000};
  std::vector<TransferReport> out;
  for (const weft::Axis axis : weft::all_axes) {
    const int ranks = mesh.degree(axis);
    if (ranks == 1 || kinds_along(axis, mesh).empty()) continue;
    auto queue = Backend::queue(world);
    Transfers<Backend, typename World::Communicator> transfers(
        queue, world.split(weft::name_of(axis), mesh.group(axis, world.rank())), sizes.back(),
        axis != weft::Axis::pipe);
    for (const TransferKind kind : kinds_along(axis, mesh)) {
      if (!transfers.has(kind)) continue;
      for (const weft::Index bytes : sizes) {
        const weft::Index sent = kind == TransferKind::barrier ? 0 : bytes;
        out.push_back({mesh, axis, kind, sent, transfers.seconds(kind, sent)});
        if (sent == 0) break;
      }
    }
  }
  return out;
}

}  // namespace command
