// Guidance that is off by its scale, and guidance without negative text embeddings.
#include <doctest/doctest.h>

#include <map>

#include "command.hpp"
#include "weft/io/safetensors_writer.hpp"

namespace {

/// Writes the inputs of a golden's loop with another guidance, with or without negative text embeddings, and
/// returns the path.
std::string changed_inputs(const TemporaryFolder& folder, const std::string& guidance, bool has_negatives) {
  const weft::SafeTensors file(goldens / "v12" / "ddim_inputs.safetensors");
  std::map<std::string, weft::Tensor> tensors;
  for (const auto& [name, entry] : file.entries()) {
    weft::Tensor tensor = entry.tensor();
    const bool is_text = name.starts_with("encoder_hidden_states") || name.starts_with("text_embedding_mask");
    if (is_text && !has_negatives) {
      weft::Shape one = tensor.shape;
      one.front() = 1;
      tensor = weft::Tensor(one, tensor.at(1).data);
    }
    tensors[name] = std::move(tensor);
  }
  std::map<std::string, std::string> metadata(file.metadata().begin(), file.metadata().end());
  metadata["guidance_scale"] = guidance;
  metadata["guidance_rescale"] = "0";
  return folder.write("inputs", weft::to_safetensors(tensors, metadata));
}

Outcome denoise(const TemporaryFolder& folder, const std::string& inputs, const Arguments& more = {}) {
  return run(Arguments{"denoise", "--model", goldens / "v12" / "model", "--inputs", inputs, "--out",
                       folder / "out"} +
             more);
}

}  // namespace

TEST_CASE("denoise with guidance 1 needs no negative text embeddings, and reads none") {
  const TemporaryFolder folder;
  REQUIRE(denoise(folder, changed_inputs(folder, "1", true)).code == 0);
  const std::string with_negatives = folder.read("out");
  REQUIRE(denoise(folder, changed_inputs(folder, "1", false)).code == 0);
  CHECK(folder.read("out") == with_negatives);
  REQUIRE(denoise(folder, changed_inputs(folder, "5", true)).code == 0);
  CHECK(folder.read("out") != with_negatives);
}

TEST_CASE("denoise rejects guidance without negative text embeddings, and cfg without guidance") {
  const TemporaryFolder folder;
  const Outcome missing = denoise(folder, changed_inputs(folder, "5", false));
  CHECK(missing.code == 2);
  CHECK(missing.err.find("has no negative text embeddings, which guidance 5 needs") != std::string::npos);
  const Outcome cfg = denoise(folder, changed_inputs(folder, "1", false), {"--cfg", "2"});
  CHECK(cfg.code == 2);
  CHECK(cfg.err.find("the mesh has cfg 2, and without guidance there is 1 branch") != std::string::npos);
}

TEST_CASE("generate with guidance 1 reads no negative caption, on any mesh") {
  const TemporaryFolder folder;
  const auto latents = [&folder](const Arguments& more) {
    REQUIRE(run(Arguments{"generate", "--model", shapes, "--prompt", caption, "--steps", "2", "--guidance",
                          "1", "--latents-out", folder / "latents"} +
                more)
                .code == 0);
    return tensor_in(folder / "latents", "latents");
  };
  const weft::Tensor plain = latents({});
  CHECK(relative_error(latents({"--ranks", "2"}), plain) < 1e-5);
  const Outcome rescaled = run({"generate", "--model", shapes, "--prompt", caption, "--guidance", "1",
                                "--guidance-rescale", "0.5", "--latents-out", folder / "latents"});
  CHECK(rescaled.code == 2);
  CHECK(rescaled.err.find("--guidance-rescale has no effect where --guidance is 1") != std::string::npos);
}
