#include "core/stage/series_table.h"

#include <algorithm>
#include <utility>

#include "core/epoch/rule_epochs.h"
#include "core/stage/evaluate_keys.h"
#include "core/stage/stage_wire.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_contributions = 24;
constexpr Duration contributions_kept = 24h;

constexpr std::uint64_t since_version = 1;
constexpr std::uint64_t series_version = 1;

template <class Coder>
void pass(Coder& coder, Series::Contribution& contribution) {
  wire::pass(coder, contribution.at);
  wire::pass(coder, contribution.example);
}

// Behind what releases wrote that knew sets of the last hour alone.
template <class Coder>
void pass_more(Coder& coder, SeriesCells& cells) {
  cells.distinct.pass_rest(coder);
  cells.distributions.pass_minutes(coder);
  cells.distributions.pass_rest(coder);
  wire::pass(coder, cells.period.period.begin);
  wire::pass(coder, cells.period.period.end);
  wire::pass(coder, cells.period.totals);
}

std::string encode(const Series& series) {
  wire::Writer writer;
  writer.number(series_version);
  RecordTime stored = series.stored;
  wire::pass(writer, stored);
  series.history.write_to(writer);
  std::unique_ptr<SeriesCells> cells;
  if (series.cells) {
    cells = std::make_unique<SeriesCells>(*series.cells);
    cells->distinct.pass_minutes(writer);
  } else {
    writer.number(0);
  }
  auto contributions = series.contributions;
  writer.list(contributions, [&](Series::Contribution& one) { pass(writer, one); });
  if (cells && cells->has_more_kinds()) pass_more(writer, *cells);
  return writer.take();
}

// Requires: nothing was added to the series.
bool decode(std::string_view bytes, Series& series) {
  wire::Reader reader(bytes);
  std::uint64_t version = 0;
  reader.number(version);
  if (version != series_version) return false;
  wire::pass(reader, series.stored);
  series.history.read_from(reader);
  CellHistory<DistinctSet> none;
  (series.cells ? series.cells->distinct : none).pass_minutes(reader);
  reader.list(series.contributions, [&](Series::Contribution& one) { pass(reader, one); });
  if (series.cells && series.cells->has_more_kinds() && reader.left() > 0) pass_more(reader, *series.cells);
  return reader.read_all();
}

}  // namespace

