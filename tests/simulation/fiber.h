// A worker's loop on a stack of its own, which runs until it waits: many of them on one thread, in an order that a
// seed decides.
//
// With glibc's contexts: a switch costs less than a microsecond here, and no library more is needed.

#pragma once

#include <ucontext.h>

#include <functional>
#include <memory>

namespace tocsin::sim {

// Unwinds a fiber whose process was killed. Nothing catches it but the fiber itself.
struct Killed {};

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs it until it suspends or ends. Requires: it has not ended, and no fiber is running.
  void resume();
  // From inside. Throws Killed where the fiber is to end.
  void suspend();
  // Unwinds it, from outside.
  void kill();
  bool has_ended() const { return ended_; }

 private:
  static void enter(unsigned low, unsigned high);
  void run();

  std::function<void()> body_;
  ucontext_t here_{};
  ucontext_t caller_{};
  void* stack_ = nullptr;
  bool started_ = false;
  bool ended_ = false;
  bool killed_ = false;
};

}  // namespace tocsin::sim
