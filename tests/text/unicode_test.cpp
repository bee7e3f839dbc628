#include <doctest/doctest.h>

#include "weft/text/lower_case.hpp"
#include "weft/text/unicode.hpp"

using doctest::Contains;
using namespace weft::text;

TEST_CASE("decoded: what is not UTF-8 is rejected with its place") {
  CHECK(decoded("aé€😀", "x") == U"aé€😀");
  CHECK(decoded(std::string_view("\0", 1), "x").size() == 1);
  const auto rejects = [](std::string_view text, const char* place) {
    CHECK_THROWS_WITH_AS(decoded(text, "the prompt"), Contains(place), weft::InvalidArgument);
  };
  rejects("a\xFF", "the prompt is not UTF-8 at byte 1, 255; convert it to UTF-8");
  rejects("\x80", "at byte 0");
  rejects("é\xE2\x82", "at byte 2");            // cut off
  rejects("\xC0\xAF", "at byte 0");             // longer than needed
  rejects("\xED\xA0\x80", "at byte 0");         // a surrogate
  rejects("abc\xF4\x90\x80\x80", "at byte 3");  // above U+10FFFF
}

TEST_CASE("encoded: gives back what decoded took") {
  const std::string text = "aé€😀\U0010FFFF";
  CHECK(encoded(decoded(text, "x")) == text);
}

TEST_CASE("composed and decomposed: canonical forms alone, marks in their order") {
  CHECK(composed(U"e\u0301") == U"é");
  CHECK(decomposed(U"é") == U"e\u0301");
  CHECK(decomposed(U"한") == U"\u1112\u1161\u11AB");
  CHECK(composed(U"\u1112\u1161\u11AB") == U"한");
  CHECK(decomposed(U"a\u0301\u0323") == U"a\u0323\u0301");
  CHECK(composed(U"ﬁ½\u212B") == U"ﬁ½\u00C5");
  CHECK(composed(U"").empty());
}

TEST_CASE("lower_case: İ becomes two code points, a sigma depends on its word") {
  CHECK(lower_case(U"ÀǄẞÅΩ") == U"àǆßåω");
  CHECK(lower_case(U"İI") == U"i\u0307i");
  CHECK(lower_case(U"ΟΔΟΣ ΣΑΣ Σ") == U"οδος σας σ");
  CHECK(lower_case(U"ΑΣ.Β ΑΣ. ΑΣ'") == U"ασ.β ας. ας'");
  CHECK(lower_case(U"ªΣ ⅠΣ ⒶΣ ㊀Σ") == U"ªς ⅰς ⓐς ㊀σ");
}

TEST_CASE("is_white_space: the property, not the C locale's") {
  for (const char32_t c : U"\t\n\v\f\r \u0085\u00A0\u1680\u2000\u2028\u2029\u202F\u205F\u3000")
    if (c != 0) CHECK(is_white_space(c));
  for (const char32_t c : U"\u200B\u180E\uFEFF\u001Fa") CHECK(!is_white_space(c));
}
