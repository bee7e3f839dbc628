#include "weft/model/pixart.hpp"
#include "in_process.hpp"

template struct command::InMpiProcess<weft::PixArt<weft::Host>>;
