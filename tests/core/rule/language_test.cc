// rules/language.md, the reference of the rule language: what it shows as a whole file is one, and it leaves no key
// out.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sstream>
#include <string>
#include <vector>

#include "core/rule/rule_set.h"
#include "core/sanitize/pattern_library.h"
#include "core/test_support.h"

namespace tocsin {
namespace language_test {

// The boxes marked as yaml, without those marked as fragments; each is named by the line it begins at.
std::vector<NamedText> whole_files() {
  std::vector<NamedText> files;
  std::istringstream page(test::file_text("rules/language.md"));
  std::string line;
  bool is_inside = false;
  for (int number = 1; std::getline(page, line); ++number) {
    if (line == "```yaml") {
      is_inside = true;
      files.push_back({"language.md:" + std::to_string(number), {}});
    } else if (line.starts_with("```")) {
      is_inside = false;
    } else if (is_inside) {
      files.back().text += line + "\n";
    }
  }
  return files;
}

void expect_loads(const std::vector<NamedText>& files) {
  Diagnostics diagnostics;
  if (files.front().text.starts_with("sanitize:"))
    load_patterns(files, diagnostics);
  else
    load_rules(files, diagnostics);
  for (const Diagnostic& one : diagnostics.all()) {
    if (one.severity == Severity::error) ADD_FAILURE() << to_text(one);
  }
}

TEST(Language, EveryFileThatThePageShowsLoads) {
  const auto files = whole_files();
  EXPECT_GE(files.size(), 25U);
  std::vector<NamedText> rules;
  for (const NamedText& file : files) {
    const bool is_whole = file.text.starts_with("groups:") || file.text.starts_with("specs:") ||
                          file.text.starts_with("attributes:") || file.text.starts_with("sanitize:");
    EXPECT_TRUE(is_whole) << file.file << " is a part of a file; mark it as a fragment";
    expect_loads({file});
    if (!file.text.starts_with("sanitize:")) rules.push_back(file);
  }
  expect_loads(rules);  // people copy more than one: their names must not meet
}

TEST(Language, ThePageNamesEveryKey) {
  const std::string page = test::file_text("rules/language.md");
  const auto schema = nlohmann::json::parse(test::file_text("rules/schema.json"));
  for (const char* map : {"preset_rule", "baseline", "spec", "group"}) {
    for (const auto& [key, unused] : schema.at("$defs").at(map).at("properties").items()) {
      EXPECT_NE(page.find("`" + key + "`"), std::string::npos) << key << " of " << map;
    }
  }
}

TEST(Language, ThePageNamesEveryFieldOfEvents) {
  const std::string page = test::file_text("rules/language.md");
  const auto expect_named = [&](std::string_view name) {
    EXPECT_NE(page.find("`" + std::string(name) + "`"), std::string::npos) << name;
  };
  for (std::size_t i = 0; i < string_field_count; ++i) expect_named(name_of(static_cast<StringField>(i)));
  for (std::size_t i = 0; i < enum_field_count; ++i) expect_named(name_of(static_cast<EnumField>(i)));
  for (std::size_t i = 0; i < event_type_count; ++i) expect_named(name_of(static_cast<EventType>(i)));
  for (std::size_t i = 0; i < number_field_count; ++i) {
    const auto field = static_cast<NumberField>(i);
    if (field != NumberField::started_at) expect_named(name_of(field));  // of no use in a rule
  }
}

}  // namespace language_test
}  // namespace tocsin
