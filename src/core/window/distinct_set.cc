#include "core/window/distinct_set.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tocsin {

namespace {
constexpr std::size_t register_count = std::size_t{1} << DistinctSet::register_bits;
}

void DistinctSet::add(std::uint64_t hash) {
  if (!registers_.empty()) return add_to_sketch(hash);
  const auto at = std::lower_bound(hashes_.begin(), hashes_.end(), hash);
  if (at != hashes_.end() && *at == hash) return;
  hashes_.insert(at, hash);
  if (hashes_.size() > exact_limit) become_sketch();
}

void DistinctSet::merge(const DistinctSet& other) {
  if (!other.registers_.empty()) {
    if (registers_.empty()) become_sketch();
    for (std::size_t i = 0; i < register_count; ++i) registers_[i] = std::max(registers_[i], other.registers_[i]);
    return;
  }
  for (const std::uint64_t hash : other.hashes_) add(hash);
}

void DistinctSet::clear() {
  hashes_.clear();
  registers_.clear();
}

void DistinctSet::become_sketch() {
  registers_.assign(register_count, 0);
  for (const std::uint64_t hash : hashes_) add_to_sketch(hash);
  hashes_.clear();
  hashes_.shrink_to_fit();
}

void DistinctSet::add_to_sketch(std::uint64_t hash) {
  const std::size_t index = hash >> (64 - register_bits);
  // The guard bit bounds the rank where the rest of the hash is all zeros.
  const std::uint64_t rest = (hash << register_bits) | (std::uint64_t{1} << (register_bits - 1));
  const auto rank = static_cast<std::uint8_t>(__builtin_clzll(rest) + 1);
  registers_[index] = std::max(registers_[index], rank);
}

std::int64_t DistinctSet::count() const {
  if (registers_.empty()) return static_cast<std::int64_t>(hashes_.size());
  constexpr double m = register_count;
  double inverse_sum = 0;
  int zeros = 0;
  for (const std::uint8_t rank : registers_) {
    inverse_sum += std::ldexp(1.0, -rank);
    if (rank == 0) ++zeros;
  }
  const double alpha = 0.7213 / (1 + 1.079 / m);
  double estimate = alpha * m * m / inverse_sum;
  if (estimate <= 2.5 * m && zeros > 0) estimate = m * std::log(m / zeros);
  return std::llround(estimate);
}

DistinctSet DistinctSet::from_parts(std::vector<std::uint64_t> hashes, std::vector<std::uint8_t> registers) {
  DistinctSet set;
  set.hashes_ = std::move(hashes);
  set.registers_ = std::move(registers);
  return set;
}

}  // namespace tocsin
