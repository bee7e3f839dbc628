#include "metadata.hpp"

#include <algorithm>
#include <initializer_list>

#include "model_folder.hpp"
#include "tensors.hpp"

namespace command {

void check_settings(const weft::SafeTensors& file, const std::vector<std::string>& known,
                    const char* reader) {
  for (const auto& [name, value] : file.metadata())
    if (name != "format" && std::ranges::count(known, name) == 0)
      weft::reject(file.name(), " has the setting ", name, ", which ", reader, " does not read; it reads ",
                   weft::listed(known));
}

void check_settings(const weft::SafeTensors& file, Command command, const ModelSettings& model) {
  const auto* const hunyuan = std::get_if<weft::HunyuanConfig>(&model);
  const bool is_flux = std::holds_alternative<weft::FluxConfig>(model), is_loop = command == Command::denoise;
  std::vector<std::string> known;
  const auto add = [&known](std::initializer_list<const char*> names) {
    known.insert(known.end(), names.begin(), names.end());
  };
  if (is_loop) add({"steps", "guidance_scale", "guidance_rescale", "seed", "scheduler"});
  if (hunyuan) add({"rope_base_size"});
  if (is_flux) add({"latent_height", "latent_width"});
  if (is_flux && is_loop) add({"mu"});
  for (const auto& [name, value] : file.metadata())
    if (is_loop && is_scheduler_setting(name)) known.push_back(name);
  check_settings(file, known, is_loop ? "denoise" : "forward");

  if (!hunyuan) return;
  const auto base = number_in(file, "rope_base_size", hunyuan->rope_base);
  if (base != hunyuan->rope_base)
    weft::reject(file.name(), " has rope_base_size ", base, ", and the model has ", hunyuan->rope_base,
                 "; set rope_base_size in the model's config.json");
}

}  // namespace command
