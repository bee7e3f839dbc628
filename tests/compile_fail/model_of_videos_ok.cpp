// expect-ok
#include "complete_model.hpp"
#include "weft/backend/host.hpp"

struct Frames : weft::ImageShape {
  Frames with_channels(weft::Index) const;
  friend bool operator==(const Frames&, const Frames&) = default;
};
struct Model : CompleteModel<weft::Host> {
  Frames grid(const weft::Extent&) const;
  Conditioning condition(Backend::Queue&, std::span<const Prompt>, const weft::Tensor& times,
                         const weft::ShareOf<Frames>&) const;
};
static_assert(weft::DiT<Model>);
static_assert(weft::detail::explain_dit<Model>());
