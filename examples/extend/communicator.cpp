// A communicator of your own: it counts the bytes of every all-to-all, and leaves the rest to another one.
#include <atomic>
#include <iostream>

#include "ranks.hpp"
#include "small_dit.hpp"

std::atomic<weft::Index> sent = 0;  // bytes, by all ranks

/// Offers what weft/comm/communicator.hpp asks for, one concept a collective. A transport of your own posts
/// messages on the queue here, and returns an event for which `wait` makes the queue wait.
template <class Transport>
class Metered : public Transport {
 public:
  using typename Transport::Event;
  using typename Transport::Queue;

  explicit Metered(const Transport& transport) : Transport(transport) {}

  [[nodiscard]] Metered split(std::string_view name, const std::vector<int>& members) const {
    return Metered(Transport::split(name, members));
  }
  [[nodiscard]] Event all_to_all(Queue& queue, std::span<const weft::Addressed> sends,
                                 std::span<const weft::Addressed> receives) {
    for (const weft::Addressed& message : sends) sent += message.piece.bytes();
    return Transport::all_to_all(queue, sends, receives);
  }
};

/// The communicator of all ranks, from which an engine splits those of the mesh's axes.
class MeteredWorld : public World {
 public:
  using Communicator = Metered<World::Communicator>;

  explicit MeteredWorld(const World& world) : World(world) {}

  [[nodiscard]] Communicator split(std::string_view name, const std::vector<int>& members) const {
    return Communicator(World::split(name, members));
  }
};
static_assert(weft::Communicator<MeteredWorld::Communicator> && weft::World<MeteredWorld>);

int main() {
  using Model = SmallDit<Backend>;
  using Parallel = weft::Ring<>;
  const weft::Mesh mesh{.ring = 3};
  const weft::Request<int> request = digits_request(ddim_steps(2));
  const weft::Tensor metered = on_ranks(mesh, [&mesh, &request](World& world) {
    const Model model;
    MeteredWorld own(world);
    return weft::Engine<Model, Parallel, MeteredWorld>(model, mesh, own).generate(request);
  });
  std::cout << "Three ranks have sent " << sent << " bytes round the ring.\n";
  return sent > 0 && are_close(metered, generated<Model, Parallel>(mesh, request)) ? 0 : 1;
}
