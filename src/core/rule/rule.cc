#include "core/rule/rule.h"

namespace tocsin {

std::string label_name(GroupField field) {
  if (!field.attribute.empty()) return field.attribute;
  return field.field ? std::string(name_of(*field.field)) : std::string("secret_pattern");
}

std::string name_of(const Variable& variable, const Rule& rule) {
  const std::string value = variable.index < rule.values.size() ? rule.values[variable.index].name : "value";
  switch (variable.kind) {
    case Variable::Kind::value:
      return value;
    case Variable::Kind::baseline:
      return variable.index == 0 ? "baseline" : "baseline." + value;
    case Variable::Kind::deviation:
      return "baseline.stdev";
    case Variable::Kind::peak:
      return "baseline.peak";
    case Variable::Kind::age:
      return "baseline.age";
    case Variable::Kind::baseline_low:
    case Variable::Kind::baseline_high: {
      const std::string of = variable.index == 0 ? "baseline" : "baseline." + value;
      return (variable.kind == Variable::Kind::baseline_low ? "low(" : "high(") + of + ")";
    }
    case Variable::Kind::samples:
      return "samples";
    case Variable::Kind::hits:
      return "hits";
    case Variable::Kind::window:
      return "window";
    case Variable::Kind::low:
      return "low(" + value + ")";
    case Variable::Kind::high:
      return "high(" + value + ")";
    case Variable::Kind::spec:
      return "spec." + std::string(name_of(static_cast<SpecBound>(variable.index)));
    case Variable::Kind::forecast:
      return "forecast(" + value + ")";
    case Variable::Kind::elapsed:
      return "elapsed";
    case Variable::Kind::silent:
      return "silent";
  }
  return {};
}

std::string Aggregate::canonical() const {
  std::string text = std::to_string(static_cast<int>(kind)) + "/" +
                     (from_any ? std::string("any") : std::string(name_of(from))) + "/" + where.canonical() + "/" +
                     hit.canonical() + "/";
  if (kind == Kind::sum || kind == Kind::distribution) text += name_of(number);
  if (kind == Kind::distinct) text += name_of(string, own.get());
  if (keeps_quarters) text += "/quarters";
  if (is_whole) text += "/whole";
  if (calendar) {
    text += "/calendar " + std::to_string(static_cast<int>(calendar->unit)) + " " + std::string(calendar->zone.name);
  }
  for (const StringField field : group_by) text += "/" + std::string(name_of(field, own.get()));
  return text;
}

}  // namespace tocsin
