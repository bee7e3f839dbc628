// The counting backend: what operators append, and what buffers count.
#include "weft/backend/counting.hpp"

#include <doctest/doctest.h>

#include "weft/backend/host.hpp"

using weft::Index, weft::View;
using weft::counting::Number, weft::counting::Work, weft::counting::WorkKind;
namespace counting = weft::counting;

static_assert(weft::Backend<weft::Counting<float>>);
static_assert(weft::Backend<weft::Counting<Number<2>>>);
static_assert(weft::Backend<weft::Counting<Number<2>, Number<1>>>);
static_assert(!weft::holds_numbers<weft::Counting<float>> && weft::holds_numbers<weft::Host>);

TEST_CASE("Buffers count their bytes, now and at most, as long as they live") {
  counting::Queue queue;
  counting::Buffer<float> kept;
  {
    const counting::Buffer<float> a(queue, 10);
    counting::Buffer<Number<2>> b(queue, 100);
    CHECK(queue.memory().bytes() == 240);
    const counting::Buffer<Number<2>> moved = std::move(b);
    CHECK(queue.memory().bytes() == 240);
    kept = {queue, 5};
    CHECK(a.view(std::array{Index{10}}).data != kept.view(std::array{Index{5}}).data);
  }
  CHECK(queue.memory().bytes() == 20);
  kept = {queue, 7};
  CHECK(queue.memory().bytes() == 28);
  CHECK(queue.memory().peak() == 260);
  CHECK(queue.counts().allocations == 4);
  const weft::counting::Memory& memory = *kept.memory();
  { const counting::Queue gone = std::move(queue); }
  CHECK(memory.bytes() == 28);
}

TEST_CASE("Operators append their sizes, for the numbers of any backend") {
  counting::Queue queue;
  weft::host::Queue host;
  const weft::host::Buffer<float> memory(host, 6 * 8);
  const View<float, 2> x = memory.view(std::array<Index, 2>{6, 8});
  const counting::Buffer<float> weights(queue, 4 * 8), out(queue, 6 * 4);
  const View<float, 2> y = out.view(std::array<Index, 2>{6, 4});
  linear(queue, x, weft::LinearWeights<float>{weights.view(std::array<Index, 2>{4, 8})}, y,
         {.activation = weft::Activation::silu, .residual = y});
  CHECK(queue.work().back() == Work{.kind = WorkKind::product,
                                    .m = 6,
                                    .n = 4,
                                    .k = 8,
                                    .passes = 2,
                                    .bytes = 4 * (6 * 8 + 4 * 8 + 6 * 4)});
  CHECK(queue.work().back().flop() == 2 * 6 * 4 * 8);

  const View<float, 4> heads = memory.view(std::array<Index, 4>{3, 2, 4, 2});
  attention(queue, heads, heads.slice<0>({0, 1}), heads.slice<0>({0, 1}), heads);
  CHECK(queue.work().back().kind == WorkKind::attention);
  CHECK(queue.work().back().flop() == 4 * 3 * 1 * 8 * 2);

  queue.clear();
  const weft::LinearWeights<float> layer{weights.view(std::array<Index, 2>{4, 8})};
  project_heads(queue, std::vector<weft::HeadProjection<float>>{{x, layer, y}, {x, layer, y}},
                std::vector<weft::HeadMove<float>>{{heads, heads}}, weft::HeadsGo::to_own_memory);
  CHECK(queue.work().size() == 3);
  CHECK(queue.work()[1].kind == WorkKind::product);
  CHECK(queue.work()[2] == Work{.kind = WorkKind::rows, .bytes = 2 * 4 * 48});

  queue.clear();
  norm(queue, memory.view(std::array<Index, 3>{3, 2, 8}), {}, {}, memory.view(std::array<Index, 3>{3, 2, 8}));
  linear(queue, x.slice<0>({0, 0}), weft::LinearWeights<float>{weights.view(std::array<Index, 2>{4, 8})},
         y.slice<0>({0, 0}));
  CHECK(queue.work() == std::vector<Work>{{.kind = WorkKind::rows, .bytes = 2 * 4 * 48}});
  CHECK(download(queue, x).shape == weft::Shape{6, 8});
}
