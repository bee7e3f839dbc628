// Activations of a linear layer's epilogue.
#pragma once

namespace weft::inline v0_1 {

/// An elementwise function of a product. `gelu` and its tanh approximation, which T5 calls gelu_new, are from
/// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
enum class Activation {
  none,
  gelu_tanh,
  silu,
  gelu,        // x · (1 + erf(x / √2)) / 2
  quick_gelu,  // x · σ(1.702 x)
};

}  // namespace weft::inline v0_1
