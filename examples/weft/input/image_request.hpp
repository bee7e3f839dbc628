// What a pipeline is asked for: by options, or by a file of inputs.
#pragma once

#include "../options/options.hpp"
#include "weft/pipeline/request.hpp"

namespace command {

/// Returns the request of the options of generate, or of the file that --inputs names. Throws InvalidArgument
/// if that file is not valid, or has a setting that is not read.
[[nodiscard]] weft::pipeline::ImageRequest image_request(const Options& options);

}  // namespace command
