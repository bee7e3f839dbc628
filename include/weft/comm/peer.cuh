// The communicator of ranks that are threads of one process, on as many CUDA devices as there are.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/comm/hub_member.hpp"
#include "weft/comm/peer/device_watch.cuh"
#include "weft/comm/peer/message.cuh"
#include "weft/comm/peer/sum.cuh"

namespace weft::peer {

/// Where the ranks of one process meet. Before ranks are released because one has ended or failed, the
/// devices are looked at: if one of them has failed, others would not come to their ends.
struct Hub : weft::Hub<Message> {
  cuda::Crew crew;
  DeviceWatch devices;

  explicit Hub(int ranks)
      : weft::Hub<Message>(ranks), crew(ranks, [this] { stop("another rank has failed"); }) {}

  void stop(const std::string& reason) {
    devices.end_process_if_one_failed();
    weft::Hub<Message>::stop(reason);
    crew.stop();
  }

  void leave(int rank) {
    devices.end_process_if_one_failed();
    weft::Hub<Message>::leave(rank);
  }
};

using Event = HubEvent<Hub>;

/// Satisfies every concept of communicator.hpp, Push too. Copies run on a stream of their own; the ranks wait
/// for each other on their devices alone, except that the host waits until both sides of a message are
/// posted.
class Communicator : public HubMember<Hub> {
 public:
  using Queue = cuda::Queue;
  using Event = peer::Event;

  /// Makes the communicator of the whole world; `rank` is the caller's.
  Communicator(Hub& hub, int rank) : HubMember(hub, rank) { begin_group(); }

  /// `members` are ranks of this communicator, its caller among them; `name` tells it apart in traces, in
  /// traffic and from other splits of the same ranks.
  Communicator split(std::string_view name, const std::vector<int>& members) const {
    Communicator out = *this;
    out.become_member_of(name, members);
    out.begin_group();
    return out;
  }

  [[nodiscard]] Event send(Queue& queue, const StridedBytes& piece, int to) {
    Event event(hub());
    post_send(queue, event, cuda::moment_in(queue.stream()), piece, to);
    return event;
  }

  [[nodiscard]] Event receive(Queue& queue, const StridedBytes& piece, int from) {
    Event event(hub());
    post_receive(event, cuda::moment_in(queue.stream()), piece, from);
    return event;
  }

  [[nodiscard]] Event all_to_all(Queue& queue, std::span<const Addressed> sends,
                                 std::span<const Addressed> receives) {
    Event event(hub());
    const auto ready = cuda::moment_in(queue.stream());
    for (const auto& [peer, piece] : receives) post_receive(event, ready, piece, peer);
    for (const auto& [peer, piece] : sends) post_send(queue, event, ready, piece, peer);
    return event;
  }

  [[nodiscard]] Event all_gather(Queue& queue, std::span<const StridedBytes> pieces) {
    std::vector<Addressed> sends, receives;
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) continue;
      receives.push_back({peer, pieces[static_cast<std::size_t>(peer)]});
      sends.push_back({peer, pieces[static_cast<std::size_t>(rank())]});
    }
    return all_to_all(queue, sends, receives);
  }

  void all_reduce(Queue& queue, const View<double, 1>& values) {
    const auto all = reach(queue, {values.data});
    Parts parts{};
    for (int member = 0; member < size(); ++member)
      parts.values[member] = static_cast<const double*>(all[static_cast<std::size_t>(member)].front());
    const View<double, 1> sums = room_for_sums(queue, values.size());
    sum_parts(queue.stream(), parts, size(), values.size(), sums.data);
    pushed(queue, {size() - 1, (size() - 1) * values.size() * static_cast<Index>(sizeof(double))});
    check(cudaMemcpyAsync(values.data, sums.data, static_cast<std::size_t>(values.size()) * sizeof(double),
                          cudaMemcpyDeviceToDevice, queue.stream()),
          "Copying sums");
  }

  bool pushes() const { return true; }

  /// Every member's memory, in its order, once all that they have queued so far is done.
  std::vector<std::vector<void*>> reach(Queue& queue, const std::vector<void*>& memory) {
    const auto mine = cuda::moment_in(queue.stream());
    std::vector<cuda::Crew::Arrival> all;
    const auto span = queue.span("wait", name().c_str());
    queue.wait_on_host([this, &all, &mine, &memory] {
      all = hub().crew.meet(group_, size(), rank(), {mine, memory});
    });
    std::vector<std::vector<void*>> out;
    for (cuda::Crew::Arrival& other : all) {
      if (other.moment != mine) other.moment->hold(queue.stream());
      out.push_back(std::move(other.memory));
    }
    return out;
  }

  /// What is queued after comes after what all members have pushed so far; `sent` is what this one has.
  void pushed(Queue& queue, const Traffic& sent) {
    count_sent(queue, sent);
    reach(queue, {});
  }

  /// Throws Stopped if another rank fails before the event comes.
  void wait(Queue& queue, Event& event) {
    if (event.posts().empty()) return;
    const auto span = queue.span("wait", name().c_str());
    for (const Hub::Posted& post : event.posts()) {
      queue.wait_on_host([this, &post] { hub().wait(*post); });
      const Message& message = post->message;
      message.end->hold(queue.stream());
      if (queue.timeline() && message.begin)
        queue.timeline()->add({.name = sentence(name(), ' ', message.to),
                               .category = "transfer",
                               .bytes = message.piece.bytes(),
                               .awaited_by = message.to},
                              message.begin, message.end);
    }
    event.clear();
  }

 private:
  void begin_group() {
    group_ = name();
    for (int member : members().of_world()) group_ += ' ' + std::to_string(member);
    lane_ = std::make_shared<const Lane>();
    sums_ = std::make_shared<std::vector<cuda::Buffer<double>>>();
    if (size() > Parts::most)
      reject("a communicator has ", size(), " ranks; on devices of one process at most ", Parts::most,
             " meet");
  }

  /// Memory that all reductions on the queue share, one after another. Allocated at first use, that is while
  /// work is recorded; what recorded work uses stays.
  View<double, 1> room_for_sums(Queue& queue, Index count) {
    if (sums_->empty() || sums_->back().size() < count) sums_->emplace_back(queue, count);
    return sums_->back().view(std::array{count});
  }

  void count_sent(const Queue& queue, const Traffic& sent) {
    if (!queue.is_dry_run()) count(sent);
  }

  void post_send(Queue& queue, Event& event, std::shared_ptr<const cuda::Event> ready,
                 const StridedBytes& piece, int to) {
    if (piece.bytes() == 0) return;
    const bool timed = queue.timeline() != nullptr;
    const auto kind = timed ? cuda::Event::Kind::time : cuda::Event::Kind::order;
    const auto begin = timed ? std::make_shared<const cuda::Event>(kind) : nullptr;
    event.add(std::make_shared<Hub::Post>(Message{
        piece, std::move(ready), lane_, begin, std::make_shared<const cuda::Event>(kind), world_rank(to)}));
    count_sent(queue, {1, piece.bytes()});
    HubMember::post_send(event.posts().back(), to);
  }

  void post_receive(Event& event, std::shared_ptr<const cuda::Event> ready, const StridedBytes& piece,
                    int from) {
    if (piece.bytes() == 0) return;
    event.add(std::make_shared<Hub::Post>(Message{piece, std::move(ready)}));
    HubMember::post_receive(event.posts().back(), from);
  }

  std::string group_;                 // name and members
  std::shared_ptr<const Lane> lane_;  // for what this rank sends
  std::shared_ptr<std::vector<cuda::Buffer<double>>> sums_;
};

}  // namespace weft::peer
