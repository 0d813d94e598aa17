#include "runtime/ingest_worker.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <tuple>
#include <utility>

#include "base/hash.h"
#include "base/safeguard.h"
#include "base/time_text.h"
#include "core/stage/block_codec.h"
#include "core/stage/block_split.h"
#include "runtime/dead_letter_json.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_events_read = 1'000;
// While catching up, a partition's state is taken this often, and not at each of its hundreds of cuts a second.
constexpr Duration take_every = 100ms;
constexpr std::size_t most_pending_bytes = 4 << 20;
// Half of what a topic takes in one record by default.
constexpr std::size_t most_block_bytes = 512 << 10;
constexpr Duration ask_ends_every = 500ms;
// No clock that anybody looks after is wrong by more.
constexpr Duration most_ahead = 60s;
constexpr Duration ask_past_every = 1s;
constexpr std::size_t most_past_read = 8;
constexpr Duration past_turn = 2ms;
constexpr Duration no_past_progress = 60s;
constexpr std::size_t most_past_bytes = 4 << 20;
// Producers learn of added partitions within five minutes, by default.
constexpr Duration moves_within = 10min;

}  // namespace

IngestWorker::IngestWorker(Options options, Bus& bus, const Clock& clock, const RuleSource& rules,
                           const Fingerprinter& fingerprinter, SayLine say)
    : options_(std::move(options)),
      bus_(bus),
      clock_(clock),
      rules_(rules),
      fingerprinter_(fingerprinter),
      say_(say),
      membership_("ingest", {Topic::source}, options_.name, bus, clock, std::move(say)) {
  const auto wake_up = [this] { membership_.wake(); };
  halts_in_flight_.on_empty = wake_up;
  for (Batch& batch : batches_) batch.in_flight.on_empty = wake_up;
}

void IngestWorker::run(const std::atomic<bool>& stop) {
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
    refresh_rules();
    if (is_new && !adopt(assigned, stop)) continue;
    note_added_partitions();
    bool any = read_some();
    // What happens now comes first; the past gets a turn in four all the same.
    if (!any || ++turns_ % 4 == 0) any = read_pasts() || any;
    give_out_urgent();
    if (!any && options_.closes_when_idle) close_idle();
    send_heartbeats();
    if (!commit()) continue;
    const Duration now = clock_.monotonic();
    if (now - published >= publish_every) {
      publish();
      published = now;
    }
    if (!any) membership_.wait(closing_ != nullptr || !findings_.empty() ? 5ms : 100ms);
  }
  // What is closed already goes out, if that is quick; else it is read again after the next start.
  for (const Duration until = clock_.monotonic() + last_commit_within;
       clock_.monotonic() < until && (closing_ != nullptr || !filling_->positions.empty());) {
    committed_at_ = Duration{0};
    bool is_new = false;
    if (!membership_.serve(assigned, is_new) || is_new) {
      drop_all();
      break;
    }
    if (!commit()) break;
    give_out_urgent();
    if (closing_ != nullptr) membership_.wait(5ms);
  }
  publish();
  membership_.close();
}

// A lasting one where there is room for it.
AttemptMark& IngestWorker::mark_of(const std::string& topic, std::int32_t number) {
  AttemptMark* const lasting = options_.attempts != nullptr ? options_.attempts->mark_of(topic, number) : nullptr;
  return lasting != nullptr ? *lasting : own_marks_[{topic, number}];
}

IngestOptions IngestWorker::options_of(const Owned& owned) const {
  IngestOptions own = options_.ingest;
  own.partition = owned.number;
  own.source = owned.topic;
  own.expects_keys = !owned.is_heartbeat;
  own.is_heartbeat = owned.is_heartbeat;
  own.gives_past = true;
  return own;
}

void IngestWorker::drop_all() {
  for (const Owned& owned : owned_) totals_before_.add(owned.partition->totals());
  if (holds(Safeguard::drop_after_abort)) owned_.clear();
  findings_.clear();
  out_.clear();
  for (Batch& batch : batches_) batch.clear();
  closing_ = nullptr;
  is_committing_ = false;
  restored_.store(false, std::memory_order_relaxed);
}

