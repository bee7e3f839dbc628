#include <cmath>
#include <weft/weft.hpp>

static_assert(weft::split(10, 3, 1) == weft::Range{3, 6});

int main() { return std::isfinite(weft::normal(7, 0, 0)) ? 0 : 1; }
