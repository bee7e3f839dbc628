#include "worlds.hpp"

template class weft::HunyuanDiT<weft::Host>;
template class weft::Engine<Model, weft::Local>;
template class weft::Engine<Model, Full>;
