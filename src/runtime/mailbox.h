// The latest value of something, from the thread that owns it to those that look.
//
// A mutex, and no queue: readers want the newest value and skip the rest, and they are rare (a scrape, a person).
// (std::atomic<std::shared_ptr> has a race in libstdc++ 12.)

#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace tocsin {

template <class T>
class Mailbox {
 public:
  // Thread: the owner of the value.
  void put(T value) {
    auto fresh = std::make_shared<const T>(std::move(value));
    const std::lock_guard lock(mutex_);
    latest_.swap(fresh);
  }

  // Thread: any. Never null.
  std::shared_ptr<const T> get() const {
    const std::lock_guard lock(mutex_);
    return latest_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> latest_ = std::make_shared<const T>();
};

}  // namespace tocsin
