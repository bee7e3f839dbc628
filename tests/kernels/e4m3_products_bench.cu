// HunyuanDiT's matrix products in bfloat16 and in e4m3, with their epilogues: which of them cuBLASLt has, and
// their times.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/elementwise.cuh"
#include "weft/backend/cuda/linear.cuh"
#include "weft/backend/cuda/loader.cuh"
#include "weft/e4m3.cuh"

namespace {

using weft::Index;
using weft::View;
using weft::cuda::Algorithm;
using weft::cuda::Buffer;
using weft::cuda::check;
using weft::cuda::Matmul;
using weft::cuda::Products;
using Bf16 = __nv_bfloat16;
using E4m3 = __nv_fp8_e4m3;

enum class Scales { none, one, outer };

struct Variant {
  const char* name;
  bool e4m3, e4m3_out;
  Scales scales;
  bool fast_accumulation, adds;
  cublasLtEpilogue_t epilogue;
  bool narrows_after = false;  // GELU and the conversion to e4m3 in kernels of their own
};

constexpr Variant variants[] = {
    {"bf16, bias", false, false, Scales::none, false, false, CUBLASLT_EPILOGUE_BIAS},
    {"bf16, bias, residual", false, false, Scales::none, false, true, CUBLASLT_EPILOGUE_BIAS},
    {"bf16, bias, GELU", false, false, Scales::none, false, false, CUBLASLT_EPILOGUE_GELU_BIAS},
    {"e4m3, bias", true, false, Scales::one, true, false, CUBLASLT_EPILOGUE_BIAS},
    {"e4m3, bias, slow accumulation", true, false, Scales::one, false, false, CUBLASLT_EPILOGUE_BIAS},
    {"e4m3, bias, residual", true, false, Scales::one, true, true, CUBLASLT_EPILOGUE_BIAS},
    {"e4m3, residual", true, false, Scales::one, true, true, CUBLASLT_EPILOGUE_DEFAULT},
    {"e4m3, bias, GELU", true, false, Scales::one, true, false, CUBLASLT_EPILOGUE_GELU_BIAS},
    {"e4m3, bias, GELU to e4m3", true, true, Scales::one, true, false, CUBLASLT_EPILOGUE_GELU_BIAS},
    {"e4m3, bias, then GELU to e4m3", true, false, Scales::one, true, false, CUBLASLT_EPILOGUE_BIAS, true},
    {"e4m3, rows x channels, bias", true, false, Scales::outer, true, false, CUBLASLT_EPILOGUE_BIAS},
    {"e4m3, rows x channels, bias, residual", true, false, Scales::outer, true, true, CUBLASLT_EPILOGUE_BIAS},
    {"e4m3, rows x channels, bias, GELU", true, false, Scales::outer, true, false,
     CUBLASLT_EPILOGUE_GELU_BIAS},
};

class Bench {
 public:
  Bench(Index rows, Index inputs, Index outputs)
      : rows_(rows),
        inputs_(inputs),
        outputs_(outputs),
        x_(queue_, rows * inputs),
        out_(queue_, rows * outputs),
        weight_(queue_, outputs * inputs),
        bias_(queue_, outputs),
        x8_(queue_, rows * inputs * 2),
        out8_(queue_, rows * outputs * 2),
        weight8_(queue_, outputs * inputs),
        scales_(queue_, std::max(rows, outputs)) {
    weft::cuda::Loader loader(queue_);
    const auto fill = [&loader](const auto& buffer, float mean, float deviation) {
      loader.fill(weft::RandomNumbers{1, 0, mean, deviation},
                  buffer.view(std::array{Index{1}, Index{1}, buffer.size()}));
    };
    fill(x_, 0, 1);
    fill(x8_, 0, 1);
    fill(bias_, 0, 1);
    fill(weight_, 0, 0.03f);
    fill(weight8_, 0, 30);
    fill(scales_, 1e-3f, 0);
    fill(out_, 0, 1);
    queue_.synchronize();
  }

