// weft: parallel methods woven over a Diffusion Transformer at compile time. Includes only, in the order in
// which data flows; NOTES.md beside this file lists the folders and defines the project's own terms.
#pragma once

#include "weft/version.hpp"

#include "weft/core/error.hpp"
#include "weft/core/image.hpp"
#include "weft/core/noise.hpp"
#include "weft/core/tensor.hpp"
#include "weft/core/trace.hpp"

#include "weft/io/json.hpp"
#include "weft/io/output_file.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/io/safetensors_writer.hpp"
#include "weft/io/weight_files.hpp"
#include "weft/io/word_table.hpp"

#include "weft/backend/backend.hpp"
#ifndef __CUDACC__  // a CUDA translation unit that needs the Host backend, and with it Eigen, includes it
#include "weft/backend/host.hpp"
#endif

#include "weft/comm/launch.hpp"
#include "weft/comm/mesh.hpp"
#include "weft/comm/solo.hpp"

#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/check.hpp"
#include "weft/policy/data_parallel.hpp"
#include "weft/policy/local.hpp"
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/policy.hpp"
#include "weft/policy/ring.hpp"
#include "weft/policy/step_cache.hpp"
#include "weft/policy/tensor_parallel.hpp"
#include "weft/policy/ulysses.hpp"

#include "weft/model/dit.hpp"
#include "weft/model/hunyuan_dit.hpp"

#include "weft/sampler/samplers.hpp"

#include "weft/engine.hpp"
