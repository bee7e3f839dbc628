#include "weft/backend/host/workers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <mutex>
#include <vector>

using weft::Index;
using weft::Range;
using weft::host::Workers;

namespace {

std::vector<Range> parts_of(Workers& workers, Index n, Index grain) {
  std::mutex mutex;
  std::vector<Range> parts;
  workers.parallel_for(n, grain, [&](Range part) {
    std::lock_guard lock(mutex);
    parts.push_back(part);
  });
  std::sort(parts.begin(), parts.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  return parts;
}

}  // namespace

TEST_CASE("Workers: split everything in parts of at least the grain") {
  for (const int count : {1, 2, 5}) {
    Workers workers(count);
    CHECK(workers.count() == count);
    for (const Index n : {0, 1, 3, 4, 5, 17, 100})
      for (const Index grain : {1, 4}) {
        const std::vector<Range> parts = parts_of(workers, n, grain);
        Index end = 0;
        for (const Range& part : parts) {
          CHECK(part.begin == end);
          CHECK((part.size() >= grain || parts.size() == 1));
          end = part.end;
        }
        CHECK(end == n);
        CHECK(static_cast<Index>(parts.size()) == std::max<Index>(1, std::min<Index>(count, n / grain)));
      }
  }
}

TEST_CASE("Workers: the same call is split in the same way") {
  Workers workers(3);
  const auto first = parts_of(workers, 100, 7);
  for (int i = 0; i < 200; ++i) CHECK(parts_of(workers, 100, 7) == first);
}
