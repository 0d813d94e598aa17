#include "core/window/distribution.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace tocsin {

namespace {

constexpr std::int64_t parts = std::int64_t{1} << Distribution::part_bits;
constexpr int highest_octave = 62;  // of a signed number of 64 bits

// Of a value that is not negative: itself below 128, then 64 indices an octave.
std::int16_t index_of_magnitude(std::uint64_t value) {
  if (value < static_cast<std::uint64_t>(parts)) return static_cast<std::int16_t>(value);
  const int octave = std::bit_width(value) - 1;
  const auto part = static_cast<std::int64_t>(value >> (octave - Distribution::part_bits)) & (parts - 1);
  return static_cast<std::int16_t>((octave - Distribution::part_bits + 1) * parts + part);
}

std::int16_t index_of(std::int64_t value) {
  if (value >= 0) return index_of_magnitude(static_cast<std::uint64_t>(value));
  const std::uint64_t magnitude = value == INT64_MIN ? INT64_MAX : static_cast<std::uint64_t>(-value);
  return static_cast<std::int16_t>(-index_of_magnitude(magnitude));
}

// The middle of a bucket.
double value_at(std::int16_t index) {
  if (index < 0) return -value_at(static_cast<std::int16_t>(-index));
  if (index < 2 * parts) return index;
  const std::int64_t octave = index / parts + Distribution::part_bits - 1;
  const double width = static_cast<double>(std::int64_t{1} << (octave - Distribution::part_bits));
  return (static_cast<double>(parts + index % parts) + 0.5) * width;
}

std::uint32_t sum_of(std::uint32_t a, std::uint32_t b) {
  return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

constexpr std::int64_t highest_index = (highest_octave - Distribution::part_bits + 2) * parts - 1;

}  // namespace

void Distribution::add(std::int64_t value) {
  least_ = empty() ? value : std::min(least_, value);
  greatest_ = empty() ? value : std::max(greatest_, value);
  put({index_of(value), 1});
}

void Distribution::merge(const Distribution& other) {
  if (other.empty()) return;
  least_ = empty() ? other.least_ : std::min(least_, other.least_);
  greatest_ = empty() ? other.greatest_ : std::max(greatest_, other.greatest_);
  if (empty()) {
    bins_ = other.bins_;
    return;
  }
  std::vector<Bin> merged;
  merged.reserve(bins_.size() + other.bins_.size());
  auto own = bins_.cbegin();
  for (const Bin& bin : other.bins_) {
    while (own != bins_.cend() && own->index < bin.index) merged.push_back(*own++);
    merged.push_back(bin);
    if (own != bins_.cend() && own->index == bin.index) merged.back().count = sum_of(bin.count, own++->count);
  }
  merged.insert(merged.end(), own, bins_.cend());
  bins_ = std::move(merged);
  fold_lowest();
}

void Distribution::clear() {
  bins_.clear();
}

void Distribution::put(Bin bin) {
  const auto at = std::lower_bound(bins_.begin(), bins_.end(), bin.index,
                                   [](const Bin& known, std::int16_t index) { return known.index < index; });
  if (at != bins_.end() && at->index == bin.index) {
    at->count = sum_of(at->count, bin.count);
    return;
  }
  bins_.insert(at, bin);
  fold_lowest();
}

void Distribution::fold_lowest() {
  if (bins_.size() <= most_bins) return;
  const std::size_t gone = bins_.size() - most_bins;
  Bin& lowest = bins_[gone];
  for (std::size_t i = 0; i < gone; ++i) lowest.count = sum_of(lowest.count, bins_[i].count);
  bins_.erase(bins_.begin(), bins_.begin() + static_cast<std::ptrdiff_t>(gone));
}

double Distribution::quantile(double q) const {
  std::uint64_t all = 0;
  for (const Bin& bin : bins_) all += bin.count;
  if (q <= 0) return static_cast<double>(least_);
  if (q >= 1) return static_cast<double>(greatest_);
  const auto rank = static_cast<std::uint64_t>(q * static_cast<double>(all - 1));
  std::uint64_t below = 0;
  for (const Bin& bin : bins_) {
    below += bin.count;
    if (below > rank) {
      return std::clamp(value_at(bin.index), static_cast<double>(least_), static_cast<double>(greatest_));
    }
  }
  return static_cast<double>(greatest_);
}

bool Distribution::set_parts(std::vector<Bin> bins, std::int64_t least, std::int64_t greatest) {
  const bool in_order = std::adjacent_find(bins.begin(), bins.end(), [](const Bin& a, const Bin& b) {
                          return a.index >= b.index;
                        }) == bins.end();
  const bool in_range = std::all_of(bins.begin(), bins.end(), [](const Bin& bin) {
    return bin.count > 0 && bin.index >= -highest_index && bin.index <= highest_index;
  });
  if (!in_order || !in_range || bins.size() > most_bins || least > greatest) return false;
  bins_ = std::move(bins);
  least_ = least;
  greatest_ = greatest;
  return true;
}

}  // namespace tocsin
