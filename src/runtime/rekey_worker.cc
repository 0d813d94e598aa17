#include "runtime/rekey_worker.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/hash.h"
#include "core/stage/block_codec.h"
#include "core/stage/block_split.h"
#include "runtime/dead_letter_json.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_keyless_read = 500;
// Halts go the same way, and are not to stand in a long line. Another way would have another order, and in a backlog
// hours lie in a moment.
constexpr std::int64_t most_in_flight = 5'000;
// So many records that were keyed by their correlation ids are no accident.
constexpr std::int64_t surely_keyed = 1'000;

}  // namespace

RekeyWorker::RekeyWorker(Options options, Bus& bus, const Clock& clock, const RuleSource& rules,
                         const Fingerprinter& fingerprinter, SayLine say)
    : options_(std::move(options)),
      bus_(bus),
      clock_(clock),
      rules_(rules),
      epochs_(rules.epochs()),
      say_(say),
      membership_("rekey", {Topic::unkeyed}, options_.name, bus, clock, std::move(say)),
      stage_(epochs_->newest().patterns, fingerprinter) {
  stage_.know(epochs_->newest().rules->names, epochs_->newest().patterns);
  in_flight_.on_empty = [this] { membership_.wake(); };
}

void RekeyWorker::run(const std::atomic<bool>& stop) {
  std::vector<Assigned> assigned;
  Duration published{-1h};
  while (!stop.load(std::memory_order_relaxed)) {
    bool is_new = false;
    const bool has_member = membership_.serve(assigned, is_new);
    if (!has_member || is_new) drop_all();
    if (!has_member) {
      membership_.wait(100ms);
      continue;
    }
    if (auto now = rules_.epochs(); now != epochs_) {
      epochs_ = std::move(now);
      stage_.know(epochs_->newest().rules->names, epochs_->newest().patterns);
    }
    if (is_new) adopt(assigned);
    const bool any = read_some();
    if (!commit()) continue;
    const Duration now = clock_.monotonic();
    if (now - published >= publish_every) {
      publish();
      published = now;
    }
    if (!any) membership_.wait(is_committing_ || is_behind() ? 5ms : 100ms);
  }
  // What is written already is committed, if that is quick; else it is written again after the next start.
  for (const Duration until = clock_.monotonic() + last_commit_within; clock_.monotonic() < until;) {
    committed_at_ = Duration{0};
    bool is_new = false;
    if (!membership_.serve(assigned, is_new) || is_new || !commit()) break;
    if (!is_committing_ && !is_behind()) break;
    membership_.wait(5ms);
  }
  publish();
  membership_.close();
}

void RekeyWorker::give_up(const std::string& why) {
  for (const Owned& owned : owned_) owned.attempts->note_death();
  membership_.leave(why);
  drop_all();
}

void RekeyWorker::adopt(const std::vector<Assigned>& assigned) {
  std::string list;
  for (const Assigned& one : assigned) {
    Owned owned;
    owned.of = one.of;
    std::tie(owned.topic, owned.number) = bus_.name_of(one.of);
    AttemptMark* const lasting =
        options_.attempts != nullptr ? options_.attempts->mark_of(owned.topic, owned.number) : nullptr;
    owned.attempts = lasting != nullptr ? lasting : &own_marks_[{owned.topic, owned.number}];
    owned.given_up = owned.attempts->given_up_from(0);
    owned.committed = one.next_offset.value_or(-1);
    list += " " + owned.topic + "/" + std::to_string(owned.number);
    if (one.gone_from) {
      const std::string what = "partition " + std::to_string(owned.number) + " from offset " +
                               std::to_string(*one.gone_from) + ", read on at " + std::to_string(*one.next_offset);
      say_(true, owned.topic + ": records were gone before they were read, " + what);
      tell(Notice::records_gone, "gone" + owned.topic + what, owned.topic, what);
    }
    owned_.push_back(std::move(owned));
  }
  if (!list.empty()) say_(false, options_.name + " rekeys" + list);
}

void RekeyWorker::drop_all() {
  owned_.clear();
  dead_letters_.clear();
  committing_.clear();
  is_committing_ = false;
}

bool RekeyWorker::read_some() {
  if (in_flight_.records.load(std::memory_order_relaxed) > most_in_flight) return false;
  std::sort(owned_.begin(), owned_.end(),
            [](const Owned& a, const Owned& b) { return std::pair(a.time, a.of) < std::pair(b.time, b.of); });
  for (Owned& owned : owned_) {
    const std::size_t count = membership_.member().read(owned.of, most_keyless_read,
                                                        [&](const BusRecord& record) { read_record(owned, record); });
    if (count > 0) return true;
  }
  return false;
}

