// A model's folder with some of its files replaced.
#pragma once

#include "command.hpp"

/// A folder with links to every file of `model`.
class ModelCopy {
 public:
  explicit ModelCopy(const std::filesystem::path& model) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(model)) {
      const std::filesystem::path copy = path() / std::filesystem::relative(entry.path(), model);
      if (entry.is_directory())
        std::filesystem::create_directories(copy);
      else
        std::filesystem::create_symlink(entry.path(), copy);
    }
  }

  std::filesystem::path path() const { return folder_.path(); }

  template <class Content>
  void replace(const std::string& file, const Content& content) const {
    std::filesystem::remove(path() / file);
    folder_.write(file, content);
  }

  /// Replaces the first `from` in a text file by `to`.
  void edit(const std::string& file, const std::string& from, const std::string& to) const {
    std::string text = folder_.read(file);
    const auto at = text.find(from);
    if (at == text.npos) throw std::logic_error(file + " does not contain " + from);
    replace(file, std::string_view(text.replace(at, from.size(), to)));
  }

 private:
  TemporaryFolder folder_;
};

constexpr auto weights_file = "transformer/diffusion_pytorch_model.safetensors";
