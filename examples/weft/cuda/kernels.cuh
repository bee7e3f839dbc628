// The operators that launch kernels, whatever the model. They are most of what there is to compile, so a
// dtype has them in one unit, which command_kernels of units.cmake generates. The other units include this
// header too, which declares them `extern`; what is missing here every unit compiles for itself.
#pragma once

#include "backend.cuh"

// Each macro declares operators where `EXTERN` is extern, and defines them where it is empty.

/// Attention on the queues of a backend.
#define COMMAND_ATTENTION(EXTERN, Backend, E)                                                        \
  EXTERN template void weft::cuda::attention(                                                        \
      Backend::Queue&, weft::In<E, 4>, weft::In<E, 4>, weft::In<E, 4>, const weft::Stretches<E, 4>&, \
      const weft::View<float, 3>&, weft::Output, const weft::KeyMask&);

/// The operators on elements of type `E`.
#define COMMAND_KERNELS(EXTERN, E)                                                                          \
  COMMAND_ATTENTION(EXTERN, command::Cuda<E>, E)                                                            \
  EXTERN template void weft::cuda::norm_pair(weft::cuda::Queue&, weft::In<E, 3>, weft::In<E, 3>,            \
                                             const weft::NormWeights&, const weft::View<E, 3>&);            \
  EXTERN template void weft::cuda::move_heads(weft::cuda::Queue&, const std::vector<weft::HeadMove<E>>&);   \
  EXTERN template void weft::cuda::activate(weft::cuda::Queue&, weft::Activation, const weft::View<E, 2>&); \
  COMMAND_PROJECT_HEADS(EXTERN, E, E)                                                                       \
  COMMAND_LINEAR(EXTERN, E, E)

/// Layers of heads with elements of type `E` and operands of type `O`.
#define COMMAND_PROJECT_HEADS(EXTERN, E, O)                                                      \
  EXTERN template void weft::cuda::project_heads(command::OwnAttention<E>::Queue&,               \
                                                 const std::vector<weft::HeadProjection<E, O>>&, \
                                                 std::vector<weft::HeadMove<E>>, weft::HeadsGo);

/// Norms of type `E`; those of float32 other types need too, for the streams of text encoders.
#define COMMAND_NORM(EXTERN, E)                                                                       \
  EXTERN template void weft::cuda::norm(weft::cuda::Queue&, weft::In<E, 3>, const weft::NormWeights&, \
                                        const weft::Modulation&, const weft::View<E, 3>&);

/// A linear layer on elements of type `E` with outputs of type `Out`.
#define COMMAND_LINEAR(EXTERN, E, Out)                                                                       \
  EXTERN template void weft::cuda::linear(weft::cuda::Queue&, weft::In<E, 2>, const weft::LinearWeights<E>&, \
                                          const weft::View<Out, 2>&,                                         \
                                          const std::type_identity_t<weft::Epilogue<E>>&);

/// The same of elements narrower than float, and what else those need.
#define COMMAND_NARROW_KERNELS(EXTERN, E)                \
  COMMAND_ATTENTION(EXTERN, command::OwnAttention<E>, E) \
  COMMAND_KERNELS(EXTERN, E)                             \
  COMMAND_NORM(EXTERN, E)                                \
  COMMAND_LINEAR(EXTERN, E, float)                       \
  COMMAND_FILLS(EXTERN, E)                               \
  COMMAND_COPIES(EXTERN, E, E)                           \
  COMMAND_COPIES(EXTERN, float, E)

/// Weights of type `T`, from files or at random.
#define COMMAND_FILLS(EXTERN, T)                                                                  \
  EXTERN template void weft::kernels::unpack(cudaStream_t, weft::Dtype, const void*, weft::Index, \
                                             weft::Index, const weft::View<T, 3>&);               \
  COMMAND_EACH_NUMBER(EXTERN, Draw<T>)
