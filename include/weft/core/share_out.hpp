// Distributing pieces of work dynamically over threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "weft/core/range.hpp"
#include "weft/core/thread.hpp"

namespace weft::inline v0_1 {

/// Calls work(next) in each of `threads` threads, or in as many as the processor runs at once. next() returns
/// a number below `count` that no other call returns, or nothing when all are taken. Returns when all threads
/// are done; throws the first of their errors, after which next() returns nothing.
template <class Work>
void share_out(Index count, int threads, const Work& work) {
  if (count == 0) return;
  std::atomic<Index> taken = 0;
  std::exception_ptr error;
  std::mutex mutex;
  const auto next = [&taken, count]() -> std::optional<Index> {
    const Index i = taken++;
    return i < count ? std::optional(i) : std::nullopt;
  };
  const auto guarded = [&taken, &error, &mutex, &next, &work, count] {
    try {
      work(next);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      taken = count;
    }
  };
  const int possible = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::vector<std::jthread> helpers;
  try {
    for (int i = 1; i < std::min(threads, possible); ++i)
      helpers.push_back(start_thread("a thread that shares work", guarded));
  } catch (...) {
    taken = count;
    throw;
  }
  guarded();
  helpers.clear();
  if (error) std::rethrow_exception(error);
}

}  // namespace weft::inline v0_1
