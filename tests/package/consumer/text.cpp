#include <weft/pipeline/levels.hpp>
#include <weft/text/tokenizer.hpp>

int main() {
  const bool is_white = weft::pipeline::levels_of(weft::Tensor({1, 1, 1}, {1})).front() == 255;
  return is_white && weft::text::composed(U"e\u0301") == U"\u00E9" ? 0 : 1;
}