#define COMMAND_EACH_NUMBER(EXTERN, ...)                                                      \
  EXTERN template void weft::kernels::for_each_number(cudaStream_t, weft::Index, weft::Index, \
                                                      const weft::kernels::__VA_ARGS__&);

#define COMMAND_COPIES(EXTERN, From, To) \
  COMMAND_COPY(EXTERN, From, To, 2)      \
  COMMAND_COPY(EXTERN, From, To, 3)      \
  COMMAND_COPY(EXTERN, From, To, 4)
#define COMMAND_COPY(EXTERN, From, To, rank)                                                     \
  EXTERN template void weft::cuda::copy(weft::cuda::Queue&, const weft::View<const From, rank>&, \
                                        const weft::View<To, rank>&);                            \
  EXTERN template void weft::cuda::copy(weft::cuda::Queue&, const weft::View<From, rank>&,       \
                                        const weft::View<To, rank>&);

/// Linear layers in e4m3 between elements in bfloat16.
#define COMMAND_E4M3_KERNELS(EXTERN)                                                                         \
  EXTERN template void weft::kernels::quantize(cudaStream_t, const __nv_bfloat16*, weft::Index,              \
                                               __nv_fp8_e4m3*, float*);                                      \
  EXTERN template void weft::kernels::narrow(cudaStream_t, weft::kernels::RowsOf<const __nv_bfloat16, 2>,    \
                                             weft::kernels::RowsOf<__nv_fp8_e4m3, 2>);                       \
  EXTERN template void weft::cuda::norm(weft::cuda::Queue&, const weft::View<const __nv_bfloat16, 3>&,       \
                                        const weft::NormWeights&, const weft::Modulation&,                   \
                                        const weft::View<__nv_fp8_e4m3, 3>&);                                \
  EXTERN template void weft::cuda::norm_pair(weft::cuda::Queue&, const weft::View<const __nv_bfloat16, 3>&,  \
                                             const weft::View<const __nv_bfloat16, 3>&,                      \
                                             const weft::NormWeights&, const weft::View<__nv_fp8_e4m3, 3>&); \
  COMMAND_PROJECT_HEADS(EXTERN, __nv_bfloat16, __nv_fp8_e4m3)                                                \
  COMMAND_E4M3_LINEAR(EXTERN, __nv_bfloat16)                                                                 \
  COMMAND_E4M3_LINEAR(EXTERN, __nv_fp8_e4m3)
#define COMMAND_E4M3_LINEAR(EXTERN, Out)                                                                 \
  EXTERN template void weft::cuda::linear(weft::cuda::Queue&, const weft::View<const __nv_fp8_e4m3, 2>&, \
                                          const weft::LinearWeights<__nv_bfloat16, __nv_fp8_e4m3>&,      \
                                          const weft::View<Out, 2>&, const weft::Epilogue<__nv_bfloat16>&);

/// What elements of any type need.
#define COMMAND_SHARED_KERNELS(EXTERN)                       \
  COMMAND_FILLS(EXTERN, float)                               \
  COMMAND_COPIES(EXTERN, float, float)                       \
  COMMAND_NORM(EXTERN, float)                                \
  COMMAND_EACH_NUMBER(EXTERN, AddToStep)                     \
  COMMAND_EACH_NUMBER(EXTERN, Fill<std::int32_t>)            \
  COMMAND_EACH_NUMBER(EXTERN, Noise<weft::ImageShape>)       \
  COMMAND_EACH_NUMBER(EXTERN, Guide)                         \
  COMMAND_EACH_NUMBER(EXTERN, Rescale)                       \
  COMMAND_EACH_NUMBER(EXTERN, Magnitudes<weft::SamplerStep>) \
  COMMAND_EACH_NUMBER(EXTERN, Denoise<weft::SamplerStep>)

COMMAND_SHARED_KERNELS(extern)
COMMAND_KERNELS(extern, float)
COMMAND_NARROW_KERNELS(extern, __half)
COMMAND_NARROW_KERNELS(extern, __nv_bfloat16)
COMMAND_E4M3_KERNELS(extern)
