// What the worker threads on a bus have in common: a membership that is joined anew whenever it is lost, and a
// wake-up from other threads that never reaches a member that is gone.

#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "ports/bus.h"
#include "ports/clock.h"

namespace tocsin {

// Says one line to people; `is_fault` where somebody has to do something.
// Thread: any.
using SayLine = std::function<void(bool is_fault, const std::string& line)>;

// Of what is read exactly once: how often, and how long a worker that stops tries to.
constexpr Duration commit_every = std::chrono::milliseconds{50};
constexpr Duration last_commit_within = std::chrono::seconds{3};

class Membership {
 public:
  Membership(std::string group, std::vector<Topic> topics, std::string name, Bus& bus, const Clock& clock,
             SayLine say);

  // Joins where it is not, serves the group, and says whether there is a member to work with. After false: `wait`
  // and try again. Sets `is_new` where everything known of partitions is void: a new member, or a new assignment,
  // which `assigned` then holds.
  bool serve(std::vector<Assigned>& assigned, bool& is_new);

  // Only while serve() said yes.
  Member& member() { return *member_; }

  // For long work on what is assigned, restoring above all: takes part in the group now and then, and says whether
  // to go on. False: the partitions are another's now, or `stop` is set. Requires: serve() said yes.
  bool still_ours(const std::atomic<bool>& stop);

  // Gives the membership up, to begin anew. Why, for people.
  void leave(const std::string& why);
  // Without a word, at the end.
  void close();

  // Waits for records, wake(), or `timeout`; without a member, a while.
  void wait(Duration timeout);
  // Thread: any.
  void wake();

  // See Member::before_revoke(). Call it before the first serve().
  void before_revoke(std::function<void()> hook) { before_revoke_ = std::move(hook); }

  // It has partitions, or knows that it gets none. Thread: any.
  bool has_assignment() const { return has_assignment_.load(std::memory_order_relaxed); }

 private:
  void set(std::unique_ptr<Member> member);

  std::string group_;
  std::vector<Topic> topics_;
  std::string name_;
  Bus& bus_;
  const Clock& clock_;
  SayLine say_;
  std::function<void()> before_revoke_;
  std::unique_ptr<Member> member_;
  std::mutex wake_mutex_;  // a wake-up must not meet a member that is being destroyed; rare on both sides
  Member* awake_ = nullptr;
  Duration next_join_{0};
  Duration back_off_;
  Duration served_at_{0};
  bool said_ = false;
  // Relaxed: a look from outside, nothing hangs on its order.
  std::atomic<bool> has_assignment_{false};
};

}  // namespace tocsin
