// The communicator of ranks that have a CUDA device each, over NCCL.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "weft/comm/nccl/channel.cuh"
#include "weft/elementwise.cuh"

namespace weft::nccl {

/// Satisfies every concept of communicator.hpp; `split` is called by all ranks of this communicator, each
/// with the group that it is in.
///
/// All that is posted is ordered behind the queue and runs beside it, and can be recorded into a graph if its
/// event is waited for in the same recording.
///
/// NCCL runs the operations of one communicator one after another, in the order of the calls: a receive that
/// is posted ahead would hold up the sends after it, and two ranks that do so wait for each other for ever.
/// Hence two kinds of channels:
/// - One for the group. A grouped call is one operation there. All members make the same grouped calls in the
///   same order, so that the oldest one that is not done has all its members, and gets done.
/// - In the group "pipe", whose stages post receives ahead, a link for every neighbour in both directions: a
///   channel of two ranks, on which one sends and the other receives. The n-th send meets the n-th receive
///   there, and nothing else waits for either.
/// `send` and `receive` of other groups and between ranks that are not neighbours go through the group's
/// channel. There a rank may not post a receive before a send that has to come first.
class Communicator {
 public:
  using Queue = cuda::Queue;
  using Event = nccl::Event;

  /// Of the whole world; owns `world`.
  explicit Communicator(ncclComm_t world) : home_(std::make_shared<Home>()), name_("world") {
    int size = 0;
    check(ncclCommCount(world, &size), "asking for the number of ranks");
    check(ncclCommUserRank(world, &rank_), "asking for the rank");
    for (int r = 0; r < size; ++r) members_.push_back(r);
    group_ = std::make_shared<Channel>(home_, world, name_, members_);
  }

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(members_.size()); }

  /// `members` are ranks of this communicator, its caller among them; `name` tells it apart in traces and in
  /// traffic. Every channel carries its first messages here: NCCL connects ranks at these, and both wait.
  Communicator split(std::string_view name, const std::vector<int>& members) const {
    const auto self = std::find(members.begin(), members.end(), rank_);
    if (self == members.end()) throw std::logic_error("a rank can only split off a group that it is in");
    Communicator out;
    out.home_ = home_;
    out.name_ = name;
    for (int member : members) out.members_.push_back(members_[static_cast<std::size_t>(member)]);
    out.rank_ = static_cast<int>(self - members.begin());
    if (!group_) return out;
    const int color =
        members.size() == 1 ? NCCL_SPLIT_NOCOLOR : *std::min_element(members.begin(), members.end());
    ncclComm_t comm = split_off(group_->comm(), color, out.rank_);
    if (!comm) return out;
    out.group_ = std::make_shared<Channel>(home_, comm, out.name_, out.members_);
    out.connect();
    if (name == "pipe") out.make_links();
    return out;
  }

  Event send(Queue& queue, const Block& block, int to) {
    if (block.bytes() == 0) return {};
    const Link link = linked(links_to_, to);
    return post(queue, link.channel.get(), "send", std::vector<Addressed>{{link.peer, block}}, {}, to);
  }

  Event receive(Queue& queue, const Block& block, int from) {
    if (block.bytes() == 0) return {};
    const Link link = linked(links_from_, from);
    return post(queue, link.channel.get(), "receive", {}, std::vector<Addressed>{{link.peer, block}}, from);
  }

  Event all_to_all(Queue& queue, std::span<const Addressed> sends, std::span<const Addressed> receives) {
    return post(queue, group_.get(), "all_to_all", filled(sends), filled(receives));
  }

