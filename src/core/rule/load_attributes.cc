#include "core/rule/load_attributes.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>

#include "core/event/native_decoder.h"

namespace tocsin {

namespace {

constexpr std::size_t longest_attribute = 64;  // of an attribute
constexpr std::size_t longest_source = 256;    // the same of what gives it

// Words that mean something else where an attribute's name may stand.
constexpr std::string_view taken_words[] = {
    "value", "baseline", "samples", "hits", "elapsed", "silent", "true",      "false",         "in",
    "and",   "or",       "not",     "has",  "type",    "lasts",  "alertname", "secret_pattern"};

constexpr std::string_view kinds[] = {"resource", "attribute", "json"};  // in the order of AttributeSource::Kind

constexpr std::string_view how = "write resource[\"NAME\"], attribute[\"NAME\"] or json[\"NAME\"]";

bool is_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && name.size() <= longest_attribute && is_letter(name[0]) && !name.starts_with("__") &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

bool is_taken(std::string_view name) {
  return string_field_named(name) || number_field_named(name) || enum_field_named(name) ||
         NativeDecoder::has_field(name) ||
         std::find(std::begin(taken_words), std::end(taken_words), name) != std::end(taken_words);
}

bool is_source_name(std::string_view name) {
  return !name.empty() && name.size() <= longest_source && std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\'' || c == '\\' || c == '\x7f';
  });
}

class AttributeLoader {
 public:
  AttributeLoader(const std::string& file, AttributeBook& book, Diagnostics& diagnostics)
      : file_(file), book_(book), diagnostics_(diagnostics) {}

  void load(const YamlNode& key, const YamlNode& value) {
    const std::size_t errors_before = diagnostics_.error_count();
    OwnAttribute attribute;
    attribute.name = key.scalar;
    check_name(key);
    if (value.is_list()) {
      if (value.items.empty()) error(value.at, "wrong-type", "a source is needed here: " + std::string(how));
      for (const YamlNode& item : value.items) load_source(item, attribute);
      if (attribute.sources.size() > OwnAttributes::most_sources) {
        error(value.at, "too-many", "an attribute has 6 sources at most");
      }
    } else {
      load_source(value, attribute);
    }
    if (diagnostics_.error_count() > errors_before) return;
    const auto known = std::find_if(book_.all.begin(), book_.all.end(),
                                    [&](const OwnAttribute& one) { return one.name == attribute.name; });
    if (known != book_.all.end()) {
      if (known->sources == attribute.sources) return;
      const auto& [file, at] = book_.places[static_cast<std::size_t>(known - book_.all.begin())];
      return error(key.at, "repeated-attribute",
                   "attribute '" + attribute.name + "' is read from elsewhere by " + file + ":" +
                       std::to_string(at.line) + "; keep one, with a list of all its sources");
    }
    if (book_.all.size() == most_own_attributes) {
      return error(key.at, "too-many", "there are 8 attributes already, which is the limit");
    }
    for (const OwnAttribute& other : book_.all) {
      for (const AttributeSource& source : other.sources) {
        if (!is_built_in(source, attribute.name)) continue;
        return error(key.at, "repeated-source",
                     to_text(source) + " gives the attribute '" + other.name + "', and is where '" + attribute.name +
                         "' is read by itself");
      }
    }
    book_.all.push_back(std::move(attribute));
    book_.places.emplace_back(file_, key.at);
  }

 private:
  void error(SourcePosition at, std::string_view code, std::string message) {
    diagnostics_.error(file_, at, code, std::move(message));
  }

  void check_name(const YamlNode& key) {
    const std::string& name = key.scalar;
    if (!is_name(name)) {
      error(key.at, "bad-name",
            "an attribute's name has letters, digits and '_' only, 64 at most, and begins with no digit or '__'; it "
            "becomes a label's name");
    } else if (is_taken(name)) {
      error(key.at, "taken-name", "'" + name + "' means something else in rules already; write another name");
    }
  }