void RekeyWorker::read_record(Owned& owned, const BusRecord& record) {
  // What is stamped ahead of the clock is no later than now, for the order in which partitions are read as for all
  // else.
  const RecordTime time = std::min(record.time, clock_.now());
  owned.time = std::max(owned.time, time);
  ++figures_.records;
  const std::string place = owned.topic + "/" + std::to_string(owned.number) + "@" + std::to_string(record.offset);
  const auto refuse = [&](DecodeError why) {
    ++figures_.dead_letters[static_cast<std::size_t>(why)];
    const DeadLetter letter{record.offset, why, record.value.size()};
    dead_letters_.push_back({Topic::dead_letters, by_key, {}, dead_letter_json(owned.topic, owned.number, letter)});
  };
  if (record.offset == owned.given_up) [[unlikely]] {
    say_(true, "rekeying record " + place + " ended the process " + std::to_string(AttemptMark::most_deaths) +
                   " times; it is passed over");
    tell(Notice::poison_record, "poison" + place, place, {});
    owned.given_up = owned.attempts->given_up_from(record.offset + 1);
    return refuse(DecodeError::gave_up);
  }
  owned.attempts->begin(record.offset);
  const Rekeyed& rekeyed = stage_.apply(record.key, record.value, place);
  owned.attempts->end();
  if (rekeyed.error) return refuse(*rekeyed.error);
  note_keys(owned, rekeyed.was_keyed);
  figures_.events += rekeyed.records.size();
  for (const ReceivedRecord& one : rekeyed.records) {
    bus_.send({Topic::source, by_key, one.key, one.value, time}, in_flight_);
  }
}

void RekeyWorker::tell(Notice notice, const std::string& what, const std::string& place, const std::string& pattern) {
  UrgentFinding finding =
      notice_of(notice, to_hex(hash_parts({"rekey", options_.deployment, what})), place, clock_.now());
  finding.pattern = pattern;
  const std::int32_t partition =
      blocks_partition_of(finding, *epochs_->newest().rules, bus_.partitions(Topic::findings));
  bus_.send({Topic::findings, partition, finding.id, encode(finding)}, in_flight_);
}

void RekeyWorker::note_keys(const Owned& owned, bool was_keyed) {
  keyed_in_a_row_ = was_keyed ? keyed_in_a_row_ + 1 : 0;
  if (keyed_in_a_row_ < surely_keyed || said_keyed_) return;
  said_keyed_ = true;
  say_(false,
       "the last " + std::to_string(surely_keyed) + " records of " + owned.topic +
           " were keyed by their correlation id already: where all are, 'keyed_by: correlation_id' saves a topic");
}

// What is nobody's to read, such as the end of a transaction, counts: the group has to come to the end.
bool RekeyWorker::is_behind() {
  return std::any_of(owned_.begin(), owned_.end(),
                     [&](const Owned& owned) { return membership_.member().reached(owned.of) > owned.committed; });
}

bool RekeyWorker::commit() {
  if (in_flight_.failed.exchange(0) > 0) {
    membership_.leave("records could not be written to the source topic");
    drop_all();
    return false;
  }
  if (!is_committing_) {
    const Duration now = clock_.monotonic();
    if (now - committed_at_ < commit_every || !is_behind()) return true;
    if (in_flight_.records.load(std::memory_order_acquire) > 0) {
      // Under a steady stream the wait for the last record would never end.
      if (now - committed_at_ < 20 * commit_every) return true;
      for (const Duration until = now + 1s;
           in_flight_.records.load(std::memory_order_acquire) > 0 && clock_.monotonic() < until;) {
        membership_.wait(1ms);
      }
      if (in_flight_.records.load(std::memory_order_acquire) > 0) return true;
    }
    if (in_flight_.failed.load() > 0) return true;  // the next turn sees to it
    committing_.clear();
    for (const Owned& owned : owned_) {
      const std::int64_t reached = membership_.member().reached(owned.of);
      if (reached >= 0) committing_.push_back({owned.of, reached, {}});
    }
    for (NewRecord& letter : dead_letters_) membership_.member().send(std::move(letter));
    dead_letters_.clear();
    membership_.member().start_commit(committing_);
    is_committing_ = true;
  }
  const auto done = membership_.member().commit_result();
  if (!done) return true;
  is_committing_ = false;
  if (!*done) {
    membership_.leave(membership_.member().lost().value_or("a transaction failed"));
    drop_all();
    return false;
  }
  for (Owned& owned : owned_) {
    for (const BusPosition& position : committing_) {
      if (position.of != owned.of) continue;
      owned.committed = position.next_offset;
      owned.attempts->note_committed(position.next_offset);
    }
  }
  committed_at_ = clock_.monotonic();
  return true;
}

void RekeyWorker::publish() {
  RekeyView view = figures_;
  for (const Owned& owned : owned_) {
    view.partitions.push_back(owned.of);
    view.next_offsets.push_back(membership_.member().reached(owned.of));
  }
  view_.put(std::move(view));
}

}  // namespace tocsin
