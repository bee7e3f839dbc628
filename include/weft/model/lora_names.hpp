// The layers of FLUX and HunyuanDiT as their authors name them, by which adapters may be named too.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace weft::inline v0_1::detail {

/// A layer of the blocks `blocks`, and those of diffusers that it is, one below the other.
struct AuthorsLayer {
  std::string_view blocks, layer;
  std::string_view own_blocks;
  std::array<std::string_view, 4> own;
};

inline constexpr std::array authors_layers{
    AuthorsLayer{
        "double_blocks", "img_attn_qkv", "transformer_blocks", {"attn_to_q", "attn_to_k", "attn_to_v"}},
    AuthorsLayer{"double_blocks",
                 "txt_attn_qkv",
                 "transformer_blocks",
                 {"attn_add_q_proj", "attn_add_k_proj", "attn_add_v_proj"}},
    AuthorsLayer{"double_blocks", "img_attn_proj", "transformer_blocks", {"attn_to_out_0"}},
    AuthorsLayer{"double_blocks", "txt_attn_proj", "transformer_blocks", {"attn_to_add_out"}},
    AuthorsLayer{"double_blocks", "img_mlp_0", "transformer_blocks", {"ff_net_0_proj"}},
    AuthorsLayer{"double_blocks", "img_mlp_2", "transformer_blocks", {"ff_net_2"}},
    AuthorsLayer{"double_blocks", "txt_mlp_0", "transformer_blocks", {"ff_context_net_0_proj"}},
    AuthorsLayer{"double_blocks", "txt_mlp_2", "transformer_blocks", {"ff_context_net_2"}},
    AuthorsLayer{"double_blocks", "img_mod_lin", "transformer_blocks", {"norm1_linear"}},
    AuthorsLayer{"double_blocks", "txt_mod_lin", "transformer_blocks", {"norm1_context_linear"}},
    AuthorsLayer{"single_blocks",
                 "linear1",
                 "single_transformer_blocks",
                 {"attn_to_q", "attn_to_k", "attn_to_v", "proj_mlp"}},
    AuthorsLayer{"single_blocks", "linear2", "single_transformer_blocks", {"proj_out"}},
    AuthorsLayer{"single_blocks", "modulation_lin", "single_transformer_blocks", {"norm_linear"}},
    AuthorsLayer{"blocks", "attn1_Wqkv", "blocks", {"attn1_to_q", "attn1_to_k", "attn1_to_v"}},
    AuthorsLayer{"blocks", "attn1_out_proj", "blocks", {"attn1_to_out_0"}},
    AuthorsLayer{"blocks", "attn2_q_proj", "blocks", {"attn2_to_q"}},
    AuthorsLayer{"blocks", "attn2_kv_proj", "blocks", {"attn2_to_k", "attn2_to_v"}},
    AuthorsLayer{"blocks", "attn2_out_proj", "blocks", {"attn2_to_out_0"}},
    AuthorsLayer{"blocks", "mlp_fc1", "blocks", {"ff_net_0_proj"}},
    AuthorsLayer{"blocks", "mlp_fc2", "blocks", {"ff_net_2"}},
};

/// Returns diffusers' layers of a name with underscores for dots, such as "double_blocks_0_img_attn_qkv";
/// none if it is no such name.
inline std::vector<std::string> layers_of_authors_name(std::string_view name) {
  for (const AuthorsLayer& known : authors_layers) {
    if (!name.starts_with(known.blocks) || !name.ends_with(known.layer)) continue;
    if (name.size() < known.blocks.size() + known.layer.size() + 3) continue;
    const std::string_view number =  // with an underscore on both sides
        name.substr(known.blocks.size(), name.size() - known.blocks.size() - known.layer.size());
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (number.front() != '_' || number.back() != '_' ||
        !std::ranges::all_of(number.substr(1, number.size() - 2), is_digit))
      continue;
    std::vector<std::string> out;
    for (const std::string_view own : known.own)
      if (!own.empty()) out.push_back(std::string(known.own_blocks) + std::string(number) + std::string(own));
    return out;
  }
  return {};
}

}  // namespace weft::inline v0_1::detail
