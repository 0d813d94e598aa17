// A rekey thread: reads the unkeyed partitions that its group gives it, and writes their events to the source topic,
// sanitized and under their tasks' keys.
//
// A position is committed once everything that was read before it is written. After a crash some of it is written
// twice, under the same identities, and counts once. Records on the source bear the times of those that they were
// made of, and of its partitions the worker reads the one that is behind first, so that catching up gives what live
// gave.

#pragma once

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "core/sanitize/fingerprint.h"
#include "core/stage/block.h"
#include "core/stage/rekey_stage.h"
#include "ports/attempts.h"
#include "ports/bus.h"
#include "ports/clock.h"
#include "runtime/mailbox.h"
#include "runtime/membership.h"
#include "runtime/rule_source.h"
#include "runtime/views.h"

namespace tocsin {

class RekeyWorker {
 public:
  struct Options {
    std::string name;  // of the member, in its process
    std::string deployment;
    Attempts* attempts = nullptr;  // null: a record that ends its process is tried for ever
  };

  // Requires: references live longer than this.
  RekeyWorker(Options options, Bus& bus, const Clock& clock, const RuleSource& rules,
              const Fingerprinter& fingerprinter, SayLine say);

  // Runs until `stop` is set. Thread: the worker's.
  void run(const std::atomic<bool>& stop);
  // After run() threw: drops everything, so that run() begins anew. Thread: the worker's.
  void give_up(const std::string& why);
  // Thread: any.
  void wake() { membership_.wake(); }
  std::shared_ptr<const RekeyView> view() const { return view_.get(); }
  bool is_working() const { return membership_.has_assignment(); }

 private:
  struct Owned {
    TopicPartition of;
    std::string topic;  // of the cluster, and the partition's number there
    std::int32_t number = 0;
    RecordTime time;              // of its last record
    std::int64_t committed = -1;  // where the group stands
    AttemptMark* attempts = nullptr;
    std::int64_t given_up = AttemptMark::none;
  };

  void adopt(const std::vector<Assigned>& assigned);
  void drop_all();
  bool read_some();
  void read_record(Owned& owned, const BusRecord& record);
  void note_keys(const Owned& owned, bool was_keyed);
  // A page about Tocsin itself. `what`: the same whenever it is said again.
  void tell(Notice notice, const std::string& what, const std::string& place, const std::string& pattern);
  bool is_behind();  // more was read than is committed
  bool commit();
  void publish();

  Options options_;
  Bus& bus_;
  const Clock& clock_;
  const RuleSource& rules_;
  std::shared_ptr<const RuleEpochs> epochs_;
  SayLine say_;
  Membership membership_;
  RekeyStage stage_;
  std::vector<Owned> owned_;
  std::map<std::pair<std::string, std::int32_t>, AttemptMark> own_marks_;
  InFlight in_flight_;
  std::vector<NewRecord> dead_letters_;  // go with the next positions
  std::vector<BusPosition> committing_;
  bool is_committing_ = false;
  Duration committed_at_{0};
  std::int64_t keyed_in_a_row_ = 0;
  bool said_keyed_ = false;
  RekeyView figures_;
  Mailbox<RekeyView> view_;
};

}  // namespace tocsin
