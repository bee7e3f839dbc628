// A model of your own, whose images on eight ranks equal those on one: small_dit.hpp is all of it.
#include "small_dit.hpp"

#include <iostream>

#include "ranks.hpp"

int main() {
  using Parallel = weft::PipeFusion<weft::Ulysses<weft::Ring<>>>;
  const weft::Request<int> request = digits_request(ddim_steps(6));
  // Five blocks, three heads, 77 tokens: nothing has to be divisible. All steps warm up, so no key is stale.
  const weft::Tensor one = generated<SmallDit<Backend>, Parallel>({}, request);
  const weft::Tensor eight = generated<SmallDit<Backend>, Parallel>(
      {.pipe = 2, .ulysses = 2, .ring = 2, .patches = 3, .warmup = 6}, request);
  const bool equal = are_close(one, eight);
  std::cout << "Eight ranks and one are " << (equal ? "equal.\n" : "different.\n");
  return equal ? 0 : 1;
}
