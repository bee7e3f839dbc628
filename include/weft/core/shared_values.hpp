// Values that the threads of a process share, each made once.
#pragma once

#include <map>
#include <mutex>

namespace weft::inline v0_1 {

/// Values by key. The first thread to ask for one makes it, while those that ask for any wait.
template <class Key, class Value>
class SharedValues {
 public:
  /// Returns the value of `key`, which is that of make() where there is none yet. What make() throws leaves
  /// none.
  template <class Make>
  Value find(const Key& key, const Make& make) {
    const std::lock_guard lock(mutex_);
    auto known = values_.find(key);
    if (known == values_.end()) known = values_.emplace(key, make()).first;
    return known->second;
  }

 private:
  std::mutex mutex_;
  std::map<Key, Value> values_;
};

}  // namespace weft::inline v0_1