bool IngestWorker::adopt(const std::vector<Assigned>& assigned, const std::atomic<bool>& stop) {
  for (const Assigned& one : assigned) {
    const auto is_known = [&](const Owned& known) { return known.number == one.of.partition; };
    if (!holds(Safeguard::drop_after_abort) && std::any_of(owned_.begin(), owned_.end(), is_known)) continue;
    Owned owned;
    owned.number = one.of.partition;
    std::tie(owned.topic, owned.number_in_topic) = bus_.name_of(one.of);
    owned.is_heartbeat = owned.topic == bus_.name_of({Topic::heartbeat, 0}).first;
    owned.mark.number = owned.number;
    owned.mark.read = bus_.partitions_read(one.of);
    owned.mark.partitions = bus_.partitions_seen(one.of);
    // A position stands in the epoch that its slice is counted by; one without a position begins with the newest.
    const auto number =
        one.next_offset ? IngestPartition::epoch_of(split_mark(one.metadata).second) : epochs_->newest().number;
    const RuleEpoch* const epoch = number ? epochs_->numbered(*number) : nullptr;
    if (epoch == nullptr) {
      membership_.leave(owned.topic + " stands at rules that are not known here yet");
      drop_all();
      return false;
    }
    owned.attempts = &mark_of(owned.topic, owned.number_in_topic);
    owned.given_up = owned.attempts->given_up_from(0);
    owned.partition =
        std::make_unique<IngestPartition>(options_of(owned), epoch->rules, epoch->patterns, fingerprinter_);
    const bool is_ready = one.next_offset ? restore(owned, one, stop) : forget_state(owned, stop);
    if (!is_ready) {
      if (!stop.load(std::memory_order_relaxed) && !membership_.member().assignment_changed()) {
        membership_.leave("the state of " + owned.topic + " could not be restored");
      }
      drop_all();
      return false;
    }
    owned.partition->know(epochs_);
    if (one.gone_from) {
      note_gone(owned,
                "from offset " + std::to_string(*one.gone_from) + ", read on at " + std::to_string(*one.next_offset),
                owned.partition->log_time());
    }
    if (!one.next_offset && bus_.is_added(one.of)) begin_added(owned);
    owned_.push_back(std::move(owned));
  }
  restored_.store(true, std::memory_order_relaxed);
  if (!owned_.empty()) {
    std::string list;
    for (const Owned& owned : owned_) list += " " + std::to_string(owned.number);
    say_(false, options_.name + " reads source partitions" + list);
  }
  return true;
}

// Goes out before the next position is committed: as long as none is, it is found and said again, under the same id.
void IngestWorker::note_gone(const Owned& owned, const std::string& which, RecordTime at) {
  const std::string what = "partition " + std::to_string(owned.number_in_topic) + " " + which;
  UrgentFinding notice =
      notice_of(Notice::records_gone, to_hex(hash_parts({"gone", options_.ingest.deployment, owned.topic, what})),
                owned.topic, at);
  notice.pattern = what;
  out_.findings.push_back(std::move(notice));
}

// A partition without a position was never read, and has no state; or its topic was deleted, which takes the position
// away, too. What was known of it then is of other records, and goes with the first commit.
bool IngestWorker::forget_state(Owned& owned, const std::atomic<bool>& stop) {
  std::set<std::string> keys;
  const auto note = [&](const BusRecord& record) {
    if (record.value.empty()) {
      keys.erase(std::string(record.key));
    } else {
      keys.emplace(record.key);
    }
  };
  const auto outcome =
      bus_.read_to_end({Topic::tasks, owned.number}, 0, note, [&] { return membership_.still_ours(stop); });
  if (outcome != ReadOutcome::complete) return false;
  if (keys.empty()) return true;
  for (const std::string& key : keys) owned.pending.push_back({Topic::tasks, owned.number, key, {}});
  say_(true,
       owned.name() +
           " was read before, and its position is not known any more: its topic was made anew, or nobody read it "
           "for long; it is read from its beginning");
  note_gone(owned, "was read before and has no position any more; read on at its oldest record", clock_.now());
  return true;
}

