// expect: no matching function for call to 'make_sampler
#include "weft/sampler/scheduler.hpp"

struct Cosine {};
std::vector<float> sampler_of(const Cosine&, int steps);
auto sampler = weft::make_sampler(Cosine{}, 4);
