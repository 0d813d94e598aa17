#include "base/yaml_tree.h"

#include <gtest/gtest.h>

namespace tocsin {
namespace yaml_tree_test {

using namespace std::chrono_literals;

std::string complaints(const std::string& text) {
  Diagnostics diagnostics;
  parse_yaml({"f", text}, diagnostics);
  std::string all;
  for (const Diagnostic& one : diagnostics.all()) {
    all += std::to_string(one.at.line) + ":" + std::to_string(one.at.column) + " " + one.code + " ";
  }
  return all;
}

TEST(YamlTree, RemembersWhereEverythingStands) {
  Diagnostics diagnostics;
  const auto root = parse_yaml({"f", "a: 1\nlist:\n- x\n- {b: \"2\"}\nnone:\n"}, diagnostics);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->find("a")->at, (SourcePosition{1, 4}));
  EXPECT_FALSE(root->find("a")->quoted);
  const YamlNode& list = *root->find("list");
  ASSERT_TRUE(list.is_list());
  EXPECT_EQ(list.items[0].at, (SourcePosition{3, 3}));
  EXPECT_EQ(list.items[1].find("b")->at, (SourcePosition{4, 7}));
  EXPECT_TRUE(list.items[1].find("b")->quoted);
  EXPECT_EQ(root->find("none")->kind, YamlNode::Kind::null);
  EXPECT_EQ(root->find("other"), nullptr);
}

TEST(YamlTree, TakesASubscriptWithinBracesForText) {
  Diagnostics diagnostics;
  const auto root = parse_yaml({"f", "a: {b: resource[\"x.y\"], c: [json[\"z\"], \"d[\\\"e\"]}\n"}, diagnostics);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->items[0].find("b")->scalar, "resource[\"x.y\"]");
  const YamlNode& list = *root->items[0].find("c");
  EXPECT_EQ(list.items[0].scalar, "json[\"z\"]");
  EXPECT_EQ(list.items[0].at, (SourcePosition{1, 29}));
  EXPECT_EQ(list.items[1].scalar, "d[\"e");
  EXPECT_EQ(complaints("a: {b: resource[\"x\"], c: ]\n"), "1:26 syntax ");
}

TEST(YamlTree, RefusesTagsButThoseOfYamlItself) {
  EXPECT_EQ(complaints("a: !has(x)\n"), "1:4 syntax ");
  EXPECT_EQ(complaints("a: !mine [x]\n"), "1:4 syntax ");
  EXPECT_EQ(complaints("a: !mine {x: y}\n"), "1:4 syntax ");
  EXPECT_EQ(complaints("a: !!str 1\nb: ! x\nc: \"!x\"\n"), "");
}

TEST(YamlTree, RefusesWhatAnAttackerLikes) {
  EXPECT_EQ(complaints("a: &x 1\nb: *x\n"), "2:4 syntax ");
  EXPECT_EQ(complaints("a: 1\n---\nb: 2\n"), "0:0 many-documents ");
  EXPECT_EQ(complaints(std::string(5 << 20, ' ')), "0:0 too-large ");
  EXPECT_NE(complaints(std::string(100, '[') + std::string(100, ']')).find("syntax"), std::string::npos);
  EXPECT_NE(complaints(std::string(100'000, '[')).find("syntax"), std::string::npos);
  std::string many = "[";
  for (int i = 0; i < 200'001; ++i) many += "1,";
  EXPECT_NE(complaints(many + "1]").find("syntax"), std::string::npos);
  EXPECT_NE(complaints("? [a]\n: 1\n").find("syntax"), std::string::npos);
}

TEST(YamlTree, SyntaxErrorsAndRepeatedKeysAreLocated) {
  EXPECT_EQ(complaints("a: 1\nb: [1\n").substr(2, 2), "1 ");
  EXPECT_EQ(complaints("a: 1\nb: 2\na: 3\n"), "3:1 repeated-key ");
  EXPECT_EQ(complaints("x:\n  a: 1\n  a: 2\n"), "3:3 repeated-key ");
  EXPECT_EQ(complaints(""), "");
}

TEST(YamlReader, ReadsWhatFitsAndReportsWhatDoesNot) {
  Diagnostics diagnostics;
  const auto root = parse_yaml({"f",
                                "n: 1.5\ni: 7\nb: true\nd: 5m\nw: two\nl: [a, b]\nm: {k: v}\nbad_n: x\nbad_i: "
                                "1.5\nbad_d: 5\nbad_w: tow\nfar: 99\ntypo: 1\n"},
                               diagnostics);
  ASSERT_TRUE(root);
  {
    YamlReader reader(*root, "f", "thing", diagnostics);
    EXPECT_EQ(reader.number("n", 0, 10), 1.5);
    EXPECT_EQ(reader.integer("i", 0, 10), 7);
    EXPECT_EQ(reader.flag("b"), true);
    EXPECT_EQ(reader.duration("d", 1s, 1h), 5min);
    EXPECT_EQ(reader.choice("w", {"one", "two"}), 1u);
    EXPECT_EQ(reader.texts("l"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(reader.text_map("m")->at(0).second, "v");
    EXPECT_FALSE(reader.number("absent", 0, 1));
    EXPECT_FALSE(diagnostics.has_errors());
    EXPECT_FALSE(reader.number("bad_n", 0, 1));
    EXPECT_FALSE(reader.integer("bad_i", 0, 1));
    EXPECT_FALSE(reader.duration("bad_d", 1s, 1h));
    EXPECT_FALSE(reader.choice("bad_w", {"one", "two"}));
    EXPECT_FALSE(reader.integer("far", 0, 10));
    reader.require("missing");
    reader.text("type");
  }
  std::string codes;
  for (const Diagnostic& one : diagnostics.all()) codes += one.code + " ";
  EXPECT_EQ(codes, "wrong-type wrong-type bad-duration unknown-word out-of-range missing-key unknown-key ");
  EXPECT_NE(diagnostics.all().back().message.find("did you mean 'type'?"), std::string::npos);
}

TEST(YamlReader, NumbersAreFinite) {
  Diagnostics diagnostics;
  const auto root = parse_yaml({"f", "a: .nan\nb: nan\nc: inf\nd: 1e400\n"}, diagnostics);
  YamlReader reader(*root, "f", "thing", diagnostics);
  for (const char* key : {"a", "b", "c", "d"}) EXPECT_FALSE(reader.number(key, -1e300, 1e300)) << key;
}

}  // namespace yaml_tree_test
}  // namespace tocsin
