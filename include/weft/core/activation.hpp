// Activations of a linear layer's epilogue.
#pragma once

namespace weft::inline v0_1 {

/// An elementwise function of a product. `gelu_tanh` is the tanh approximation of Hendrycks and Gimpel,
/// "Gaussian Error Linear Units", 2016.
enum class Activation { none, gelu_tanh, silu };

}  // namespace weft::inline v0_1
