// returned: what a launch returns of its ranks.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

namespace weft::inline v0_1::detail {

/// Calls run(on_rank), which calls on_rank(world, is_returned) on the ranks of this process, with true on one
/// of them. Returns what body(world) has returned on that one, if anything.
template <class World, class Body, class Run>
auto returned(Body& body, const Run& run) {
  using Result = std::decay_t<std::invoke_result_t<Body&, World&>>;
  if constexpr (std::is_void_v<Result>) {
    run([&body](World& world, bool) { body(world); });
  } else {
    std::optional<Result> out;
    run([&body, &out](World& world, bool is_returned) {
      Result result = body(world);
      if (is_returned) out = std::move(result);
    });
    return *std::move(out);
  }
}

}  // namespace weft::inline v0_1::detail
