#include "core/stage/series_table.h"

#include <algorithm>

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr Duration distinct_kept = 62min;
constexpr std::size_t most_contributions = 24;
constexpr Duration contributions_kept = 24h;

// After this long a series holds nothing but zeros.
Duration kept(HistoryReach reach) {
  switch (reach) {
    case HistoryReach::day:
      return 26h;
    case HistoryReach::two_days:
      return 49h;
    case HistoryReach::week:
      break;
  }
  return 172h;
}

}  // namespace

void DistinctHistory::add(RecordTime slice, const DistinctSet& set) {
  const RecordTime minute = floor_to(slice, minute_length);
  if (minutes_.empty() || minutes_.back().first != minute) minutes_.emplace_back(minute, DistinctSet{});
  minutes_.back().second.merge(set);
  while (minutes_.front().first + distinct_kept < minute) minutes_.pop_front();
}

std::int64_t DistinctHistory::window(RecordTime now, Duration length) const {
  const RecordTime start = window_start(now, length);
  DistinctSet all;
  for (const auto& [minute, set] : minutes_) {
    if (minute >= start && minute < now) all.merge(set);
  }
  return all.count();
}

std::vector<std::string> Series::examples_since(RecordTime from) const {
  std::vector<Contribution> sums;
  for (const Contribution& contribution : contributions) {
    if (contribution.at <= from) continue;
    const auto known = std::find_if(sums.begin(), sums.end(), [&](const Contribution& sum) {
      return sum.example.correlation_id == contribution.example.correlation_id;
    });
    if (known == sums.end()) {
      sums.push_back(contribution);
    } else {
      known->example.amount += contribution.example.amount;
      known->at = contribution.at;
    }
  }
  std::stable_sort(sums.begin(), sums.end(), [](const Contribution& a, const Contribution& b) {
    return a.example.amount != b.example.amount ? a.example.amount > b.example.amount : a.at > b.at;
  });
  std::vector<std::string> ids;
  for (const Contribution& sum : sums) {
    if (ids.size() < most_examples) ids.push_back(sum.example.correlation_id);
  }
  return ids;
}

SeriesTable::SeriesTable(const RuleSet& rules)
    : rules_(rules),
      tables_(rules.aggregates.size()),
      overflow_(rules.aggregates.size()),
      overflowed_(rules.aggregates.size(), false) {}

void SeriesTable::fold(const std::vector<Cell>& cells, RecordTime begin) {
  for (const Cell& cell : cells) {
    const Aggregate& aggregate = rules_.aggregates[cell.aggregate];
    auto& table = tables_[cell.aggregate];
    Series* series = nullptr;
    const auto found = table.find(cell.group);
    if (found != table.end()) {
      series = found->second.get();
    } else if (table.size() < aggregate.max_series && cell.group != "_overflow") {
      series = table.emplace(cell.group, std::make_unique<Series>(aggregate.reach)).first->second.get();
    } else {
      auto& overflow = overflow_[cell.aggregate];
      if (!overflow) overflow = std::make_unique<Series>(HistoryReach::day);
      series = overflow.get();
      overflowed_[cell.aggregate] = true;
    }
    series->history.add(begin, cell.totals);
    if (!cell.distinct.empty()) series->distinct.add(begin, cell.distinct);
    for (const Example& example : cell.examples) {
      series->contributions.push_back({begin + slice_length, example});
    }
    while (series->contributions.size() > most_contributions) {
      const auto first = series->contributions.begin();
      const bool is_old = first->at + contributions_kept < begin;
      series->contributions.erase(
          is_old ? first
                 : std::min_element(first, series->contributions.end(),
                                    [](const Series::Contribution& a, const Series::Contribution& b) {
                                      return a.example.amount < b.example.amount;
                                    }));
    }
  }
}

const Series* SeriesTable::find(std::uint32_t aggregate, const GroupKey& group) const {
  const auto found = tables_[aggregate].find(group);
  return found == tables_[aggregate].end() ? nullptr : found->second.get();
}

std::vector<std::uint32_t> SeriesTable::take_overflowed() {
  std::vector<std::uint32_t> list;
  for (std::uint32_t i = 0; i < overflowed_.size(); ++i) {
    if (overflowed_[i]) list.push_back(i);
    overflowed_[i] = false;
  }
  return list;
}

void SeriesTable::forget(RecordTime now) {
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    const Duration age = kept(rules_.aggregates[i].reach);
    std::erase_if(tables_[i], [&](const auto& entry) { return entry.second->history.last_added() + age < now; });
  }
}

std::size_t SeriesTable::size() const {
  std::size_t size = 0;
  for (const auto& table : tables_) size += table.size();
  return size;
}

std::size_t SeriesTable::cap() const {
  std::size_t cap = 0;
  for (const Aggregate& aggregate : rules_.aggregates) cap += aggregate.max_series;
  return cap;
}

std::size_t SeriesTable::bytes() const {
  std::size_t bytes = 0;
  for (const auto& table : tables_) {
    for (const auto& [key, series] : table) bytes += series->history.bytes();
  }
  return bytes;
}

}  // namespace tocsin
