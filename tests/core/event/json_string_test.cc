#include "core/event/json_string.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/test_support.h"

namespace tocsin {
namespace json_string_test {

// What stands between the quotes, unescaped.
std::string unescaped(const std::string& body) {
  const std::string source = body + "\"" + std::string(32, 'x');
  std::vector<char> target(2 * body.size() + json_string_slack);
  return std::string(unescape_json_string(source.data(), target.data()));
}

TEST(JsonString, PlainTextIsCopied) {
  EXPECT_EQ(unescaped(""), "");
  for (std::size_t size = 1; size < 70; ++size) {
    const std::string text(size, 'a');
    EXPECT_EQ(unescaped(text), text) << size;
  }
  EXPECT_EQ(unescaped("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

TEST(JsonString, EscapesStandForTheirCharacter) {
  EXPECT_EQ(unescaped(R"(a\"b\\c\/d\n\t\r\b\f)"), "a\"b\\c/d\n\t\r\b\f");
  EXPECT_EQ(unescaped(R"(\u0041\u00e9\u20AC)"), "A\xc3\xa9\xe2\x82\xac");
  EXPECT_EQ(unescaped(R"(\uD83D\uDE00)"), "\xf0\x9f\x98\x80");
}

TEST(JsonString, EscapesAtEveryPlaceOfASixteenByteBlock) {
  for (std::size_t before = 0; before < 40; ++before) {
    EXPECT_EQ(unescaped(std::string(before, 'a') + "\\n" + std::string(20, 'b')),
              std::string(before, 'a') + "\n" + std::string(20, 'b'));
    EXPECT_EQ(unescaped(std::string(before, 'a') + "\\\""), std::string(before, 'a') + "\"");
  }
}

TEST(JsonString, BrokenEscapesBecomeTheReplacementCharacterAndNulNeverAppears) {
  const std::string replacement = "\xef\xbf\xbd";
  EXPECT_EQ(unescaped(R"(\uD800)"), replacement) << "a lone high surrogate";
  EXPECT_EQ(unescaped(R"(\uDC00)"), replacement) << "a lone low surrogate";
  EXPECT_EQ(unescaped(R"(\uD800\u0041)"), replacement + "A");
  EXPECT_EQ(unescaped(R"(\uD800\uD800)"), replacement + replacement);
  EXPECT_EQ(unescaped(R"(\uD800x)"), replacement + "x");
  EXPECT_EQ(unescaped(R"(\u0000)"), replacement);
  EXPECT_EQ(unescaped(R"(\u12)"), replacement + "12");
  EXPECT_EQ(unescaped(R"(\u)"), replacement);
  EXPECT_EQ(unescaped(R"(\q)"), "q");
}

TEST(JsonString, EveryCodePointComesOutAsUtf8) {
  for (std::uint32_t code = 1; code < 0x10000; code += 7) {
    if (code >= 0xD800 && code < 0xE000) continue;
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\u%04x", code);
    const std::string text = unescaped(escape);
    ASSERT_EQ(text.size(), code < 0x80 ? 1u : code < 0x800 ? 2u : 3u) << escape;
  }
}

TEST(JsonString, OverRandomTextsNothingIsLostOrAdded) {
  for (const std::uint64_t seed : test::seeds(20)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    for (int i = 0; i < 300; ++i) {
      std::string body, expected;
      for (std::int64_t n = random.below(80); n > 0; --n) {
        switch (random.below(8)) {
          case 0:
            body += "\\n";
            expected += "\n";
            break;
          case 1:
            body += "\\\"";
            expected += "\"";
            break;
          case 2:
            body += "\\u00e9";
            expected += "\xc3\xa9";
            break;
          default: {
            const char c = static_cast<char>('a' + random.below(26));
            body += c;
            expected += c;
          }
        }
      }
      ASSERT_EQ(unescaped(body), expected);
    }
  }
}

}  // namespace json_string_test
}  // namespace tocsin
