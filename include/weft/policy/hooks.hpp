// The hooks that a policy may replace, and what is wrong with a policy's own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weft::inline v0_1 {

template <std::size_t Size>
struct HookName {
  char text[Size]{};

  constexpr HookName(const char (&name)[Size]) { std::copy_n(name, Size, text); }
  constexpr operator std::string_view() const { return {text, Size - 1}; }
};

namespace detail {

enum class HookFault {
  none,
  not_a_hook,       // a listed name is none
  not_listed,       // declared, and missing in the list
  not_declared,     // listed, and not declared
  other_signature,  // declared with other parameters, another result, as overloads or as a template
};

/// A hook's type without the class that declares it, so that those of two classes can be compared.
template <class Pointer>
struct Signature {
  using Type = Pointer;
};
template <class Result, class Class, class... Arguments>
struct Signature<Result (Class::*)(Arguments...)> {
  using Type = Result(Arguments...);
};
template <class Result, class Class, class... Arguments>
struct Signature<Result (Class::*)(Arguments...) const> {
  using Type = Result(Arguments...) const;
};
/// A static function as a type: one that is inherited is the same.
template <auto function>
struct Function {};
template <auto function>
struct Signature<Function<function>> {
  using Type = decltype(function);
};
template <class A, class B>
constexpr bool is_same_signature = std::is_same_v<typename Signature<A>::Type, typename Signature<B>::Type>;

// One type a hook. `Of` is the hook of a class, as a type that names the class which declares it; no type for
// overloads and templates. `explain` fails to compile with the sentence on the hook unless `fault` is none.

struct PrepareHook {
  static constexpr std::string_view name = "prepare";
  template <class On>
  using Of = decltype(&On::prepare);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook prepare lists it in Replaces, and declares void "
                  "prepare(Queue& queue, const Job& job)");
  }
};
struct ReleaseHook {
  static constexpr std::string_view name = "release";
  template <class On>
  using Of = decltype(&On::release);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(
        fault == HookFault::none,
        "weft: a policy that replaces the hook release lists it in Replaces, and declares void release()");
  }
};
struct PromptsHook {
  static constexpr std::string_view name = "prompts";
  template <class On>
  using Of = Function<&On::prompts>;
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook prompts lists it in Replaces, and declares static "
                  "Range prompts(const Mesh& mesh, int rank, Index count)");
  }
};
struct BranchesHook {
  static constexpr std::string_view name = "branches";
  template <class On>
  using Of = Function<&On::branches>;
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook branches lists it in Replaces, and declares static "
                  "Range branches(const Mesh& mesh, int rank, Index count)");
  }
};
struct ShareBranchesHook {
  static constexpr std::string_view name = "share_branches";
  template <class On>
  using Of = decltype(&On::share_branches);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook share_branches lists it in Replaces, and declares "
                  "void share_branches(Queue& queue, const View<float, 3>& predictions, Index prompts)");
  }
};
struct BlocksHook {
  static constexpr std::string_view name = "blocks";
  template <class On>
  using Of = Function<&On::blocks>;
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook blocks lists it in Replaces, and declares static "
                  "std::vector<Range> blocks(const Mesh& mesh, int rank, const DitShape& model)");
  }
};
struct TasksHook {
  static constexpr std::string_view name = "tasks";
  template <class On>
  using Of = decltype(&On::tasks);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook tasks lists it in Replaces, and declares "
                  "std::vector<Task> tasks(const Job& job) const");
  }
};
struct WindowsHook {
  static constexpr std::string_view name = "windows";
  template <class On>
  using Of = decltype(&On::windows);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook windows lists it in Replaces, and declares "
                  "std::vector<Window> windows(const Job& job) const");
  }
};
struct PostInputHook {
  static constexpr std::string_view name = "post_input";
  template <class On>
  using Of = decltype(&On::post_input);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook post_input lists it in Replaces, and declares void "
                  "post_input(Queue& queue, const Task& task, const StridedBytes& x)");
  }
};
struct WaitInputHook {
  static constexpr std::string_view name = "wait_input";
  template <class On>
  using Of = decltype(&On::wait_input);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook wait_input lists it in Replaces, and declares void "
                  "wait_input(Queue& queue, const Task& task)");
  }
};
struct SendOutputHook {
  static constexpr std::string_view name = "send_output";
  template <class On>
  using Of = decltype(&On::send_output);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook send_output lists it in Replaces, and declares void "
                  "send_output(Queue& queue, const Task& task, const StridedBytes& x)");
  }
};
struct FinishHook {
  static constexpr std::string_view name = "finish";
  template <class On>
  using Of = decltype(&On::finish);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook finish lists it in Replaces, and declares void "
                  "finish(Queue& queue)");
  }
};
struct SparedHook {
  static constexpr std::string_view name = "spared";
  template <class On>
  using Of = decltype(&On::spared);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook spared lists it in Replaces, and declares Range "
                  "spared(const Task& task) const");
  }
};
struct ReuseHook {
  static constexpr std::string_view name = "reuse";
  template <class On>
  using Of = decltype(&On::reuse);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(
        fault == HookFault::none,
        "weft: a policy that replaces the hook reuse lists it in Replaces, and declares bool reuse(Queue& "
        "queue, const Task& task, const View<const Element, 3>& x, const View<Element, 3>& out)");
  }
};
struct KeepHook {
  static constexpr std::string_view name = "keep";
  template <class On>
  using Of = decltype(&On::keep);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook keep lists it in Replaces, and declares void "
                  "keep(Queue& queue, const Task& task, const View<const Element, 3>& out)");
  }
};
struct SumHook {
  static constexpr std::string_view name = "sum";
  template <class On>
  using Of = decltype(&On::sum);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook sum lists it in Replaces, and declares void "
                  "sum(Queue& queue, const View<double, 1>& values)");
  }
};
struct ReduceHook {
  static constexpr std::string_view name = "reduce";
  template <class On>
  using Of = decltype(&On::reduce);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(fault == HookFault::none,
                  "weft: a policy that replaces the hook reduce lists it in Replaces, and declares void "
                  "reduce(Queue& queue, const View<Element, 3>& x)");
  }
};
struct ShareColumnsHook {
  static constexpr std::string_view name = "share_columns";
  template <class On>
  using Of = decltype(&On::share_columns);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(
        fault == HookFault::none,
        "weft: a policy that replaces the hook share_columns lists it in Replaces, and declares void "
        "share_columns(Queue& queue, const View<float, 2>& constants)");
  }
};
struct PlaceHook {
  static constexpr std::string_view name = "place";
  template <class On>
  using Of = decltype(&On::place);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(
        fault == HookFault::none,
        "weft: a policy that replaces the hook place lists it in Replaces, and declares View<const Element, "
        "4> place(Queue& queue, const Scope& scope, const Heads& heads)");
  }
};
struct AttendHook {
  static constexpr std::string_view name = "attend";
  template <class On>
  using Of = decltype(&On::attend);
  template <class Policy, HookFault fault, HookName... written>
  static constexpr void explain() {
    static_assert(
        fault == HookFault::none,
        "weft: a policy that replaces the hook attend lists it in Replaces, and declares void attend(Queue& "
        "queue, const Scope& scope, const View<const Element, 4>& q, const Result& out)");
  }
};

