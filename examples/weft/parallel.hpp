// The policies of the command.
#pragma once

#include "weft/weft.hpp"

namespace command {

using Parallel = weft::DataParallel<weft::CfgParallel<weft::PipeFusion<weft::Ulysses<weft::Ring<>>>>>;

}  // namespace command
