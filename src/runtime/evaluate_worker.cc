#include "runtime/evaluate_worker.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/hash.h"
#include "base/time_text.h"
#include "core/halt/halt_record.h"
#include "core/stage/block_codec.h"
#include "runtime/change_records.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_input_read = 1'000;
constexpr Duration publish_unchanged_every = 5s;
constexpr Duration expire_every = 10s;
constexpr Duration watch_every = 1s;
constexpr Duration late_watch = 10s;    // it stood still, and has to read first what came in between
constexpr std::size_t most_named = 10;  // source partitions on one page
constexpr Duration stalled_after = 30s;
constexpr std::string_view withheld_prefix = "withheld/";  // of keys in the topic of states; then the incident
constexpr Duration offsets_grain = 5min;
// A transaction takes tens of milliseconds: while catching up, it holds many grid times.
constexpr std::size_t most_changes = 10'000;

// The two parts of a position's metadata; nothing where they can't be read.
std::optional<std::pair<std::int64_t, std::string_view>> split_metadata(std::string_view text) {
  std::int64_t first = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), first);
  const auto used = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || used >= text.size() || text[used] != ' ') return std::nullopt;
  return std::pair(first, text.substr(used + 1));
}

}  // namespace

EvaluateWorker::EvaluateWorker(Options options, Bus& bus, const Clock& clock, RuleSource& rules, SayLine say)
    : options_(std::move(options)),
      bus_(bus),
      clock_(clock),
      rules_(rules),
      promises_(options_.evaluate.source_partitions),
      say_(say),
      membership_("evaluate", {Topic::blocks, Topic::findings}, options_.name, bus, clock, std::move(say)) {
  options_.evaluate.keeps_state = true;
}

void EvaluateWorker::run(const std::atomic<bool>& stop) {
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
    bool any = read_people();
    watch_ourselves();
    for (const Duration until = clock_.monotonic() + 50ms; read_some() && clock_.monotonic() < until;) any = true;
    if (is_dirty_ && !commit()) continue;
    const Duration now = clock_.monotonic();
    if (now - expired_at_ >= expire_every) {
      expired_at_ = now;
      expire();
    }
    if (now - published >= (is_shown_ ? publish_unchanged_every : publish_every)) {
      publish();
      published = now;
    }
    if (!any) membership_.wait(50ms);
  }
  publish();
  membership_.close();
}

void EvaluateWorker::drop_all() {
  for (const Owned& owned : owned_) refused_before_ += owned.partition->blocks_refused();
  owned_.clear();
  is_dirty_ = is_shown_ = false;
  restored_.store(false, std::memory_order_relaxed);
}

bool EvaluateWorker::adopt(const std::vector<Assigned>& assigned, const std::atomic<bool>& stop) {
  if (!catch_up_with_people(stop)) {
    if (!membership_.member().assignment_changed()) membership_.leave("halts and silences can't be read");
    return false;
  }
  for (const Assigned& one : assigned) {
    if (one.of.topic != Topic::blocks) continue;
    Owned owned;
    owned.number = one.of.partition;
    const RuleEpoch* epoch = &epochs_->at(beginning_of_time);
    if (one.next_offset) {
      const auto position = split_metadata(one.metadata);
      const auto number = position ? EvaluatePartition::epoch_of(position->second) : std::nullopt;
      epoch = number ? epochs_->numbered(*number) : nullptr;
    }
    if (epoch == nullptr) {
      membership_.leave("blocks partition " + std::to_string(owned.number) +
                        " stands at rules that are not known here yet");
      drop_all();
      return false;
    }
    EvaluateOptions options = options_.evaluate;
    options.partition = owned.number;
    options.partitions = bus_.partitions(Topic::blocks);
    owned.partition = std::make_unique<EvaluatePartition>(std::move(options), epoch->rules);
    owned.partition->know(epochs_);
    if (one.next_offset && !restore(owned, one, stop)) {
      if (!stop.load(std::memory_order_relaxed) && !membership_.member().assignment_changed()) {
        membership_.leave("the state of blocks partition " + std::to_string(owned.number) + " could not be restored");
      }
      drop_all();
      return false;
    }
    // Who was released while nobody looked.
    for (const HaltBook::Item& item : halts_.items()) {
      if (item.release) owned.partition->apply(*item.release, owned.changes);
    }
    // The groups know which of these were done.
    for (const Acceptance& acceptance : acceptances_.items()) owned.partition->apply(acceptance);
    owned.committed_grid = owned.partition->evaluated();
    owned.stalls.begin(clock_.monotonic());
    owned_.push_back(std::move(owned));
  }
  is_dirty_ = std::any_of(owned_.begin(), owned_.end(), [](const Owned& owned) { return !owned.changes.empty(); });
  is_shown_ = false;
  restored_.store(true, std::memory_order_relaxed);
  if (!owned_.empty()) {
    std::string list;
    for (const Owned& owned : owned_) list += " " + std::to_string(owned.number);
    say_(false, options_.name + " evaluates blocks partitions" + list);
  }
  return true;
}

