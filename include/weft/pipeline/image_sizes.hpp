// ImageSizes: the size at which an image is generated, and the one that it has in the end.
#pragma once

#include <optional>

#include "weft/pipeline/pipeline_class.hpp"

namespace weft::inline v0_1::pipeline {

/// PixArt's images are generated at the size of a bin, and then resized and cropped to the one asked for;
/// HunyuanDiT's stay as they are.
struct ImageSizes {
  PixelSize generated, final;
};

/// Returns the sizes of an image, as the pipeline has them. `native` is the side in pixels of the images that
/// the model was trained for; `bins` switches resolution binning on or off, and unset is the pipeline's
/// default. Throws InvalidArgument if the pipeline cannot generate that size, or has no bins.
inline ImageSizes image_sizes(const PipelineClass& pipeline, PixelSize asked, Index native,
                              const PixelScale& scale, std::optional<bool> bins = {}) {
  if (bins == true && pipeline.binning == Binning::none)
    reject("resolution binning is on, and ", pipeline.name, " has none; leave it off");
  const bool has_bins = bins.value_or(pipeline.binning != Binning::none);
  const PixelSize wanted = asked;
  if (pipeline.floors) {
    const Index unit = scale.pixels_per_token();
    const auto floored = [unit](Index side) { return side < unit ? side : side / unit * unit; };
    asked = {floored(asked.height), floored(asked.width)};
  }
  const PixelScale rule = has_bins ? PixelScale{} : scale;
  static_cast<void>(checked_side("the height", asked.height, rule));
  static_cast<void>(checked_side("the width", asked.width, rule));
  if (!has_bins) return {asked, asked};
  if (pipeline.binning == Binning::hunyuan) {
    const PixelSize binned = nearest_hunyuan_size(asked);
    return {binned, binned};
  }
  const std::optional<PixelSize> binned = nearest_pixart_size(wanted, native);
  if (!binned)
    reject("there are no bins for a model of images of ", native, " pixels on a side, but for 256, 512, ",
           "1024 and 2048; switch resolution binning off");
  return {*binned, wanted};
}

}  // namespace weft::inline v0_1::pipeline
