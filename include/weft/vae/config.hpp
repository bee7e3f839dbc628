// AutoencoderKL's configuration, by diffusers' names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "weft/core/digest.hpp"
#include "weft/core/spans.hpp"
#include "weft/io/json.hpp"
#include "weft/model/config.hpp"

namespace weft::inline v0_1 {

/// AutoencoderKL's config.json, as far as its decoder reads it.
struct AutoencoderConfig {
  std::vector<Index> widths;  // channels of the decoder's blocks, the first that is computed first
  Index resnets;              // of a block
  Index groups;               // of the norms
  Index latent_channels, out_channels;
  double scaling_factor, shift_factor;  // decoded is latents / scaling_factor + shift_factor
  bool has_post_quant, has_attention;

  explicit AutoencoderConfig(const Config& file)
      : widths(widths_in(file)),
        resnets(positive(file, "layers_per_block", 1) + 1),
        groups(positive(file, "norm_num_groups", 32)),
        latent_channels(positive(file, "latent_channels", 4)),
        out_channels(positive(file, "out_channels", 3)),
        scaling_factor(file.optional("scaling_factor", 0.18215)),
        shift_factor(file.optional("shift_factor", 0.0)),
        has_post_quant(file.optional("use_post_quant_conv", true)),
        has_attention(file.optional("mid_block_add_attention", true)) {
    expect_setting(file, "_class_name", std::string("AutoencoderKL"));
    constexpr Index most_resnets = 64;
    if (resnets > most_resnets)
      reject(file.name(), ": layers_per_block is ", resnets - 1, " and must be at most ", most_resnets - 1);
    expect_setting(file, "act_fn", std::string("silu"));
    for (const std::string& type : file.optional_array<std::string>("up_block_types"))
      if (type != "UpDecoderBlock2D")
        reject(file.name(), ": up_block_types has ", type, ", and this model has UpDecoderBlock2D alone");
    for (const char* key : {"latents_mean", "latents_std"})
      if (file.has(key))
        reject(file.name(), ": ", key, " is set, and only latents with one scaling_factor can be decoded");
    if (scaling_factor == 0) reject(file.name(), ": scaling_factor is 0 and must be another number");
    for (const Index width : widths)
      if (width % groups != 0)
        reject(file.name(), ": block_out_channels has ", width, ", which must be a multiple of the ", groups,
               " norm_num_groups; ", std::max(width / groups, Index{1}) * groups, " would do");
  }

  /// Returns a hash of the settings.
  std::uint64_t digest() const {
    Digest out;
    out.add(bytes_of(widths));
    return digest_of(out.value(), resnets, groups, latent_channels, out_channels, scaling_factor,
                     shift_factor, has_post_quant, has_attention);
  }
  /// Returns the side, in pixels, of the square that an element of the latents becomes.
  Index scale() const { return Index{1} << (widths.size() - 1); }

 private:
  static std::vector<Index> widths_in(const Config& file) {
    constexpr int largest = 1 << 16;
    constexpr std::size_t most_blocks = 8;
    std::vector<Index> out;
    for (const int width : file.optional_array<int>("block_out_channels")) {
      if (width < 1 || width > largest)
        reject(file.name(), ": block_out_channels has ", width, " and must have numbers from 1 to ", largest);
      out.insert(out.begin(), width);
    }
    if (out.empty() || out.size() > most_blocks)
      reject(file.name(), ": block_out_channels has ", out.size(), " numbers and must have 1 to ",
             most_blocks);
    const std::size_t types = file.optional_array<std::string>("up_block_types").size();
    if (types != 0 && types != out.size())
      reject(file.name(), ": up_block_types has ", types, " names and must have one for each of the ",
             out.size(), " block_out_channels");
    return out;
  }
};

}  // namespace weft::inline v0_1