// Before anything is decided: a silence that nobody has read yet would let its pages go.
bool EvaluateWorker::catch_up_with_people(const std::atomic<bool>& stop) {
  if (!people_) people_ = bus_.tail({Topic::halts, Topic::halt_acks, Topic::silences, Topic::control});
  while (people_ && !people_->caught_up()) {
    people_->read([&](const BusRecord& record) { read_person(record); }, Duration{100});
    if (!membership_.still_ours(stop)) return false;
  }
  return people_ != nullptr;
}

bool EvaluateWorker::restore(Owned& owned, const Assigned& from, const std::atomic<bool>& stop) {
  bool readable = true;
  const auto keep_going = [&] { return readable && membership_.still_ours(stop); };
  const auto outcome = bus_.read_to_end(
      {Topic::states, owned.number}, 0,
      [&](const BusRecord& record) {
        const bool is_page = record.key.starts_with(withheld_prefix);
        const bool done = is_page ? owned.withheld.restore(record.key.substr(withheld_prefix.size()), record.value)
                                  : owned.partition->restore(record.key, record.value);
        readable = readable && done;
      },
      keep_going);
  if (!readable) say_(true, "the topic of states holds a record that this version can't read");
  if (outcome != ReadOutcome::complete || !readable) return false;

  const auto position = split_metadata(from.metadata);
  if (!position || !owned.partition->begin_resume(position->second)) {
    say_(true, "the position of blocks partition " + std::to_string(owned.number) + " can't be read");
    return false;
  }
  const auto again = bus_.read_range(
      from.of, position->first, *from.next_offset,
      [&](const BusRecord& record) {
        auto block = decode_block(record.value);
        if (!block) return;
        // Who committed this position knew these rules.
        readable = readable && !owned.partition->must_wait(*block);
        if (owned.number == 0) promises_.note(*block);
        note_offset(owned, block->grid, record.offset);
        owned.partition->resume(*std::move(block));
      },
      keep_going);
  if (again != ReadOutcome::complete || !readable) return false;
  owned.partition->end_resume(owned.changes);
  return true;
}

bool EvaluateWorker::read_people() {
  const std::size_t count = people_->read([&](const BusRecord& record) { read_person(record); }, Duration{0});
  if (people_->caught_up()) watch_acknowledgements();
  for (const Owned& owned : owned_) is_dirty_ = is_dirty_ || !owned.changes.empty();
  return count > 0;
}

void EvaluateWorker::read_person(const BusRecord& record) {
  if (record.from.topic == Topic::silences) {
    silences_.apply(record.key, record.value);
    if (const Acceptance* one = acceptances_.apply(record.key, record.value)) {
      for (Owned& owned : owned_) owned.partition->apply(*one);
    }
    return;
  }
  if (record.from.topic == Topic::control) {
    if (!record.key.starts_with(control_trouble_prefix)) return;
    const std::string process(record.key.substr(control_trouble_prefix.size()));
    const auto trouble = trouble_from_json(record.value);
    if (trouble) {
      troubles_.insert_or_assign(process, *trouble);
    } else {
      troubles_.erase(process);
    }
    return;
  }
  if (record.from.topic == Topic::halt_acks) {
    acks_.apply_ack(record.value);
    return;
  }
  halts_.apply(record.key, record.value);
  acks_.apply_halt(record.key, record.value, record.time);
  const auto release = release_from_json(record.value);
  if (!release) return;
  for (Owned& owned : owned_) owned.partition->apply(*release, owned.changes);
}

