#include "runtime/ingest_loop.h"

#include <utility>

#include "core/stage/block_codec.h"
#include "runtime/dead_letter_json.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_events_fetched = 512;

}  // namespace

IngestLoop::IngestLoop(Options options, Log& log, const Clock& clock, const RuleSource& rules,
                       const Fingerprinter& fingerprinter)
    : options_(std::move(options)), log_(log), clock_(clock), rules_(rules), epochs_(rules.epochs()) {
  const RuleEpoch& newest = epochs_->newest();
  for (const std::int32_t number : options_.partitions) {
    IngestOptions own = options_.ingest;
    own.partition = number;
    owned_.push_back({number, log_.position("ingest", Topic::source, number),
                      std::make_unique<IngestPartition>(own, newest.rules, newest.patterns, fingerprinter)});
    owned_.back().partition->know(epochs_);
  }
}

void IngestLoop::run(const std::atomic<bool>& stop) {
  std::uint64_t seen = 0;
  Duration last_published{0};
  bool is_published = false;
  publish();
  while (!stop.load(std::memory_order_relaxed)) {
    bool any = false;
    refresh_rules();
    for (Owned& owned : owned_) {
      if (read_some(owned)) {
        any = true;
      } else if (options_.closes_when_idle) {
        close_idle(owned);
      }
    }
    if (any) is_published = false;
    const Duration now = clock_.monotonic();
    if ((!any && !is_published) || now - last_published >= publish_every) {
      publish();
      last_published = now;
      is_published = true;
    }
    if (!any) seen = log_.wait(seen, 100ms);
  }
  publish();
}

void IngestLoop::refresh_rules() {
  auto now = rules_.epochs();
  if (now == epochs_) return;
  epochs_ = std::move(now);
  for (Owned& owned : owned_) owned.partition->know(epochs_);
}

bool IngestLoop::read_some(Owned& owned) {
  batch_.clear();
  std::int64_t next = log_.fetch(Topic::source, owned.number, owned.next_offset, most_events_fetched, batch_);
  if (batch_.empty()) return false;
  out_.clear();
  for (const LogRecord& record : batch_) {
    RawRecord raw;
    raw.key = record.key;
    raw.value = record.value;
    raw.time = record.time;
    raw.offset = record.offset;
    if (record.time && owned.partition->must_wait(*record.time)) {
      next = record.offset;  // it is read again when new rules are decided
      break;
    }
    owned.partition->apply(raw, out_);
    if (!out_.halts.empty() || !out_.findings.empty()) give_out_urgent();
  }
  const bool any = next != owned.next_offset;
  owned.next_offset = next;
  if (any) commit(owned);
  return any;
}

void IngestLoop::close_idle(Owned& owned) {
  const RecordTime now = clock_.now();
  // Asked after the time was read: whatever is appended from here on is stamped later.
  if (log_.end(Topic::source, owned.number) != owned.next_offset) return;
  const RecordTime until = floor_to(now - options_.idle_grace, slice_length);
  if (until <= owned.partition->log_time()) return;
  out_.clear();
  owned.partition->close_until(owned.partition->must_wait(until) ? *owned.partition->held_until() : until, out_);
  commit(owned);
}

void IngestLoop::give_out_urgent() {
  std::vector<NewRecord> records;
  for (const HaltRecord& halt : out_.halts) {
    records.push_back({Topic::halts, 0, halt.key(), to_json(halt)});
    ++halts_;
  }
  out_.halts.clear();
  if (!records.empty()) log_.append(std::move(records));
  records.clear();
  for (const UrgentFinding& finding : out_.findings) {
    records.push_back({Topic::findings, 0, finding.id, encode(finding)});
  }
  out_.findings.clear();
  if (!records.empty()) log_.append(std::move(records));
}

void IngestLoop::commit(const Owned& owned) {
  std::vector<NewRecord> records;
  for (const Cut& cut : out_.cuts) {
    records.push_back({Topic::blocks, 0, std::to_string(owned.number), encode(cut.block)});
  }
  cuts_ += static_cast<std::int64_t>(out_.cuts.size());
  for (const DeadLetter& letter : out_.dead_letters) {
    records.push_back({Topic::dead_letters, 0, {}, dead_letter_json("source", owned.number, letter)});
  }
  for (PublishedEvent& event : out_.published) {
    records.push_back({Topic::events, 0, std::move(event.key), std::move(event.value)});
  }
  log_.commit(std::move(records), {{"ingest", Topic::source, owned.number, owned.next_offset}});
}

void IngestLoop::publish() {
  IngestView view;
  for (const Owned& owned : owned_) {
    view.totals.add(owned.partition->totals());
    merge_agents(view.agents, owned.partition->agents());
    view.next_offsets.push_back(owned.next_offset);
    view.log_times.push_back(owned.partition->log_time());
    view.open_tasks += owned.partition->open_tasks();
    view.groups += owned.partition->groups();
  }
  view.cuts = cuts_;
  view.halts = halts_;
  view_.put(std::move(view));
}

}  // namespace tocsin