  void load_source(const YamlNode& node, OwnAttribute& attribute) {
    if (!node.is_scalar()) {
      return error(node.at, "wrong-type", "a source is needed here: " + std::string(how));
    }
    const std::string_view text = node.scalar;
    const auto at = [&](std::size_t offset) { return position_in(node, static_cast<std::uint32_t>(offset)); };
    const std::size_t bracket = text.find('[');
    const std::string_view word = text.substr(0, bracket);
    const auto kind = std::find(std::begin(kinds), std::end(kinds), word);
    if (kind == std::end(kinds)) {
      const std::vector<std::string_view> known(std::begin(kinds), std::end(kinds));
      return error(
          at(0), "unknown-source",
          bracket == std::string_view::npos
              ? "'" + std::string(text) + "' does not say where it is read; " + std::string(how)
              : "'" + std::string(word) + "' is no source" + did_you_mean(word, known) + "; " + std::string(how));
    }
    const std::string_view rest = text.substr(std::min(bracket, text.size()));
    const bool is_quoted = rest.size() >= 5 && (rest[1] == '"' || rest[1] == '\'') && rest.ends_with(']') &&
                           rest[rest.size() - 2] == rest[1];
    const std::string_view name = is_quoted ? rest.substr(2, rest.size() - 4) : std::string_view{};
    if (bracket == std::string_view::npos) {
      return error(at(0), "bad-source",
                   "a source in a list in brackets stands in quotes: ['" + std::string(word) + "[\"tenant.id\"]']");
    }
    if (!is_source_name(name)) {
      return error(
          at(word.size()), "bad-source",
          "a name in quotes and brackets is needed here, of 1 to 256 bytes without quotes and backslashes: " +
              std::string(word) + "[\"tenant.id\"]");
    }
    AttributeSource source{static_cast<AttributeSource::Kind>(kind - std::begin(kinds)), std::string(name)};
    if (source.kind == AttributeSource::Kind::json && !check_path(source.name, at(bracket + 2))) return;
    for (const OwnAttribute& other : book_.all) {
      const bool is_there = std::find(other.sources.begin(), other.sources.end(), source) != other.sources.end();
      if (other.name == attribute.name || !(is_there || is_built_in(source, other.name))) continue;
      return error(at(0), "repeated-source",
                   to_text(source) + " gives the attribute '" + other.name + "' already; use that one");
    }
    if (std::find(attribute.sources.begin(), attribute.sources.end(), source) != attribute.sources.end()) {
      return error(at(0), "repeated-source", to_text(source) + " stands here twice");
    }
    attribute.sources.push_back(std::move(source));
  }

  static bool is_built_in(const AttributeSource& source, std::string_view attribute) {
    return source.kind == AttributeSource::Kind::json ? source.name == "attributes." + std::string(attribute)
                                                      : source.name == OwnAttributes::wire_name(attribute);
  }

  // Content and arguments are never kept as they are; whatever else has a field is that field.
  bool check_path(std::string_view path, SourcePosition at) {
    const std::string first(path.substr(0, path.find('.')));
    if (path.front() == '.' || path.back() == '.' || path.find("..") != std::string_view::npos) {
      error(at, "bad-source", "a path is keys with a dot between them: json[\"labels.queue\"]");
    } else if (first == "content" || first == "arguments") {
      error(at, "bad-source",
            "'" + first + "' is never kept as it is; say what rules need of it in a key of its own");
    } else if (NativeDecoder::has_field(first)) {
      error(at, "bad-source", "'" + first + "' of native JSON is a field of events already, and read as that alone");
    } else {
      return true;
    }
    return false;
  }

  const std::string& file_;
  AttributeBook& book_;
  Diagnostics& diagnostics_;
};

}  // namespace

void load_attributes(const YamlNode& node, const std::string& file, AttributeBook& book, Diagnostics& diagnostics) {
  if (!node.is_map()) {
    diagnostics.error(file, node.at, "wrong-type", "attributes must be a map of names and sources");
    return;
  }
  AttributeLoader loader(file, book, diagnostics);
  for (std::size_t i = 0; i < node.keys.size(); ++i) loader.load(node.keys[i], node.items[i]);
}

}  // namespace tocsin
