#include "base/json_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdint>

namespace tocsin {
namespace json_text_test {

std::string text_of(std::string_view value) {
  JsonText json;
  json.text(value);
  return json.take();
}

std::string decimal_of(std::int64_t number, int decimals) {
  JsonText json;
  json.decimal(number, decimals);
  return json.take();
}

TEST(JsonText, WritesWhatAnotherParserReads) {
  JsonText json;
  json.begin_object();
  json.member("a", "x\"y\\z\n\x01 \x7f");
  json.member("b", std::int64_t{-7});
  json.name("c");
  json.begin_array();
  json.begin_object();
  json.end_object();
  json.flag(true);
  json.begin_object();
  json.member("d", "");
  json.end_object();
  json.end_array();
  json.end_object();
  const auto parsed = nlohmann::json::parse(json.take());
  EXPECT_EQ(
      parsed,
      (nlohmann::json{{"a", "x\"y\\z\n\x01 \x7f"}, {"b", -7}, {"c", {nlohmann::json::object(), true, {{"d", ""}}}}}));
}

TEST(JsonText, KeepsUtf8AndReplacesWhatIsNone) {
  EXPECT_EQ(text_of("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x94\xA5"), "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x94\xA5\"");
  for (const char* bad : {"\xFF", "\xC0", "\xE2", "\x80", "\xF5"}) EXPECT_EQ(text_of(bad), "\"\xEF\xBF\xBD\"") << bad;
  for (const char* bad : {"\xED\xA0\x80", "\xE0\x80\x80"}) {
    EXPECT_EQ(text_of(bad), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"") << bad;
  }
}

TEST(JsonText, WritesDecimalsExactly) {
  EXPECT_EQ(decimal_of(4'100, 6), "0.0041");
  EXPECT_EQ(decimal_of(12'000'000, 6), "12");
  EXPECT_EQ(decimal_of(1'500, 3), "1.5");
  EXPECT_EQ(decimal_of(0, 6), "0");
  EXPECT_EQ(decimal_of(-1, 6), "-0.000001");
  EXPECT_EQ(decimal_of(INT64_MIN, 0), "-9223372036854775808");
  EXPECT_EQ(decimal_of(INT64_MAX, 6), "9223372036854.775807");
}

}  // namespace json_text_test
}  // namespace tocsin
