#include <cmath>
#include <string_view>
#include <weft/weft.hpp>

static_assert(weft::split(10, 3, 1) == weft::Range{3, 6});
#ifdef PACKAGE_VERSION
static_assert(std::string_view(WEFT_VERSION) == PACKAGE_VERSION);
#endif

int main() { return std::isfinite(weft::normal(7, 0, 0)) ? 0 : 1; }
