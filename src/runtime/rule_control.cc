#include "runtime/rule_control.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr Duration turn_length = 100ms;
// A proposal or decision that has not come back by then is written once more.
constexpr Duration written_within = 3s;
// What was dropped is proposed again after a while, twice as long each time.
constexpr Duration again_after = 10s;
constexpr Duration again_within = 10min;
// Half of what a topic takes in one record by default.
constexpr std::size_t most_file_bytes = 512 << 10;

}  // namespace

RuleControl::RuleControl(Options options, std::unique_ptr<ControlLog> log, const Clock& clock,
                         std::vector<NamedText> files, std::string own_hash, SayLine say)
    : options_(std::move(options)), log_(std::move(log)), clock_(clock), say_(std::move(say)), book_(options_.load) {
  writer_ = to_hex(hash_parts({options_.process, std::to_string(clock.now().since_epoch.count()),
                               std::to_string(clock.monotonic().count())}))
                .substr(0, 16);
  status_.own_hash = own_hash;
  wanted_ = Wanted{std::move(files), std::move(own_hash), {}, true};
}

bool RuleControl::wait_for_first(const std::function<bool()>& stop) {
  while (!epochs() && !stop()) turn(turn_length);
  return epochs() != nullptr;
}

void RuleControl::run(const std::atomic<bool>& stop) {
  while (!stop.load(std::memory_order_relaxed)) turn(turn_length);
}

void RuleControl::turn(Duration timeout) {
  log_->read([&](std::string_view key, std::string_view value) { fold(key, value); }, timeout);
  if (!log_->caught_up()) return;
  if (std::exchange(changed_, false)) publish();
  drop_what_nobody_answers();
  write_decisions();
  write_trouble();
  pursue();
}

void RuleControl::fold(std::string_view key, std::string_view value) {
  const auto before = book_.open();
  if (!book_.apply(key, value)) return;
  changed_ = true;
  if (const auto& open = book_.open()) {
    open_number_ = open->number;
    open_since_ = clock_.monotonic();
    decided_at_ = Duration{-1h};
    if (!log_->caught_up()) return;
    say_(false, "rules " + open->hash + " were proposed by " + open->by + "; they come into force at a grid time");
    return;
  }
  open_number_.reset();
  if (!before || !log_->caught_up()) return;  // what is long past is nobody's news
  dropped_ = book_.last_dropped().empty() ? 0 : dropped_ + 1;
  if (!book_.last_dropped().empty()) {
    say_(true, "rules " + before->hash + " are not in force: " + book_.last_dropped());
  } else if (book_.epochs()) {
    say_(false, "rules " + before->hash + " are in force from " +
                    to_rfc3339(as_event_time(book_.epochs()->newest().from)) + " on");
  }
}

void RuleControl::publish() {
  {
    const std::lock_guard lock(mutex_);
    epochs_ = book_.epochs();
    if (epochs_) {
      const RuleEpoch& newest = epochs_->newest();
      status_.epoch = newest.number;
      status_.from = newest.from;
      status_.hash = newest.rules->hash;
    }
    status_.fatal = book_.unreadable();
  }
  if (!book_.unreadable().empty()) say_(true, book_.unreadable());
  if (on_change_) on_change_();
}

