#include "core/task/task_counts.h"

#include <algorithm>

#include "base/hash.h"

namespace tocsin {

namespace {

constexpr std::int64_t cells_of_window = 60;

std::int64_t cell_of(EventTime at, Duration window) {
  const Duration length{(window.count() + cells_of_window - 1) / cells_of_window};
  return floor_to(as_record_time(at), length).since_epoch / length;
}

}  // namespace

std::uint64_t count_identity(const Rule& rule) {
  std::string text = std::string(name_of(rule.from)) + "/" + rule.where.canonical();
  const TaskCount& count = *rule.count;
  for (const GroupField& field : count.per) text += "/" + label_name(field);
  if (count.per_arguments) text += "/arguments.hash";
  const std::string sum = count.sum ? std::string(name_of(*count.sum)) : std::string{};
  return hash_parts({rule.name, text, sum, std::to_string(count.window.value_or(Duration{}).count())}).low;
}

CountedKey& counted_key(std::vector<CountedKey>& counted, std::uint64_t rule, std::uint64_t key,
                        std::string_view values) {
  CountedKey* oldest = nullptr;
  std::size_t count = 0;
  for (CountedKey& one : counted) {
    if (one.rule != rule) continue;
    if (one.key == key) return one;
    ++count;
    if (oldest == nullptr || one.latest < oldest->latest) oldest = &one;
  }
  CountedKey& entry = count < most_counted_keys ? counted.emplace_back() : *oldest;
  entry = {rule, key, std::string(values), EventTime::min(), 0, {}};
  return entry;
}

void add(CountedKey& counted, const TaskCount& count, EventTime at, std::int64_t amount) {
  counted.latest = std::max(counted.latest, at);
  if (!count.window) {
    counted.total = std::min(counted.total + amount, largest_number);
    return;
  }
  auto& cells = counted.cells;
  const std::int64_t number = cell_of(at, *count.window);
  const std::int64_t first = cell_of(counted.latest, *count.window) - cells_of_window + 1;
  if (number < first) return;
  auto place = cells.end();
  while (place != cells.begin() && std::prev(place)->number >= number) --place;
  if (place == cells.end() || place->number != number) place = cells.insert(place, {number, 0});
  place->amount = std::min(place->amount + amount, largest_number);
  cells.erase(cells.begin(),
              std::find_if(cells.begin(), cells.end(), [&](const auto& cell) { return cell.number >= first; }));
}

double amount_at(const CountedKey& counted, const TaskCount& count, EventTime at) {
  std::int64_t amount = counted.total;
  if (count.window) {
    const std::int64_t first = cell_of(at, *count.window) - cells_of_window + 1;
    for (const CountedKey::Cell& cell : counted.cells) amount += cell.number >= first ? cell.amount : 0;
  }
  const auto number = static_cast<double>(amount);
  return count.in_millionths ? number / static_cast<double>(micros_per_unit) : number;
}

}  // namespace tocsin
