#include "weft/io/output_file.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

#include "temporary_folder.hpp"

namespace {

/// The behaviour of the next calls of fsync.
struct Synced {
  int error = 0;
  std::filesystem::path target{};  // looked at
  std::string seen{};              // in the target, at the call
} synced;

}  // namespace

/// Replaces the C library's function in this program.
extern "C" int fsync(int) {
  if (!synced.target.empty()) synced.seen = std::filesystem::exists(synced.target) ? "replaced" : "not yet";
  errno = synced.error;
  return synced.error == 0 ? 0 : -1;
}

using doctest::Contains;
using weft::InvalidArgument;
using weft::OutputFile;

TEST_CASE("OutputFile: appears whole at commit") {
  const TemporaryFolder folder;
  const OutputFile file(folder / "a.png");
  CHECK(folder.count() == 0);
  file.commit(bytes_of("image"));
  CHECK(folder.read("a.png") == "image");
  CHECK(folder.count() == 1);
}

TEST_CASE("OutputFile: an existing file survives until commit") {
  const TemporaryFolder folder;
  folder.write("a.png", "old and longer");
  { const OutputFile never_committed(folder / "a.png"); }
  const OutputFile file(folder / "a.png");
  CHECK(folder.read("a.png") == "old and longer");
  file.commit(bytes_of("new"));
  CHECK(folder.read("a.png") == "new");
  CHECK(folder.count() == 1);
}

TEST_CASE("OutputFile: can be moved, and writes an empty file") {
  const TemporaryFolder folder;
  OutputFile first(folder / "empty");
  const OutputFile second = std::move(first);
  second.commit({});
  CHECK(folder.read("empty").empty());
  CHECK(folder.count() == 1);
}

TEST_CASE("OutputFile: writes through a symbolic link") {
  const TemporaryFolder folder;
  folder.write("target", "old");
  std::filesystem::create_symlink("target", folder / "link");
  OutputFile(folder / "link").commit(bytes_of("new"));
  CHECK(folder.read("target") == "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
}

TEST_CASE("OutputFile: writes through links to the last target, which need not exist") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "out");
  std::filesystem::create_symlink("out/second", folder / "first");
  std::filesystem::create_symlink("target", folder / "out/second");
  const OutputFile file(folder / "first");
  CHECK(folder.count() == 2);
  file.commit(bytes_of("new"));
  CHECK(folder.read("out/target") == "new");
  CHECK(std::filesystem::is_symlink(folder / "first"));
  CHECK(std::filesystem::is_symlink(folder / "out/second"));
}

TEST_CASE("OutputFile: links that cannot be followed are rejected with the reason") {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("none/target", folder / "dangling");
  std::filesystem::create_symlink("loop", folder / "loop");
  std::filesystem::create_symlink("/dev/null", folder / "device");
  CHECK_THROWS_WITH_AS(OutputFile(folder / "dangling"), Contains("none; create it first"), InvalidArgument);
  CHECK_THROWS_WITH_AS(OutputFile(folder / "loop"), Contains("loop: Too many levels of symbolic links"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(OutputFile(folder / "loop/a"), Contains("Too many levels of symbolic links"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(OutputFile(folder / "device"), Contains("device: it is not a regular file"),
                       InvalidArgument);
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const std::string pipe = "/proc/self/fd/" + std::to_string(pipe_ends[1]);
  CHECK_THROWS_WITH_AS(OutputFile{pipe}, Contains("it is not a regular file"), InvalidArgument);
  for (const int end : pipe_ends) ::close(end);
}

TEST_CASE("OutputFile: bytes are on disk before they get the name, or nothing changes") {
  const TemporaryFolder folder;
  synced = {.target = folder / "a.png"};
  OutputFile(folder / "a.png").commit(bytes_of("new"));
  CHECK(synced.seen == "not yet");
  synced = {.error = EIO};
  CHECK_THROWS_WITH(OutputFile(folder / "a.png").commit(bytes_of("newer")), Contains("Input/output error"));
  synced = {};
  CHECK(folder.read("a.png") == "new");
  CHECK(folder.count() == 1);
}

TEST_CASE("OutputFile: paths that cannot be written are rejected at construction") {
  const TemporaryFolder folder;
  folder.write("file", "");
  CHECK_THROWS_WITH_AS(OutputFile(""), Contains("is empty"), InvalidArgument);
  CHECK_THROWS_WITH_AS(OutputFile(folder / "no/a.png"), Contains("no; create it first"), InvalidArgument);
  CHECK_THROWS_WITH_AS(OutputFile(folder / "file/a.png"), Contains("there is no folder"), InvalidArgument);
  CHECK_THROWS_WITH_AS(OutputFile(folder.path()), Contains("it is a folder; name a file in it"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(OutputFile("/dev/full"), Contains("/dev/full: it is not a regular file"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(OutputFile("/dev/null"), Contains("/dev/null: it is not a regular file"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(OutputFile("/proc/a.png"), Contains("cannot write /proc/a.png: "), InvalidArgument);
  CHECK_THROWS_WITH_AS(OutputFile(folder / std::string(300, 'x')), Contains("File name too long"),
                       InvalidArgument);
  CHECK(folder.count() == 1);
}

TEST_CASE("OutputFile: a full disk throws std::system_error and leaves the old file, whatever SIGXFSZ does") {
  void (*action)(int) = SIG_IGN;
  SUBCASE("is ignored") {}
  SUBCASE("ends the process") { action = SIG_DFL; }
  const TemporaryFolder folder;
  folder.write("a.png", "old");
  const OutputFile file(folder / "a.png");

  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = ::signal(SIGXFSZ, action);
  const rlimit four_bytes{4, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &four_bytes) == 0);
  std::string message;
  try {
    file.commit(bytes_of("five!"));
  } catch (const InvalidArgument&) {
    message = "rejected";
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);

  CHECK(message == "cannot write " + (folder / "a.png").string() + ": File too large");
  CHECK(folder.read("a.png") == "old");
  CHECK(folder.count() == 1);
}
