#include "named_values.hpp"

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

}  // namespace

void set_named_values(Options& options, const NamedValues& names) {
  options.mesh.ring_cache = value_of<weft::RingCache>("ring cache", names.ring_cache,
                                                      {{"automatic", weft::RingCache::automatic},
                                                       {"rotate", weft::RingCache::rotate},
                                                       {"copy", weft::RingCache::copy}});
  if (value_of<bool>("way to choose a mesh", names.mesh, {{"auto", false}, {"exact", true}}))
    options.planning.exact = true;
  if (!names.resolution_binning.empty())
    options.resolution_binning =
        value_of<bool>("resolution binning", names.resolution_binning, {{"on", true}, {"off", false}});
  for (const std::string& lora : names.loras) options.loras.push_back(lora_of(lora));
  options.backend = backend_of(options, names.backend);
  const bool is_host = options.backend == Backend::host;
  options.dtype_name = !names.dtype.empty() ? names.dtype : is_host ? "fp32" : "bf16";
  options.dtype = value_of<Dtype>(
      "dtype", options.dtype_name,
      {{"fp32", Dtype::fp32}, {"bf16", Dtype::bf16}, {"fp16", Dtype::fp16}, {"fp8", Dtype::fp8}});
  if (is_host && options.dtype != Dtype::fp32)
    weft::reject("the host computes in fp32 alone; omit --dtype ", options.dtype_name,
                 ", or use --backend cuda");
}

}  // namespace command