void EvaluateWorker::watch_acknowledgements() {
  const Duration now = clock_.monotonic();
  if (now - watched_at_ < watch_every) return;
  watched_at_ = now;
  const AckReport all = acks_.advance(clock_.now());
  const auto count = static_cast<std::uint64_t>(bus_.partitions(Topic::blocks));
  for (Owned& owned : owned_) {
    // Each scope is one partition's to page for.
    AckReport own = all;
    std::erase_if(own.overdue, [&](const Unacknowledged& one) {
      return hash64(one.scope) % count != static_cast<std::uint64_t>(owned.number);
    });
    owned.partition->apply(own, clock_.now(), owned.changes);
    std::vector<RuleTrouble> troubles;
    for (const auto& [process, trouble] : troubles_) {
      if (hash64(process) % count == static_cast<std::uint64_t>(owned.number)) troubles.push_back(trouble);
    }
    owned.partition->apply(troubles, clock_.now(), owned.changes);
  }
}

void EvaluateWorker::refresh_rules() {
  auto now = rules_.epochs();
  if (now != epochs_) {
    epochs_ = std::move(now);
    for (Owned& owned : owned_) owned.partition->know(epochs_);
  }
  const bool is_first = std::any_of(owned_.begin(), owned_.end(), [](const Owned& one) { return one.number == 0; });
  if (!is_first || !epochs_->open()) return;
  if (const auto from = promises_.decision(*epochs_->open())) rules_.decide(*epochs_->open(), *from);
}

void EvaluateWorker::watch_ourselves() {
  const Duration now = clock_.monotonic();
  if (now - watched_ourselves_at_ < watch_every) return;
  const bool is_late = now - watched_ourselves_at_ > late_watch;
  watched_ourselves_at_ = now;
  for (Owned& owned : owned_) {
    // While Kafka is away, and while this process was, nothing can be said of others.
    if (is_late || !bus_.reachable()) owned.stalls.begin(now);
    if (owned.number != 0) continue;
    if (options_.pages_stalls) page_stalled_partitions(owned, now);
    page_added_partitions(owned);
    is_dirty_ = is_dirty_ || !owned.changes.empty();
  }
}

void EvaluateWorker::page_stalled_partitions(Owned& owned, Duration now) {
  std::vector<std::int32_t> all;
  for (std::int32_t p = 0; p < bus_.partitions(Topic::source); ++p) {
    if (!bus_.name_of({Topic::source, p}).first.empty()) all.push_back(p);
  }
  const auto partitions = owned.stalls.stalled(all, now);
  if (partitions.empty() && !owned.stalls.all_seen(all)) return;
  std::string list;
  for (std::size_t i = 0; i < partitions.size() && i < most_named; ++i) {
    const auto [topic, number] = bus_.name_of({Topic::source, partitions[i]});
    list += (list.empty() ? "" : ", ") + topic + "/" + std::to_string(number);
  }
  OwnCondition stalled{"SourcePartitionsStalled", {}, !partitions.empty(), {}, "all source partitions close slices"};
  stalled.summary = std::to_string(partitions.size()) + " source partitions have closed no slice for " +
                    to_text(StallWatch::patience) + " (" + list + (partitions.size() > most_named ? ", ..." : "") +
                    "): no ingest process reads them, or the one that does is restoring or can't keep up. Windowed "
                    "conditions wait for them, and none of their alerts resolves";
  owned.partition->apply(stalled, clock_.now(), owned.changes);
}

void EvaluateWorker::page_added_partitions(Owned& owned) {
  for (const auto& [topic, unread] : bus_.unread_partitions()) {
    OwnCondition added{"SourcePartitionsAdded", {{"topic", topic}}, unread > 0, {}, "all partitions are read"};
    added.summary =
        topic + " has " + std::to_string(unread) +
        " partitions more than this process read at its start. They are read once tocsin is restarted, one "
        "process after the other; if `tocsin topics` then names the topic of tasks, give it more partitions "
        "first. Of tasks that were open meanwhile no overrun is raised";
    owned.partition->apply(added, clock_.now(), owned.changes);
  }
}