bool IngestWorker::restore(Owned& owned, const Assigned& from, const std::atomic<bool>& stop) {
  const auto [mark, position] = split_mark(from.metadata);
  if (mark && mark->number != owned.number) {
    say_(true, "source partition " + owned.name() + " has number " + std::to_string(mark->number) +
                   ", and this process took it for " + std::to_string(owned.number) + ": restart it");
    return false;
  }
  if (mark) {
    owned.mark.partitions = mark->partitions;
    owned.mark.moving_until = mark->moving_until;
  }
  bool readable = true;
  const auto keep_going = [&] { return readable && membership_.still_ours(stop); };
  const auto outcome = bus_.read_to_end(
      {Topic::tasks, owned.number}, 0,
      [&](const BusRecord& record) { readable = owned.partition->restore(record.key, record.value) && readable; },
      keep_going);
  if (!readable) {
    say_(true, "the topic of tasks holds a record that this version can't read; partition " +
                   std::to_string(owned.number) + " waits");
  }
  if (outcome != ReadOutcome::complete || !readable) return false;
  if (owned.partition->resume(position, *from.next_offset)) {
    owned.partition->expect_moves_until(owned.mark.moving_until);
    return true;
  }
  say_(true, "the position of source partition " + std::to_string(owned.number) +
                 " and what the topic of tasks holds do not belong together; the partition waits");
  return false;
}

void IngestWorker::refresh_rules() {
  auto now = rules_.epochs();
  if (now == epochs_) return;
  epochs_ = std::move(now);
  for (Owned& owned : owned_) owned.partition->know(epochs_);
}

// What waited for a decision, as far as it may go on. True where some did.
bool IngestWorker::read_waiting(Owned& owned, RecordTime now) {
  bool any = false;
  while (!owned.waiting.empty() && !owned.partition->must_wait(owned.waiting.front().time)) {
    const Owned::Waiting record = std::move(owned.waiting.front());
    owned.waiting.pop_front();
    read_record(owned, {{Topic::source, owned.number}, record.offset, record.key, record.value, record.time}, now);
    any = true;
  }
  return any;
}

// It joins at a slice that nobody can have evaluated yet, and says so ahead with an empty block: from there on
// evaluate waits for it. What was written to it before counts in that slice.
void IngestWorker::begin_added(Owned& owned) {
  const RecordTime begin = ceil_to(clock_.now(), slice_length) + slice_length;
  owned.mark.moving_until = begin + moves_within;
  owned.partition->expect_moves_until(owned.mark.moving_until);
  owned.partition->begin_at(begin, out_);
  take_cuts(owned, 0);
  say_(false, owned.name() + " was added; it is source partition " + std::to_string(owned.number));
}

void IngestWorker::note_added_partitions() {
  for (Owned& owned : owned_) {
    const std::int32_t seen = bus_.partitions_seen({Topic::source, owned.number});
    if (seen <= owned.mark.partitions) continue;
    const bool is_first_look = owned.mark.partitions == 0;
    owned.mark.partitions = seen;
    if (is_first_look || owned.is_heartbeat) continue;
    owned.mark.moving_until = std::max(owned.partition->log_time(), clock_.now()) + moves_within;
    owned.partition->lose_track();
    owned.partition->expect_moves_until(owned.mark.moving_until);
    say_(false, owned.topic + " has " + std::to_string(seen) +
                    " partitions now: of tasks that are open in its partition " +
                    std::to_string(owned.number_in_topic) + " no overrun is raised");
  }
}

bool IngestWorker::read_some() {
  std::sort(owned_.begin(), owned_.end(), [](const Owned& a, const Owned& b) {
    const auto order = [](const Owned& one) { return std::pair(one.partition->log_time(), one.number); };
    return order(a) < order(b);
  });
  for (Owned& owned : owned_) {
    const RecordTime now = clock_.now();
    if (read_waiting(owned, now)) return true;
    if (!owned.waiting.empty()) continue;
    const std::size_t count =
        membership_.member().read({Topic::source, owned.number}, most_events_read, [&](const BusRecord& record) {
          if (owned.waiting.empty() && !owned.partition->must_wait(record.time)) {
            return read_record(owned, record, now);
          }
          owned.waiting.push_back({record.offset, std::string(record.key), std::string(record.value), record.time});
        });
    if (count > 0) return true;
  }
  return false;
}

