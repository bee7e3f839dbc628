#include "weft/model/flux.hpp"
#include "in_process.hpp"

template struct command::InMpiProcess<weft::Flux<weft::Host>>;