bool EvaluateWorker::read_some() {
  bool any = false;
  std::size_t changes = 0;
  for (Owned& owned : owned_) {
    // Findings first: they are ahead of their blocks.
    any |= membership_.member().read({Topic::findings, owned.number}, most_input_read,
                                     [&](const BusRecord& record) { apply_finding(owned, record); }) > 0;
    while (!owned.waiting.empty() && !owned.partition->must_wait(owned.waiting.front().second)) {
      auto [offset, block] = std::move(owned.waiting.front());
      owned.waiting.pop_front();
      apply_block(owned, offset, std::move(block));
      any = true;
    }
    if (owned.waiting.empty()) {
      any |= membership_.member().read({Topic::blocks, owned.number}, most_input_read,
                                       [&](const BusRecord& record) { apply_block(owned, record); }) > 0;
    }
    is_dirty_ = is_dirty_ || !owned.changes.empty() || owned.partition->evaluated() > owned.committed_grid;
    changes += owned.changes.size();
  }
  return any && changes < most_changes;
}

void EvaluateWorker::apply_finding(Owned& owned, const BusRecord& record) {
  is_dirty_ = true;
  const auto finding = decode_finding(record.value);
  if (!finding) return note_unreadable("finding");
  owned.partition->apply(*finding, owned.changes);
  if (!finding->halt) return;
  // A person may have been faster.
  for (const HaltBook::Item& item : halts_.of_scope(finding->halt->scope)) {
    if (item.halt.id == finding->halt->id && item.release) owned.partition->apply(*item.release, owned.changes);
  }
}

void EvaluateWorker::apply_block(Owned& owned, const BusRecord& record) {
  auto block = decode_block(record.value);
  if (!block) return note_unreadable("slice");
  if (!owned.waiting.empty() || owned.partition->must_wait(*block)) {
    owned.waiting.emplace_back(record.offset, *std::move(block));
    return;
  }
  apply_block(owned, record.offset, *std::move(block));
}

void EvaluateWorker::apply_block(Owned& owned, std::int64_t offset, Block block) {
  if (owned.number == 0) promises_.note(block);
  note_offset(owned, block.grid, offset);
  owned.stalls.note_block(block.partition, clock_.monotonic());
  owned.partition->apply(std::move(block), owned.changes);
}

std::int64_t EvaluateWorker::next_block_of(const Owned& owned) {
  if (!owned.waiting.empty()) return owned.waiting.front().first;
  return membership_.member().reached({Topic::blocks, owned.number});
}

void EvaluateWorker::note_unreadable(const char* what) {
  if (++unreadable_ > 1) return;  // said once; another version of Tocsin writes them all alike
  say_(true, std::string("a ") + what +
                 " can't be read and is left out: it was written by another version, or by somebody else; run one "
                 "version everywhere");
}

void EvaluateWorker::note_offset(Owned& owned, RecordTime grid, std::int64_t offset) {
  owned.first_offsets.try_emplace(floor_to(grid, offsets_grain), offset);
}

std::string EvaluateWorker::metadata_of(Owned& owned, std::int64_t next_offset) {
  // What is older than the earliest block that may be needed is not asked for any more.
  const RecordTime oldest = floor_to(owned.partition->needs_blocks_after(), offsets_grain);
  while (!owned.first_offsets.empty() && owned.first_offsets.begin()->first < oldest) {
    owned.first_offsets.erase(owned.first_offsets.begin());
  }
  std::int64_t first = next_offset;
  for (const auto& [grid, offset] : owned.first_offsets) first = std::min(first, offset);
  return std::to_string(first) + " " + owned.partition->position();
}

