#include "core/window/history.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace tocsin {

namespace {

constexpr int count_bits = 24;
constexpr std::int64_t most_count = (std::int64_t{1} << count_bits) - 1;
constexpr std::int64_t most_sum = (std::int64_t{1} << 39) - 1;

constexpr int small_bits = 8;
constexpr std::int64_t most_small = (std::int64_t{1} << small_bits) - 1;

bool fits_small(Totals totals) {
  return totals.count >= 0 && totals.count <= most_small && totals.sum >= 0 && totals.sum <= most_small;
}

Totals unpack_small(std::uint16_t cell) {
  return {cell >> small_bits, cell & most_small};
}

bool fits(Totals totals) {
  return totals.count >= 0 && totals.count <= most_count && totals.sum >= -most_sum && totals.sum <= most_sum;
}

std::uint64_t pack(Totals totals) {
  return (static_cast<std::uint64_t>(totals.sum) << count_bits) | static_cast<std::uint64_t>(totals.count);
}

Totals unpack(std::uint64_t cell) {
  // An arithmetic shift brings the sign back (C++20 defines it so).
  return {static_cast<std::int64_t>(cell) >> count_bits, static_cast<std::int64_t>(cell & most_count)};
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

std::int64_t number_of(RecordTime time, Duration length) {
  return floor_divide(time.since_epoch.count(), length.count());
}

std::size_t slot_of(std::int64_t number, std::size_t cells) {
  const auto n = static_cast<std::int64_t>(cells);
  return static_cast<std::size_t>(((number % n) + n) % n);
}

}  // namespace

RecordTime window_start(RecordTime now, Duration length) {
  const RecordTime start = floor_to(now, minute_length) - length;
  if (length <= day_of_minutes) return start;
  return floor_to(start, quarter_length);
}

Duration minutes_for(Duration longest) {
  if (longest <= few_minutes) return few_minutes;
  return longest <= many_minutes ? many_minutes : day_of_minutes;
}

Totals History::Ring::cell(std::size_t slot) const {
  if (!packed_.empty()) return unpack(packed_[slot]);
  return small_.empty() ? wide_[slot] : unpack_small(small_[slot]);
}

void History::Ring::make_room_for(Totals totals) {
  const auto widen = [](auto& from, auto& to, auto convert) {
    to.reserve(from.size());
    for (const auto cell : from) to.push_back(convert(cell));
    from = std::remove_reference_t<decltype(from)>();  // {} would keep its room
  };
  if (!small_.empty() && !fits_small(totals))
    widen(small_, packed_, [](std::uint16_t cell) { return pack(unpack_small(cell)); });
  if (!packed_.empty() && !fits(totals)) widen(packed_, wide_, unpack);
}

void History::Ring::put(std::size_t slot, Totals totals) {
  make_room_for(totals);
  if (!small_.empty()) {
    small_[slot] = static_cast<std::uint16_t>(totals.sum << small_bits | totals.count);
  } else if (!packed_.empty()) {
    packed_[slot] = pack(totals);
  } else {
    wide_[slot] = totals;
  }
}

void History::Ring::add(RecordTime time, Totals totals) {
  const std::int64_t number = number_of(time, length_);
  const auto size = static_cast<std::int64_t>(cells());
  if (newest_ == INT64_MIN || number - newest_ >= size) {
    for (std::size_t i = 0; i < cells(); ++i) put(i, {});
    newest_ = number;
  }
  while (newest_ < number) put(slot_of(++newest_, cells()), {});
  if (number <= newest_ - size) return;
  const std::size_t slot = slot_of(number, cells());
  totals += cell(slot);
  put(slot, totals);
}

void History::Ring::merge(const Ring& other) {
  if (other.newest_ == INT64_MIN || cells() == 0) return;
  // Nothing of it moves this ring back, so the oldest may come first.
  for (auto age = static_cast<std::int64_t>(other.cells()) - 1; age >= 0; --age) {
    const std::int64_t number = other.newest_ - age;
    const Totals totals = other.cell(slot_of(number, other.cells()));
    if (totals != Totals{}) add({number * length_}, totals);
  }
}

Totals History::Ring::at(RecordTime time) const {
  const std::int64_t number = number_of(time, length_);
  if (newest_ == INT64_MIN || number > newest_ || number <= newest_ - static_cast<std::int64_t>(cells())) return {};
  return cell(slot_of(number, cells()));
}

Totals History::Ring::sum(RecordTime from, RecordTime to) const {
  Totals totals;
  if (newest_ == INT64_MIN) return totals;
  std::int64_t first = number_of(from, length_);
  std::int64_t end = number_of(to - Duration{1}, length_) + 1;
  first = std::max(first, newest_ - static_cast<std::int64_t>(cells()) + 1);
  end = std::min(end, newest_ + 1);
  if (first >= end) return totals;
  std::size_t slot = slot_of(first, cells());
  for (std::int64_t number = first; number < end; ++number) {
    totals += cell(slot);
    if (++slot == cells()) slot = 0;
  }
  return totals;
}

std::optional<RecordTime> History::Ring::first(RecordTime from, RecordTime to) const {
  for (RecordTime time = floor_to(from, length_); time < to; time = time + length_) {
    if (at(time) != Totals{}) return time;
  }
  return std::nullopt;
}

HistoryReach reach_of(Duration window, Duration range) {
  using namespace std::chrono_literals;
  // Of 102 quarters one is filling, and rounding the window's start takes another.
  const Duration both = window + range;
  if (both <= 25h) return HistoryReach::day;
  if (both <= 48h) return HistoryReach::two_days;
  return HistoryReach::week;
}

Duration kept_for(HistoryReach reach) {
  using namespace std::chrono_literals;
  switch (reach) {
    case HistoryReach::day:
      return 26h;
    case HistoryReach::two_days:
      return 49h;
    case HistoryReach::week:
      break;
  }
  return static_cast<std::int64_t>(History::two_hour_cells) * two_hour_length;
}

Duration quarters_kept_for(HistoryReach reach) {
  const std::size_t cells = reach == HistoryReach::two_days ? History::two_day_quarter_cells : History::quarter_cells;
  return static_cast<std::int64_t>(cells) * quarter_length;
}

Duration two_hours_kept_for(HistoryReach reach) {
  return reach == HistoryReach::week ? kept_for(reach) : Duration{};
}

History::History(HistoryReach reach, Duration minutes)
    : minutes_(minute_cells(minutes), minute_length, minutes > many_minutes),
      quarters_(reach == HistoryReach::two_days ? two_day_quarter_cells : quarter_cells, quarter_length),
      two_hours_(reach == HistoryReach::week ? two_hour_cells : 0, two_hour_length) {}

void History::add(RecordTime slice, Totals totals) {
  minutes_.add(slice, totals);
  quarters_.add(slice, totals);
  if (!two_hours_.empty()) two_hours_.add(slice, totals);
  last_added_ = std::max(last_added_, slice + slice_length);
}

void History::merge(const History& other) {
  minutes_.merge(other.minutes_);
  quarters_.merge(other.quarters_);
  two_hours_.merge(other.two_hours_);
  last_added_ = std::max(last_added_, other.last_added_);
}

Totals History::window(RecordTime now, Duration length) const {
  const RecordTime start = window_start(now, length);
  Totals totals;
  if (has_minutes_of(length)) {
    for_each_part(start, now,
                  [&](const Ring& ring, RecordTime from, RecordTime to) { totals += ring.sum(from, to); });
    return totals;
  }
  if (start >= oldest_quarter() || two_hours_.empty()) return quarters_.sum(start, now);
  visit(start, ceil_to(now, quarter_length), [&](RecordTime, Duration, Totals cell) { totals += cell; });
  return totals;
}

std::optional<RecordTime> History::first_in(RecordTime now, Duration length) const {
  const RecordTime start = window_start(now, length);
  if (!has_minutes_of(length)) return quarters_.first(start, now);
  std::optional<RecordTime> found;
  for_each_part(start, now, [&](const Ring& ring, RecordTime from, RecordTime to) {
    if (found) return;
    found = ring.first(from, to);
    if (!found || &ring != &quarters_) return;
    if (const auto minute = minutes_.first(*found, *found + quarter_length)) found = minute;
  });
  return found;
}

RecordTime History::oldest_quarter() const {
  if (quarters_.newest() == INT64_MIN) return {Duration{0}};
  const std::int64_t oldest = quarters_.newest() - static_cast<std::int64_t>(quarters_.cells()) + 1;
  return {oldest * quarter_length};
}

std::size_t History::bytes() const {
  return minutes_.bytes() + quarters_.bytes() + two_hours_.bytes();
}

// The number of the newest cell, how many cells are not zero, and each of those from the newest to the oldest: its
// age in cells, its sum and its count.
void History::Ring::write_to(wire::Writer& writer) const {
  std::int64_t newest = newest_ == INT64_MIN ? 0 : newest_;
  std::uint64_t used = 0;
  const auto for_each = [&](auto visit) {
    if (newest_ == INT64_MIN) return;
    for (std::size_t age = 0; age < cells(); ++age) {
      const Totals totals = cell(slot_of(newest_ - static_cast<std::int64_t>(age), cells()));
      if (totals != Totals{}) visit(age, totals);
    }
  };
  for_each([&](std::size_t, Totals) { ++used; });
  wire::pass(writer, newest);
  writer.number(used);
  for_each([&](std::size_t age, Totals totals) {
    writer.number(age);
    wire::pass(writer, totals.sum);
    wire::pass(writer, totals.count);
  });
}

void History::Ring::read_from(wire::Reader& reader) {
  std::int64_t newest = 0;
  std::uint64_t used = 0;
  wire::pass(reader, newest);
  reader.number(used);
  if (used > reader.left()) return reader.fail();
  if (used == 0) return;
  const std::int64_t furthest = INT64_MAX / 4 / length_.count();
  if (newest > furthest || newest < -furthest) return reader.fail();
  newest_ = newest;
  const std::size_t size = cells();
  const std::size_t first = slot_of(newest, size);
  for (std::uint64_t i = 0; i < used && reader.good(); ++i) {
    std::uint64_t age = 0;
    Totals totals;
    reader.number(age);
    wire::pass(reader, totals.sum);
    wire::pass(reader, totals.count);
    if (age < size) put(first >= age ? first - age : first + size - age, totals);
  }
}

void History::write_to(wire::Writer& writer) const {
  RecordTime last = last_added_;
  wire::pass(writer, last);
  minutes_.write_to(writer);
  quarters_.write_to(writer);
  bool has_two_hours = !two_hours_.empty();
  wire::pass(writer, has_two_hours);
  if (has_two_hours) two_hours_.write_to(writer);
}

void History::read_from(wire::Reader& reader) {
  wire::pass(reader, last_added_);
  minutes_.read_from(reader);
  quarters_.read_from(reader);
  bool has_two_hours = false;
  wire::pass(reader, has_two_hours);
  Ring dropped(two_hour_cells, two_hour_length);
  if (has_two_hours) (two_hours_.empty() ? dropped : two_hours_).read_from(reader);
  make_up_minutes();
}

void History::make_up_minutes() {
  if (minutes_.newest() == INT64_MIN) return;
  const RecordTime newest{minutes_.newest() * minute_length};
  const RecordTime oldest = newest - (static_cast<std::int64_t>(minutes_.cells()) - 1) * minute_length;
  for (RecordTime at = ceil_to(oldest, quarter_length); at + quarter_length <= newest; at = at + quarter_length) {
    Totals untold = quarters_.at(at);
    untold -= minutes_.sum(at, at + quarter_length);
    if (untold != Totals{}) minutes_.add(at, untold);
  }
}

}  // namespace tocsin
