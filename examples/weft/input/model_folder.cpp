#include "model_folder.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace command {

namespace {

const std::string prefix = "scheduler.";

/// Returns a setting that Python printed, without quotes around strings, as JSON.
weft::Config setting_of(const std::string& key, const std::string& text, const std::string& name) {
  constexpr std::pair<std::string_view, std::string_view> words[] = {
      {"True", "true"},    {"False", "false"},    {"None", "null"},
      {"inf", "Infinity"}, {"-inf", "-Infinity"}, {"nan", "NaN"}};
  const auto* const word =
      std::ranges::find(words, text, &std::pair<std::string_view, std::string_view>::first);
  const auto quoted = [](const std::string& plain) { return weft::json_string(plain).value_or("\"\""); };
  const std::string json(word == std::end(words) ? text : word->second);
  const std::string start = "{" + quoted(key) + ": ";
  try {
    if (json.find('"') == json.npos) return {start + json + "}", name};
  } catch (const weft::InvalidArgument&) {
    // Not JSON, so it is a string.
  }
  return {start + quoted(text) + "}", name};
}

}  // namespace

bool is_scheduler_setting(const std::string& name) {
  return name.starts_with(prefix) || name == "shift" || name == "use_dynamic_shifting";
}

ModelFolder::ModelFolder(std::filesystem::path folder)
    : folder_(std::move(folder)),
      file_(weft::Config::read(transformer() / "config.json")),
      settings_(model_settings(file_)),
      shape_(shape_of(settings_)) {}

const weft::HunyuanConfig& ModelFolder::hunyuan(const char* reader) const {
  const auto* settings = std::get_if<weft::HunyuanConfig>(&settings_);
  if (!settings)
    weft::reject(reader, " takes HunyuanDiT alone, and ", folder_.string(),
                 " is another model; use weft forward or ", "weft denoise");
  return *settings;
}

weft::Config ModelFolder::scheduler(const weft::SafeTensors::Metadata& metadata) const {
  const std::filesystem::path file = folder_ / "scheduler" / "scheduler_config.json";
  weft::Config settings = weft::Config::read(file);
  const std::string name = file.string() + " with the metadata";
  bool describes_loop = false;
  for (const auto& [of_file, value] : metadata) {
    if (!is_scheduler_setting(of_file)) continue;
    const std::string key = of_file.starts_with(prefix) ? of_file.substr(prefix.size()) : of_file;
    settings.take(key, setting_of(key, value, name));
    describes_loop = true;
  }
  constexpr const char* end = "set_alpha_to_one";
  if (describes_loop && !settings.has(end)) settings.take(end, setting_of(end, "False", name));
  return settings;
}

weft::WordTable ModelFolder::words() const {
  const std::filesystem::path text = folder_ / "text";
  if (!std::filesystem::exists(std::filesystem::symlink_status(text)))
    weft::reject(
        folder_.string(),
        " has no text/, nor the text encoders of a pipeline that model_index.json names, and so cannot "
        "read captions; give the output of a text encoder to weft denoise instead");
  return weft::WordTable(text);
}

}  // namespace command
