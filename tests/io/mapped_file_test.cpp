#include "weft/io/mapped_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "temporary_folder.hpp"

using doctest::Contains;
using weft::InvalidArgument;
using weft::MappedFile;

TEST_CASE("MappedFile: holds the bytes, also after a move") {
  const TemporaryFolder folder;
  MappedFile first(folder.write("a", "abc"));
  const MappedFile second = std::move(first);
  CHECK(second.text() == "abc");
  CHECK(second.bytes().size() == 3);
  CHECK(first.bytes().empty());
  first = MappedFile(folder.write("b", "defg"));
  CHECK(first.text() == "defg");
}

TEST_CASE("MappedFile: an empty file has no bytes") {
  const TemporaryFolder folder;
  CHECK(MappedFile(folder.write("empty", "")).bytes().empty());
}

TEST_CASE("MappedFile: missing files, folders and pipes are rejected") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(MappedFile(folder / "none"), Contains("none: No such file"), InvalidArgument);
  CHECK_THROWS_WITH_AS(MappedFile(folder.path()), Contains("it is a folder, not a file"), InvalidArgument);
  CHECK_THROWS_WITH_AS(MappedFile(folder / "pipe"), Contains("pipe: it is not a regular file"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(MappedFile("/dev/null"), Contains("/dev/null: it is not a regular file"),
                       InvalidArgument);
}

TEST_CASE("MappedFile: a Git LFS pointer is rejected") {
  const TemporaryFolder folder;
  const auto path = folder.write(
      "a",
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 5\n");
  CHECK_THROWS_WITH_AS(MappedFile{path}, Contains("a is a Git LFS pointer and not the file itself"),
                       InvalidArgument);
}

TEST_CASE("MappedFile: a dangling link is named") {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("../blobs/1234", folder / "link");
  CHECK_THROWS_WITH_AS(MappedFile{folder / "link"},
                       Contains("link: it is a link to ../blobs/1234, which is not there"), InvalidArgument);
  CHECK_THROWS_WITH_AS(MappedFile{folder / "link" / "config.json"},
                       Contains("link is a link to ../blobs/1234, which is not there"), InvalidArgument);
}
