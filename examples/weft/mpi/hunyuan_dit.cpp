#include "in_process.hpp"

template struct command::InMpiProcess<weft::HunyuanDiT<weft::Host>>;
