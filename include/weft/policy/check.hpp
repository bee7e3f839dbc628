// check: the rules of a mesh, checked before anything is allocated or sent.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "weft/comm/mesh.hpp"
#include "weft/core/dit_shape.hpp"
#include "weft/core/error.hpp"

namespace weft::inline v0_1 {

/// The numbers of a request that decide which meshes can run it.
struct Demand {
  Index prompts = 1;
  Index branches = 2;  // of guidance; 1 without
  Index tokens = 0;    // of an image
  Index steps = 1;
  bool reuses_steps = false;
};

/// What warm-up steps and a choice of the ring's cache need to have an effect.
constexpr std::string_view warmup_need = "needs an image in several patches",
                           ring_cache_need = "needs several ranks round a ring";

/// A rule that a mesh violates, with the offending value and the limit that it violates.
struct MeshFault {
  enum Rule {
    degree,
    missing_policy,
    step_cache,
    world,
    data,
    cfg,
    pipe,
    skips,
    tensor,
    ulysses,
    heads_of_slice,
    patches_few,
    patches_many,
    warmup,
    idle_warmup,
    idle_ring_cache
  } rule;
  Axis axis = Axis::data;
  Index value = 0;
  Index limit = 0;

  friend constexpr bool operator==(const MeshFault&, const MeshFault&) = default;
};

/// Returns the first rule that `mesh` violates for the policies of `Parallel` on `ranks` ranks; nothing if it
/// violates none.
template <class Parallel>
[[nodiscard]] constexpr std::optional<MeshFault> check(const Mesh& mesh, const DitShape& model,
                                                       const Demand& demand, Index ranks) {
  for (const Axis axis : all_axes)
    if (mesh.degree(axis) < 1) return MeshFault{MeshFault::degree, axis, mesh.degree(axis), 1};
  for (const Axis axis : all_axes)
    if (mesh.degree(axis) > 1 && !Parallel::has(axis))
      return MeshFault{MeshFault::missing_policy, axis, mesh.degree(axis)};
  if (mesh.patch_count() > 1 && !Parallel::has(Axis::pipe))
    return MeshFault{MeshFault::missing_policy, Axis::pipe, mesh.patch_count()};
  if (demand.reuses_steps && !Parallel::reuses_steps) return MeshFault{MeshFault::step_cache};
  if (mesh.ranks() != ranks) return MeshFault{MeshFault::world, Axis::data, mesh.ranks(), ranks};
  if (mesh.data > demand.prompts) return MeshFault{MeshFault::data, Axis::data, mesh.data, demand.prompts};
  if (mesh.cfg > demand.branches) return MeshFault{MeshFault::cfg, Axis::cfg, mesh.cfg, demand.branches};
  const Index stages = std::max<Index>(model.most_stages(), 1);
  if (mesh.pipe > stages) return MeshFault{MeshFault::pipe, Axis::pipe, mesh.pipe, stages};
  if (!model.keeps_skips(mesh.pipe)) {
    Index fewer = mesh.pipe - 1;
    while (!model.keeps_skips(fewer)) --fewer;
    return MeshFault{MeshFault::skips, Axis::pipe, mesh.pipe, fewer};
  }
  if (mesh.tensor > 1 && mesh.tensor > model.most_slices())
    return MeshFault{MeshFault::tensor, Axis::tensor, mesh.tensor, model.most_slices()};
  if (mesh.ulysses > model.heads)
    return MeshFault{MeshFault::ulysses, Axis::ulysses, mesh.ulysses, model.heads};
  const Index heads = model.heads_of({0, mesh.tensor}).size();  // the first slice has fewest
  if (mesh.tensor > 1 && mesh.ulysses > heads)
    return MeshFault{MeshFault::heads_of_slice, Axis::ulysses, mesh.ulysses, heads};
  if (mesh.patches < 0) return MeshFault{MeshFault::patches_few, Axis::pipe, mesh.patches, mesh.pipe};
  if (mesh.patch_count() < mesh.pipe)
    return MeshFault{MeshFault::patches_few, Axis::pipe, mesh.patch_count(), mesh.pipe};
  if (mesh.patch_count() > demand.tokens)
    return MeshFault{MeshFault::patches_many, Axis::pipe, mesh.patch_count(), demand.tokens};
  if (mesh.patch_count() == 1 && mesh.warmup != Mesh{}.warmup)
    return MeshFault{MeshFault::idle_warmup, Axis::pipe, mesh.warmup, Mesh{}.warmup};
  if (mesh.warmup < 1) return MeshFault{MeshFault::warmup, Axis::pipe, mesh.warmup, 1};
  if (mesh.ring == 1 && mesh.ring_cache != RingCache::automatic)
    return MeshFault{MeshFault::idle_ring_cache, Axis::ring, static_cast<Index>(mesh.ring_cache)};
  return std::nullopt;
}

/// Returns one sentence that names the value, the rule and what works.
inline std::string to_string(const MeshFault& fault) {
  const std::string mesh = sentence("the mesh has ", name_of(fault.axis), " ", fault.value);
  switch (fault.rule) {
    case MeshFault::degree:
      return mesh + ", and a degree is at least 1; 1 leaves that method out";
    case MeshFault::missing_policy:
      return sentence("the mesh or its patches need a policy for ", name_of(fault.axis),
                      ", which this stack of policies lacks; add it, or use ", name_of(fault.axis), " 1");
    case MeshFault::step_cache:
      return "the request has steps that leave blocks out, and this stack of policies lacks StepCache; add "
             "it "
             "outside of PipeFusion, or leave the request's reuse empty";
    case MeshFault::world:
      return sentence("the degrees of the mesh multiply to ", fault.value, ", and there ",
                      fault.limit == 1 ? "is 1 rank" : "are " + std::to_string(fault.limit) + " ranks",
                      "; they must multiply to ", fault.limit);
    case MeshFault::data:
      return sentence(mesh, ", and there ",
                      fault.limit == 1 ? "is 1 prompt" : "are " + std::to_string(fault.limit) + " prompts",
                      "; use data ", fault.limit, " or fewer");
    case MeshFault::cfg:
      if (fault.limit == 1)
        return mesh +
               ", and without guidance there is 1 branch to evaluate; use cfg 1, or guidance above 1 "
               "with negative prompts";
      return sentence(mesh, ", and there are ", fault.limit, " guidance branches; use cfg ", fault.limit,
                      " or fewer");
    case MeshFault::pipe:
      return sentence(mesh, ", and the blocks of this model make at most ", fault.limit, " stages; use pipe ",
                      fault.limit, " or fewer");
    case MeshFault::skips:
      return sentence(mesh,
                      ", and of so many stages one would read what a block of another has put out; use pipe ",
                      fault.limit);
    case MeshFault::tensor:
      return sentence(mesh, ", and the matrices of this model's blocks can be cut into ", fault.limit,
                      fault.limit == 1 ? " slice" : " slices",
                      ", by heads and by hidden features; use tensor ", fault.limit, " or fewer");
    case MeshFault::ulysses:
      return sentence(mesh, ", and the model has ", fault.limit, " heads; use ulysses ", fault.limit,
                      " or fewer, and ring for the rest");
    case MeshFault::heads_of_slice:
      return sentence(mesh, ", and a slice of the model has ", fault.limit,
                      fault.limit == 1 ? " head" : " heads", "; use ulysses ", fault.limit,
                      " or fewer, or fewer slices");
    case MeshFault::patches_few:
      return sentence("the image is cut into ", fault.value,
                      " patches, and there must be as many as stages, ", fault.limit, ", or more; use ",
                      fault.limit);
    case MeshFault::patches_many:
      return sentence("the image is cut into ", fault.value, " patches, and it has ", fault.limit,
                      " tokens; use that many patches or fewer");
    case MeshFault::warmup:
      return sentence("there are ", fault.value,
                      " warm-up steps, and the first patches need the keys of at least 1");
    case MeshFault::idle_warmup:
      return sentence("warmup ", fault.value, " ", warmup_need, "; use pipe or patches above 1, or warmup ",
                      fault.limit);
    case MeshFault::idle_ring_cache:
      return sentence("ring cache ", name_of(static_cast<RingCache>(fault.value)), " ", ring_cache_need,
                      "; use ring above 1, or ring cache ", name_of(RingCache::automatic));
  }
  return mesh;
}

}  // namespace weft::inline v0_1
