#include "outputs.hpp"

#include "output_files.hpp"
#include "png.hpp"
#include "weft/io/safetensors_writer.hpp"

namespace command {

Outputs::Outputs(const Options& options, const ModelFolder& model) {
  const bool paints = options.command == Command::generate;
  const std::optional<std::string>& tensor = paints ? options.latents_out : options.out;
  if (paints && options.out) {
    if (!model.is_of_pixels())
      weft::refuse("the states of ", model.path().string(), " have ", model.config().channels,
                   " channels and are no pictures yet; leave --out away and keep them with --latents-out");
    open_pictures(*options.out, options.prompts.size());
  }
  if (paints && !options.out && !tensor)
    weft::refuse(
        "there is nothing to write; name a picture with --out or a file of states with --latents-out");
  if (tensor) tensor_.emplace(output_file(paints ? "--latents-out" : "--out", *tensor, ".safetensors"));
  tensor_name_ = options.command == Command::forward ? "sample" : "latents";
  if (options.trace) trace_.emplace(output_file("--trace", *options.trace, ".json"));
  check_distinct(files());
}

void Outputs::open_pictures(const std::string& path, std::size_t count) {
  check_extension("--out", path, ".png");
  if (count == 1) {
    pictures_.emplace_back(path);
    return;
  }
  const std::filesystem::path whole(path);
  for (std::size_t i = 0; i < count; ++i) {
    std::filesystem::path name = whole.stem();
    name += "-" + std::to_string(i);
    name += whole.extension();
    pictures_.emplace_back(whole.parent_path() / name);
  }
}

std::vector<const weft::OutputFile*> Outputs::files() const {
  std::vector<const weft::OutputFile*> all;
  for (const weft::OutputFile& picture : pictures_) all.push_back(&picture);
  if (tensor_) all.push_back(&*tensor_);
  if (trace_) all.push_back(&*trace_);
  return all;
}

std::vector<std::string> Outputs::write(const weft::Tensor& result, const weft::Trace* trace) const {
  OutputWriter writer;
  for (std::size_t i = 0; i < pictures_.size(); ++i)
    writer.write(pictures_[i], to_png(result.at(static_cast<weft::Index>(i))));
  if (tensor_) writer.write(*tensor_, weft::to_safetensors({{tensor_name_, result}}));
  if (trace_) writer.write(*trace_, trace->json());
  return writer.written();
}

}  // namespace command
