// What model calls cost where the telemetry does not say, by the model's name: the files with the key `prices`
// (rules/prices.yaml says how they are written).
//
// A figure is a part of the rules: it changes with an epoch, so that all processes count the same.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/units.h"
#include "base/yaml_tree.h"

namespace tocsin {

// Micro-dollars for a million tokens.
struct Price {
  std::int64_t input = 0;
  std::int64_t cached_input = 0;
  std::int64_t cache_write = 0;
  std::int64_t output = 0;
  std::string tier;  // of the model: as the file says, else by the price of its output
  EventTime from{Duration{INT64_MIN / 2}};
};

// Tokens of one call; `in` holds the cached and the written ones.
struct TokenCounts {
  std::int64_t in = 0;
  std::int64_t cached = 0;
  std::int64_t written = 0;
  std::int64_t out = 0;
};

// Micro-dollars.
struct CallCost {
  std::int64_t total = 0;  // rounded half up once
  std::int64_t cached = 0;
  std::int64_t output = 0;
  std::int64_t input() const { return total - cached - output; }  // what was not read from a cache

  // The same shares of a total that somebody else gives.
  CallCost of(std::int64_t other_total) const;
};
// Nothing where it is more than a call can cost.
std::optional<CallCost> cost_of(const TokenCounts& tokens, const Price& price);

class PriceBook {
 public:
  // Reads one list of prices; reports every mistake.
  void read(const YamlNode& list, const std::string& file, Diagnostics& diagnostics);

  // Null where no price is known for this model at this time.
  const Price* find(std::string_view model, EventTime at) const;

  std::size_t size() const { return count_; }

 private:
  // In the order of their days, earliest first.
  using Prices = std::vector<Price>;
  struct HashOf {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };
  using ByName = std::unordered_map<std::string, Prices, HashOf, std::equal_to<>>;

  const Prices* prices_of(std::string_view model) const;
  void add(std::string name, const Price& price, const YamlNode& node, const std::string& file,
           Diagnostics& diagnostics);

  ByName exact_;
  ByName beginnings_;
  std::size_t longest_beginning_ = 0;
  std::size_t count_ = 0;
};

}  // namespace tocsin