// What was decided, as it is for others: pages that no silence holds back, feeds, and which pages are held back.
std::vector<NewRecord> EvaluateWorker::records_of(Owned& owned) {
  std::vector<NewRecord> records;
  const auto send = [&](Page page) {
    records.push_back({Topic::outbox, by_key, std::move(page.order_key), std::move(page.body)});
  };
  for (const AlertChange& change : owned.changes) {
    if (auto page = owned.withheld.apply(change, silences_)) send(*std::move(page));
    add_feeds_of(change, by_key, records);
  }
  for (Page& page : owned.withheld.advance(owned.partition->evaluated(), silences_)) send(std::move(page));
  owned.withheld.take_changes([&](std::string_view key, std::string_view value) {
    records.push_back({Topic::states, owned.number, std::string(withheld_prefix).append(key), std::string(value)});
  });
  return records;
}

bool EvaluateWorker::commit() {
  Member& member = membership_.member();
  std::vector<BusPosition> positions;
  for (Owned& owned : owned_) {
    state_changes_.clear();
    owned.partition->take_changes(state_changes_);
    for (StateRecord& change : state_changes_) {
      member.send({Topic::states, owned.number, std::move(change.key), std::move(change.value)});
    }
    if (owned.partition->take_heartbeat()) {
      member.send({Topic::outbox, by_key, std::string(heartbeat_key), std::string(heartbeat_key)});
    }
    const TopicPartition blocks{Topic::blocks, owned.number}, findings{Topic::findings, owned.number};
    const std::int64_t next_block = next_block_of(owned);
    if (next_block >= 0) positions.push_back({blocks, next_block, metadata_of(owned, next_block)});
    if (member.reached(findings) >= 0) positions.push_back({findings, member.reached(findings), {}});
  }
  if (positions.empty()) return true;
  for (Owned& owned : owned_) {
    for (NewRecord& record : records_of(owned)) member.send(std::move(record));
  }
  if (!member.commit(positions)) {
    membership_.leave(member.lost().value_or("a transaction failed"));
    drop_all();
    return false;
  }
  for (Owned& owned : owned_) {
    for (AlertChange& change : owned.changes) {
      ++(change.firing ? fired_ : resolved_);
      recent_.push_back(std::move(change));
      if (recent_.size() > kept_changes) recent_.pop_front();
    }
    owned.changes.clear();
  }
  is_dirty_ = is_shown_ = false;
  for (Owned& owned : owned_) owned.committed_grid = owned.partition->evaluated();
  return true;
}

void EvaluateWorker::expire() {
  const bool is_first = std::any_of(owned_.begin(), owned_.end(), [](const Owned& one) { return one.number == 0; });
  const EventTime now = as_event_time(clock_.now());
  const auto forget = [&](Topic topic, std::vector<std::string> keys) {
    for (std::string& key : keys) {
      if (is_first) bus_.send_later({topic, by_key, std::move(key), {}}, tombstones_);
    }
  };
  forget(Topic::halts, halts_.expire(now));
  forget(Topic::silences, silences_.expire(now));
  forget(Topic::silences, acceptances_.expire(now));
}

void EvaluateWorker::publish() {
  // What is not committed is nobody's to see.
  if (is_dirty_) return;
  EvaluateView view;
  view.blocks_refused = refused_before_;
  view.partitions = owned_.size();
  view.owns_any = !owned_.empty();
  bool is_first = true;
  for (const Owned& owned : owned_) {
    const EvaluatePartition& partition = *owned.partition;
    view.evaluated = is_first ? partition.evaluated() : std::min(view.evaluated, partition.evaluated());
    is_first = false;
    add_sight(view.sight, partition.sight());
    for (ActiveAlert& alert : partition.active()) view.active.push_back(std::move(alert));
    const SeriesUse use = partition.series();
    view.series.used += use.used;
    view.series.cap += use.cap;
    view.series.bytes += use.bytes;
    view.blocks_refused += partition.blocks_refused();
    view.pages_withheld += owned.withheld.size();
    view.partitions_stalled = std::max(view.partitions_stalled, partition.stalled(stalled_after));
  }
  view.recent.assign(recent_.begin(), recent_.end());
  view.alerts_fired = fired_;
  view.alerts_resolved = resolved_;
  view_.put(std::move(view));
  is_shown_ = true;
}

}  // namespace tocsin