void IngestWorker::read_record(Owned& owned, const BusRecord& record, RecordTime now) {
  RawRecord raw;
  raw.key = record.key;
  raw.value = record.value;
  raw.offset = record.offset;
  raw.time = record.time;
  raw.time_is_ahead = record.time - now > most_ahead && holds(Safeguard::stamps_ahead_ignored);
  owned.partition->close_before(record.time, raw.time_is_ahead, out_);
  if (!out_.cuts.empty()) take_cuts(owned, record.offset);
  if (record.offset == owned.given_up) [[unlikely]] {
    pass_over(owned, raw);
  } else {
    owned.attempts->begin(record.offset);
    owned.partition->apply(raw, out_);
    owned.attempts->end();
  }
  if (!out_.halts.empty() || !out_.findings.empty()) give_out_urgent(&owned.partition->rules());
  for (const DeadLetter& letter : out_.dead_letters) {
    owned.pending.push_back(
        {Topic::dead_letters, by_key, {}, dead_letter_json(owned.topic, owned.number_in_topic, letter)});
  }
  out_.dead_letters.clear();
  for (PublishedEvent& event : out_.published) {
    bus_.send_later({Topic::events, by_key, std::move(event.key), std::move(event.value)}, filling_->in_flight);
  }
  out_.published.clear();
  for (PublishedEvent& span : out_.spans) {
    bus_.send_later({Topic::spans, by_key, std::move(span.key), std::move(span.value)}, filling_->in_flight);
  }
  out_.spans.clear();
}

void IngestWorker::pass_over(Owned& owned, const RawRecord& raw) {
  const std::string name = owned.name() + "@" + std::to_string(raw.offset);
  say_(true, "reading record " + name + " ended the process " + std::to_string(AttemptMark::most_deaths) +
                 " times; it is passed over");
  owned.partition->pass_over(raw, name, out_);
  owned.given_up = owned.attempts->given_up_from(raw.offset + 1);
}

void IngestWorker::give_up(const std::string& why) {
  for (const Owned& owned : owned_) {
    owned.attempts->note_death();
    if (owned.past && owned.past->attempts != nullptr) owned.past->attempts->note_death();
  }
  membership_.leave(why);
  drop_all();
}

void IngestWorker::take_cuts(Owned& owned, std::int64_t next_offset) {
  for (Cut& cut : out_.cuts) {
    ++filling_->cuts;
    std::int32_t q = 0;
    for (Block& block : split(std::move(cut.block), *cut.rules, bus_.partitions(Topic::blocks))) {
      for (const Block& part : in_parts(std::move(block), most_block_bytes)) {
        std::string value = encode(part);
        owned.pending_bytes += value.size();
        owned.pending.push_back({Topic::blocks, q, std::to_string(owned.number), std::move(value)});
      }
      ++q;
    }
  }
  out_.cuts.clear();
  const Duration now = clock_.monotonic();
  if (now - owned.taken_at < take_every && owned.pending_bytes < most_pending_bytes) return;
  owned.taken_at = now;
  changes_.clear();
  owned.partition->take_changes(changes_);
  for (StateRecord& change : changes_) {
    NewRecord record{Topic::tasks, owned.number, std::move(change.key), std::move(change.value)};
    if (holds(Safeguard::one_origin)) {
      owned.pending.push_back(std::move(record));
    } else {
      bus_.send_later(std::move(record), filling_->in_flight);
    }
  }
  auto& records = filling_->records;
  records.insert(records.end(), std::make_move_iterator(owned.pending.begin()),
                 std::make_move_iterator(owned.pending.end()));
  owned.pending.clear();
  owned.pending_bytes = 0;
  filling_->positions[owned.number] = {
      {Topic::source, owned.number}, next_offset, owned.mark.to_text() + owned.partition->position()};
}

