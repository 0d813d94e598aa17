// An evaluate thread on a bus of several processes: owns the groups of the blocks partitions that it is given, and
// commits what was decided together with its state and its positions.
//
// Nothing that was decided is seen by anybody before its commit: neither in topics nor in views. Whatever fails, the
// answer is one: drop everything, join anew, restore from the topic `states` and the last blocks.
//
// The metadata of a blocks partition's position is "FROM STATE": the offset from which blocks are read once more
// after a restart, and EvaluatePartition::position().

#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/alert/acceptance.h"
#include "core/alert/silence_book.h"
#include "core/alert/withheld_pages.h"
#include "core/epoch/promise_watch.h"
#include "core/halt/ack_watch.h"
#include "core/halt/halt_book.h"
#include "core/stage/evaluate_stage.h"
#include "ports/bus.h"
#include "ports/clock.h"
#include "runtime/mailbox.h"
#include "runtime/membership.h"
#include "runtime/rule_source.h"
#include "runtime/stall_watch.h"
#include "runtime/views.h"

namespace tocsin {

class EvaluateWorker {
 public:
  struct Options {
    std::string name;  // of the member, in its process
    EvaluateOptions evaluate;
    // Silent source partitions are closed by the clock, so that one without blocks is a fault.
    bool pages_stalls = true;
  };

  // Requires: references live longer than this.
  EvaluateWorker(Options options, Bus& bus, const Clock& clock, RuleSource& rules, SayLine say);

  // Runs until `stop` is set. Thread: the worker's.
  void run(const std::atomic<bool>& stop);
  // After run() threw: drops everything, so that run() begins anew. Thread: the worker's.
  void give_up(const std::string& why) {
    membership_.leave(why);
    drop_all();
  }
  // Thread: any.
  void wake() { membership_.wake(); }
  std::shared_ptr<const EvaluateView> view() const { return view_.get(); }
  // It has its partitions, and their states. Thread: any.
  bool is_working() const { return membership_.has_assignment() && restored_.load(std::memory_order_relaxed); }

 private:
  struct Owned {
    std::int32_t number = 0;
    std::unique_ptr<EvaluatePartition> partition;
    std::map<RecordTime, std::int64_t> first_offsets;  // of the blocks of each five minutes that may be needed again
    RecordTime committed_grid;
    std::vector<AlertChange> changes;  // decided and not committed
    WithheldPages withheld;
    // Read, and of rules that are not known here yet. The first one's offset is where the position stays.
    std::deque<std::pair<std::int64_t, Block>> waiting;
    StallWatch stalls;
  };

  bool adopt(const std::vector<Assigned>& assigned, const std::atomic<bool>& stop);
  bool restore(Owned& owned, const Assigned& from, const std::atomic<bool>& stop);
  void drop_all();

  bool catch_up_with_people(const std::atomic<bool>& stop);
  bool read_people();
  void read_person(const BusRecord& record);
  void watch_acknowledgements();
  void refresh_rules();
  // What is wrong with Tocsin itself: one evaluate partition's to page for.
  void watch_ourselves();
  void page_stalled_partitions(Owned& owned, Duration now);
  void page_added_partitions(Owned& owned);
  bool read_some();
  void apply_block(Owned& owned, const BusRecord& record);
  void apply_block(Owned& owned, std::int64_t offset, Block block);
  std::int64_t next_block_of(const Owned& owned);
  void apply_finding(Owned& owned, const BusRecord& record);
  void note_unreadable(const char* what);
  static void note_offset(Owned& owned, RecordTime grid, std::int64_t offset);
  static std::string metadata_of(Owned& owned, std::int64_t next_offset);
  std::vector<NewRecord> records_of(Owned& owned);
  bool commit();
  // Tombstones for halts that expired and silences long over: who reads the topics then forgets them.
  void expire();
  void publish();

  Options options_;
  Bus& bus_;
  const Clock& clock_;
  RuleSource& rules_;
  std::shared_ptr<const RuleEpochs> epochs_;  // as the partitions know them
  PromiseWatch promises_;                     // of the source partitions, as the first blocks partition sees them
  SayLine say_;
  Membership membership_;
  std::vector<Owned> owned_;
  std::unique_ptr<Tail> people_;  // what people and agents wrote: halts, releases, silences and others
  HaltBook halts_;
  AckWatch acks_;
  std::map<std::string, RuleTrouble> troubles_;  // by process
  SilenceBook silences_;
  AcceptanceBook acceptances_;
  InFlight tombstones_;
  std::vector<StateRecord> state_changes_;
  bool is_dirty_ = false;  // something was decided, or read that must not be read again
  bool is_shown_ = false;  // nothing was decided since the view was published
  std::int64_t unreadable_ = 0;
  std::int64_t refused_before_ = 0;  // by partitions that are gone
  std::deque<AlertChange> recent_;
  std::int64_t fired_ = 0;
  std::int64_t resolved_ = 0;
  Duration expired_at_{0};
  Duration watched_at_{0};
  Duration watched_ourselves_at_{0};
  std::atomic<bool> restored_{false};
  Mailbox<EvaluateView> view_;
};

}  // namespace tocsin