using AllHooks =
    std::tuple<PrepareHook, ReleaseHook, PromptsHook, BranchesHook, ShareBranchesHook, BlocksHook, TasksHook,
               WindowsHook, PostInputHook, WaitInputHook, SendOutputHook, FinishHook, SparedHook, ReuseHook,
               KeepHook, SumHook, ReduceHook, ShareColumnsHook, PlaceHook, AttendHook>;
constexpr std::size_t hook_count = std::tuple_size_v<AllHooks>;

constexpr auto hook_names = []<std::size_t... i>(std::index_sequence<i...>) {
  return std::array{std::tuple_element_t<i, AllHooks>::name...};
}
(std::make_index_sequence<hook_count>());

/// Returns how many letters have to be changed, added or left out to turn one word into the other.
/// Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", 1966.
constexpr std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::array<std::size_t, 64> row{};  // distances of the letters so far to all beginnings of `to`
  to = to.substr(0, row.size() - 1);
  for (std::size_t j = 0; j <= to.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t changed = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[to.size()];
}

constexpr bool is_hook(std::string_view name) {
  return std::ranges::find(hook_names, name) != hook_names.end();
}

/// Returns the number of the hook whose name is nearest. Distances are slow for a compiler to evaluate, so
/// that a hook's own name has none computed.
constexpr std::size_t nearest_hook(std::string_view name) {
  if (is_hook(name)) return std::ranges::find(hook_names, name) - hook_names.begin();
  std::size_t best = 0;
  for (std::size_t i = 1; i < hook_count; ++i)
    if (edit_distance(name, hook_names[i]) < edit_distance(name, hook_names[best])) best = i;
  return best;
}

template <class Hook, class On>
concept IsPlain = requires {
  typename Hook::template Of<On>;
};

/// Returns what is wrong with a hook of the class On, which derives from Base; `Local` declares all hooks.
template <class Hook, class On, class Base, class Local>
constexpr HookFault fault_of(bool is_listed) {
  if constexpr (!IsPlain<Hook, On>) {
    return is_listed ? HookFault::other_signature : HookFault::not_listed;
  } else {
    using Own = typename Hook::template Of<On>;
    const bool is_declared = !std::is_same_v<Own, typename Hook::template Of<Base>>;
    if (is_declared != is_listed) return is_listed ? HookFault::not_declared : HookFault::not_listed;
    if (is_same_signature<Own, typename Hook::template Of<Local>>) return HookFault::none;
    return HookFault::other_signature;
  }
}

/// Fails to compile with the sentence on the nearest hook unless the name is a hook's.
template <class Policy, HookName written>
constexpr void explain_name() {
  constexpr std::size_t nearest = nearest_hook(written);
  constexpr HookFault fault = is_hook(written) ? HookFault::none : HookFault::not_a_hook;
  std::tuple_element_t<nearest, AllHooks>::template explain<Policy, fault, written>();
}

}  // namespace detail

/// The names of the hooks that a policy replaces.
template <HookName... names>
struct Hooks {
  static constexpr bool contain([[maybe_unused]] std::string_view name) {
    return ((std::string_view(names) == name) || ...);
  }
  /// Returns whether all are names of hooks.
  static constexpr bool are_known() { return (detail::is_hook(names) && ...); }
  /// Fails to compile with a sentence on each name that is none.
  template <class Policy>
  static constexpr void explain() {
    (detail::explain_name<Policy, names>(), ...);
  }
};

}  // namespace weft::inline v0_1
