#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>

#include "folders.hpp"

using doctest::Contains;

namespace {

constexpr int trainer = 2, normalizer = 3;

/// T5's special pieces are 0 to 2; `fields` of the model follow.
struct T5 : TokenizerFolder {
  explicit T5(const std::string& fields, const std::string& settings = R"("extra_ids": 0)") {
    write(special_pieces() + fields);
    write_config("T5Tokenizer", settings);
  }

  void write(std::string_view model) const { folder.write("spiece.model", model); }

  /// Returns the ids before </s>.
  Ids inner(std::string_view prompt) const {
    Ids all = ids(prompt);
    REQUIRE(!all.empty());
    CHECK(all.back() == 1);
    all.pop_back();
    return all;
  }
};

/// Returns a normalizer_spec that maps `from`, one ASCII character, to `to`.
std::string character_map(char from, const std::string& to) {
  // The root's children begin at offset 256: unit 256 ^ from, whose leaf is at unit 512.
  std::vector<std::uint32_t> units(1024);
  const auto offset_to = [](std::uint32_t at) { return at << 10; };
  const auto byte = static_cast<std::uint32_t>(from);
  units[0] = offset_to(256);
  units[256 ^ byte] = offset_to((256 ^ byte) ^ 512) | 1u << 8 | byte;
  units[512] = 1u << 31;  // the value: the text at 0
  const std::uint32_t size = static_cast<std::uint32_t>(units.size() * 4);
  std::string map(4 + size, '\0');
  std::memcpy(map.data(), &size, 4);
  std::memcpy(map.data() + 4, units.data(), size);
  return map + to + '\0';
}

std::string byte_pieces() {
  std::string out;
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    out += piece(name, 0, 6);
  }
  return out;
}

}  // namespace

TEST_CASE("SentencePiece: the most probable split, and </s> once") {
  const T5 t5(piece("▁", -1) + piece("▁a", -2) + piece("b", -2) + piece("▁ab", -5) + piece("a", -9));
  CHECK(t5.inner("ab") == Ids{4, 5});
  CHECK(t5.inner("b a") == Ids{3, 5, 4});
  CHECK(t5.inner("") == Ids{});
  CHECK(t5.inner(" \u3000 ") != Ids{});  // without a character map U+3000 is no space
  CHECK(t5.ids("a</s>") == Ids{4, 1});
}

TEST_CASE("SentencePiece: of equal splits, the one that is found first, in float32") {
  const T5 t5(piece("▁", -1) + piece("x", -1) + piece("xx", -2));
  CHECK(t5.inner("xxx") == Ids{3, 4, 5});
  // ▁ab and ▁ a b are both -16777219, which rounds to -16777220: as a double the second would be larger.
  const T5 rounded(piece("▁", -16777218) + piece("a", -0.25f) + piece("b", -1) + piece("ab", -1));
  CHECK(rounded.inner("ab") == Ids{3, 6});
}

TEST_CASE("SentencePiece: neighbouring unknown characters are one piece, or their bytes") {
  const std::string pieces = piece("▁", -1) + piece("a", -1);
  CHECK(T5(pieces).inner("aéüa é") == Ids{3, 4, 2, 4, 3, 2});
  const std::string fallback = bytes_field(trainer, number_field(35, 1));
  CHECK(T5(pieces + byte_pieces() + fallback).inner("aé<0x41>") ==
        Ids{3, 4, 5 + 0xC3, 5 + 0xA9, 5 + '<', 5 + '0', 5 + 'x', 5 + '4', 5 + '1', 5 + '>'});
}

TEST_CASE("SentencePiece: spaces as the normalizer says") {
  const std::string pieces = piece("▁", -1) + piece("a", -1) + piece(" ", -1) + piece("▁▁", -9);
  const auto with = [&pieces](const std::string& settings) {
    return T5(pieces + bytes_field(normalizer, settings));
  };
  CHECK(with("").inner("  a  a ") == Ids{3, 4, 3, 4});
  CHECK(with(number_field(4, 0)).inner(" a  a ") == Ids{3, 3, 4, 3, 3, 4, 3});
  CHECK(with(number_field(3, 0)).inner("a a") == Ids{4, 3, 4});
  CHECK(with(number_field(5, 0)).inner("a a") == Ids{5, 4, 5, 4});
  CHECK(with("").inner("▁") == Ids{});  // stripped like a space
}

