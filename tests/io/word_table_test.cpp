#include "weft/io/word_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "temporary_folder.hpp"
#include "weft/io/safetensors_writer.hpp"

using doctest::Contains;
using weft::Index;
using weft::InvalidArgument;
using weft::Tensor;
using weft::WordTable;

namespace {

/// A table of three words of two features, for captions of three words.
struct Files {
  TemporaryFolder folder;
  std::string vocabulary = "<pad>\na\ncircle\n";
  std::map<std::string, Tensor> tensors{{"clip", Tensor({3, 2}, {1, 2, 3, 4, 5, 6})},
                                        {"t5", Tensor({3, 2}, {10, 20, 30, 40, 50, 60})},
                                        {"position", Tensor({3, 2}, {100, 200, 300, 400, 500, 600})}};

  WordTable open() const {
    folder.write("vocab.txt", vocabulary);
    folder.write("embeddings.safetensors", weft::to_safetensors(tensors));
    return WordTable(folder.path());
  }
};

}  // namespace

TEST_CASE("WordTable: encodes words, then padding, each plus its position") {
  const WordTable table = Files{}.open();
  CHECK(table.vocabulary() == std::vector<std::string>{"<pad>", "a", "circle"});
  const WordTable::States states = table.encode(" circle\t a\n");
  CHECK(states.clip.shape == weft::Shape{3, 2});
  CHECK(states.clip.data == std::vector<float>{105, 206, 303, 404, 501, 602});
  CHECK(states.t5.data == std::vector<float>{150, 260, 330, 440, 510, 620});
  CHECK(states.mask.shape == weft::Shape{3});
  CHECK(states.mask.data == std::vector<float>{1, 1, 0});
}

TEST_CASE("WordTable: the empty caption is all padding") {
  const WordTable table = Files{}.open();
  for (const char* caption : {"", "  \n"}) {
    const WordTable::States states = table.encode(caption);
    CHECK(states.clip.data == std::vector<float>{101, 202, 301, 402, 501, 602});
    CHECK(states.mask.data == std::vector<float>{0, 0, 0});
  }
}

TEST_CASE("WordTable: captions with unknown words or too many are rejected") {
  const WordTable table = Files{}.open();
  CHECK_NOTHROW(table.encode("a a a"));
  CHECK_THROWS_WITH_AS(table.encode("a square"),
                       "\"square\" is not a word of the model; the words are a and circle", InvalidArgument);
  CHECK_THROWS_WITH_AS(table.encode("a <pad>"),
                       "\"<pad>\" is the padding and not a word; the words are a and circle",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(table.encode("a a a a"), "the caption has 4 words, and at most 3 fit",
                       InvalidArgument);
}

TEST_CASE("WordTable: an invalid vocabulary is rejected") {
  const auto rejected = [](const char* vocabulary, const char* part) {
    Files files;
    files.vocabulary = vocabulary;
    CHECK_THROWS_WITH_AS(files.open(), Contains(part), InvalidArgument);
  };
  rejected("", "vocab.txt is empty");
  rejected("<pad>\n\na\n", "line 2 is not one word");
  rejected("<pad>\na circle\n", "line 2 is not one word");
  rejected("<pad>\ra\n", "line 1 is not one word");
  rejected("<pad>\na\ncircle\na\n", "the word a is on lines 2 and 4");
  rejected("<pad>\na\n",
           "tensor clip is (3, 2) and should be (2, 2): the lines of vocab.txt by the features of position");
}

TEST_CASE("WordTable: no newline is needed at the end") {
  Files files;
  files.vocabulary = "<pad>\r\na\r\ncircle\r\n";
  CHECK(files.open().vocabulary() == std::vector<std::string>{"<pad>", "a", "circle"});
  files.vocabulary = "<pad>\na\ncircle";
  CHECK(files.open().vocabulary().size() == 3);
}

TEST_CASE("WordTable: tables of other shapes are rejected") {
  const auto rejected = [](const char* name, const Tensor& tensor, const char* part) {
    Files files;
    files.tensors[name] = tensor;
    CHECK_THROWS_WITH_AS(files.open(), Contains(part), InvalidArgument);
  };
  rejected("clip", Tensor({4, 2}), "tensor clip is (4, 2) and should be (3, 2)");
  rejected("t5", Tensor({3, 5}), "tensor t5 is (3, 5) and should be (3, 2)");
  rejected("t5", Tensor({6}), "tensor t5 is (6) and should be (3, 2)");
  rejected("position", Tensor({3}), "tensor position is (3) and should be (length, features)");
  Files files;
  files.tensors.erase("t5");
  CHECK_THROWS_WITH_AS(files.open(), Contains("has no tensor t5; it has clip and position"), InvalidArgument);
  CHECK_THROWS_WITH_AS(WordTable(files.folder / "none"), Contains("vocab.txt: No such file"),
                       InvalidArgument);
}

#ifdef WEFT_SHAPES_DIR
TEST_CASE("WordTable: the words of the shapes model") {
  const WordTable table(WEFT_SHAPES_DIR "/text");
  const WordTable::States states = table.encode("a red circle left of a blue square");
  CHECK(table.vocabulary().size() == 24);
  CHECK(states.clip.shape == weft::Shape{16, 64});
  CHECK(states.t5.shape == weft::Shape{16, 64});
  CHECK(std::count(states.mask.data.begin(), states.mask.data.end(), 1.0f) == 8);
}
#endif
