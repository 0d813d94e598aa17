#include "core/stage/past_count.h"

#include <algorithm>
#include <utility>

namespace tocsin {

namespace {

// No clock that anybody looks after is wrong by more.
constexpr Duration most_ahead = std::chrono::seconds{60};

std::shared_ptr<const RuleSet> only_these(const RuleSet& rules, const std::vector<std::uint32_t>& aggregates) {
  auto only = std::make_shared<RuleSet>();
  for (const std::uint32_t index : aggregates) only->aggregates.push_back(rules.aggregates[index]);
  only->prices = rules.prices;
  only->names = rules.names;
  only->hash = rules.hash;
  return only;
}

RecordTime oldest_of(const RuleSet& rules, RecordTime from) {
  Duration longest{};
  for (const Aggregate& aggregate : rules.aggregates) longest = std::max(longest, kept_for(aggregate));
  return floor_to(from - longest, two_hour_length);
}

IngestOptions without_effects(IngestOptions options) {
  options.publish_events = false;
  options.gives_past = false;
  return options;
}

}  // namespace

PastCount::PastCount(IngestOptions options, const RuleEpochs& epochs, std::int64_t epoch,
                     const Fingerprinter& fingerprinter)
    : epoch_(epoch),
      from_(epochs.numbered(epoch)->from),
      numbers_(epochs.new_aggregates(epoch)),
      rules_(only_these(*epochs.numbered(epoch)->rules, numbers_)),
      partition_(without_effects(std::move(options)), rules_, epochs.numbered(epoch)->patterns, fingerprinter),
      series_(*rules_) {
  begin_ = since_ = oldest_of(*rules_, from_);
}

void PastCount::apply(const RawRecord& record) {
  apply_held(record.time);
  if (!held_) held_.emplace();
  held_->key.assign(record.key);
  held_->value.assign(record.value);
  held_->time = record.time;
  held_->offset = record.offset;
}

void PastCount::apply_held(std::optional<RecordTime> next) {
  if (!held_) return;
  RawRecord record;
  record.key = held_->key;
  record.value = held_->value;
  record.time = held_->time;
  record.offset = held_->offset;
  // Of those at or behind the epoch's beginning it is certain: else it would have begun before them.
  record.time_is_ahead = record.time && (*record.time >= from_ || (next && *record.time - *next > most_ahead));
  if (!first_ && record.time && !record.time_is_ahead) first_ = record.time;
  partition_.apply(record, out_);
  fold();
}

void PastCount::fold() {
  for (Cut& cut : out_.cuts) {
    const RecordTime slice = cut.grid - slice_length;
    if (slice >= begin_ && slice < from_) series_.fold(cut.block.cells, slice);
  }
  out_.clear();
}

void PastCount::end(bool is_cut_off) {
  apply_held(std::nullopt);
  held_.reset();
  partition_.close_until(std::max(from_, partition_.log_time() + slice_length), out_);
  fold();
  if (is_cut_off) since_ = std::clamp(ceil_to(first_.value_or(from_), quarter_length), begin_, from_);
  counted_ = series_.as_past();
  for (PastSeries& one : counted_) one.aggregate = numbers_[one.aggregate];
}

std::optional<Past> PastCount::next_piece(std::size_t most_bytes) {
  if (is_done_) return std::nullopt;
  Past piece;
  piece.epoch = epoch_;
  piece.is_first = given_ == 0;
  piece.since = since_;
  for (std::size_t bytes = 0; given_ < counted_.size() && bytes < most_bytes; ++given_) {
    bytes += counted_[given_].group.size() + counted_[given_].state.size();
    piece.series.push_back(std::move(counted_[given_]));
  }
  piece.is_last = is_done_ = given_ == counted_.size();
  return piece;
}

}  // namespace tocsin