TEST_CASE("SentencePiece: the character map of the file, the longest key first") {
  const std::string pieces = piece("▁", -1) + piece("a", -1) + piece("b", -1);
  const auto mapped = [&pieces](const std::string& map) {
    return T5(pieces + bytes_field(normalizer, bytes_field(2, map)));
  };
  CHECK(mapped(character_map('x', "ab")).inner("axb") == Ids{3, 4, 4, 5, 5});
  CHECK(mapped(character_map('x', " ")).inner("xaxxbx") == Ids{3, 4, 3, 5});
  CHECK(mapped(character_map('x', "")).inner("xaxb") == Ids{3, 4, 5});
}

TEST_CASE("SentencePiece: pieces that a user defined win and are not mapped, unused ones are passed over") {
  const std::string map = bytes_field(normalizer, bytes_field(2, character_map('x', "a")));
  const T5 t5(piece("▁", -1) + piece("a", -1) + piece("xx", 0, 4) + piece("aa", -0.5f, 5) + map);
  CHECK(t5.inner("xxxaa") == Ids{3, 5, 4, 4, 4});
  const T5 likely(piece("▁", -1) + piece("é", -0.01f) + piece("éé", -9, 4) + piece("ééé", -9, 4));
  CHECK(likely.inner("ééé éééé") == Ids{3, 6, 3, 5, 5});
}

TEST_CASE(
    "SentencePiece: sentinels after the pieces, the first with the last id, white space round them dropped") {
  const std::string pieces = piece("▁", -1) + piece("a", -1);
  CHECK(T5(pieces, "").inner("a <extra_id_0> a<extra_id_99><extra_id_100>").at(2) == 5 + 99);
  CHECK(T5(pieces, R"("extra_ids": 2)").inner("a <extra_id_0> a<extra_id_1>") == Ids{3, 4, 6, 3, 4, 5});
  const std::string bare = pieces + bytes_field(normalizer, number_field(4, 0));
  CHECK(T5(bare, R"("extra_ids": 1)").inner("a  <extra_id_0> \u3000a") == Ids{3, 4, 5, 3, 4});
  CHECK(T5(pieces).inner("a<pad>a<unk>") == Ids{3, 4, 0, 3, 4, 2});
}

TEST_CASE("SentencePiece: cut and padded; </s> stays") {
  const auto tokenizer = T5(piece("▁", -1) + piece("a", -1)).read();
  CHECK(tokenizer.encode("a a a", 4).ids == Ids{3, 4, 3, 1});
  const auto padded = tokenizer.encode("a", 5);
  CHECK(padded.ids == Ids{3, 4, 1, 0, 0});
  CHECK(padded.mask == Ids{1, 1, 1, 0, 0});
  CHECK(!tokenizer.longest());
}

TEST_CASE("SentencePiece: files that are no unigram model are rejected") {
  const auto rejects = [](std::string_view model, const char* text) {
    CAPTURE(text);
    const T5 t5("");
    t5.write(model);
    CHECK_THROWS_WITH_AS(t5.read(), Contains(text), weft::InvalidArgument);
  };
  const std::string special = special_pieces();
  rejects("", "holds no pieces");
  rejects("version https", "spiece.model");
  rejects(std::string_view(special).substr(0, special.size() - 3), "is truncated");
  rejects("\x0B", "wire type 3");
  rejects(std::string(11, '\xFF'), "more than 64 bits");
  rejects(piece("<pad>", 0, 3) + piece("</s>", 0, 3) + piece("a"), "has no unknown piece");
  rejects(special + piece("u", 0, 2), "has several unknown pieces, 2 and 3");
  rejects(special + piece("a") + piece("a"), "holds the piece a twice");
  rejects(special + piece(""), "piece 3 is empty");
  rejects(special + piece("a", NAN), "has the score");
  rejects(special + piece("a", 0, 7), "piece 3 is of type 7");
  rejects(special + bytes_field(trainer, number_field(3, 2)), "model_type 2, and only unigram");
  rejects(special + bytes_field(trainer, number_field(24, 1)), "treat_whitespace_as_suffix");
  rejects(special + bytes_field(trainer, number_field(35, 1)), "has byte_fallback and no piece <0x00>");
  rejects(special + bytes_field(normalizer, bytes_field(2, "abcdefgh")), "damaged precompiled_charsmap");
}

TEST_CASE("SentencePiece: settings that cannot be obeyed are rejected") {
  const auto rejects = [](const std::string& settings, const char* text) {
    CHECK_THROWS_WITH_AS(T5(piece("a"), settings).read(), Contains(text), weft::InvalidArgument);
  };
  rejects(R"("legacy": false)", "legacy is false");
  rejects(R"("extra_ids": -1)", "extra_ids is -1");
  rejects(R"("extra_ids": 2, "additional_special_tokens": ["<extra_id_0>"])", "extra_ids is 2, and 1 tokens");
}
