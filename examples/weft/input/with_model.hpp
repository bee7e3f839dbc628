// The model of settings, as a type on a backend.
#pragma once

#include <type_traits>
#include <variant>

#include "model_settings.hpp"
#include "weft/model/flux.hpp"
#include "weft/model/hunyuan_dit.hpp"
#include "weft/model/pixart.hpp"
#include "weft/model/sd3.hpp"

namespace command {

/// Returns act(std::type_identity<Model>()) for the model of the settings on `Backend`.
template <class Backend, class Act>
auto with_model(const ModelSettings& model, const Act& act) {
  struct Models {
    static std::type_identity<weft::HunyuanDiT<Backend>> of(const weft::HunyuanConfig&) { return {}; }
    static std::type_identity<weft::PixArt<Backend>> of(const weft::PixArtConfig&) { return {}; }
    static std::type_identity<weft::SD3<Backend>> of(const weft::SD3Config&) { return {}; }
    static std::type_identity<weft::Flux<Backend>> of(const weft::FluxConfig&) { return {}; }
  };
  return std::visit([&act](const auto& settings) { return act(Models::of(settings)); }, model);
}

}  // namespace command
