// The model and the work together, on the ranks of a mesh.
#pragma once

#include <functional>
#include <string>

#include "weft/core/trace.hpp"
#include "work.hpp"

namespace command {

/// Throws InvalidArgument if the mesh breaks a rule that needs neither the weights nor the work to be known.
void check_mesh(const Options& options, const ModelFolder& model);

/// Loads the weights, does the work and says how long both took.
weft::Tensor run(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace);

/// Does the same in another way.
using Run = std::function<weft::Tensor(const Options&, const ModelFolder&, Work, weft::Trace*)>;

/// How much work it is, in words.
std::string extent_of(const Options& options, const Work& work);

}  // namespace command
