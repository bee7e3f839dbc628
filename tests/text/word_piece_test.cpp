#include <doctest/doctest.h>

#include "folders.hpp"

using doctest::Contains;

namespace {

/// BERT's special tokens are 0 to 4: [PAD] [UNK] [CLS] [SEP] [MASK]; `pieces` follow.
struct Bert : TokenizerFolder {
  explicit Bert(const std::string& pieces, const std::string& settings = "",
                const char* name = "BertTokenizer") {
    folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + pieces);
    write_config(name, settings);
  }

  /// Returns the ids between [CLS] and [SEP].
  Ids inner(std::string_view prompt) const {
    const Ids all = ids(prompt);
    REQUIRE(all.size() >= 2);
    CHECK(all.front() == 2);
    CHECK(all.back() == 3);
    return {all.begin() + 1, all.end() - 1};
  }
};

}  // namespace

TEST_CASE("WordPiece: the longest pieces from the left, or one unknown token for the word") {
  const Bert bert("un\nunder\n##stand\n##s\n##and\n");
  CHECK(bert.inner("understands under") == Ids{6, 7, 8, 6});
  CHECK(bert.inner("unstand undersx un") == Ids{5, 7, 1, 5});
  CHECK(bert.inner("") == Ids{});
  CHECK(bert.inner("stand") == Ids{1});
}

TEST_CASE("WordPiece: a word of 100 code points is split, one of 101 is unknown") {
  const Bert bert("é\n##é\na\n##a\n", R"("strip_accents": false)");
  const auto repeated = [](int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += "é";
    return out;
  };
  CHECK(bert.inner(repeated(100)).size() == 100);
  CHECK(bert.inner(repeated(101)) == Ids{1});
}

TEST_CASE("WordPiece: ideographs and punctuation stand alone, kana do not") {
  const Bert bert("中\n国\n，\n-\na\n##b\nかな\n$\n");
  CHECK(bert.inner("中国，a-ab") == Ids{5, 6, 7, 9, 8, 9, 10});
  CHECK(bert.inner("かな$かな") == Ids{11, 12, 11});
  CHECK(Bert("中国\n中\n", R"("tokenize_chinese_chars": false)").inner("中国") == Ids{5});
}

TEST_CASE("WordPiece: controls vanish, every white space splits, private and unassigned code points vanish") {
  const Bert bert("ab\na\nb\n");
  CHECK(bert.inner("a\u0001b a\u200Bb a\uE000b a\u0378b a\uFFFDb a\u00ADb") == Ids{5, 5, 5, 5, 5, 5});
  CHECK(bert.inner("a\u00A0b\u3000a\u2028b\ta\nb\ra") == Ids{6, 7, 6, 7, 6, 7, 6});
  CHECK(bert.inner(std::string_view("a\0b", 3)) == Ids{5});
}

TEST_CASE("WordPiece: case and accents as the settings say") {
  const std::string pieces = "cafe\ncafé\nCafé\nCafe\nid\ni\u0307d\n";
  CHECK(Bert(pieces).inner("CAFÉ Cafe\u0301 İD") == Ids{5, 5, 9});
  CHECK(Bert(pieces, R"("strip_accents": false)").inner("CAFÉ cafe\u0301 İD") == Ids{6, 6, 10});
  CHECK(Bert(pieces, R"("do_lower_case": false)").inner("Café Cafe\u0301 cafe") == Ids{7, 7, 5});
  CHECK(Bert(pieces, R"("do_lower_case": false, "strip_accents": true)").inner("Café") == Ids{8});
}

TEST_CASE("WordPiece: special tokens are cut out as they are written, and only so") {
  const Bert bert("a\n[\n]\nmask\n");
  CHECK(bert.inner("a[MASK]a[SEP]") == Ids{5, 4, 5, 3});
  CHECK(bert.inner("[mask]") == Ids{6, 8, 7});
  CHECK(Bert("a\nb\n", R"("added_tokens_decoder": {"9": {"content": "a b"}})").inner("xa b a") ==
        Ids{1, 9, 5});
}

