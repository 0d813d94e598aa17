// How many different values were seen: exact up to 256, then a sketch whose standard error is 2.3 %.
//
// The sketch is HyperLogLog (Flajolet et al. 2007) with 2^11 registers and linear counting for small numbers.
// Merging is exact: the set of a window is the union of its slices, in any order.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tocsin {

class DistinctSet {
 public:
  static constexpr std::size_t exact_limit = 256;
  static constexpr int register_bits = 11;

  // `hash`: 64 well-mixed bits of the value.
  void add(std::uint64_t hash);
  void merge(const DistinctSet& other);
  void clear();

  bool empty() const { return hashes_.empty() && registers_.empty(); }
  std::int64_t count() const;

  // The wire form of a cell: sorted hashes, or the registers. One of the two is empty.
  std::span<const std::uint64_t> hashes() const { return hashes_; }
  std::span<const std::uint8_t> registers() const { return registers_; }
  // Requires: what an equal class wrote.
  static DistinctSet from_parts(std::vector<std::uint64_t> hashes, std::vector<std::uint8_t> registers);

 private:
  void become_sketch();
  void add_to_sketch(std::uint64_t hash);

  std::vector<std::uint64_t> hashes_;  // sorted
  std::vector<std::uint8_t> registers_;
};

}  // namespace tocsin