Series::Series(const Aggregate& aggregate) : history(aggregate.reach, aggregate.minutes) {
  if (aggregate.is_of_cells() || aggregate.calendar) cells = std::make_unique<SeriesCells>(aggregate);
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
      known->example.amount = saturating_add(known->example.amount, contribution.example.amount);
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

void Series::merge(const Series& past) {
  history.merge(past.history);
  if (cells && past.cells) {
    cells->distinct.merge(past.cells->distinct);
    cells->distributions.merge(past.cells->distributions);
    cells->period.merge(past.cells->period);
  }
  contributions.insert(contributions.begin(), past.contributions.begin(), past.contributions.end());
  std::stable_sort(contributions.begin(), contributions.end(),
                   [](const Contribution& a, const Contribution& b) { return a.at < b.at; });
  drop_contributions(history.last_added());
}

void Series::drop_contributions(RecordTime now) {
  while (contributions.size() > most_contributions) {
    const auto first = contributions.begin();
    const bool is_old = first->at + contributions_kept < now;
    contributions.erase(
        is_old ? first
               : std::min_element(first, contributions.end(), [](const Contribution& a, const Contribution& b) {
                   return a.example.amount < b.example.amount;
                 }));
  }
}

SeriesTable::SeriesTable(const RuleSet& rules) : rules_(&rules) {
  read_rules();
}

void SeriesTable::read_rules() {
  const std::size_t count = rules_->aggregates.size();
  names_.clear();
  for (const Aggregate& aggregate : rules_->aggregates) names_.push_back(to_hex(hash_parts({aggregate.canonical()})));
  tables_ = decltype(tables_)(count);
  indices_ = decltype(indices_)(count);
  restored_ = decltype(restored_)(count);
  overflow_ = decltype(overflow_)(count);
  overflowed_.assign(count, false);
  counted_since_.assign(count, beginning_of_time);
}

void SeriesTable::store_since(std::uint32_t aggregate, std::vector<StateRecord>& out) const {
  wire::Writer writer;
  writer.number(since_version);
  RecordTime since = counted_since_[aggregate];
  wire::pass(writer, since);
  out.push_back({std::string(since_prefix) + names_[aggregate], writer.take()});
}

bool SeriesTable::restore_since(std::string_view key, std::string_view value) {
  const auto name = std::find(names_.begin(), names_.end(), key.substr(since_prefix.size()));
  if (name == names_.end() || value.empty()) return true;
  wire::Reader reader(value);
  std::uint64_t version = 0;
  reader.number(version);
  RecordTime since;
  wire::pass(reader, since);
  if (version != since_version || !reader.read_all()) return false;
  counted_since_[static_cast<std::size_t>(name - names_.begin())] = since;
  return true;
}

void SeriesTable::change_rules(const RuleSet& rules, RecordTime since, std::vector<StateRecord>& out) {
  const RuleSet* const old_rules = rules_;
  const auto old_names = std::move(names_);
  const auto old_since = std::move(counted_since_);
  auto old_tables = std::move(tables_);
  auto old_indices = std::move(indices_);
  auto old_overflow = std::move(overflow_);
  rules_ = &rules;
  read_rules();
  for (std::uint32_t old = 0; old < old_names.size(); ++old) {
    const auto found = std::find(names_.begin(), names_.end(), old_names[old]);
    if (found == names_.end()) {
      for (const auto& [group, series] : old_tables[old]) {
        out.push_back({std::string(series_prefix) + old_names[old] + "/" + group, {}});
      }
      out.push_back({std::string(since_prefix) + old_names[old], {}});
      continue;
    }
    const auto now = static_cast<std::uint32_t>(found - names_.begin());
    counted_since_[now] = old_since[old];
    overflow_[now] = std::move(old_overflow[old]);
    tables_[now] = std::move(old_tables[old]);
    indices_[now] = std::move(old_indices[old]);
    const Aggregate& aggregate = rules.aggregates[now];
    const Aggregate& before = old_rules->aggregates[old];
    if (before.reach == aggregate.reach && before.minutes == aggregate.minutes) continue;
    for (auto& [group, series] : tables_[now]) {
      Series other(aggregate);
      if (decode(encode(*series), other)) *series = std::move(other);
    }
  }
  for (std::uint32_t now = 0; now < names_.size(); ++now) {
    if (std::find(old_names.begin(), old_names.end(), names_[now]) != old_names.end()) continue;
    counted_since_[now] = since;
    store_since(now, out);
  }
}

std::string SeriesTable::key_of(std::uint32_t aggregate, const GroupKey& group) const {
  return std::string(series_prefix) + names_[aggregate] + "/" + group;
}

void SeriesTable::fold(const std::vector<Cell>& cells, RecordTime begin) {
  for (const Cell& cell : cells) {
    const Aggregate& aggregate = rules_->aggregates[cell.aggregate];
    Series* series = series_of(cell.aggregate, cell.group);
    if (series == nullptr && tables_[cell.aggregate].size() < aggregate.max_series && cell.group != "_overflow") {
      series = &add_series(cell.aggregate, cell.group);
    } else if (series == nullptr) {
      auto& overflow = overflow_[cell.aggregate];
      if (!overflow) overflow = std::make_unique<Series>(Aggregate{});
      series = overflow.get();
      overflowed_[cell.aggregate] = true;
    }
    if (begin + slice_length <= series->stored) continue;  // read again after a restart: it is in the record
    series->history.add(begin, cell.totals);
    if (series->cells && !cell.distinct.empty()) series->cells->distinct.add(begin, cell.distinct);
    if (series->cells && !cell.distribution.empty()) series->cells->distributions.add(begin, cell.distribution);
    if (series->cells && aggregate.calendar) series->cells->period.add(*aggregate.calendar, begin, cell.totals);
    for (const Example& example : cell.examples) {
      series->contributions.push_back({begin + slice_length, example});
    }
    series->drop_contributions(begin);
  }
}

std::vector<PastSeries> SeriesTable::as_past() const {
  std::vector<PastSeries> list;
  for (std::uint32_t i = 0; i < tables_.size(); ++i) {
    for (const auto& [group, series] : tables_[i]) list.push_back({i, group, encode(*series)});
  }
  return list;
}

void SeriesTable::merge_past(std::uint32_t aggregate, const std::vector<PastSeries>& past, RecordTime grid,
                             std::vector<StateRecord>& out) {
  const Aggregate& bounds = rules_->aggregates[aggregate];
  for (auto one = past.begin(); one != past.end();) {
    const GroupKey group = one->group;
    Series* known = series_of(aggregate, group);
    const bool has_room = tables_[aggregate].size() < bounds.max_series && group != "_overflow";
    if (known == nullptr && has_room) known = &add_series(aggregate, group);
    for (; one != past.end() && one->group == group; ++one) {  // one from each source partition
      Series old(bounds);
      if (known != nullptr && decode(one->state, old)) known->merge(old);
    }
    if (known == nullptr) continue;
    known->stored = grid;
    out.push_back({key_of(aggregate, group), encode(*known)});
  }
}

void SeriesTable::move_back(std::uint32_t aggregate, RecordTime since, std::vector<StateRecord>& out) {
  if (since >= counted_since_[aggregate]) return;
  counted_since_[aggregate] = since;
  store_since(aggregate, out);
}

const Series* SeriesTable::find(std::uint32_t aggregate, const GroupKey& group) const {
  return series_of(aggregate, group);
}

Series* SeriesTable::series_of(std::uint32_t aggregate, std::string_view group) const {
  const auto found = indices_[aggregate].find(group);
  return found == indices_[aggregate].end() ? nullptr : found->second;
}

// Requires: there is none of that group.
Series& SeriesTable::add_series(std::uint32_t aggregate, const GroupKey& group) {
  auto series = std::make_unique<Series>(rules_->aggregates[aggregate]);
  const auto entry = tables_[aggregate].emplace(group, std::move(series)).first;
  indices_[aggregate].emplace(entry->first, entry->second.get());
  return *entry->second;
}

std::vector<std::uint32_t> SeriesTable::take_overflowed() {
  std::vector<std::uint32_t> list;
  for (std::uint32_t i = 0; i < overflowed_.size(); ++i) {
    if (overflowed_[i]) list.push_back(i);
    overflowed_[i] = false;
  }
  return list;
}

void SeriesTable::forget(RecordTime now, std::vector<StateRecord>& out) {
  for (std::uint32_t i = 0; i < tables_.size(); ++i) {
    const Duration age = kept_for(rules_->aggregates[i]);
    std::erase_if(tables_[i], [&](const auto& entry) {
      if (entry.second->history.last_added() + age >= now) return false;
      out.push_back({key_of(i, entry.first), {}});
      indices_[i].erase(entry.first);
      return true;
    });
  }
}

void SeriesTable::store(RecordTime grid, std::vector<StateRecord>& out) {
  for (std::uint32_t i = 0; i < tables_.size(); ++i) {
    for (const auto& [group, series] : tables_[i]) {
      if (series->history.last_added() <= series->stored) continue;
      // One that was never stored waits for its turn like any other: the blocks of more than an hour are read again.
      if (!is_turn_of(group, grid)) continue;
      series->stored = grid;
      out.push_back({key_of(i, group), encode(*series)});
    }
  }
}

bool SeriesTable::restore(std::string_view key, std::string_view value) {
  key.remove_prefix(series_prefix.size());
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return false;
  const auto name = std::find(names_.begin(), names_.end(), key.substr(0, slash));
  if (name == names_.end()) return true;
  const auto aggregate = static_cast<std::uint32_t>(name - names_.begin());
  std::unique_ptr<Series>& series = restored_[aggregate].of(key.substr(slash + 1));
  if (value.empty()) {
    series.reset();
    return true;
  }
  series = std::make_unique<Series>(rules_->aggregates[aggregate]);
  return decode(value, *series);
}

void SeriesTable::end_restore() {
  for (std::uint32_t i = 0; i < tables_.size(); ++i) fill(i, std::exchange(restored_[i], {}));
}

std::unique_ptr<Series>& SeriesTable::Restored::of(std::string_view group) {
  if (list.size() * 2 >= slots.size()) {
    slots.assign(std::max<std::size_t>(1'024, slots.size() * 2), 0);
    for (std::size_t place = 0; place < list.size(); ++place) {
      std::size_t slot = hashes[place] & (slots.size() - 1);
      while (slots[slot] != 0) slot = (slot + 1) & (slots.size() - 1);
      slots[slot] = static_cast<std::uint32_t>(place + 1);
    }
  }
  const std::uint64_t hash = hash64(group);
  std::size_t slot = hash & (slots.size() - 1);
  for (; slots[slot] != 0; slot = (slot + 1) & (slots.size() - 1)) {
    const std::size_t place = slots[slot] - 1;
    if (hashes[place] == hash && list[place].first == group) return list[place].second;
  }
  slots[slot] = static_cast<std::uint32_t>(list.size() + 1);
  hashes.push_back(hash);
  return list.emplace_back(group, nullptr).second;
}

// Sorted first: a million of insertions at the end cost a tenth of those in between, and the nodes lie in memory as
// they are walked through.
void SeriesTable::fill(std::uint32_t aggregate, Restored restored) {
  auto& list = restored.list;
  if (list.empty()) return;
  Table& table = tables_[aggregate];
  Index& index = indices_[aggregate];
  index.reserve(list.size());
  const std::string_view sample = list.front().first;
  std::size_t common = sample.size();
  for (const auto& [group, series] : list) {
    const auto end = std::mismatch(
        sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(std::min(common, group.size())), group.begin());
    common = static_cast<std::size_t>(end.first - sample.begin());
  }
  // The eight bytes behind what all have in common decide almost always, without a look at the key.
  struct Item {
    std::uint64_t bytes = 0;
    std::uint32_t place = 0;
  };
  std::vector<Item> items(list.size());
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    const std::string_view rest = std::string_view(list[i].first).substr(common);
    for (std::size_t at = 0; at < 8; ++at) {
      items[i].bytes = items[i].bytes << 8 | (at < rest.size() ? static_cast<unsigned char>(rest[at]) : 0U);
    }
    items[i].place = i;
  }
  std::sort(items.begin(), items.end(), [&](const Item& a, const Item& b) {
    if (a.bytes != b.bytes) return a.bytes < b.bytes;
    return list[a.place].first < list[b.place].first;
  });
  for (const Item& item : items) {
    auto& [group, series] = list[item.place];
    if (!series) continue;
    const auto entry = table.emplace_hint(table.end(), std::move(group), std::move(series));
    index.emplace(entry->first, entry->second.get());
  }
}

std::size_t SeriesTable::size() const {
  std::size_t size = 0;
  for (const auto& table : tables_) size += table.size();
  return size;
}

std::size_t SeriesTable::cap() const {
  std::size_t cap = 0;
  for (const Aggregate& aggregate : rules_->aggregates) cap += aggregate.max_series;
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
