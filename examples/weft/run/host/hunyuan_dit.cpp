#include "on_threads.hpp"

template struct command::OnThreads<weft::HunyuanDiT<weft::Host>>;
