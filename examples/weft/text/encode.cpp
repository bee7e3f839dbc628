#include "encode.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "../output/bar.hpp"
#include "../output/files.hpp"
#include "weft/core/spans.hpp"
#include "weft/io/safetensors_writer.hpp"

namespace command {

namespace {

/// Tensors of all prompts, and the masks' numbers.
struct Stacked {
  std::map<std::string, weft::Tensor> tensors;
  std::map<std::string, std::vector<weft::text::Id>> masks;

  explicit Stacked(const EncodedTexts& texts) : prompts_(static_cast<weft::Index>(texts.size())) {
    for (const auto& prompt : texts)
      for (const auto& [folder, text] : prompt) {
        append(folder + ".last_hidden_state", text.states);
        append(folder + ".penultimate_hidden_state", text.penultimate);
        append(folder + ".pooled", text.pooled);
        std::vector<weft::text::Id>& mask = masks[folder + ".mask"];
        mask.insert(mask.end(), text.mask.begin(), text.mask.end());
      }
  }

  weft::SafeTensors::Entries entries() const {
    weft::SafeTensors::Entries out;
    for (const auto& [name, tensor] : tensors)
      out.emplace(name,
                  weft::SafeTensors::Entry{{weft::Dtype::f32, weft::bytes_of(tensor.data)}, tensor.shape});
    for (const auto& [name, mask] : masks)
      out.emplace(name,
                  weft::SafeTensors::Entry{{weft::Dtype::i64, weft::bytes_of(mask)},
                                           {prompts_, static_cast<weft::Index>(mask.size()) / prompts_}});
    return out;
  }

 private:
  void append(const std::string& name, const weft::Tensor& tensor) {
    if (tensor.empty()) return;
    weft::Tensor& to = tensors[name];
    to.shape = tensor.shape;
    to.shape.insert(to.shape.begin(), prompts_);
    to.data.insert(to.data.end(), tensor.data.begin(), tensor.data.end());
  }

  weft::Index prompts_;
};

}  // namespace

void encode(const Options& options, Stages& stages) {
  if (options.dtype == Dtype::fp8)
    weft::reject("text encoders compute in fp32, bf16 and fp16, and --dtype is fp8; bf16 would do");
  std::optional<weft::OutputFile> file;
  if (options.prints()) file.emplace(output_file("--out", *options.out, ".safetensors"));
  const EncodedTexts texts = with_bar("encoding", options.prints(), [&](const weft::Progress& progress) {
    return stages.encode(options, options.prompts, progress);
  });
  if (file) file->commit(weft::entries_to_safetensors(Stacked(texts).entries()));
}

}  // namespace command
