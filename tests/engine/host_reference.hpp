// Results of the Host backend for a golden, for tests of devices.
#pragma once

#include "golden.hpp"

weft::Tensor generate_on_host(const Golden& golden, const weft::Mesh& mesh,
                              const weft::Request<Prompt>& request);
