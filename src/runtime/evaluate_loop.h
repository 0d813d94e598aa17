// The evaluate thread: reads findings, blocks and releases, and writes pages and feeds.

#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "core/halt/halt_book.h"
#include "core/stage/evaluate_stage.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "runtime/mailbox.h"
#include "runtime/views.h"

namespace tocsin {

class EvaluateLoop {
 public:
  // `clock_of_events`: halts expire by the stream's time, else by the machine's.
  EvaluateLoop(EvaluateOptions options, bool clock_of_events, Log& log, const Clock& clock,
               std::shared_ptr<const RuleSet> rules);

  // Runs until `stop` is set. Thread: evaluate's.
  void run(const std::atomic<bool>& stop);

  std::shared_ptr<const EvaluateView> view() const { return view_.get(); }

 private:
  // Reads what `topic` has, and returns how many records that was.
  template <class Apply>
  std::size_t read(Topic topic, std::int64_t& next, Apply apply);
  void commit();
  // Writes tombstones for the halts that have expired: who reads the topic then forgets them.
  void expire_halts();
  void publish();

  bool clock_of_events_;
  HaltBook halts_;
  Log& log_;
  const Clock& clock_;
  EvaluatePartition partition_;
  std::vector<LogRecord> batch_;
  std::vector<AlertChange> changes_;
  std::deque<AlertChange> recent_;
  std::int64_t blocks_next_ = 0;
  std::int64_t findings_next_ = 0;
  std::int64_t halts_next_ = 0;
  std::int64_t fired_ = 0;
  std::int64_t resolved_ = 0;
  std::int64_t unreadable_ = 0;
  Mailbox<EvaluateView> view_;
};

}  // namespace tocsin
