// The list of schedulers, and the steps that a scheduler_config.json asks for.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/sampler_step.hpp"
#include "weft/io/json.hpp"
#include "weft/sampler/ddim.hpp"
#include "weft/sampler/ddpm.hpp"
#include "weft/sampler/dpm_solver.hpp"
#include "weft/sampler/flow_match_euler.hpp"
#include "weft/sampler/scheduler.hpp"

namespace weft::inline v0_1 {

/// The settings of a scheduler that a scheduler_config.json can name. Another one is a type here and in
/// `scheduler_table`; programs can pass `make_sampler` any Scheduler of their own.
using SchedulerConfig = std::variant<DdpmConfig, DdimConfig, DpmSolverConfig, FlowMatchConfig>;

namespace detail {

struct SchedulerEntry {
  std::string_view name, class_name;
  SchedulerConfig (*read)(const Config&);
};

template <ConfiguredScheduler... Schedulers>
constexpr std::array<SchedulerEntry, sizeof...(Schedulers)> scheduler_entries() {
  return {SchedulerEntry{Schedulers::name, Schedulers::class_name,
                         [](const Config& file) { return SchedulerConfig(Schedulers(file)); }}...};
}

constexpr auto scheduler_table =
    scheduler_entries<DdpmConfig, DdimConfig, DpmSolverConfig, FlowMatchConfig>();

/// Returns "ddpm, ddim, dpmpp and …", or the classes of diffusers.
inline std::string listed_schedulers(std::string_view SchedulerEntry::*member) {
  std::vector<std::string> names;
  for (const SchedulerEntry& entry : scheduler_table) names.emplace_back(entry.*member);
  return listed(names);
}

}  // namespace detail

/// Reads a scheduler_config.json for the scheduler of that name, as diffusers' from_config reads the file of
/// another class. Throws InvalidArgument if there is no such scheduler, or a setting is not obeyed here.
[[nodiscard]] inline SchedulerConfig scheduler_config(std::string_view scheduler, const Config& file) {
  const auto at = std::ranges::find(detail::scheduler_table, scheduler, &detail::SchedulerEntry::name);
  if (at == detail::scheduler_table.end())
    reject("there is no scheduler ", scheduler, "; there are ",
           detail::listed_schedulers(&detail::SchedulerEntry::name));
  return at->read(file);
}

/// Reads a scheduler_config.json for the scheduler that it names in `_class_name`. Throws InvalidArgument if
/// there is no such scheduler, or a setting is not obeyed here.
[[nodiscard]] inline SchedulerConfig scheduler_config(const Config& file) {
  const auto name = file.optional<std::string>("_class_name", "");
  const auto at = std::ranges::find(detail::scheduler_table, name, &detail::SchedulerEntry::class_name);
  if (at != detail::scheduler_table.end()) return at->read(file);
  const std::string known = detail::listed_schedulers(&detail::SchedulerEntry::class_name),
                    names = detail::listed_schedulers(&detail::SchedulerEntry::name);
  if (name.empty())
    reject(file.name(), " names no _class_name; give one of ", known, ", or ask for a scheduler: ", names);
  reject(file.name(), ": _class_name is ", name, ", and ", known,
         " work here; ask for one of their schedulers, ", names, ", to read the file as it does");
}

/// Makes all steps. Throws InvalidArgument if the scheduler does not have `steps` steps, or if its constants
/// leave float32.
[[nodiscard]] inline Sampler make_sampler(const SchedulerConfig& config, int steps,
                                          const SamplingDemand& demand = {}) {
  return std::visit([steps, &demand](const auto& settings) { return make_sampler(settings, steps, demand); },
                    config);
}

/// Makes all steps of the scheduler that the file names.
[[nodiscard]] inline Sampler make_sampler(const Config& file, int steps, const SamplingDemand& demand = {}) {
  return make_sampler(scheduler_config(file), steps, demand);
}

/// Makes all steps of the scheduler of that name, with the file's settings.
[[nodiscard]] inline Sampler make_sampler(std::string_view scheduler, const Config& file, int steps,
                                          const SamplingDemand& demand = {}) {
  return make_sampler(scheduler_config(scheduler, file), steps, demand);
}

}  // namespace weft::inline v0_1
