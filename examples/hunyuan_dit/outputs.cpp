#include "outputs.hpp"

#include <set>
#include <span>

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
  if (tensor) tensor_.emplace(*tensor);
  tensor_name_ = options.command == Command::forward ? "sample" : "latents";
  if (options.trace) trace_.emplace(*options.trace);
  refuse_twins();
}

void Outputs::open_pictures(const std::string& path, std::size_t count) {
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

void Outputs::refuse_twins() const {
  std::set<std::filesystem::path> seen;
  for (const weft::OutputFile* file : files())
    if (!seen.insert(std::filesystem::weakly_canonical(file->path())).second)
      weft::refuse("two outputs are to be written to ", file->path().string(),
                   "; give each a file of its own");
}

std::vector<const weft::OutputFile*> Outputs::files() const {
  std::vector<const weft::OutputFile*> all;
  for (const weft::OutputFile& picture : pictures_) all.push_back(&picture);
  if (tensor_) all.push_back(&*tensor_);
  if (trace_) all.push_back(&*trace_);
  return all;
}

std::vector<std::string> Outputs::write(const weft::Tensor& result, const weft::Trace* trace) const {
  for (std::size_t i = 0; i < pictures_.size(); ++i)
    pictures_[i].commit(to_png(result.at(static_cast<weft::Index>(i))));
  if (tensor_) tensor_->commit(weft::to_safetensors({{tensor_name_, result}}));
  if (trace_) {
    const std::string json = trace->json();
    trace_->commit(std::as_bytes(std::span(json)));
  }
  std::vector<std::string> written;
  for (const weft::OutputFile* file : files()) written.push_back(file->path().string());
  return written;
}

}  // namespace command
