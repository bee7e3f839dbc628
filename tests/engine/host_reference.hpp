// Results of the Host backend, for tests of devices.
#pragma once

#include "golden.hpp"
#include "weft/model/pixart/config.hpp"
#include "weft/model/pixart/prompt.hpp"

weft::Tensor generate_on_host(const Golden& golden, const weft::Mesh& mesh,
                              const weft::Request<Prompt>& request);

/// Returns what PixArt with random weights computes.
weft::Tensor pixart_on_host(const weft::PixArtConfig& config,
                            const weft::Evaluation<weft::PixArtPrompt>& evaluation);
