#include "core/stage/past_book.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/hash.h"
#include "base/safeguard.h"

namespace tocsin {

namespace {

// As many series as are stored at a grid time without it taking long.
constexpr std::size_t series_at_once = 5'000;

}  // namespace

void PastBook::take(std::int32_t partition, Past piece, const std::vector<Aggregate>& aggregates, RecordTime grid) {
  Given& own = given_[piece.epoch][partition];
  if (piece.is_first) own = {false, piece.since, grid, {}};
  own.is_whole = piece.is_last;
  std::vector<std::string> names;
  for (const Aggregate& aggregate : aggregates) names.push_back(aggregate.canonical());
  for (PastSeries& one : piece.series) {
    if (one.aggregate < names.size()) own.series.emplace_back(names[one.aggregate], std::move(one));
  }
}

std::optional<std::int64_t> PastBook::next(const std::map<std::int32_t, Block>& blocks) const {
  if (given_.empty()) return std::nullopt;
  const std::int64_t epoch = given_.begin()->first;
  const bool is_owed =
      holds(Safeguard::pasts_of_all) && std::any_of(blocks.begin(), blocks.end(), [&](const auto& entry) {
        return entry.second.owes_past_of != 0 && entry.second.owes_past_of <= epoch;
      });
  return is_owed ? std::nullopt : std::optional(epoch);
}

PastBook::Step PastBook::take_step(RecordTime from, const std::map<std::int32_t, Block>& blocks) {
  const auto first = given_.begin();
  std::size_t count = 0;
  Step step;
  step.since = RecordTime{Duration{INT64_MIN / 4}};
  for (const auto& [partition, given] : first->second) count += given.series.size();
  for (const auto& [partition, block] : blocks) {
    const auto given = first->second.find(partition);
    const bool is_whole = given != first->second.end() && given->second.is_whole;
    step.since = std::max(step.since, is_whole ? std::min(given->second.since, from) : from);
  }
  const std::uint64_t all = count / series_at_once + 1;
  const auto number = static_cast<std::uint64_t>(steps_);
  for (auto& [partition, given] : first->second) {
    if (!given.is_whole) continue;  // its partition began anew in between
    for (auto& [name, series] : given.series) {
      if (hash64(series.group) % all == number) step.series[name].push_back(series);
    }
  }
  for (auto& [name, list] : step.series) {
    std::stable_sort(list.begin(), list.end(),
                     [](const PastSeries& a, const PastSeries& b) { return a.group < b.group; });
  }
  step.is_last = number + 1 >= all;
  ++steps_;
  if (step.is_last) resume(first->first, 0);
  return step;
}

void PastBook::resume(std::int64_t merged, std::int64_t steps) {
  merged_ = merged;
  steps_ = steps;
  given_.erase(given_.begin(), given_.upper_bound(merged));
}

std::optional<RecordTime> PastBook::first_grid() const {
  std::optional<RecordTime> first;
  for (const auto& [epoch, partitions] : given_) {
    for (const auto& [partition, given] : partitions)
      first = std::min(first.value_or(given.first_grid), given.first_grid);
  }
  return first;
}

}  // namespace tocsin