  void run(const Variant& variant) {
    std::printf("%6ld x %4ld -> %4ld  %-40s", rows_, inputs_, outputs_, variant.name);
    std::fflush(stdout);
    // Rows of operands in e4m3 are as far apart as rows of as many elements, as in the model.
    const Index x_stride = variant.e4m3 ? 2 * inputs_ : inputs_;
    const Index out_stride = variant.e4m3_out ? 2 * outputs_ : outputs_;
    Matmul matmul(variant.e4m3 ? CUDA_R_8F_E4M3 : CUDA_R_16BF,
                  variant.e4m3_out ? CUDA_R_8F_E4M3 : CUDA_R_16BF, rows_, inputs_, outputs_, x_stride,
                  inputs_, out_stride);
    matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, variant.epilogue);
    const auto flat = [](const auto& buffer) { return buffer.view(std::array{buffer.size()}).data; };
    const void* const bias = flat(bias_);
    if (variant.epilogue != CUBLASLT_EPILOGUE_DEFAULT) {
      matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
      matmul.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(CUDA_R_16BF));
    }
    const void* const scales = flat(scales_);
    if (variant.e4m3) {
      matmul.set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, static_cast<std::int8_t>(variant.fast_accumulation));
      matmul.set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, scales);
    }
    if (variant.scales == Scales::outer) {
      const auto mode = static_cast<std::int32_t>(CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F);
      matmul.set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, scales);
      matmul.set(CUBLASLT_MATMUL_DESC_A_SCALE_MODE, mode);
      matmul.set(CUBLASLT_MATMUL_DESC_B_SCALE_MODE, mode);
    }
    const void* const weight = variant.e4m3 ? static_cast<const void*>(flat(weight8_)) : flat(weight_);
    const void* const x = variant.e4m3 ? static_cast<const void*>(flat(x8_)) : flat(x_);
    void* const out = variant.e4m3_out ? static_cast<void*>(flat(out8_)) : flat(out_);
    const View<Bf16, 2> wide = out_.view(std::array{rows_, outputs_});
    const View<E4m3, 2> narrow(flat(out8_), {rows_, outputs_}, {2 * outputs_, 1});

    Products& products = queue_.products();
    const weft::cuda::Operands operands{weight, x, variant.adds ? out : nullptr, out};
    const auto candidates = matmul.candidates(products.handle(), weft::cuda::Alignments(operands));
    double best = 0;
    int ran = 0;
    cublasStatus_t failure = CUBLAS_STATUS_SUCCESS;
    for (const Algorithm& algorithm : candidates) {
      const auto once = [&] {
        const cublasStatus_t status =
            matmul.run(products.handle(), queue_.stream(), products.workspace(), operands, algorithm);
        if (variant.narrows_after) {
          activate(queue_, weft::Activation::gelu_tanh, wide);
          weft::kernels::narrow<Bf16>(queue_.stream(), View<const Bf16, 2>(wide), narrow);
        }
        return status;
      };
      const cublasStatus_t status = once();
      if (status != CUBLAS_STATUS_SUCCESS) {
        failure = status;
        continue;
      }
      const double microseconds = time(once);
      best = ran++ == 0 ? microseconds : std::min(best, microseconds);
    }
    std::printf("%d found, %d ran", static_cast<int>(candidates.size()), ran);
    if (ran == 0 && failure != CUBLAS_STATUS_SUCCESS) std::printf(" (%s)", cublasLtGetStatusString(failure));
    if (ran > 0)
      std::printf(", %7.1f us, %5.0f TFLOP/s", best,
                  2e-6 * static_cast<double>(rows_ * inputs_ * outputs_) / best);
    std::printf("\n");
    std::fflush(stdout);
  }

 private:
  double time(const std::function<void()>& work) {
    cudaEvent_t begin, end;
    check(cudaEventCreate(&begin), "timing");
    check(cudaEventCreate(&end), "timing");
    constexpr int repeats = 20;
    check(cudaEventRecord(begin, queue_.stream()), "timing");
    for (int i = 0; i < repeats; ++i) work();
    check(cudaEventRecord(end, queue_.stream()), "timing");
    check(cudaEventSynchronize(end), "timing");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end), "timing");
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    return 1e3 * milliseconds / repeats;
  }

  weft::cuda::Queue queue_;
  Index rows_, inputs_, outputs_;
  Buffer<Bf16> x_, out_, weight_, bias_;
  Buffer<E4m3> x8_, out8_, weight8_;
  Buffer<float> scales_;
};

}  // namespace

int main() {
  std::printf("cuBLASLt %zu\n", cublasLtGetVersion());
  for (const Index rows : {2048, 8192, 32768})
    for (const auto& [inputs, outputs] :
         {std::pair{1408, 4224}, {1408, 1408}, {2816, 1408}, {1408, 6144}, {6144, 1408}}) {
      Bench bench(rows, inputs, outputs);
      for (const Variant& variant : variants) bench.run(variant);
    }
}