// Brings the files that are wanted into force, one step at a time.
void RuleControl::pursue() {
  const Duration now = clock_.monotonic();
  std::optional<Wanted> wanted;
  {
    const std::lock_guard lock(mutex_);
    const std::string& coming = book_.open() ? book_.open()->hash : status_.hash;
    status_.files_differ = !coming.empty() && coming != status_.own_hash;
    if (wanted_) {
      const bool is_in_force = book_.epochs() && !book_.open() && status_.hash == wanted_->hash;
      // Old files that a process comes back with are not to come back into force.
      const bool is_old =
          wanted_->is_start && book_.epochs() && book_.has_seen(wanted_->hash) && coming != wanted_->hash;
      if (is_in_force || is_old) wanted_.reset();
    }
    status_.is_waiting = wanted_.has_value();
    wanted = wanted_;
    if (status_.files_differ && !wanted && said_differ_ != coming) {
      said_differ_ = coming;
      say_(true, "the rules in force (" + coming + ") are not those of this process's files (" + status_.own_hash +
                     "), and it runs the ones in force; reload to propose its own");
    }
  }
  const auto number = book_.next_number();
  if (!wanted || !number || now < wanted->not_before) return;
  if (proposed_number_ == number && now - proposed_at_ < written_within) return;
  if (proposed_number_ && proposed_number_ < *number && !book_.last_dropped().empty() &&
      now - proposed_at_ < options_.drop_after + std::min(again_within, again_after * (1 << std::min(dropped_, 6)))) {
    return;  // it was dropped a moment ago
  }
  RuleProposal proposal;
  proposal.number = *number;
  proposal.hash = wanted->hash;
  proposal.by = options_.process;
  proposal.at = as_event_time(clock_.now());
  for (const NamedText& file : wanted->files) {
    const std::string hash = hash_of_file(file.text);
    proposal.files.push_back({file.file, hash});
    if (!book_.has_file(hash)) log_->write(std::string(control_file_prefix) + hash, file.text);
  }
  log_->write(key_of(proposal, new_writer()), to_json(proposal));
  proposed_number_ = number;
  proposed_at_ = now;
}

void RuleControl::drop_what_nobody_answers() {
  if (!open_number_ || clock_.monotonic() - open_since_ < options_.drop_after) return;
  RuleDecision decision;
  decision.number = *open_number_;
  decision.dropped =
      "a partition did not answer in time (nobody owns it, it is far behind, or its process can't read "
      "these rules)";
  decision.by = options_.process;
  decision.at = as_event_time(clock_.now());
  log_->write(key_of(decision, new_writer()), to_json(decision));
  open_since_ = clock_.monotonic();  // it is written again where it does not come back
}

void RuleControl::write_decisions() {
  std::optional<RuleDecision> decision;
  {
    const std::lock_guard lock(mutex_);
    decision.swap(decision_);
  }
  const Duration now = clock_.monotonic();
  if (!decision || decision->number != open_number_ || now - decided_at_ < written_within) return;
  decided_at_ = now;
  log_->write(key_of(*decision, new_writer()), to_json(*decision));
}

void RuleControl::write_trouble() {
  std::optional<std::string> summary;
  {
    const std::lock_guard lock(mutex_);
    summary.swap(new_trouble_);
  }
  if (!summary) return;
  const std::string key = std::string(control_trouble_prefix) + options_.process;
  const RuleTrouble trouble{options_.process, *summary, as_event_time(clock_.now())};
  log_->write(key, summary->empty() ? std::string{} : to_json(trouble));
}

std::string RuleControl::new_writer() {
  return writer_ + "-" + std::to_string(++written_);
}

std::shared_ptr<const RuleEpochs> RuleControl::epochs() const {
  const std::lock_guard lock(mutex_);
  return epochs_;
}

void RuleControl::decide(std::int64_t number, RecordTime from) {
  const std::lock_guard lock(mutex_);
  RuleDecision decision;
  decision.number = number;
  decision.from = from;
  decision.by = options_.process;
  decision.at = as_event_time(clock_.now());
  decision_ = std::move(decision);
}

void RuleControl::reload(std::vector<NamedText> files, std::string hash) {
  for (const NamedText& file : files) {
    if (file.text.size() <= most_file_bytes) continue;
    return note_trouble(file.file +
                        " has more than 512 KiB, which is more than a record of the topic takes: split it");
  }
  const std::lock_guard lock(mutex_);
  ++status_.reloads;
  if (!status_.trouble.empty()) new_trouble_ = std::string{};
  status_.trouble.clear();
  status_.own_hash = hash;
  wanted_ = Wanted{std::move(files), std::move(hash), {}, false};
}

void RuleControl::note_trouble(std::string summary) {
  const std::lock_guard lock(mutex_);
  ++status_.reloads;
  ++status_.reloads_failed;
  status_.trouble = summary;
  new_trouble_ = std::move(summary);
}

RuleStatus RuleControl::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace tocsin
