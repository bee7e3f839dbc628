// Valid stacks of policies. Those that do not compile are in compile_fail.
#include "weft/policy/order.hpp"

#include <doctest/doctest.h>

#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/data_parallel.hpp"
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/policy.hpp"
#include "weft/policy/ring.hpp"
#include "weft/policy/step_cache.hpp"
#include "weft/policy/tensor_parallel.hpp"
#include "weft/policy/ulysses.hpp"

using weft::Axis;
using weft::CfgParallel;
using weft::DataParallel;
using weft::Local;
using weft::PipeFusion;
using weft::Ring;
using weft::StepCache;
using weft::TensorParallel;
using weft::Ulysses;

using All = DataParallel<CfgParallel<PipeFusion<TensorParallel<Ulysses<Ring<>>>>>>;
using Some = CfgParallel<Ulysses<>>;
using Caching = DataParallel<CfgParallel<StepCache<PipeFusion<Ulysses<Ring<>>>>>>;

static_assert(All::has(Axis::data) && All::has(Axis::cfg) && All::has(Axis::pipe) && All::has(Axis::ulysses));
static_assert(All::has(Axis::ring) && All::has(Axis::tensor) && !Some::has(Axis::tensor));
static_assert(Some::has(Axis::cfg) && Some::has(Axis::ulysses));
static_assert(!Some::has(Axis::data) && !Some::has(Axis::pipe) && !Some::has(Axis::ring));
static_assert(!Local::has(Axis::data) && !Local::has(Axis::ring));

static_assert(DataParallel<>::depth < CfgParallel<>::depth && CfgParallel<>::depth < PipeFusion<>::depth);
static_assert(PipeFusion<>::depth < TensorParallel<>::depth && TensorParallel<>::depth < Ulysses<>::depth);
static_assert(PipeFusion<>::depth < Ulysses<>::depth && Ulysses<>::depth < Ring<>::depth);
static_assert(Ring<>::depth < Local::depth);
static_assert(All::depth == DataParallel<>::depth && Some::depth == CfgParallel<>::depth);

template <int own_depth, class Inner>
struct Plain : weft::PolicyAtDepth<own_depth, Inner> {
  using Replaces = weft::Hooks<>;
  template <class Backend, class Communicator>
  struct On : Inner::template On<Backend, Communicator> {};
};
constexpr int middle = weft::depth_between(Axis::pipe, Axis::ulysses);
using Mixed = CfgParallel<Plain<middle, Ulysses<Plain<middle + 10, Ring<>>>>>;
static_assert(Mixed::has(Axis::cfg) && Mixed::has(Axis::ulysses) && Mixed::has(Axis::ring) &&
              !Mixed::has(Axis::pipe));

static_assert(Caching::reuses_steps && StepCache<>::reuses_steps && CfgParallel<StepCache<>>::reuses_steps);
static_assert(!All::reuses_steps && !Local::reuses_steps && Caching::has(Axis::ring));
static_assert(CfgParallel<>::depth < StepCache<>::depth && StepCache<>::depth < PipeFusion<>::depth);

// Policies without an axis stand outside and inside of TensorParallel.
using Around =
    Plain<middle, TensorParallel<Plain<weft::depth_between(Axis::tensor, Axis::ulysses), Ulysses<>>>>;
static_assert(Around::has(Axis::tensor) && weft::Policy<Around>);

static_assert(weft::Policy<Caching> && weft::Policy<StepCache<>>);
static_assert(weft::Policy<Local> && weft::Policy<All> && weft::Policy<Some> && weft::Policy<Mixed>);
static_assert(!weft::Policy<int>);
