#include "runtime/evaluate_loop.h"

#include <utility>

#include "core/halt/halt_record.h"
#include "core/stage/block_codec.h"
#include "runtime/change_records.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_input_fetched = 256;

}  // namespace

EvaluateLoop::EvaluateLoop(EvaluateOptions options, bool clock_of_events, Log& log, const Clock& clock,
                           RuleSource& rules)
    : clock_of_events_(clock_of_events),
      log_(log),
      clock_(clock),
      rules_(rules),
      epochs_(rules.epochs()),
      promises_(options.source_partitions),
      partition_(std::move(options), epochs_->at(beginning_of_time).rules) {
  partition_.know(epochs_);
}

void EvaluateLoop::refresh_rules() {
  auto now = rules_.epochs();
  if (now != epochs_) {
    epochs_ = std::move(now);
    partition_.know(epochs_);
  }
  if (!epochs_->open()) return;
  if (const auto from = promises_.decision(*epochs_->open())) rules_.decide(*epochs_->open(), *from);
}

template <class Apply>
std::size_t EvaluateLoop::read(Topic topic, std::int64_t& next, Apply apply) {
  batch_.clear();
  next = log_.fetch(topic, 0, next, most_input_fetched, batch_);
  for (const LogRecord& record : batch_) apply(record);
  return batch_.size();
}

RecordTime EvaluateLoop::now() const {
  return clock_of_events_ ? partition_.evaluated() : clock_.now();
}

std::size_t EvaluateLoop::read_all() {
  // Silences first: who was told that one stands is paged for nothing that comes after it.
  std::size_t count = read(Topic::silences, silences_next_, [&](const LogRecord& record) {
    silences_.apply(record.key, record.value);
    if (const Acceptance* one = acceptances_.apply(record.key, record.value)) partition_.apply(*one);
  });
  count += read(Topic::findings, findings_next_, [&](const LogRecord& record) {
    if (const auto finding = decode_finding(record.value)) partition_.apply(*finding, changes_);
  });
  count += read(Topic::halts, halts_next_, [&](const LogRecord& record) {
    halts_.apply(record.key, record.value);
    acks_.apply_halt(record.key, record.value, record.time.value_or(clock_.now()));
    if (const auto release = release_from_json(record.value)) partition_.apply(*release, changes_);
  });
  read(Topic::control, control_next_, [&](const LogRecord& record) {
    if (!record.key.starts_with(control_trouble_prefix)) return;
    const auto trouble = trouble_from_json(record.value);
    if (trouble) {
      troubles_.insert_or_assign(record.key, *trouble);
    } else {
      troubles_.erase(record.key);
    }
  });
  count += read(Topic::halt_acks, acks_next_, [&](const LogRecord& record) { acks_.apply_ack(record.value); });
  count += read(Topic::blocks, blocks_next_, [&](const LogRecord& record) {
    auto block = decode_block(record.value);
    if (!block) return;
    // Who made it has seen its rules, so they are there to be seen.
    if (partition_.must_wait(*block)) refresh_rules();
    promises_.note(*block);
    partition_.apply(std::move(*block), changes_);
  });
  return count;
}

void EvaluateLoop::run(const std::atomic<bool>& stop) {
  std::uint64_t seen = 0;
  Duration last_published{0};
  bool is_published = false;
  publish();
  while (!stop.load(std::memory_order_relaxed)) {
    refresh_rules();
    const std::size_t count = read_all();
    if (count > 0) {
      commit({});
      is_published = false;
    }
    const Duration monotonic = clock_.monotonic();
    if ((count == 0 && !is_published) || monotonic - last_published >= publish_every) {
      advance();
      expire();
      publish();
      last_published = monotonic;
      is_published = true;
    }
    if (count == 0) seen = log_.wait(seen, 100ms);
  }
  publish();
}

void EvaluateLoop::commit(std::vector<Page> due) {
  std::vector<NewRecord> records;
  for (Page& page : due) records.push_back({Topic::outbox, 0, std::move(page.order_key), std::move(page.body)});
  for (AlertChange& change : changes_) {
    ++(change.firing ? fired_ : resolved_);
    if (auto page = withheld_.apply(change, silences_)) {
      records.push_back({Topic::outbox, 0, std::move(page->order_key), std::move(page->body)});
    }
    add_feeds_of(change, 0, records);
    recent_.push_back(std::move(change));
    if (recent_.size() > kept_changes) recent_.pop_front();
  }
  changes_.clear();
  withheld_.take_changes([](std::string_view, std::string_view) {});  // lasts as long as the process
  log_.commit(std::move(records),
              {{"evaluate", Topic::blocks, 0, blocks_next_}, {"evaluate", Topic::findings, 0, findings_next_}});
}

void EvaluateLoop::advance() {
  if (!clock_of_events_) partition_.apply(acks_.advance(now()), now(), changes_);
  std::vector<RuleTrouble> troubles;
  for (const auto& [process, trouble] : troubles_) troubles.push_back(trouble);
  partition_.apply(troubles, now(), changes_);
  std::vector<Page> due = withheld_.advance(now(), silences_);
  if (!changes_.empty() || !due.empty()) commit(std::move(due));
}

void EvaluateLoop::expire() {
  const EventTime at = as_event_time(now());
  std::vector<NewRecord> tombstones;
  for (std::string& key : halts_.expire(at)) tombstones.push_back({Topic::halts, 0, std::move(key), {}});
  for (std::string& key : silences_.expire(at)) tombstones.push_back({Topic::silences, 0, std::move(key), {}});
  for (std::string& key : acceptances_.expire(at)) tombstones.push_back({Topic::silences, 0, std::move(key), {}});
  if (!tombstones.empty()) log_.append(std::move(tombstones));
}

void EvaluateLoop::publish() {
  EvaluateView view;
  view.evaluated = partition_.evaluated();
  view.sight = partition_.sight();
  view.active = partition_.active();
  view.recent.assign(recent_.begin(), recent_.end());
  view.series = partition_.series();
  view.blocks_next = blocks_next_;
  view.findings_next = findings_next_;
  view.halts_next = halts_next_;
  view.silences_next = silences_next_;
  view.pages_withheld = withheld_.size();
  view.alerts_fired = fired_;
  view.alerts_resolved = resolved_;
  view_.put(std::move(view));
}

}  // namespace tocsin
