// An ingest thread on a bus of several processes: reads the source partitions that its group gives it, and commits
// each one's closed slices, changed tasks and position together.
//
// A partition's state lives here and in the topic `tasks`. It is stored at cuts only, so that a restart goes on from
// exactly the slices that were closed. Whatever fails, the answer is one: drop everything, join anew, restore.
//
// What cannot wait goes out at the event: halts first, and findings once the halts are acknowledged. A cut is
// committed only when all that its records sent outside of transactions is acknowledged as well: then a crash sends
// some of it twice, under the same ids, and loses none.
//
// Of its partitions it reads the one whose log time is behind first. Queues that nobody reads are the back-pressure.

#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/stage/ingest_stage.h"
#include "core/stage/past_count.h"
#include "ports/attempts.h"
#include "ports/bus.h"
#include "ports/clock.h"
#include "ports/source_mark.h"
#include "runtime/mailbox.h"
#include "runtime/membership.h"
#include "runtime/rule_source.h"
#include "runtime/views.h"

namespace tocsin {

class IngestWorker {
 public:
  struct Options {
    std::string name;      // of the member, in its process
    IngestOptions ingest;  // its partition and source are set for each
    bool closes_when_idle = true;
    Duration idle_grace = std::chrono::seconds{3};
    Duration heartbeat_every = std::chrono::seconds{30};
    Attempts* attempts = nullptr;  // null: a record that ends its process is tried for ever
    // Where the source is made of other topics: until when all of theirs is on it, in milliseconds since the epoch.
    // No silence counts beyond. Null: it is made of none.
    const std::atomic<std::int64_t>* complete_until = nullptr;
  };

  // Requires: references live longer than this.
  IngestWorker(Options options, Bus& bus, const Clock& clock, const RuleSource& rules,
               const Fingerprinter& fingerprinter, SayLine say);

  // Runs until `stop` is set. Thread: the worker's.
  void run(const std::atomic<bool>& stop);
  // After run() threw: drops everything, so that run() begins anew; the record that it was at has failed once more.
  // Thread: the worker's.
  void give_up(const std::string& why);
  // Thread: any.
  void wake() { membership_.wake(); }
  std::shared_ptr<const IngestView> view() const { return view_.get(); }
  // It has its partitions, and their states. Thread: any.
  bool is_working() const { return membership_.has_assignment() && restored_.load(std::memory_order_relaxed); }

 private:
  struct Owned {
    std::int32_t number = 0;
    std::string topic;  // of the cluster, and the partition's number there
    std::int32_t number_in_topic = 0;
    std::string name() const { return topic + "/" + std::to_string(number_in_topic); }  // for people
    SourceMark mark;
    std::unique_ptr<IngestPartition> partition;
    std::vector<NewRecord> pending;  // of cuts that are not taken yet
    std::size_t pending_bytes = 0;
    Duration taken_at{0};
    Duration asked_at{0};  // whether it is read to its end
    bool is_heartbeat = false;
    Duration heartbeat_at{0};
    // Read, and beyond what the partition may close before new rules are decided. At most one read's.
    struct Waiting {
      std::int64_t offset = 0;
      std::string key;
      std::string value;
      RecordTime time;
    };
    std::deque<Waiting> waiting;
    // What new aggregates missed, while it is read.
    struct PastRead {
      std::int64_t epoch = 0;
      std::unique_ptr<PastCount> count;
      std::unique_ptr<Again> records;
      std::optional<Past> piece;  // that the partition had no room for yet
      AttemptMark* attempts = nullptr;
      std::int64_t given_up = AttemptMark::none;  // the record that is passed over
      std::int64_t read = 0;
      Duration begun{0};
      Duration progress_at{0};
    };
    std::optional<PastRead> past;
    Duration past_asked_at{0};
    AttemptMark* attempts = nullptr;
    std::int64_t given_up = AttemptMark::none;  // the record that is passed over
  };
  // What one transaction holds.
  struct Batch {
    std::vector<NewRecord> records;
    std::map<std::int32_t, BusPosition> positions;  // by source partition
    std::int64_t cuts = 0;
    InFlight in_flight;  // sent outside of it, by the same records

    void clear() {
      records.clear();
      positions.clear();
      cuts = 0;
    }
  };

  bool adopt(const std::vector<Assigned>& assigned, const std::atomic<bool>& stop);
  AttemptMark& mark_of(const std::string& topic, std::int32_t number);
  IngestOptions options_of(const Owned& owned) const;
  void begin_added(Owned& owned);
  bool forget_state(Owned& owned, const std::atomic<bool>& stop);
  void note_gone(const Owned& owned, const std::string& which, RecordTime at);
  bool restore(Owned& owned, const Assigned& from, const std::atomic<bool>& stop);
  void drop_all();

  void refresh_rules();
  // A topic has more partitions than before: tasks of it may have events in others from now on.
  void note_added_partitions();
  bool read_some();
  bool read_waiting(Owned& owned, RecordTime now);
  void read_record(Owned& owned, const BusRecord& record, RecordTime now);
  void pass_over(Owned& owned, const RawRecord& raw);
  void take_cuts(Owned& owned, std::int64_t next_offset);
  void close_idle();
  // Reads on in the pasts that partitions owe, a little at a time. True where there is more at once.
  bool read_pasts();
  bool read_past(Owned& owned);
  void begin_past(Owned& owned, const OwedPast& owed);
  static void count_past_record(Owned::PastRead& past, const BusRecord& record);
  void send_heartbeats();
  // Halts at once, findings when those are acknowledged.
  void give_out_urgent(const RuleSet* rules = nullptr);
  bool commit();
  void publish();

  Options options_;
  Bus& bus_;
  const Clock& clock_;
  const RuleSource& rules_;
  std::shared_ptr<const RuleEpochs> epochs_;  // as the partitions know them
  const Fingerprinter& fingerprinter_;
  SayLine say_;
  Membership membership_;
  std::vector<Owned> owned_;
  IngestOutput out_;
  std::vector<StateRecord> changes_;
  std::map<std::pair<std::string, std::int32_t>, AttemptMark> own_marks_;  // of those that have no lasting one
  InFlight halts_in_flight_;
  std::deque<NewRecord> findings_;  // wait for the halts before them
  Batch batches_[2];
  Batch* filling_ = &batches_[0];  // what is being read goes here
  Batch* closing_ = nullptr;       // waits for acknowledgements, then is committed
  bool is_committing_ = false;
  std::uint64_t turns_ = 0;
  Duration committed_at_{0};
  StreamTotals totals_before_;  // of partitions that are gone
  std::int64_t cuts_ = 0;
  std::int64_t halts_ = 0;
  std::atomic<bool> restored_{false};
  Mailbox<IngestView> view_;
};

}  // namespace tocsin
