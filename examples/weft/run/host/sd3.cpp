#include "weft/model/sd3.hpp"
#include "on_threads.hpp"

template struct command::OnThreads<weft::SD3<weft::Host>>;
