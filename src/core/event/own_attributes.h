// Attributes of a deployment's own, as text fields of events: what they are called, and where each is read. Files
// with the key `attributes` among the rules say so (core/rule/load_attributes.h).
//
// An attribute has the same slot of StringField in all that is decoded, counted and said by one rule set. By another
// it may have another, so that whatever outlives a rule set (a series, a task, the wire) goes by its name.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/event_fields.h"

namespace tocsin {

struct AttributeSource {
  enum class Kind : std::uint8_t {
    resource,   // an attribute of the resource, of OTLP
    attribute,  // of the span or log record, else of its resource
    json,       // a key of native JSON; a dot goes down into an object, or stands in a key
  };
  Kind kind = Kind::attribute;
  std::string name;
  friend bool operator==(const AttributeSource&, const AttributeSource&) = default;
};

// As files say it: resource["tenant.id"].
std::string to_text(const AttributeSource& source);

struct OwnAttribute {
  std::string name;
  std::vector<AttributeSource> sources;  // the first that is there counts
};

// Thread: any; immutable.
class OwnAttributes {
 public:
  static constexpr std::size_t most_sources = 6;  // of each
  // Where it is read before all else, as Tocsin writes it: attributes.NAME of native JSON, tocsin.attributes.NAME
  // of spans.
  static constexpr std::size_t built_in_sources = 2;

  // Requires: `attributes` are most_own_attributes at most, with most_sources at most; no two have a source in
  // common.
  explicit OwnAttributes(std::vector<OwnAttribute> attributes);

  std::size_t size() const { return attributes_.size(); }
  // With the built-in sources first.
  const OwnAttribute& operator[](std::size_t i) const { return attributes_[i]; }
  // Requires: is_own(field), by these attributes.
  const std::string& name_of(StringField field) const {
    return attributes_[static_cast<std::size_t>(field) - string_field_count].name;
  }
  std::optional<StringField> named(std::string_view name) const;

  struct JsonPath {
    std::string_view path;
    std::uint8_t attribute = 0;
    std::uint8_t rank = 0;  // the lower one counts
  };
  static constexpr std::size_t most_json_paths = 64;
  std::span<const JsonPath> json_paths() const { return json_paths_; }

  static std::string wire_name(std::string_view attribute);  // of spans

 private:
  std::vector<OwnAttribute> attributes_;
  std::vector<JsonPath> json_paths_;  // views into attributes_
};

// Text fields by name, ours and those of `own`, which may be null.
std::optional<StringField> string_field_named(std::string_view name, const OwnAttributes* own);
std::vector<std::string_view> string_field_names(const OwnAttributes* own);
std::string_view name_of(StringField field, const OwnAttributes* own);

}  // namespace tocsin
