// Attention for heads of HEAD_DIM, on the tier that this program is compiled for.
#include "weft/attention.cuh"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "device_array.cuh"

using namespace weft;
using kernels::test::DeviceArray;

namespace {

struct Shape {
  Index queries, keys, batch, heads;
  float spread = 1;  // of q and k
  float early = 1;   // of the first half of the keys, which attention may meet after the others
  Index merged = 0;  // so many keys come later, and are merged with what there is
};

/// A (tokens, B, H, D) view with gaps around every row of heads, on the device.
template <class E>
struct Operand {
  Index heads, head_dim, columns;
  DeviceArray<E> data;
  View<E, 4> view;

  Operand(Index tokens, Index batch, Index h, Index d, bool gaps)
      : heads(h),
        head_dim(d),
        columns((h + (gaps ? 2 : 0)) * d),
        data(std::max<Index>(tokens * batch * columns, 1)) {
    view = {data.get() + (gaps ? d : 0), {tokens, batch, h, d}, {batch * columns, columns, d, 1}};
  }
  Index offset(Index token, Index b, Index h) const {
    return view.data - data.get() + token * view.stride[0] + b * view.stride[1] + h * view.stride[2];
  }
};

template <class E>
void randomize(Operand<E>& x, float spread, std::mt19937& random, float early = 1) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<E> host(x.data.size());
  for (std::size_t i = 0; i < host.size(); ++i)
    host[i] = E(normal(random) * (2 * i < host.size() ? early : 1));
  x.data.upload(host);
}

struct Reference {
  std::vector<double> out;
  double lse;
};

template <class E>
Reference reference(const std::vector<float>& q, const std::vector<float>& k, const std::vector<float>& v,
                    const Operand<E>& qs, const Operand<E>& ks, Index token, Index b, Index h) {
  const Index keys = ks.view.extent[0], d = qs.head_dim;
  std::vector<double> logit(keys);
  double top = -INFINITY, sum = 0;
  for (Index s = 0; s < keys; ++s) {
    for (Index i = 0; i < d; ++i) {
      logit[s] += double(q[qs.offset(token, b, h) + i]) * k[ks.offset(s, b, h) + i];
    }
    logit[s] /= std::sqrt(double(d));
    top = std::max(top, logit[s]);
  }
  Reference out{std::vector<double>(d), 0};
  for (Index s = 0; s < keys; ++s) {
    const double weight = std::exp(logit[s] - top);
    sum += weight;
    for (Index i = 0; i < d; ++i) out.out[i] += weight * v[ks.offset(s, b, h) + i];
  }
  if (keys) {
    for (double& x : out.out) x /= sum;
  }
  out.lse = top + std::log(sum);
  return out;
}

template <class E, int D>
void compare(Shape shape, bool gaps, unsigned seed) {
  CAPTURE(D);
  CAPTURE(shape.queries);
  CAPTURE(shape.keys);
  CAPTURE(gaps);
  std::mt19937 random(seed);
  Operand<E> q(shape.queries, shape.batch, shape.heads, D, gaps),
      k(shape.keys, shape.batch, shape.heads, D, gaps), v(shape.keys, shape.batch, shape.heads, D, gaps),
      out(shape.queries, shape.batch, shape.heads, D, gaps);
  DeviceArray<float> lse_data(shape.queries * shape.batch * shape.heads);
  const View<float, 3> lse(lse_data.get(), {shape.queries, shape.batch, shape.heads});
  randomize(q, shape.spread, random);
  randomize(k, shape.spread, random, shape.early);
  randomize(v, 1, random);

  std::vector<E> first_out;
  std::vector<float> first_lse;
  for (int run = 0; run < 2; ++run) {
    out.data.fill(0xff);
    lse_data.fill(0xff);
    const Range first{0, shape.keys - shape.merged}, later{first.end, shape.keys};
    kernels::attention<D>(nullptr, q.view, k.view.template slice<0>(first), v.view.template slice<0>(first),
                          out.view, lse);
    if (shape.merged > 0)
      kernels::attention<D>(nullptr, q.view, k.view.template slice<0>(later), v.view.template slice<0>(later),
                            out.view, lse, Output::merge);
    const auto now_out = out.data.download();
    const auto now_lse = lse_data.download();
    if (run == 0) {
      first_out = now_out, first_lse = now_lse;
    } else {
      CHECK(std::memcmp(now_out.data(), first_out.data(), now_out.size() * sizeof(E)) == 0);
      CHECK(std::memcmp(now_lse.data(), first_lse.data(), now_lse.size() * sizeof(float)) == 0);
    }
  }

  const auto host = [](const Operand<E>& x) {
    const std::vector<E> data = x.data.download();
    return std::vector<float>(data.begin(), data.end());
  };
  const auto host_q = host(q), host_k = host(k), host_v = host(v);
  std::vector<bool> written(first_out.size());
  double error = 0, norm = 0, lse_error = 0;
  const Index step = std::max<Index>(1, shape.queries / 23);
  for (Index token = 0; token < shape.queries; ++token) {
    for (Index b = 0; b < shape.batch; ++b) {
      for (Index h = 0; h < shape.heads; ++h) {
        for (Index i = 0; i < D; ++i) written[out.offset(token, b, h) + i] = true;
        if (token % step && token + 1 < shape.queries) continue;
        const Reference want = reference(host_q, host_k, host_v, q, k, token, b, h);
        for (Index i = 0; i < D; ++i) {
          const double got = float(first_out[out.offset(token, b, h) + i]);
          error += (got - want.out[i]) * (got - want.out[i]);
          norm += want.out[i] * want.out[i];
        }
        const double got = first_lse[(token * shape.batch + b) * shape.heads + h];
        if (got != want.lse) {
          const double off = std::abs(got - want.lse) / std::max(1., std::abs(want.lse) / 16);
          lse_error = std::max(lse_error, std::isnan(off) ? INFINITY : off);
        }
      }
    }
  }
  CHECK(std::sqrt(error) <= (std::is_same_v<E, __half> ? 1e-3 : 6e-3) * std::sqrt(norm));
  CHECK(lse_error <= 1e-4);
  Index trampled = 0, missed = 0;
  for (std::size_t i = 0; i < written.size(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, &first_out[i], 2);
    trampled += !written[i] && bits != 0xffff;
    missed += written[i] && bits == 0xffff;
  }
  CHECK(trampled == 0);
  CHECK(missed == 0);
}

