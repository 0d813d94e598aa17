#include "core/rule/rule.h"

namespace tocsin {

std::string label_name(GroupField field) {
  return field.field ? std::string(name_of(*field.field)) : std::string("secret_pattern");
}

std::string Aggregate::canonical() const {
  std::string text = std::to_string(static_cast<int>(kind)) + "/" + std::string(name_of(from)) + "/" +
                     where.canonical() + "/" + hit.canonical() + "/";
  if (kind == Kind::sum) text += name_of(number);
  if (kind == Kind::distinct) text += name_of(string);
  for (const StringField field : group_by) text += "/" + std::string(name_of(field));
  return text;
}

}  // namespace tocsin
