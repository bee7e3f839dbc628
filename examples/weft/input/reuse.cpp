#include "reuse.hpp"

#include <type_traits>
#include <variant>

#include "weft/backend/host.hpp"
#include "weft/io/weight_files.hpp"
#include "with_model.hpp"

namespace command {

namespace {

/// Returns the embeddings of times by weights of the source, on the host. No weights of blocks are read.
template <class Source>
weft::Tensor embedded_by(const ModelSettings& settings, const Source& source, const weft::Sampler& sampler) {
  return with_model<weft::Host>(settings, [&]<class Model>(std::type_identity<Model>) {
    const Model model(std::get<typename Model::Settings>(settings), source, {weft::Range{0, 0}});
    weft::host::Queue queue;
    return model.embed_times(queue, weft::timesteps_of(sampler));
  });
}

}  // namespace

weft::Reuse reuse_of(const Cache& cache, weft::Index count, const weft::DitShape& shape,
                     const std::function<weft::Tensor()>& embeddings) {
  weft::Reuse reuse;
  switch (cache.rule) {
    case Cache::Rule::none:
      break;
    case Cache::Rule::teacache:
      reuse = weft::teacache(embeddings(), cache.threshold);
      break;
    case Cache::Rule::steps:
      reuse = {.steps = cache.steps};
      break;
    case Cache::Rule::skip:
      reuse = weft::skip_cache(cache.period, count, shape);
      break;
  }
  reuse.check(count, shape);
  return reuse;
}

weft::Tensor embedded_times(const ModelFolder& folder, const weft::Sampler& sampler) {
  return embedded_by(folder.settings(), weft::WeightFiles(folder.transformer()), sampler);
}

weft::Tensor embedded_times(const ModelSettings& settings, const weft::RandomWeights& weights,
                            const weft::Sampler& sampler) {
  return embedded_by(settings, weights, sampler);
}

weft::Reuse reuse_of(const Work& work, const Cache& cache, const ModelFolder& folder) {
  const auto of = [&cache, &folder](const auto& asked) {
    if constexpr (requires { asked.sampler; })
      return reuse_of(cache, static_cast<weft::Index>(asked.sampler.size()), folder.shape(),
                      [&folder, &asked] { return embedded_times(folder, asked.sampler); });
    else
      return weft::Reuse{};
  };
  return visit_work(of, work);
}

void set_reuse(Work& work, const weft::Reuse& reuse) {
  const auto set = [&reuse](auto& asked) {
    if constexpr (requires { asked.sampler; }) asked.reuse = reuse;
  };
  std::visit([&set](auto& some) { std::visit(set, some); }, work.asked);
}

std::string description_of(const weft::Reuse& reuse, weft::Index count) {
  return weft::sentence("cache: ", reuse.steps.size(), " of ", count, " steps reuse: ", to_string(reuse));
}

}  // namespace command
