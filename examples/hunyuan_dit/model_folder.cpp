#include "model_folder.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace command {

namespace {

/// A setting as Python prints it.
nlohmann::json setting_of(const std::string& text) {
  if (text == "True") return true;
  if (text == "False") return false;
  if (text == "None") return nullptr;
  const nlohmann::json number = nlohmann::json::parse(text, nullptr, false);
  return number.is_number() ? number : nlohmann::json(text);
}

}  // namespace

ModelFolder::ModelFolder(std::filesystem::path folder)
    : folder_(std::move(folder)),
      settings_(weft::Config::read(transformer() / "config.json")),
      config_(settings_) {}

weft::NoiseSchedule ModelFolder::schedule(const weft::SafeTensors::Metadata& metadata) const {
  const std::filesystem::path file = folder_ / "scheduler" / "scheduler_config.json";
  std::string name = file.string();
  weft::Config::read(file);  // refuses what is not an object of settings
  nlohmann::json settings = nlohmann::json::parse(weft::MappedFile(file).text());
  const std::string prefix = "scheduler.";
  for (const auto& [key, value] : metadata) {
    if (!key.starts_with(prefix)) continue;
    settings[key.substr(prefix.size())] = setting_of(value);
    name = file.string() + " with the metadata";
  }
  return weft::NoiseSchedule(weft::Config(settings.dump(), name));
}

weft::WordTable ModelFolder::words() const {
  const std::filesystem::path text = folder_ / "text";
  if (!std::filesystem::exists(std::filesystem::symlink_status(text)))
    weft::refuse(folder_.string(),
                 " has no text/ and so cannot read captions; give the states of a text encoder to ",
                 "hunyuan_dit denoise instead");
  return weft::WordTable(text);
}

}  // namespace command
