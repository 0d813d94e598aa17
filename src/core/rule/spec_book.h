// The declared bounds of specs, by name and version: what an agent's owner wrote down that it should keep to.

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin {

enum class SpecBound : std::uint8_t {
  surface_rate_min,
  surface_rate_max,
  wall_clock,     // seconds
  cost_per_hour,  // dollars
  cost_per_day,
  cost_per_task,
  cost_per_month,
};
inline constexpr std::size_t spec_bound_count = 7;

// As expressions write it after "spec.": "surface_rate.max".
std::string_view name_of(SpecBound bound);
std::optional<SpecBound> spec_bound_named(std::string_view name);
std::vector<std::string_view> spec_bound_names();

struct Spec {
  std::string name;
  std::string version;  // empty: every version that no other entry names
  std::array<std::optional<double>, spec_bound_count> bounds{};
};

class SpecBook {
 public:
  // False where name and version are there already.
  bool add(Spec spec);

  // The entry of this version, else the one for every version, else none.
  const Spec* find(std::string_view name, std::string_view version) const;

  std::optional<double> bound(std::string_view name, std::string_view version, SpecBound bound) const;

  // Whether any spec declares it.
  bool declares(SpecBound bound) const;

  std::size_t size() const { return specs_.size(); }
  const std::map<std::pair<std::string, std::string>, Spec>& all() const { return specs_; }

 private:
  std::map<std::pair<std::string, std::string>, Spec> specs_;
};

}  // namespace tocsin
