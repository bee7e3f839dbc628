// The tensors that a model reads.
#pragma once

#include <map>
#include <stdexcept>
#include <string>

#include "weft/backend/host.hpp"
#include "weft/model/hunyuan_dit.hpp"

/// A source of weights that keeps what is expected of it, and has none.
struct Expectation {
  std::map<std::string, weft::Shape>& tensors;

  void expect(const std::map<std::string, weft::Shape>& all) const {
    tensors = all;
    throw std::runtime_error("there are no weights here");
  }
  weft::RandomNumbers get(const std::string&, const weft::Shape&) const { return {}; }
};

/// Returns the names and shapes of the tensors that a HunyuanDiT of these settings reads.
inline std::map<std::string, weft::Shape> tensors_of(const weft::HunyuanConfig& config) {
  std::map<std::string, weft::Shape> tensors;
  try {
    const weft::HunyuanDiT<weft::Host> model(config, Expectation{tensors});
  } catch (const std::runtime_error&) {
    // Expected: it has asked for its tensors.
  }
  return tensors;
}
