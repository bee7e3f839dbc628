// WithoutT5: a pipeline's folder whose third text encoder, T5, is missing, as SD3's may be.
#pragma once

#include <filesystem>
#include <string>

#include "../io/temporary_folder.hpp"

/// Links to all other parts of a folder.
class WithoutT5 {
 public:
  explicit WithoutT5(const std::filesystem::path& model) {
    for (const auto& part : std::filesystem::directory_iterator(model))
      if (const std::string name = part.path().filename(); !name.ends_with("_3"))
        std::filesystem::create_symlink(part.path(), folder_ / name);
  }

  std::filesystem::path path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};
