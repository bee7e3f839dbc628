// A model with all that a DiT must offer. Others here derive from it and hide one member.
#pragma once

#include "weft/model/dit.hpp"

/// A backend without operators, which compiles faster.
struct NoBackend {
  using Element = float;
  struct Queue {};
  template <class T>
  struct Buffer {};
};

template <class BackendType = NoBackend>
struct CompleteModel {
  using Backend = BackendType;
  struct Prompt {};
  struct Conditioning {};

  weft::DitShape shape() const;
  void check(const Prompt&) const;
  Conditioning condition(typename Backend::Queue&, std::span<const Prompt>, const weft::Tensor& times,
                         const weft::Share&) const;
  void embed(auto& context, const Conditioning&, weft::View<const float, 3> latents,
             weft::View<float, 3> tokens) const;
  void block(weft::Index, auto& context, const Conditioning&, weft::View<const float, 3> x,
             weft::View<const float, 3> skip, weft::View<float, 3> out) const;
  void unembed(auto& context, const Conditioning&, weft::View<const float, 3> tokens,
               weft::View<float, 3> prediction) const;
};