void IngestWorker::close_idle() {
  const Duration monotonic = clock_.monotonic();
  // Read before the ends are asked for: whatever is appended from then on is stamped later.
  RecordTime now = clock_.now();
  if (options_.complete_until != nullptr) now = std::min(now, RecordTime{Duration{options_.complete_until->load()}});
  const RecordTime until = floor_to(now - options_.idle_grace, slice_length);
  std::vector<Owned*> due;
  std::vector<TopicPartition> asked;
  for (Owned& owned : owned_) {
    if (until <= owned.partition->log_time() || monotonic - owned.asked_at < ask_ends_every) continue;
    if (!owned.waiting.empty()) continue;  // it is not read to its end
    owned.asked_at = monotonic;
    due.push_back(&owned);
    asked.push_back({Topic::source, owned.number});
  }
  if (due.empty()) return;
  const auto ends = bus_.ends(asked);
  if (!ends) return;
  for (std::size_t i = 0; i < due.size(); ++i) {
    const std::int64_t reached = membership_.member().reached(asked[i]);
    if (reached != (*ends)[i] && holds(Safeguard::read_to_end_before_idle)) continue;
    IngestPartition& partition = *due[i]->partition;
    partition.close_until(partition.must_wait(until) ? *partition.held_until() : until, out_);
    due[i]->taken_at = Duration{-1h};  // a close is taken, however lately the one before it was
    if (!out_.cuts.empty()) take_cuts(*due[i], reached);
  }
}

bool IngestWorker::read_pasts() {
  // One after the other: each takes a reader, and the memory of what it counts.
  bool is_reading =
      std::any_of(owned_.begin(), owned_.end(), [](const Owned& owned) { return owned.past && owned.past->records; });
  bool any = false;
  for (Owned& owned : owned_) {
    const auto owed = owned.partition->owed_past();
    if (owned.past && (!owed || owed->epoch != owned.past->epoch)) owned.past.reset();
    if (!owed) continue;
    if (!owned.past && !is_reading) begin_past(owned, *owed);
    if (owned.past) any = read_past(owned) || any;
    is_reading = is_reading || (owned.past && owned.past->records);
  }
  return any;
}

void IngestWorker::begin_past(Owned& owned, const OwedPast& owed) {
  const Duration now = clock_.monotonic();
  if (owned.past_asked_at > 0ms && now - owned.past_asked_at < ask_past_every) return;
  owned.past_asked_at = now;
  Owned::PastRead past;
  past.epoch = owed.epoch;
  past.begun = past.progress_at = now;
  if (owned.is_heartbeat) {
    past.piece = Past{owed.epoch, true, true, {}, {}};
  } else if (epochs_->numbered(owed.epoch) == nullptr) {
    past.piece = Past{owed.epoch, true, true, clock_.now(), {}};  // nobody knows any more what was asked for
  } else {
    past.attempts = &mark_of("past of " + owned.topic, owned.number_in_topic);
    past.given_up = past.attempts->given_up_from(0);
    past.count = std::make_unique<PastCount>(options_of(owned), *epochs_, owed.epoch, fingerprinter_);
    const TopicPartition source{Topic::source, owned.number};
    const std::int64_t until =
        holds(Safeguard::pasts_end_at_their_epoch) ? owed.until : membership_.member().reached(source);
    past.records = bus_.read_again(source, past.count->reads_from(), until);
    if (!past.records) return;
  }
  owned.past = std::move(past);
}

bool IngestWorker::read_past(Owned& owned) {
  Owned::PastRead& past = *owned.past;
  if (past.records) {
    const Duration begun = clock_.monotonic();
    std::size_t count = 0;
    // A record may hold thousands of events.
    do {
      count = past.records->read(most_past_read, [&](const BusRecord& record) { count_past_record(past, record); });
      past.read += static_cast<std::int64_t>(count);
    } while (count > 0 && clock_.monotonic() - begun < past_turn);
    if (count > 0) past.progress_at = clock_.monotonic();
    if (!past.records->at_end()) {
      // Another one may have its turn; this one begins anew later.
      if (clock_.monotonic() - past.progress_at > no_past_progress) owned.past.reset();
      return count > 0;
    }
    past.count->end(past.records->is_cut_off());
    past.records.reset();
    say_(false, "new conditions look back in " + owned.name() + ": " + std::to_string(past.read) +
                    " records read in " + to_text(clock_.monotonic() - past.begun));
  }
  if (!past.piece && past.count) past.piece = past.count->next_piece(most_past_bytes);
  if (past.piece && owned.partition->has_room_for_past()) {
    if (past.piece->is_last && past.attempts != nullptr) past.attempts->note_committed(INT64_MAX);
    owned.partition->take_past(*std::exchange(past.piece, std::nullopt));
  }
  return false;
}

