#include "core/event/own_attributes.h"

#include <utility>

namespace tocsin {

std::string to_text(const AttributeSource& source) {
  std::string text = source.kind == AttributeSource::Kind::resource    ? "resource"
                     : source.kind == AttributeSource::Kind::attribute ? "attribute"
                                                                       : "json";
  return text + "[\"" + source.name + "\"]";
}

static_assert(most_own_attributes * (OwnAttributes::most_sources + 1) <= OwnAttributes::most_json_paths);

OwnAttributes::OwnAttributes(std::vector<OwnAttribute> attributes) : attributes_(std::move(attributes)) {
  for (OwnAttribute& one : attributes_) {
    const AttributeSource built_in[built_in_sources] = {{AttributeSource::Kind::json, "attributes." + one.name},
                                                        {AttributeSource::Kind::attribute, wire_name(one.name)}};
    one.sources.insert(one.sources.begin(), std::begin(built_in), std::end(built_in));
  }
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    const auto& sources = attributes_[i].sources;
    for (std::size_t rank = 0; rank < sources.size(); ++rank) {
      if (sources[rank].kind != AttributeSource::Kind::json) continue;
      json_paths_.push_back({sources[rank].name, static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(rank)});
    }
  }
}

std::optional<StringField> OwnAttributes::named(std::string_view name) const {
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    if (attributes_[i].name == name) return own_attribute(i);
  }
  return std::nullopt;
}

std::string OwnAttributes::wire_name(std::string_view attribute) {
  return "tocsin.attributes." + std::string(attribute);
}

std::optional<StringField> string_field_named(std::string_view name, const OwnAttributes* own) {
  const auto ours = string_field_named(name);
  return ours || own == nullptr ? ours : own->named(name);
}

std::vector<std::string_view> string_field_names(const OwnAttributes* own) {
  std::vector<std::string_view> names = string_field_names();
  for (std::size_t i = 0; own != nullptr && i < own->size(); ++i) names.push_back((*own)[i].name);
  return names;
}

std::string_view name_of(StringField field, const OwnAttributes* own) {
  return is_own(field) && own != nullptr ? std::string_view(own->name_of(field)) : name_of(field);
}

}  // namespace tocsin