TEST_CASE("WordPiece: names of special tokens from either file, CRLF, and the last of equal lines") {
  Bert bert("x\r\nx\r\n", R"("cls_token": {"content": "x"})");
  CHECK(bert.ids("x").front() == 6);
  const Bert other("<s>\n");
  other.folder.write("special_tokens_map.json", R"({"cls_token": "<s>", "sep_token": {"content": "<s>"}})");
  CHECK(other.ids("") == Ids{5, 5});
  const Bert fast("a\n", "", "BertTokenizerFast");
  CHECK(fast.inner("a") == Ids{5});
}

TEST_CASE("WordPiece: cut from the right, padded on the right") {
  const auto tokenizer = Bert("a\nb\n", R"("model_max_length": 77)").read();
  CHECK(tokenizer.longest() == 77);
  const auto padded = tokenizer.encode("a b", 6);
  CHECK(padded.ids == Ids{2, 5, 6, 3, 0, 0});
  CHECK(padded.mask == Ids{1, 1, 1, 1, 0, 0});
  const auto cut = tokenizer.encode("a b a b", 4);
  CHECK(cut.ids == Ids{2, 5, 6, 3});
  CHECK(cut.mask == Ids{1, 1, 1, 1});
  CHECK_THROWS_WITH_AS(tokenizer.encode("a", 2), Contains("is 2 tokens and must be from 3 to"),
                       weft::InvalidArgument);
}

TEST_CASE("Tokenizer: prompts that are not text or too long are rejected") {
  const auto tokenizer = Bert("a\n").read();
  CHECK_THROWS_WITH_AS(tokenizer.ids("a\xFF"), Contains("the prompt is not UTF-8 at byte 1"),
                       weft::InvalidArgument);
  CHECK(tokenizer.ids(std::string(65536, ' ')).size() == 2);
  CHECK_THROWS_WITH_AS(tokenizer.ids(std::string(65537, ' ')), Contains("has 65537 bytes, and at most 65536"),
                       weft::InvalidArgument);
}

TEST_CASE("Tokenizer: settings and vocabularies that cannot be obeyed are rejected") {
  const auto rejects = [](const std::string& settings, const std::string& text) {
    CAPTURE(settings);
    CHECK_THROWS_WITH_AS(Bert("a\n", settings).read(), Contains(text.c_str()), weft::InvalidArgument);
  };
  rejects(R"("do_basic_tokenize": false)", "do_basic_tokenize is false");
  rejects(R"("never_split": ["a"])", "never_split is not implemented");
  rejects(R"("padding_side": "left")", "padding_side is left, and only right");
  rejects(R"("truncation_side": "left")", "truncation_side is left");
  rejects(R"("strip_accents": 1)", "strip_accents is 1 and must be true or false");
  rejects(R"("cls_token": "")", "has no cls_token");
  rejects(R"("added_tokens_decoder": {"x": {"content": "a"}})",
          "has the key x, which is not the id of a token");
  rejects(R"("added_tokens_decoder": {"-1": {"content": "a"}})", "has the key -1");
  rejects(R"("added_tokens_decoder": {"1": {"content": "a", "single_word": true}})", "single_word is true");
  rejects(R"("added_tokens_decoder": {"1": {}})", "added_tokens_decoder: 1: content is missing");
  rejects(R"("added_tokens_decoder": [])", "added_tokens_decoder is an array and must be an object");
  CHECK_THROWS_WITH_AS(Bert("", "", "GPT2Tokenizer").read(),
                       Contains("tokenizer_class is GPT2Tokenizer; there are BertTokenizer"),
                       weft::InvalidArgument);
  CHECK_THROWS_WITH_AS(Bert("\xFF\n").read(), Contains("vocab.txt is not UTF-8 at byte 31"),
                       weft::InvalidArgument);
  const Bert empty("");
  empty.folder.write("vocab.txt", "");
  CHECK_THROWS_WITH_AS(empty.read(), Contains("vocab.txt is empty"), weft::InvalidArgument);
  const TokenizerFolder none;
  CHECK_THROWS_WITH_AS(none.read(), Contains("tokenizer_config.json"), weft::InvalidArgument);
}