// A record that ends each process that reads it ended those that read it live as well, and would end this one.
void IngestWorker::count_past_record(Owned::PastRead& past, const BusRecord& record) {
  if (record.offset == past.given_up) [[unlikely]] {
    past.given_up = past.attempts->given_up_from(record.offset + 1);
    return;
  }
  past.attempts->begin(record.offset);
  past.count->apply({record.key, record.value, record.time, record.offset});
  past.attempts->end();
}

void IngestWorker::send_heartbeats() {
  for (Owned& owned : owned_) {
    const Duration now = clock_.monotonic();
    if (!owned.is_heartbeat || (owned.heartbeat_at > 0ms && now - owned.heartbeat_at < options_.heartbeat_every)) {
      continue;
    }
    owned.heartbeat_at = now;
    bus_.send({Topic::heartbeat, owned.number_in_topic, "heartbeat", "{}"}, filling_->in_flight);
  }
}

// `rules`: by which the findings in `out_` were made; needed where there are any.
void IngestWorker::give_out_urgent(const RuleSet* rules) {
  for (const HaltRecord& halt : out_.halts) {
    bus_.send({Topic::halts, by_key, halt.key(), to_json(halt)}, halts_in_flight_);
    ++halts_;
  }
  out_.halts.clear();
  const std::int32_t count = bus_.partitions(Topic::findings);
  for (const UrgentFinding& finding : out_.findings) {
    findings_.push_back({Topic::findings, blocks_partition_of(finding, *rules, count), finding.id, encode(finding)});
  }
  out_.findings.clear();
  const bool halts_wait = halts_in_flight_.records.load(std::memory_order_acquire) > 0;
  if (halts_wait && holds(Safeguard::halts_before_findings)) return;
  for (NewRecord& finding : findings_) bus_.send(std::move(finding), filling_->in_flight);
  findings_.clear();
}

bool IngestWorker::commit() {
  std::int64_t failed = halts_in_flight_.failed.exchange(0);
  for (Batch& batch : batches_) failed += batch.in_flight.failed.exchange(0);
  if (failed > 0) {
    membership_.leave(std::to_string(failed) + " records could not be written");
    drop_all();
    return false;
  }
  if (closing_ == nullptr) {
    if (filling_->positions.empty() || clock_.monotonic() - committed_at_ < commit_every) return true;
    closing_ = filling_;
    filling_ = closing_ == &batches_[0] ? &batches_[1] : &batches_[0];
  }
  if (!is_committing_) {
    const bool is_acknowledged = findings_.empty() && halts_in_flight_.records.load(std::memory_order_acquire) == 0 &&
                                 closing_->in_flight.records.load(std::memory_order_acquire) == 0;
    if (!is_acknowledged && holds(Safeguard::outside_sends_acknowledged)) return true;
    for (NewRecord& record : closing_->records) membership_.member().send(std::move(record));
    std::vector<BusPosition> positions;
    for (auto& [number, position] : closing_->positions) positions.push_back(std::move(position));
    membership_.member().start_commit(positions);
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
  for (const Owned& owned : owned_) {
    const auto position = closing_->positions.find(owned.number);
    if (position != closing_->positions.end()) owned.attempts->note_committed(position->second.next_offset);
  }
  cuts_ += closing_->cuts;
  closing_->clear();
  closing_ = nullptr;
  committed_at_ = clock_.monotonic();
  return true;
}

void IngestWorker::publish() {
  IngestView view;
  view.totals.add(totals_before_);
  for (const Owned& owned : owned_) {
    view.totals.add(owned.partition->totals());
    merge_agents(view.agents, owned.partition->agents());
    view.partitions.push_back(owned.number);
    view.next_offsets.push_back(membership_.member().reached({Topic::source, owned.number}));
    if (!owned.is_heartbeat) view.log_times.push_back(owned.partition->log_time());
    view.open_tasks += owned.partition->open_tasks();
    view.groups += owned.partition->groups();
  }
  view.cuts = cuts_;
  view.halts = halts_;
  view_.put(std::move(view));
}

}  // namespace tocsin
