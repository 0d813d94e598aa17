#include "core/sanitize/pattern_library.h"

#include "core/sanitize/matcher.h"
#include "core/sanitize/shipped_patterns.h"

namespace tocsin {
namespace pattern_library_test {

using test::shipped_patterns;

// The codes of all mistakes in a file with these patterns, as "line:column code".
std::vector<std::string> mistakes(const std::string& patterns) {
  const NamedText file{"rules.yaml", "sanitize:\n  version: 1\n  patterns:\n" + patterns};
  Diagnostics diagnostics;
  const auto library = load_patterns({&file, 1}, diagnostics);
  EXPECT_EQ(library == nullptr, diagnostics.has_errors());
  std::vector<std::string> all;
  for (const Diagnostic& d : diagnostics.sorted()) {
    all.push_back(std::to_string(d.at.line) + ":" + std::to_string(d.at.column) + " " + d.code);
  }
  return all;
}

using Mistakes = std::vector<std::string>;

const std::string good =
    "  - {id: a, tier: halt, description: d, keywords: [abc_], regex: 'abc_[0-9]{4}', examples: [abc_1234]}\n";

// Loaded as files are of which nothing is known, with every check.
std::shared_ptr<const PatternLibrary> checked_patterns() {
  static const auto library = [] {
    Diagnostics diagnostics;
    auto loaded = load_patterns(tocsin::shipped_patterns(), diagnostics);
    for (const Diagnostic& one : diagnostics.all()) ADD_FAILURE() << to_text(one);
    return loaded;
  }();
  return library;
}

TEST(PatternLibrary, ShipsPatternsThatHitTheirExamplesAndNotTheirNearMisses) {
  ASSERT_NE(checked_patterns(), nullptr);
  EXPECT_GT(checked_patterns()->patterns().size(), 20U);
}

TEST(PatternLibrary, ReportsEveryMistakeWithItsPlace) {
  EXPECT_EQ(mistakes(good), Mistakes{});
  EXPECT_EQ(mistakes(good + good), Mistakes{"5:10 duplicate-id"});
  EXPECT_EQ(
      mistakes("  - {id: a, tier: alarm, description: d, keywords: [abc_], regex: '(', examples: [abc_1234]}\n"),
      (Mistakes{"4:19 unknown-value", "4:67 regex"}));
  EXPECT_EQ(mistakes("  - {id: a, tier: halt, description: d, keyword: [abc_], regex: 'abc', examples: [abc]}\n"),
            (Mistakes{"4:5 missing-key", "4:41 unknown-key"}));
}

TEST(PatternLibrary, TakesTruthsAsYamlDoesAndNumbersThatAreSome) {
  const std::string pattern =
      "  - {id: a, tier: halt, description: d, keywords: [abc_], regex: 'abc_[0-9]{4}', examples: [abc_1234], ";
  for (const char* truth : {"true", "Yes", "on", "FALSE", "no", "off"}) {
    EXPECT_EQ(mistakes(pattern + "shadow: " + truth + "}\n"), Mistakes{}) << truth;
  }
  EXPECT_EQ(mistakes(pattern + "shadow: maybe}\n"), Mistakes{"4:112 truth-value"});
  EXPECT_EQ(mistakes(pattern + "min_entropy: nan}\n"), Mistakes{"4:117 number"});
  EXPECT_EQ(mistakes(pattern + "window: 0x10}\n"), Mistakes{"4:112 number"});
  EXPECT_EQ(mistakes(pattern + "classes: digit}\n"), Mistakes{"4:113 shape"});
}

TEST(PatternLibrary, SuggestsTheKeyThatWasMeant) {
  const NamedText file{"rules.yaml", "sanitise: {}\n"};
  Diagnostics diagnostics;
  EXPECT_EQ(load_patterns({&file, 1}, diagnostics), nullptr);
  EXPECT_EQ(to_text(diagnostics.sorted()[0]),
            "rules.yaml:1:1: unknown-key: unknown key sanitise (did you mean 'sanitize'?)");
}

TEST(PatternLibrary, RefusesAPatternThatMissesItsExampleOrHitsItsNearMiss) {
  EXPECT_EQ(
      mistakes("  - {id: a, tier: halt, description: d, keywords: [abc_], regex: 'abc_[0-9]{4}', examples: [abc_x],\n"
               "     near_misses: [[abc, _12, '34']]}\n"),
      (Mistakes{"4:93 example-misses", "5:20 near-miss-hits"}));
}

TEST(PatternLibrary, TriesNoExamplesWhereAllFilesAreProven) {
  const auto file_of = [](const std::string& id) {
    return NamedText{id + ".yaml", "sanitize:\n  version: 1\n  patterns:\n  - {id: " + id +
                                       ", tier: halt, description: d, keywords: [abc_], regex: 'abc_[0-9]{4}', "
                                       "examples: [abc_x]}\n"};
  };
  const NamedText proven = file_of("a");
  NamedText copied = proven;  // wherever it lies
  copied.file = "elsewhere.yaml";
  const auto codes = [&](const std::vector<NamedText>& files) {
    Diagnostics diagnostics;
    const auto library = load_patterns(files, diagnostics, {&proven, 1});
    EXPECT_EQ(library == nullptr, diagnostics.has_errors());
    std::string all;
    for (const Diagnostic& one : diagnostics.sorted()) all += one.file + " " + one.code + " ";
    return all;
  };
  EXPECT_EQ(codes({copied}), "");
  EXPECT_EQ(codes({copied, {"fields.yaml", "sanitize: {version: 1, fields: [{field: session_id, do: hash}]}"}}), "");
  // One of one's own may take from the others what they hit.
  EXPECT_EQ(codes({copied, file_of("b")}), "b.yaml example-misses elsewhere.yaml example-misses ");
}

TEST(PatternLibrary, OfProvenFilesIsWhatItIsOfOthers) {
  ASSERT_NE(shipped_patterns(), nullptr);
  ASSERT_NE(checked_patterns(), nullptr);
  EXPECT_EQ(shipped_patterns()->version(), checked_patterns()->version());
  const Matcher& one = shipped_patterns()->matcher();
  const Matcher& other = checked_patterns()->matcher();
  ASSERT_EQ(one.size(), other.size());
  int groups = 0;
  for (std::uint16_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one.pattern(i).has_group, other.pattern(i).has_group) << one.pattern(i).regex.text();
    EXPECT_EQ(one.pattern(i).min_length, other.pattern(i).min_length) << one.pattern(i).regex.text();
    EXPECT_EQ(one.pattern(i).regex.text(), other.pattern(i).regex.text());
    groups += one.pattern(i).has_group ? 1 : 0;
  }
  EXPECT_GT(groups, 10);
}

TEST(PatternLibrary, TriesTextsThatOnlyPageForWantOfTheirChecksum) {
  const std::string pattern =
      "  - {id: a, tier: halt, description: d, keywords: [abc_], regex: 'abc_[a-z0-9]{32}_[a-f0-9]{8}', check: "
      "zuplo_crc32,\n";
  const std::string good_one = "[abc_, ffc294b97d4d0136d4cd2c4c194b1dbc, _, 0f54048f]";
  const std::string bad_one = "[abc_, ffc294b97d4d0136d4cd2c4c194b1dbc, _, 0f54048e]";
  EXPECT_EQ(mistakes(pattern + "     examples: [" + good_one + "], unchecked: [" + bad_one + "]}\n"), Mistakes{});
  EXPECT_EQ(mistakes(pattern + "     examples: [" + bad_one + "],\n     unchecked: [" + good_one + "]}\n"),
            (Mistakes{"5:17 example-unchecked", "6:18 unchecked-holds"}));
  EXPECT_EQ(mistakes(pattern + "     examples: [" + good_one + "],\n     near_misses: [" + bad_one + "]}\n"),
            Mistakes{"6:20 near-miss-hits"});
  std::string paging = pattern;
  paging.replace(paging.find("halt"), 4, "page");
  EXPECT_EQ(mistakes(paging + "     examples: [" + good_one + "], near_misses: [" + bad_one + "]}\n"), Mistakes{});
  EXPECT_EQ(mistakes(paging + "     examples: [" + good_one + "],\n     unchecked: [" + bad_one + "]}\n"),
            Mistakes{"6:17 shape"});
}

TEST(PatternLibrary, PartsStandInARegexAsGroupsOfTheirOwn) {
  const NamedText file{"f", R"y(sanitize:
  version: 1
  parts: {letter: 'a|b', end: '[0-9]{2}'}
  patterns:
  - {id: a, tier: halt, description: d, keywords: [abc_], regex: 'abc_{{letter}}{3}{{end}}', examples: [abc_aba12],
     near_misses: [abc_a12, abc_abc12]}
)y"};
  Diagnostics diagnostics;
  EXPECT_NE(load_patterns({&file, 1}, diagnostics), nullptr);
  EXPECT_FALSE(diagnostics.has_errors()) << to_text(diagnostics.sorted()[0]);
}

TEST(PatternLibrary, WarnsOfAPartThatNoRegexHas) {
  const NamedText file{"f", R"y(sanitize:
  version: 1
  parts: {letter: 'a|b', end: '[0-9]{2}'}
  patterns:
  - {id: a, tier: halt, description: d, keywords: [abc_], regex: 'abc_{{letter}}{5}', examples: [abc_ababa]}
)y"};
  Diagnostics diagnostics;
  EXPECT_NE(load_patterns({&file, 1}, diagnostics), nullptr);
  ASSERT_EQ(diagnostics.sorted().size(), 1U);
  EXPECT_EQ(to_text(diagnostics.sorted()[0]), "f:3:26: warning: unused-part: no regex has {{end}} in it");
}

TEST(PatternLibrary, RefusesAPatternWhoseWorstCaseIsTooSlow) {
  const std::string pattern = "  - {id: a, tier: halt, description: d, keywords: [abc_], regex: '";
  std::string long_one = "abc_";
  for (int i = 0; i < 8; ++i) long_one += "[a-z0-9]{1,900}_";
  const std::string rest = "', examples: [abc_q_q_q_q_q_q_q_q_], window: ";
  EXPECT_EQ(mistakes(pattern + long_one + rest + "16384}\n"), Mistakes{"4:66 too-slow"});
  EXPECT_EQ(mistakes(pattern + long_one + rest + "1024}\n"), Mistakes{});
}

TEST(PatternLibrary, ReportsBrokenYamlWithItsPlace) {
  const NamedText file{"rules.yaml", "sanitize:\n  patterns: [\n"};
  Diagnostics diagnostics;
  EXPECT_EQ(load_patterns({&file, 1}, diagnostics), nullptr);
  EXPECT_EQ(diagnostics.all().at(0).code, "syntax");
  EXPECT_GT(diagnostics.all().at(0).at.line, 0U);
}

TEST(PatternLibrary, ChangesItsVersionWithItsText) {
  const auto version = [](const std::string& patterns) {
    const NamedText file{"rules.yaml", "sanitize:\n  version: 1\n  patterns:\n" + patterns};
    Diagnostics diagnostics;
    return load_patterns({&file, 1}, diagnostics)->version();
  };
  EXPECT_EQ(version(good), version(good));
  EXPECT_NE(version(good), version(good + "# a remark\n"));
}

}  // namespace pattern_library_test
}  // namespace tocsin
