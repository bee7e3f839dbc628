#include <doctest/doctest.h>

#include "folders.hpp"

using doctest::Contains;

namespace {

/// A vocabulary of a few letters, in which <|startoftext|> is 0 and <|endoftext|> 1.
struct Clip : TokenizerFolder {
  Clip(const std::string& pieces, const std::string& merges, const std::string& settings = "") {
    folder.write("vocab.json", R"({"<|startoftext|>": 0, "<|endoftext|>": 1)" + pieces + "}");
    folder.write("merges.txt", "#version: 0.2\n" + merges);
    write_config("CLIPTokenizer", settings);
  }

  Ids inner(std::string_view prompt) const {
    const Ids all = ids(prompt);
    REQUIRE(all.size() >= 2);
    return {all.begin() + 1, all.end() - 1};
  }
};

const std::string letters = R"(, "a": 2, "a</w>": 3, "b": 4, "b</w>": 5, "aa": 6, "ab</w>": 7, "aab</w>": 8)";

Ids clip_ids(const char* folder, std::string_view prompt) {
  const Ids all = weft::text::Tokenizer::read(goldens / "clip_text" / "model" / folder).ids(prompt);
  return {all.begin() + 1, all.end() - 1};
}

}  // namespace

TEST_CASE("BytePairs: the earliest merge first, the leftmost of equal ones") {
  const Clip clip(letters, "a a\na b</w>\naa b</w>\n");
  CHECK(clip.ids("") == Ids{0, 1});
  CHECK(clip.inner("ab") == Ids{7});
  CHECK(clip.inner("aab") == Ids{8});
  CHECK(clip.inner("aaab") == Ids{6, 7});
  CHECK(clip.inner("aaaa a") == Ids{6, 2, 3, 3});
  CHECK(Clip(letters, "a b</w>\na a\naa b</w>\n").inner("aab") == Ids{2, 7});
  CHECK(clip.inner("ac") == Ids{2, 1});  // no piece has the byte c
}

TEST_CASE("BytePairs: words of letters, single numbers, signs and contractions") {
  CHECK(clip_ids("tokenizer", "don't I'LL we're") == Ids{847, 713, 328, 1342, 649, 982});
  CHECK(clip_ids("tokenizer", "１２ 3¾Ⅷ") == Ids{171, 120, 495, 171, 120, 496, 274, 126, 378, 158, 227, 371});
  CHECK(clip_ids("tokenizer", "ΟΔΟΣ") == Ids{138, 123, 138, 112, 138, 123, 139, 481});
  CHECK(clip_ids("tokenizer", "İstanbul e\u0301") == Ids{328, 16384, 11231, 4166});
  CHECK(clip_ids("tokenizer", "a\u0085b\u2028c") == Ids{320, 321, 322});
}

TEST_CASE("BytePairs: added tokens in the prompt, and those that are normalized in any case") {
  CHECK(clip_ids("tokenizer", "hi!!! wow! a !") == Ids{1883, 995, 2781, 256, 320, 256});
  CHECK(clip_ids("tokenizer_2", "hi!!! wow! a !") == Ids{1883, 0, 0, 0, 2781, 0, 320, 0});
  CHECK(clip_ids("tokenizer", "A<|EndOfText|>b") == Ids{320, 49407, 321});
}

TEST_CASE("BytePairs: cut to the length with <|endoftext|> last, padded with the pad token") {
  const auto tokenizer = Clip(letters, "", R"("pad_token": "a", "model_max_length": 77)").read();
  CHECK(tokenizer.encode("b b b", 4).ids == Ids{0, 5, 5, 1});
  const auto padded = tokenizer.encode("b", 5);
  CHECK(padded.ids == Ids{0, 5, 1, 2, 2});
  CHECK(padded.mask == Ids{1, 1, 1, 0, 0});
}

TEST_CASE("BytePairs: many bytes of one word are merged in time") {
  CHECK(Clip(letters, "a a\n").inner(std::string(65536, 'a')).size() == 32769);
}

TEST_CASE("BytePairs: files that do not fit together are rejected") {
  const auto rejects = [](const Clip& clip, const char* text) {
    CHECK_THROWS_WITH_AS(clip.read(), Contains(text), weft::InvalidArgument);
  };
  rejects(Clip(letters, "a a a\n"), "merges.txt: line 2 is not two pieces");
  rejects(Clip(letters, "a\n"), "merges.txt: line 2 is not two pieces");
  rejects(Clip(letters, "a a\nb b</w>\n"), "line 3 needs the piece bb</w>, which vocab.json does not have");
  rejects(Clip(R"(, "a": -1)", ""), "vocab.json: a is -1 and must be an id");
  rejects(Clip(letters, "", R"("do_lower_case": false)"), "do_lower_case is false");
  const Clip clip(letters, "");
  clip.folder.write("merges.txt", "a a\n");
  rejects(clip, "must begin with a line #version: 0.2");
  std::filesystem::remove(clip.folder / "vocab.json");
  rejects(clip, "vocab.json");
}
