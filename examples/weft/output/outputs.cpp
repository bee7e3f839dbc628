#include "outputs.hpp"

#include "files.hpp"
#include "png.hpp"
#include "weft/io/safetensors_writer.hpp"

namespace command {

Outputs::Outputs(const Options& options, const ModelFolder& model, std::size_t images, bool decodes) {
  const bool generates = options.command == Command::generate;
  const std::optional<std::string>& tensor = generates ? options.latents_out : options.out;
  if (generates) {
    if ((options.out || options.image_out) && !decodes && !model.has_pixels())
      weft::reject("the latents of ", model.path().string(), " have ", model.shape().channels,
                   " channels and are not images yet; omit ", options.out ? "--out" : "--image-out",
                   " and keep them with --latents-out");
    if (options.out) open_images(*options.out, images);
    if (options.image_out)
      image_tensor_.emplace(output_file("--image-out", *options.image_out, ".safetensors"));
    if (!options.has_images() && !tensor)
      weft::reject(
          "there is nothing to write; name an image with --out or a file of latents with --latents-out");
  }
  if (tensor) tensor_.emplace(output_file(generates ? "--latents-out" : "--out", *tensor, ".safetensors"));
  tensor_name_ = options.command == Command::forward ? "sample" : "latents";
  open_trace(options);
}

Outputs::Outputs(const Options& options, weft::Index images, weft::Index channels) {
  if (extension_of(*options.out) == ".safetensors") {
    image_tensor_.emplace(output_file("--out", *options.out, ".safetensors"));
  } else if (channels == 3) {
    open_images(*options.out, static_cast<std::size_t>(images));
  } else {
    weft::reject("the images have ", channels,
                 " channels, and a PNG file has 3; name a file of tensors, such as ",
                 std::filesystem::path(*options.out).replace_extension(".safetensors").string());
  }
  open_trace(options);
}

void Outputs::open_trace(const Options& options) {
  if (options.trace) trace_.emplace(output_file("--trace", *options.trace, ".json"));
  check_distinct(files());
}

void Outputs::open_images(const std::string& path, std::size_t count) {
  check_extension("--out", path, ".png");
  if (count == 1) {
    images_.emplace_back(path);
    return;
  }
  const std::filesystem::path whole(path);
  for (std::size_t i = 0; i < count; ++i) {
    std::filesystem::path name = whole.stem();
    name += "-" + std::to_string(i);
    name += whole.extension();
    images_.emplace_back(whole.parent_path() / name);
  }
}

std::vector<const weft::OutputFile*> Outputs::files() const {
  std::vector<const weft::OutputFile*> all;
  for (const weft::OutputFile& image : images_) all.push_back(&image);
  for (const auto* file : {&image_tensor_, &tensor_, &trace_})
    if (*file) all.push_back(&**file);
  return all;
}

std::vector<std::string> Outputs::write(const Results& results, const weft::Trace* trace) const {
  OutputWriter writer;
  for (std::size_t i = 0; i < images_.size(); ++i)
    writer.write(images_[i], to_png(results.images.at(static_cast<weft::Index>(i))));
  if (image_tensor_) writer.write(*image_tensor_, weft::to_safetensors({{"image", results.images}}));
  if (tensor_) writer.write(*tensor_, weft::to_safetensors({{tensor_name_, results.tensor}}));
  if (trace_) writer.write(*trace_, trace->json());
  return writer.written();
}

}  // namespace command
