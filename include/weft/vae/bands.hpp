// Bands: an image's rows, cut into one band a rank, and what ranks exchange about them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/core/range.hpp"
#include "weft/vae/band.hpp"

namespace weft::inline v0_1::vae {

/// The rows of latents, and of all that is computed from them at several times their size, over the ranks of
/// a communicator. Bands need not be equal, and are empty where there are more ranks than rows.
template <class Backend, Communicator Comm>
class Bands {
 public:
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  /// Cuts latents of so many rows and columns. The communicator must outlive it.
  Bands(Comm& communicator, Index rows, Index columns)
      : communicator_(communicator), rows_(rows), columns_(columns) {}

  int rank() const { return communicator_.rank(); }
  int size() const { return communicator_.size(); }
  /// Returns a member's rows of the latents.
  Range of(int member) const { return split(rows_, size(), member); }
  /// Returns the rows and the columns of the latents.
  Index rows() const { return rows_; }
  Index columns() const { return columns_; }

  /// Returns the rows of all bands together, of an image of so many columns.
  Index rows_of_image(Index columns) const { return rows_ * (columns / columns_); }

  /// Returns which rows this band has beside its own.
  Halo halo() const {
    const Range own = of(rank());
    if (own.empty()) return {};
    return {own.begin > 0 ? 1 : 0, own.end < rows_ ? 1 : 0};
  }

  /// Begins to receive the rows beside the band from its neighbours, and to send them theirs.
  [[nodiscard]] auto exchange(Queue& queue, const Band<Backend>& band) {
    const Halo halo = this->halo();
    const View<Element, 3> own = band.own(), all = band.with(halo);
    std::vector<Addressed> sends, receives;
    const auto swap = [&sends, &receives](int neighbour, const View<Element, 2>& mine,
                                          const View<Element, 2>& theirs) {
      sends.push_back({neighbour, mine});
      receives.push_back({neighbour, theirs});
    };
    const Range rows = of(rank());
    if (halo.above > 0) swap(owner(rows.begin - 1), own[0], all[0]);
    if (halo.below > 0) swap(owner(rows.end), own[band.rows() - 1], all[all.extent[0] - 1]);
    return communicator_.all_to_all(queue, sends, receives);
  }
  /// Makes the queue wait for rows that exchange() has begun to receive.
  void wait(Queue& queue, auto& rows) { communicator_.wait(queue, rows); }

  /// Sums over all bands, in their order, so that all ranks get the same bits.
  void sum(Queue& queue, const View<double, 1>& values) {
    if (size() > 1) communicator_.all_reduce(queue, values);
  }

  /// Calls act(pixels) with every band's pixels (pixels, features) in turn, first with this one's `own`,
  /// while the next ones travel round the ring of ranks.
  template <class Act>
  void rotate(Queue& queue, Workspace<Backend>& workspace, const View<Element, 2>& own, Index columns,
              Act act) {
    if (size() == 1) return act(own);
    const int next = (rank() + 1) % size(), previous = (rank() + size() - 1) % size();
    const Index features = own.extent[1];
    Index most = 0;
    for (int member = 0; member < size(); ++member) most = std::max(most, of(member).size());
    using Array = typename Workspace<Backend>::template Array<Element>;
    const std::array arrays{Array(workspace, most * columns * features),
                            Array(workspace, most * columns * features)};
    View<Element, 2> here = own;
    for (int hop = 0; hop + 1 < size(); ++hop) {
      const int coming = (rank() + 2 * size() - hop - 1) % size();
      const View<Element, 2> incoming =
          arrays[static_cast<std::size_t>(hop % 2)].view(std::array{of(coming).size() * columns, features});
      const std::array<Addressed, 1> sends{{{next, here}}}, receives{{{previous, incoming}}};
      auto event = communicator_.all_to_all(queue, sends, receives);
      act(here);
      communicator_.wait(queue, event);
      here = incoming;
    }
    act(here);
  }

  /// Gathers all bands of an image on rank 0: `image` (rows, columns, channels) there, empty elsewhere.
  void gather(Queue& queue, const Band<Backend>& band, const View<Element, 3>& image) {
    std::vector<Addressed> sends, receives;
    if (rank() > 0) {
      sends.push_back({0, band.own()});
    } else {
      for (int member = 1; member < size(); ++member) receives.push_back({member, rows_of(member, image)});
      copy(queue, View<const Element, 3>(band.own()), rows_of(0, image));
    }
    auto event = communicator_.all_to_all(queue, sends, receives);
    communicator_.wait(queue, event);
  }

 private:
  /// Returns a member's rows of a whole image.
  View<Element, 3> rows_of(int member, const View<Element, 3>& image) const {
    const Index scale = image.extent[0] / rows_;
    return image.template slice<0>({of(member).begin * scale, of(member).end * scale});
  }

  int owner(Index row) const {
    int member = 0;
    while (!of(member).contains(row)) ++member;
    return member;
  }

  Comm& communicator_;
  Index rows_, columns_;  // of the latents
};

}  // namespace weft::inline v0_1::vae
