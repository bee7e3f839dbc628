// The models of the goldens on the host.
#pragma once

#include <string>

#include "golden.hpp"
#include "shapes.hpp"
#include "weft/backend/host.hpp"

using Model = weft::HunyuanDiT<weft::Host>;

struct HostGolden : Golden {
  Model model;
  Slices<Model> slices{folder / "model/transformer"};

  explicit HostGolden(const std::string& name) : Golden(name), model(folder / "model/transformer") {}
};

struct HostShapes : Shapes {
  Model model{folder / "transformer"};
};
