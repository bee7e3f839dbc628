// The projection of a step to meshes of many devices, from kernels of every rank measured on one device and
// transfers of a link model.
#pragma once

#include "../options/options.hpp"

namespace command {

/// Measures, prints tables and writes --json, all marked as projected.
void project(const Options& options);

}  // namespace command
