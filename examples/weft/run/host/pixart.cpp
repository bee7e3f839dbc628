#include "weft/model/pixart.hpp"
#include "on_threads.hpp"

template struct command::OnThreads<weft::PixArt<weft::Host>>;
