// The evaluate thread: reads findings, blocks, releases, acknowledgements and silences, and writes pages and feeds.

#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "core/alert/acceptance.h"
#include "core/alert/silence_book.h"
#include "core/alert/withheld_pages.h"
#include "core/epoch/promise_watch.h"
#include "core/halt/ack_watch.h"
#include "core/halt/halt_book.h"
#include "core/stage/evaluate_stage.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "runtime/mailbox.h"
#include "runtime/rule_source.h"
#include "runtime/views.h"

namespace tocsin {

class EvaluateLoop {
 public:
  // `clock_of_events`: halts and silences end by the stream's time, else by the machine's. Nobody waits for
  // acknowledgements then: what is played back has no agents.
  EvaluateLoop(EvaluateOptions options, bool clock_of_events, Log& log, const Clock& clock, RuleSource& rules);

  // Runs until `stop` is set. Thread: evaluate's.
  void run(const std::atomic<bool>& stop);

  std::shared_ptr<const EvaluateView> view() const { return view_.get(); }

 private:
  // Reads what `topic` has, and returns how many records that was.
  template <class Apply>
  std::size_t read(Topic topic, std::int64_t& next, Apply apply);
  std::size_t read_all();
  void refresh_rules();
  // What changed, with the pages that are due, as records; and how far was read.
  void commit(std::vector<Page> due);
  // What comes with time alone: unacknowledged halts, and pages whose silence has ended.
  void advance();
  RecordTime now() const;
  // Writes tombstones for the halts that have expired, and for silences long over: who reads the topics then forgets
  // them.
  void expire();
  void publish();

  bool clock_of_events_;
  HaltBook halts_;
  AckWatch acks_;
  SilenceBook silences_;
  AcceptanceBook acceptances_;
  WithheldPages withheld_;
  Log& log_;
  const Clock& clock_;
  RuleSource& rules_;
  std::shared_ptr<const RuleEpochs> epochs_;  // as the partition knows them
  PromiseWatch promises_;
  EvaluatePartition partition_;
  std::vector<LogRecord> batch_;
  std::vector<AlertChange> changes_;
  std::deque<AlertChange> recent_;
  std::int64_t blocks_next_ = 0;
  std::int64_t findings_next_ = 0;
  std::int64_t halts_next_ = 0;
  std::int64_t acks_next_ = 0;
  std::int64_t silences_next_ = 0;
  std::int64_t control_next_ = 0;
  std::map<std::string, RuleTrouble> troubles_;  // by process
  std::int64_t fired_ = 0;
  std::int64_t resolved_ = 0;
  Mailbox<EvaluateView> view_;
};

}  // namespace tocsin