  Event all_gather(Queue& queue, std::span<const Block> blocks) {
    if (size() == 1) return {};
    std::vector<Addressed> sends, receives;
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank_) continue;
      sends.push_back({peer, blocks[static_cast<std::size_t>(rank_)]});
      receives.push_back({peer, blocks[static_cast<std::size_t>(peer)]});
    }
    return post(queue, group_.get(), "all_gather", filled(sends), filled(receives));
  }

  /// What all have goes to all, and each adds it up: the order of NCCL's own sums differs from rank to rank
  /// and from size to size.
  void all_reduce(Queue& queue, const View<double, 1>& values) {
    if (size() == 1 || values.empty()) return;
    const Index count = values.size(), bytes = count * static_cast<Index>(sizeof(double));
    const std::size_t before = group_->allocations();
    auto* const all = reinterpret_cast<double*>(group_->memory(size() * bytes));
    if (group_->allocations() > before) queue.count_allocation();
    const View<double, 2> rows(all, {size(), count});
    std::vector<Addressed> sends, receives;
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank_) continue;
      sends.push_back({peer, values});
      receives.push_back({peer, rows[peer]});
    }
    count_sent(queue, "all_reduce", sends);
    group_->begin(queue.stream());
    check(cudaMemcpyAsync(rows[rank_].data, values.data, static_cast<std::size_t>(bytes),
                          cudaMemcpyDeviceToDevice, group_->stream()),
          "Copying");
    group_->transfer(queue.timeline(), "all_reduce", sends, receives);
    kernels::for_each_number(group_->stream(), 1, count,
                             kernels::SumRows{all, Index{size()}, count, values.data});
    Event event = group_->end();
    wait(queue, event);
  }

  void wait(Queue& queue, Event& event) {
    if (!event.done) return;
    const auto span = queue.span("wait", name_.c_str());
    event.done->hold(queue.stream());
    event.done.reset();
  }

  /// What this rank has posted so far, by the name of the communicator; what is recorded counts once, however
  /// often it is replayed.
  const std::map<std::string, Traffic, std::less<>>& traffic() const { return home_->traffic; }

 protected:
  Home& home() const { return *home_; }

 private:
  /// A channel, and the peer's rank there.
  struct Link {
    std::shared_ptr<Channel> channel;
    int peer = 0;
  };

  Communicator() = default;

  /// Null for those without a color. `most_blocks` of threads may run an operation; 0: NCCL says.
  static ncclComm_t split_off(ncclComm_t comm, int color, int key, int most_blocks = 0) {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    if (most_blocks > 0) config.maxCTAs = most_blocks;
    ncclComm_t out = nullptr;
    check(ncclCommSplit(comm, color, key, &out, most_blocks > 0 ? &config : nullptr),
          "splitting a communicator");
    return out;
  }

  /// Each link is made by its two ranks; those that have no rank in common, at the same time. Round the
  /// group, even places and odd ones take turns, and in an odd group the last has a turn of its own.
  void make_links() {
    const int n = size(), turns = n % 2 == 0 ? 2 : 3;
    links_to_.resize(members_.size()), links_from_.resize(members_.size());
    const auto turn_of = [n, turns](int place) { return turns == 3 && place + 1 == n ? 2 : place % 2; };
    for (const bool upwards : {true, false}) {
      if (n == 2 && !upwards) continue;  // round a group of two, both directions are there already
      for (int turn = 0; turn < turns; ++turn) {
        int mine = -1;
        for (int place = 0; place < n; ++place)
          if (turn_of(place) == turn && (place == rank_ || (place + 1) % n == rank_)) mine = place;
        const int next = mine < 0 ? -1 : (mine + 1) % n;
        const bool sends = rank_ == (upwards ? mine : next);
        constexpr int most_blocks = 4;  // a receive that is posted ahead takes them from what computes
        ncclComm_t comm =
            split_off(group_->comm(), mine < 0 ? NCCL_SPLIT_NOCOLOR : mine, sends ? 0 : 1, most_blocks);
        if (!comm) continue;
        const int sender = upwards ? mine : next, receiver = upwards ? next : mine;
        const std::vector<int> both{members_[static_cast<std::size_t>(sender)],
                                    members_[static_cast<std::size_t>(receiver)]};
        const auto channel = std::make_shared<Channel>(home_, comm, name_, both);
        auto& link = sends ? links_to_[static_cast<std::size_t>(receiver)]
                           : links_from_[static_cast<std::size_t>(sender)];
        link = {channel, sends ? 1 : 0};
        const Block little = first_message(*channel, 0);
        const std::vector<Addressed> message{{link.peer, little}};
        exchange_first(*channel, sends ? message : std::vector<Addressed>(),
                       sends ? std::vector<Addressed>() : message);
      }
    }
  }

  void connect() const {
    std::vector<Addressed> sends, receives;
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank_) continue;
      sends.push_back({peer, first_message(*group_, 0)});
      receives.push_back({peer, first_message(*group_, peer + 1)});
    }
    exchange_first(*group_, sends, receives);
  }

  Block first_message(Channel& channel, int place) const {
    constexpr Index length = 16;
    std::byte* const memory = channel.memory(std::max<Index>(length * (size() + 1), 1 << 16));
    return View<std::byte, 1>(memory + place * length, {length});
  }

  static void exchange_first(Channel& channel, const std::vector<Addressed>& sends,
                             const std::vector<Addressed>& receives) {
    channel.transfer(nullptr, "connect", sends, receives);
    check(cudaStreamSynchronize(channel.stream()), "Connecting ranks");
  }

  Link linked(const std::vector<Link>& links, int peer) const {
    if (!links.empty() && links[static_cast<std::size_t>(peer)].channel)
      return links[static_cast<std::size_t>(peer)];
    return {group_, peer};
  }

  static std::vector<Addressed> filled(std::span<const Addressed> messages) {
    std::vector<Addressed> out;
    for (const Addressed& message : messages)
      if (message.block.bytes() > 0) out.push_back(message);
    return out;
  }

  void count_sent(const Queue& queue, const char* what, const std::vector<Addressed>& sends, int peer = -1) {
    Lane::Activity activity{.category = what, .number = peer};
    name_.copy(activity.name.data(), activity.name.size() - 1);
    home_->activity.begin(activity);
    if (sends.empty() || queue.rehearses()) return;
    Traffic& sent = home_->traffic[name_];
    for (const Addressed& send : sends) sent.calls += 1, sent.bytes += send.block.bytes();
  }

  Event post(Queue& queue, Channel* channel, const char* what, const std::vector<Addressed>& sends,
             const std::vector<Addressed>& receives, int member = -1) {
    if (sends.empty() && receives.empty()) return {};
    count_sent(queue, what, sends, member < 0 ? -1 : members_[static_cast<std::size_t>(member)]);
    const std::size_t before = channel->allocations();
    channel->begin(queue.stream());
    channel->transfer(queue.timeline(), what, sends, receives);
    if (channel->allocations() > before) queue.count_allocation();
    return channel->end();
  }

  std::shared_ptr<Home> home_;
  std::string name_;
  std::vector<int> members_;  // ranks of the world
  int rank_ = 0;
  std::shared_ptr<Channel> group_;           // none in a group of one
  std::vector<Link> links_to_, links_from_;  // by the member; of "pipe" alone
};

}  // namespace weft::nccl
