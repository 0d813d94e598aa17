#include "core/rule/rule.h"

namespace tocsin {

std::string label_name(GroupField field) {
  if (!field.attribute.empty()) return field.attribute;
  return field.field ? std::string(name_of(*field.field)) : std::string("secret_pattern");
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
