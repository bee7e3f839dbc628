#include "weft/model/flux.hpp"
#include "on_threads.hpp"

template struct command::OnThreads<weft::Flux<weft::Host>>;
