// How the values of a number field were spread: quantiles within 0.8 % of the true value, least and greatest exactly.
//
// A sketch with relative accuracy after DDSketch (Masson, Rim and Lee, VLDB 2019). Its buckets are log-linear, each
// octave in 64 equal parts (the paper's interpolated mapping, found by shifting instead of a logarithm), so integers
// below 128 stand alone. Merging adds buckets: any order gives the same sketch, also beyond most_bins, where the
// buckets closest to the lower end are folded into one.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tocsin {

class Distribution {
 public:
  static constexpr int part_bits = 6;  // parts of an octave: half of one is 1/128 of its lower end
  static constexpr std::size_t most_bins = 1'024;

  struct Bin {
    std::int16_t index = 0;
    std::uint32_t count = 0;
    friend bool operator==(const Bin&, const Bin&) = default;
  };

  void add(std::int64_t value);
  void merge(const Distribution& other);
  void clear();

  bool empty() const { return bins_.empty(); }
  // Requires: it is not empty.
  std::int64_t least() const { return least_; }
  std::int64_t greatest() const { return greatest_; }

  // The value below which the part `q` of all lies: of n values the one of rank q (n - 1), rounded down.
  // Requires: 0 <= q <= 1, and it is not empty.
  double quantile(double q) const;

  // The wire form of a cell: buckets by index, with the two ends.
  std::span<const Bin> bins() const { return bins_; }
  // False, and it stays empty, where the parts are none that an equal class wrote.
  bool set_parts(std::vector<Bin> bins, std::int64_t least, std::int64_t greatest);

  friend bool operator==(const Distribution&, const Distribution&) = default;

 private:
  void put(Bin bin);
  void fold_lowest();

  std::vector<Bin> bins_;  // by index
  std::int64_t least_ = 0;
  std::int64_t greatest_ = 0;
};

}  // namespace tocsin
