// rules/schema.json, by which editors complete rule files, is held to the loaders: the same keys, the same words.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/yaml_tree.h"
#include "core/rule/rule_set.h"
#include "core/rule/spec_book.h"
#include "core/sanitize/pattern_library.h"
#include "core/test_support.h"

namespace tocsin {
namespace schema_test {

using nlohmann::json;
using Words = std::set<std::string>;

const json& schema() {
  static const json whole = json::parse(test::file_text("rules/schema.json"));
  return whole;
}
const json& definition(const std::string& name) {
  return schema().at("$defs").at(name);
}
const json& resolved(const json& node) {
  if (!node.contains("$ref")) return node;
  return definition(node.at("$ref").get<std::string>().substr(std::string("#/$defs/").size()));
}

Words keys_of(const json& object) {
  Words keys;
  for (const auto& [key, unused] : object.at("properties").items()) keys.insert(key);
  return keys;
}
Words words_of(const json& list) {
  Words words;
  for (const json& word : list) words.insert(word.get<std::string>());
  return words;
}
// Of a list that holds fields, those of ours; one's own attributes may stand beside them.
Words items(const char* name) {
  return words_of(definition(name).at("items").at("anyOf").at(0).at("enum"));
}
Words without(Words words, const Words& others) {
  for (const std::string& word : others) words.erase(word);
  return words;
}

std::vector<Diagnostic> mistakes_of(const std::string& text) {
  Diagnostics diagnostics;
  const std::vector<NamedText> files{{"f", text}};
  if (text.starts_with("sanitize:"))
    load_patterns(files, diagnostics);
  else
    load_rules(files, diagnostics);
  return diagnostics.all();
}

// `place` holds %, where the key goes. Its value fits nothing: what counts is whether the key is known.
bool loader_knows(std::string place, const std::string& key) {
  place.replace(place.find('%'), 1, key + ": [[5]]");
  const auto mistakes = mistakes_of(place);
  return std::none_of(mistakes.begin(), mistakes.end(), [&](const Diagnostic& one) {
    return (one.code == "unknown-key" || one.code == "other-mode") && one.message.find(key) != std::string::npos;
  });
}

std::string rule(const std::string& keys) {
  return "groups:\n- name: g\n  rules:\n  - {alert: A, " + keys + "}\n";
}
std::string window_rule(const std::string& keys) {
  return rule("value: count(), window: 5m, when: value > 1, " + keys);
}

TEST(Schema, EachModeHasTheKeysThatItsRulesMayHave) {
  const Words all = keys_of(definition("preset_rule"));
  for (const char* mode : {"window", "event", "task", "absence"}) {
    const Words known = keys_of(definition(std::string(mode) + "_rule"));
    for (const std::string& key : all) {
      if (key == "alert" || key == "mode") continue;  // stand in every one of these
      EXPECT_EQ(loader_knows(rule("mode: " + std::string(mode) + ", %"), key), known.contains(key)) << mode << key;
    }
    EXPECT_FALSE(loader_knows(rule("mode: " + std::string(mode) + ", %"), "made_up"));
    EXPECT_TRUE(known.contains("alert") && known.contains("mode"));
  }
}

// The words in quotes of a loader's source, from one mark to the next.
Words quoted(const std::string& path, const std::string& from, const std::string& to) {
  const std::string source = test::file_text(path);
  const std::size_t begin = source.find(from);
  EXPECT_NE(begin, std::string::npos) << path << " has no " << from;
  if (begin == std::string::npos) return {};
  const std::string table = source.substr(begin, source.find(to, begin) - begin);
  Words words;
  for (std::size_t open = table.find('"'); open != std::string::npos; open = table.find('"', open)) {
    const std::size_t close = table.find('"', open + 1);
    words.insert(table.substr(open + 1, close - open - 1));
    open = close + 1;
  }
  return words;
}

// The loaders' tables are their own; a key that is added to one is missed here.
TEST(Schema, HasEveryKeyOfTheLoadersTables) {
  const Words keys = quoted("src/core/rule/rule_loader.cc", "rule_keys[] = {", "};");
  EXPECT_GE(keys.size(), 25U);
  EXPECT_EQ(keys_of(definition("preset_rule")), keys);
  // A rule's name and mode are its own. The loader takes them among defaults, and has no use for them there.
  EXPECT_EQ(keys_of(definition("defaults")), without(keys, {"alert", "mode", "preset"}));
  Words names = quoted("src/core/rule/load_names.cc", "fields[] = {", "};");
  names.insert("hand_over_tools");
  EXPECT_EQ(keys_of(definition("names")), names);
  const Words of_pattern =
      quoted("src/core/sanitize/load_patterns.cc", "check_keys(node,\n               {\"id\"", "});");
  EXPECT_EQ(keys_of(definition("pattern")), of_pattern);
}

TEST(Schema, EveryOtherMapHasTheKeysThatItsLoaderKnows) {
  struct Map {
    const json* schema;
    std::string place;
    Words keys;
  };
  const json& spec = definition("spec");
  const std::string pattern = "sanitize:\n  version: 1\n  ";
  const Map maps[] = {
      {&schema(), "{%}", {"groups", "specs", "prices", "names", "attributes", "sanitize", "tests"}},
      {&definition("group"), "groups:\n- {%}\n", {"name", "defaults", "rules"}},
      {&definition("defaults"), "groups:\n- {name: g, defaults: {%}, rules: []}\n",
       without(keys_of(definition("preset_rule")), {"alert", "mode", "preset"})},
      {&definition("baseline"),
       window_rule("from: step, baseline: {%}"),
       {"range", "block", "peak", "stat", "empty", "min_blocks", "min_samples", "floor", "declared", "reset_on",
        "same_time"}},
      {&definition("compare"), window_rule("from: step, compare: {%}"), {"by", "with", "over"}},
      {&definition("known"), rule("mode: absence, after: 5m, known: {%}"), {"seen", "always"}},
      {&definition("window").at("anyOf").at(3),
       rule("from: step, value: count(), when: value > 1, window: {%}"),
       {"calendar", "tz"}},
      {&definition("halt"), rule("mode: event, actions: [{%}]"), {"halt"}},
      {&spec, "specs:\n- {%}\n", {"name", "version", "surface_rate", "wall_clock", "cost"}},
      {&spec.at("properties").at("surface_rate"), "specs:\n- {name: s, surface_rate: {%}}\n", {"min", "max"}},
      {&spec.at("properties").at("cost"),
       "specs:\n- {name: s, cost: {%}}\n",
       {"per_hour", "per_day", "per_task", "per_month"}},
      {&definition("price"),
       "prices:\n- {%}\n",
       {"model", "input", "output", "cached_input", "cache_write", "tier", "from"}},
      {&definition("names"), "names: {%}\n", keys_of(definition("names"))},
      {&definition("sanitize"),
       "sanitize: {%}\n",
       {"version", "inherit", "parts", "patterns", "fields", "references", "allow"}},
      {&definition("pattern"), pattern + "patterns: [{%}]\n", keys_of(definition("pattern"))},
      {&definition("sanitize").at("properties").at("fields").at("items"),
       pattern + "fields: [{%}]\n",
       {"field", "do"}},
      {&definition("sanitize").at("properties").at("references"),
       pattern + "references: {%}\n",
       {"retention", "content", "arguments", "results"}},
      {&definition("reference"), pattern + "references: {results: {%}}\n", {"retention", "keep", "max_bytes"}},
      {&definition("sanitize").at("properties").at("allow").at("items"),
       pattern + "allow: [{%}]\n",
       {"fingerprint", "pattern", "place", "until", "reason"}},
  };
  for (const Map& map : maps) {
    EXPECT_EQ(keys_of(*map.schema), map.keys) << map.place;
    EXPECT_EQ(map.schema->at("additionalProperties"), false) << map.place;
    for (const std::string& key : map.keys) EXPECT_TRUE(loader_knows(map.place, key)) << map.place << key;
    EXPECT_FALSE(loader_knows(map.place, "made_up")) << map.place;
  }
}

// Most loaders say in a message what they would have taken: "must be hold, resolve or fire".
Words words_listed_in(const std::string& message) {
  std::size_t begin = std::string::npos;
  for (const std::string mark : {"' must be ", "; there are ", "; use "}) {
    if (message.find(mark) != std::string::npos) begin = message.find(mark) + mark.size();
  }
  Words words;
  if (begin == std::string::npos) return words;
  std::istringstream list(message.substr(begin, message.find(" (did", begin) - begin));
  for (std::string word; list >> word;) {
    if (word.back() == ',') word.pop_back();
    if (word != "or") words.insert(word);
  }
  return words;
}

TEST(Schema, EveryWordOfAListLoadsAndNoOther) {
  struct List {
    Words words;
    std::string place;  // with % for the word
  };
  const auto list = [](const char* name) { return words_of(definition(name).at("enum")); };
  const json& baseline = definition("baseline").at("properties");
  const json& pattern = definition("pattern").at("properties");
  const json& sanitize = definition("sanitize").at("properties");
  const std::string patterns = "sanitize:\n  version: 1\n  patterns:\n  - {";
  const List lists[] = {
      {list("from"), window_rule("from: %")},
      {list("event_from"), rule("mode: event, from: %")},
      {list("task_from"), rule("mode: task, value: count(), when: value > 5, from: %")},
      {list("mode"), rule("mode: %")},
      {list("plain_action"), rule("mode: event, actions: [%]")},
      {words_of(definition("halt").at("properties").at("halt").at("enum")),
       rule("mode: event, actions: [{halt: %}]")},
      {list("no_data"), window_rule("from: step, no_data: %")},
      {list("resolve"), rule("mode: event, resolve: %")},
      {items("window_group_by"), window_rule("from: step, group_by: [%]")},
      {items("event_group_by"), rule("mode: event, group_by: [%]")},
      {items("task_group_by"), rule("mode: task, when: elapsed > 5m, group_by: [%]")},
      {items("per"), rule("mode: task, from: step, value: count(), when: value > 5, per: [%]")},
      {items("page_by"), rule("mode: task, when: elapsed > 5m, group_by: [%], page_by: [%]")},
      {words_of(baseline.at("stat").at("enum")), window_rule("from: step, baseline: {range: 24h, stat: %}")},
      {words_of(baseline.at("same_time").at("enum")), window_rule("from: step, baseline: {same_time: %}")},
      {words_of(definition("compare").at("properties").at("by").at("enum")),
       window_rule("from: step, compare: {by: %}")},
      {words_of(definition("window").at("anyOf").at(3).at("properties").at("calendar").at("enum")),
       rule("from: step, value: count(), when: value > 1, window: {calendar: %}")},
      {words_of(baseline.at("empty").at("enum")), window_rule("from: step, baseline: {range: 24h, empty: %}")},
      {words_of(baseline.at("declared").at("enum")), window_rule("from: step, baseline: {range: 24h, declared: %}")},
      {words_of(baseline.at("reset_on").at("anyOf").at(0).at("enum")),
       window_rule("from: step, baseline: {range: 24h, reset_on: [%]}")},
      {words_of(pattern.at("tier").at("enum")), patterns + "tier: %}\n"},
      {words_of(pattern.at("shape").at("enum")), patterns + "shape: %}\n"},
      {words_of(pattern.at("check").at("enum")), patterns + "check: %}\n"},
      {words_of(pattern.at("boundary").at("enum")), patterns + "boundary: %}\n"},
      {words_of(pattern.at("addresses").at("enum")), patterns + "addresses: %}\n"},
      {words_of(pattern.at("classes").at("items").at("enum")), patterns + "classes: [%]}\n"},
      {words_of(sanitize.at("fields").at("items").at("properties").at("do").at("enum")),
       "sanitize:\n  version: 1\n  fields:\n  - {field: tool, do: %}\n"},
      {words_of(sanitize.at("fields").at("items").at("properties").at("field").at("enum")),
       "sanitize:\n  version: 1\n  fields:\n  - {field: %, do: keep}\n"},
      {words_of(definition("reference").at("properties").at("keep").at("enum")),
       "sanitize:\n  version: 1\n  references: {content: {keep: %}}\n"},
  };
  const auto refusal_of = [](std::string text, const std::string& word) -> std::string {
    for (std::size_t at = text.find('%'); at != std::string::npos; at = text.find('%')) text.replace(at, 1, word);
    const Words codes{"unknown-word", "unknown-value", "unknown-action", "unknown-field", "unknown-bound", "field"};
    for (const Diagnostic& one : mistakes_of(text)) {
      if (codes.contains(one.code)) return one.message;
    }
    return {};
  };
  for (const List& one : lists) {
    EXPECT_FALSE(one.words.empty()) << one.place;
    for (const std::string& word : one.words) EXPECT_EQ(refusal_of(one.place, word), "") << one.place;
    const std::string refusal = refusal_of(one.place, "made_up");
    EXPECT_NE(refusal, "") << one.place;
    const Words listed = words_listed_in(refusal);
    EXPECT_TRUE(listed.empty() || listed == one.words) << one.place << ": " << refusal;
  }
  EXPECT_EQ(list("plain_action"), (Words{"page", "investigate", "spec_gap", "eval_candidate"}));
  Words bounds;
  for (const std::string_view bound : spec_bound_names()) {
    bounds.insert(std::string(bound));
    bounds.insert("spec." + std::string(bound));
  }
  EXPECT_EQ(words_of(baseline.at("declared").at("enum")), bounds);
}

TEST(Schema, AnAttributeHasTheLimitsOfItsLoader) {
  const json& attributes = definition("attributes");
  EXPECT_EQ(attributes.at("maxProperties"), most_own_attributes);
  EXPECT_EQ(attributes.at("additionalProperties").at("anyOf").at(1).at("maxItems"), OwnAttributes::most_sources);
  for (const json& source : definition("attribute_source").at("examples")) {
    EXPECT_TRUE(mistakes_of("attributes:\n  tenant: " + source.get<std::string>() + "\n").empty()) << source;
  }
}

TEST(Schema, FieldsAndTypesAreThoseOfEvents) {
  Words fields;
  for (std::size_t i = 0; i < string_field_count; ++i)
    fields.insert(std::string(name_of(static_cast<StringField>(i))));
  EXPECT_EQ(items("task_group_by"), fields);
  EXPECT_EQ(items("page_by"), fields);
  EXPECT_EQ(items("window_group_by"), without(fields, {"correlation_id"}));
  EXPECT_EQ(without(items("event_group_by"), {"secret.pattern"}), fields);
  EXPECT_TRUE(items("event_group_by").contains("secret.pattern"));
  const json& rules_of_fields = definition("sanitize").at("properties").at("fields").at("items").at("properties");
  EXPECT_EQ(words_of(rules_of_fields.at("field").at("enum")), fields);
  Words types;
  for (std::size_t i = 0; i < event_type_count; ++i) types.insert(std::string(name_of(static_cast<EventType>(i))));
  EXPECT_EQ(words_of(definition("from").at("enum")), types);
  EXPECT_EQ(words_of(definition("event_from").at("enum")), types);
  const json& reset_on = definition("baseline").at("properties").at("reset_on").at("anyOf");
  EXPECT_EQ(reset_on.at(0).at("enum"), reset_on.at(1).at("items").at("enum"));
}

// The schemas that may hold for a node: itself, what it refers to, and every branch.
void collect(const json& node, std::vector<const json*>& all) {
  const json& own = resolved(node);
  all.push_back(&own);
  for (const char* branch : {"then", "else"}) {
    if (own.contains(branch)) collect(own.at(branch), all);
  }
  if (!own.contains("anyOf")) return;
  for (const json& branch : own.at("anyOf")) collect(branch, all);
}

// Each key of the file must be one of the schema's. What stands in its values is left to the loaders.
void expect_known(const YamlNode& node, const std::vector<const json*>& places, const std::string& path) {
  std::vector<const json*> all;
  for (const json* place : places) collect(*place, all);
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const std::string key = node.is_map() ? node.keys[i].scalar : std::string("-");
    std::vector<const json*> next;
    for (const json* place : all) {
      if (node.is_list() && place->contains("items")) next.push_back(&place->at("items"));
      if (!node.is_map()) continue;
      if (place->contains("properties") && place->at("properties").contains(key)) {
        next.push_back(&place->at("properties").at(key));
      } else if (place->contains("additionalProperties") && place->at("additionalProperties").is_object()) {
        next.push_back(&place->at("additionalProperties"));
      }
    }
    EXPECT_FALSE(next.empty()) << path << "/" << key << " is not in rules/schema.json";
    if (!next.empty()) expect_known(node.items[i], next, path + "/" + key);
  }
}

TEST(Schema, KnowsEveryKeyOfTheFilesThatShip) {
  for (const char* name : {"agents", "prices", "specs/demo", "sanitize/auth", "sanitize/chat", "sanitize/data",
                           "sanitize/pii", "sanitize/unnamed", "sanitize/vendors"}) {
    const std::string path = "rules/" + std::string(name) + ".yaml";
    Diagnostics diagnostics;
    const auto root = parse_yaml({path, test::file_text(path)}, diagnostics);
    ASSERT_TRUE(root) << path;
    expect_known(*root, {&schema()}, path);
  }
}

void expect_described(const json& node, const std::string& path) {
  if (!node.is_object() && !node.is_array()) return;
  for (const auto& [key, value] : node.items()) {
    if (key == "properties" && node.contains("additionalProperties")) {
      for (const auto& [name, property] : value.items()) {
        const json& own = resolved(property);
        EXPECT_TRUE(own.contains("description") && own.at("description").get<std::string>().ends_with("."))
            << path << "/" << name << " has no sentence that says what it is";
      }
    }
    expect_described(value, path + "/" + key);
  }
}

TEST(Schema, SaysInASentenceWhatEveryKeyIs) {
  expect_described(schema(), "");
}

}  // namespace schema_test
}  // namespace tocsin