const std::vector<Shape> small = {
    {1, 1, 1, 1},
    {128, 128, 1, 2},
    {64, 333, 2, 3},
    {200, 77, 1, 3},
    {129, 257, 2, 1},
    {333, 640, 1, 2},
    {5, 1000, 1, 1},
    {70, 511, 1, 2, 4},      // logits that outgrow those of the first
                             // tile
    {30, 700, 1, 2, 2, 20},  // and that outgrow float32's exponents
};
const std::vector<Shape> large = {
    {1024, 700, 2, 16, 2},  // several tiles of queries a block
    {700, 200, 4, 16},      // so many that blocks take taller ones
};

const std::vector<Shape> merged = {
    {200, 333, 2, 3, 1, 1, 100},   {70, 511, 1, 2, 4, 1, 257},
    {333, 1500, 1, 2, 2, 20, 700}, {40, 90, 1, 2, 1, 1, 90},  // onto nothing
    {1024, 700, 2, 16, 2, 1, 350},                            // several tiles of queries a block
};

template <class E>
void compare_all(const std::vector<Shape>& shapes) {
  if (std::is_same_v<E, __nv_bfloat16> && kernels::current_tier() == kernels::Tier::sm70) return;
  unsigned seed = 0;
  for (const Shape& shape : shapes) {
    for (bool gaps : {false, true}) compare<E, HEAD_DIM>(shape, gaps, ++seed);
  }
}

}  // namespace

TEST_CASE("attention of small bfloat16 tensors agrees with float64") { compare_all<__nv_bfloat16>(small); }
TEST_CASE("attention of small float16 tensors agrees with float64") { compare_all<__half>(small); }
TEST_CASE("attention of large bfloat16 tensors agrees with float64") { compare_all<__nv_bfloat16>(large); }
TEST_CASE("attention of large float16 tensors agrees with float64") { compare_all<__half>(large); }
TEST_CASE("attention in bfloat16 over further keys merges with what there is") {
  compare_all<__nv_bfloat16>(merged);
}
TEST_CASE("attention in float16 over further keys merges with what there is") { compare_all<__half>(merged); }

TEST_CASE("attention over no keys is zero, with a log-sum-exp of minus infinity") {
  compare<__half, HEAD_DIM>({70, 0, 2, 3}, true, 1);
}

TEST_CASE("attention goes without a log-sum-exp, and does nothing for no queries") {
  std::mt19937 random(1);
  Operand<__half> q(40, 1, 2, HEAD_DIM, false), k(50, 1, 2, HEAD_DIM, false), out(40, 1, 2, HEAD_DIM, false);
  randomize(q, 1, random);
  randomize(k, 1, random);
  out.data.fill(0xff);
  kernels::attention<HEAD_DIM>(nullptr, q.view, k.view, k.view, out.view);
  for (__half x : out.data.download()) REQUIRE_FALSE(__hisnan(x));
  kernels::attention<HEAD_DIM>(nullptr, q.view.slice<0>({0, 0}), k.view, k.view, out.view.slice<0>({0, 0}));
}
