// The activations that linear layers end in.
#pragma once

namespace weft {

/// GELU is the tanh form of Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
enum class Activation { none, gelu_tanh, silu };

}  // namespace weft
