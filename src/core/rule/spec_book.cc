#include "core/rule/spec_book.h"

#include <algorithm>

namespace tocsin {

namespace {
constexpr std::array<std::string_view, spec_bound_count> names{
    "surface_rate.min", "surface_rate.max", "wall_clock",    "cost.per_hour",
    "cost.per_day",     "cost.per_task",    "cost.per_month"};
}  // namespace

std::string_view name_of(SpecBound bound) {
  return names[static_cast<std::size_t>(bound)];
}

std::optional<SpecBound> spec_bound_named(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<SpecBound>(i);
  }
  return std::nullopt;
}

std::vector<std::string_view> spec_bound_names() {
  return {names.begin(), names.end()};
}

bool SpecBook::add(Spec spec) {
  auto key = std::pair(spec.name, spec.version);
  return specs_.emplace(std::move(key), std::move(spec)).second;
}

const Spec* SpecBook::find(std::string_view name, std::string_view version) const {
  auto found = specs_.find(std::pair(std::string(name), std::string(version)));
  if (found == specs_.end()) found = specs_.find(std::pair(std::string(name), std::string{}));
  return found == specs_.end() ? nullptr : &found->second;
}

bool SpecBook::declares(SpecBound bound) const {
  return std::any_of(specs_.begin(), specs_.end(), [bound](const auto& entry) {
    return entry.second.bounds[static_cast<std::size_t>(bound)].has_value();
  });
}

std::optional<double> SpecBook::bound(std::string_view name, std::string_view version, SpecBound bound) const {
  const Spec* spec = find(name, version);
  if (spec == nullptr) return std::nullopt;
  return spec->bounds[static_cast<std::size_t>(bound)];
}

}  // namespace tocsin
