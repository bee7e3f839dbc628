#include <weft/text/tokenizer.hpp>

int main() { return weft::text::composed(U"e\u0301") == U"\u00E9" ? 0 : 1; }
