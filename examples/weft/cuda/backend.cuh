// The backend of the command on CUDA devices.
#pragma once

#include "weft/backend/cuda.cuh"

namespace command {

/// The backend with attention for heads of 48 features (share/shapes), 64 (SD3), 72 (PixArt), 88 (HunyuanDiT)
/// and 128 (FLUX).
template <class E>
using Cuda = weft::Cuda<E, 48, 64, 72, 88, 128>;

}  // namespace command
