// A line on a terminal that says how far long work has come; silent where standard error is none.

#pragma once

#include <chrono>
#include <iostream>
#include <string>

namespace tocsin {

class Progress {
 public:
  // Twice a second at most, so that `line()` is made only when it is shown.
  template <class Line>
  void show(Line line) {
    if (!is_terminal_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + interval;
    std::cerr << "\r\033[K" << line() << std::flush;
    shown_ = true;
  }
  void clear() {
    if (shown_) std::cerr << "\r\033[K" << std::flush;
    shown_ = false;
  }

 private:
  static constexpr std::chrono::milliseconds interval{500};
  static bool is_terminal();

  bool is_terminal_ = is_terminal();
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + interval;
};

}  // namespace tocsin
