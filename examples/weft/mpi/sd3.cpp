#include "weft/model/sd3.hpp"
#include "in_process.hpp"

template struct command::InMpiProcess<weft::SD3<weft::Host>>;
