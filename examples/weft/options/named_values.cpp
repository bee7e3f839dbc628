#include "named_values.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "validators.hpp"
#include "weft/core/error.hpp"

namespace command {

namespace {

template <class Value, std::size_t Count>
Value value_of(const char* option, const std::string& name,
               const std::pair<const char*, Value> (&values)[Count]) {
  std::vector<std::string> names;
  for (const auto& [known, value] : values) {
    if (name == known) return value;
    names.push_back(known);
  }
  weft::reject("there is no ", option, " ", name, "; there are ", weft::listed(names));
}

/// Returns the backend of the command: plan's and, unless it projects from the host, bench's is CUDA.
Backend backend_of(const Options& options, const std::string& name) {
  const Backend named = value_of<Backend>("backend", name.empty() ? "host" : name,
                                          {{"host", Backend::host}, {"cuda", Backend::cuda}});
  if (options.command == Command::plan) return Backend::cuda;
  if (options.command != Command::bench) return named;
  const bool is_host = !name.empty() && named == Backend::host;
  if (is_host && !options.projects)
    weft::reject(
        "bench measures CUDA devices; omit --backend host, or add --project, which measures the host");
  return is_host ? Backend::host : Backend::cuda;
}

/// Returns whether attention's products of queries and keys are in int8.
bool attends_in_int8(const Options& options, const std::string& name) {
  if (name.empty()) return false;
  const bool is_int8 = value_of<bool>("attention in", name, {{"bf16", false}, {"int8", true}});
  const bool is_bf16 = options.dtype == Dtype::bf16 || options.dtype == Dtype::fp8;
  if (!is_bf16 && !(is_int8 && options.dtype == Dtype::fp16))
    weft::reject("--attention ", name, " cannot be combined with --dtype ", options.dtype_name,
                 "; omit it, or compute on cuda in ", is_int8 ? "bf16, fp16 or fp8" : "bf16 or fp8");
  return is_int8;
}

/// Returns the adapter of "FILE[:SCALE]". What follows the last colon is a scale if it is a number.
weft::Lora lora_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return {text};
  const std::optional<float> scale = number_in<float>(text.substr(colon + 1));
  if (!scale) return {text};
  if (colon == 0 || !std::isfinite(*scale))
    weft::reject("--lora is ", text,
                 " and must be a file, or a file, a colon and a finite number, such as a.safetensors:0.8");
  return {text.substr(0, colon), *scale};
}

/// Returns the whole numbers of "3,5,7", or nothing.
std::optional<std::vector<weft::Index>> numbers_in_list(const std::string& text) {
  std::vector<weft::Index> out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto number = number_in<weft::Index>(text.substr(begin, end - begin));
    if (!number) return std::nullopt;
    out.push_back(*number);
    begin = end + 1;
  }
  return out;
}

/// Returns the steps that "teacache:THRESHOLD", "steps:STEP,…" or "skip:PERIOD" name.
Cache cache_of(const std::string& text) {
  using Rule = Cache::Rule;
  if (text.empty()) return {};
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string rule = text.substr(0, colon), value = text.substr(std::min(colon + 1, text.size()));
  if (rule == "teacache")
    if (const auto threshold = number_in<double>(value);
        threshold && *threshold > 0 && std::isfinite(*threshold))
      return {.rule = Rule::teacache, .threshold = *threshold};
  if (rule == "steps")
    if (const auto steps = numbers_in_list(value)) return {.rule = Rule::steps, .steps = *steps};
  if (rule == "skip")
    if (const auto period = number_in<weft::Index>(value); period && *period > 1)
      return {.rule = Rule::skip, .period = *period};
  weft::reject(
      "--cache is ", text,
      " and must be teacache and a threshold above 0, steps and a list of steps, or skip and a period "
      "from 2, such as teacache:0.1, steps:3,5,7 or skip:2");
}

}  // namespace

void set_named_values(Options& options, const NamedValues& names) {
  options.mesh.ring_cache = value_of("ring cache", names.ring_cache, weft::ring_caches);
  if (value_of<bool>("way to choose a mesh", names.mesh, {{"auto", false}, {"exact", true}}))
    options.planning.exact = true;
  if (!names.resolution_binning.empty())
    options.resolution_binning =
        value_of<bool>("resolution binning", names.resolution_binning, {{"on", true}, {"off", false}});
  for (const std::string& lora : names.loras) options.loras.push_back(lora_of(lora));
  options.cache = cache_of(names.cache);
  options.backend = backend_of(options, names.backend);
  const bool is_host = options.backend == Backend::host;
  options.dtype_name = !names.dtype.empty() ? names.dtype : is_host ? "fp32" : "bf16";
  options.dtype = value_of<Dtype>(
      "dtype", options.dtype_name,
      {{"fp32", Dtype::fp32}, {"bf16", Dtype::bf16}, {"fp16", Dtype::fp16}, {"fp8", Dtype::fp8}});
  if (is_host && options.dtype != Dtype::fp32)
    weft::reject("the host computes in fp32 alone; omit --dtype ", options.dtype_name,
                 ", or use --backend cuda");
  options.attends_in_int8 = attends_in_int8(options, names.attention);
}

}  // namespace command
