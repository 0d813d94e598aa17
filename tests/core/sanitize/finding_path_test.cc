// Where in content and arguments a finding stood, as pages say it: a path of plain names and numbers, no more.

#include "core/sanitize/finding_path.h"

#include <gtest/gtest.h>

#include "core/event/native_decoder.h"
#include "core/sanitize/event_sanitizer.h"
#include "core/sanitize/sanitized_event_json.h"
#include "core/sanitize/shipped_patterns.h"

namespace tocsin {
namespace finding_path_test {

using test::aws_key;

class FindingPath : public testing::Test {
 protected:
  // The places of all findings but for what is only counted, in order.
  std::vector<std::string> places_in(const std::string& members) {
    json_ = R"({"type":"tool.call","time":"2026-01-05T00:00:00Z","correlation_id":"t","agent":"a","tool":"t",)" +
            members + "}";
    const auto decoded = decoder_.decode(json_);
    EXPECT_TRUE(decoded.has_value()) << json_;
    const SanitizedEvent& event = sanitizer_.sanitize(*decoded.value());
    std::vector<std::string> places;
    for (const Finding& finding : event.findings()) {
      if (finding.tier != Tier::count) places.push_back(place_of(finding));
    }
    return places;
  }

  std::string json_;
  NativeDecoder decoder_;
  EventSanitizer sanitizer_{test::shipped_patterns(), Fingerprinter(std::vector<FingerprintKey>{{"", "a key"}})};
};

using Places = std::vector<std::string>;

TEST_F(FindingPath, IsThatOfTheJsonThatAnEventIsMadeOf) {
  EXPECT_EQ(places_in(R"("content":")" + aws_key + R"(")"), Places{"content"});
  EXPECT_EQ(places_in(R"("content":{"result":")" + aws_key + R"("})"), Places{"content.result"});
  EXPECT_EQ(places_in(R"("content":["a",")" + aws_key + R"("])"), Places{"content[1]"});
  EXPECT_EQ(
      places_in(
          R"("content":{"messages":[{"role":"user","n":1},2,{"parts":[{"text":"a","type":"t"},{"type":"t","text":")" +
          aws_key + R"("}]}]})"),
      Places{"content.messages[2].parts[1].text"});
  EXPECT_EQ(places_in(R"("content":{"a":{"b":["x"],"c":{"d":"x"}},"e":{"f":["x","y",")" + aws_key + R"("]}})"),
            Places{"content.e.f[2]"});
  EXPECT_EQ(places_in(R"("arguments":{"headers":{"Accept":"*","Authorization":"Bearer )" + aws_key + R"("}})"),
            Places{"arguments.headers.Authorization"});
}

TEST_F(FindingPath, GoesOnIntoJsonWithinAText) {
  EXPECT_EQ(places_in(R"("arguments":"{\"headers\":{\"Authorization\":\")" + aws_key + R"(\"}}")"),
            Places{"arguments.headers.Authorization"});
  EXPECT_EQ(places_in(R"("content":{"calls":[{"arguments":" {\"a\":[1,{},{\"b\\\"[\":[]},\"x,y\",\")" + aws_key +
                      R"(\"]}"}]})"),
            Places{"content.calls[0].arguments.a[4]"});
  EXPECT_EQ(places_in(R"("content":"{\"a\":1} and then )" + aws_key + R"(")"), Places{"content"});
  EXPECT_EQ(places_in(R"("content":"see {\"a\":\")" + aws_key + R"(\"}")"), Places{"content"});
  EXPECT_EQ(places_in(R"("content":"[1}, )" + aws_key + R"(")"), Places{"content"}) << "no JSON";
}

// Keys are content as well.
TEST_F(FindingPath, ShowsNoKeyThatMayBeOne) {
  const std::string find = R"(":")" + aws_key + R"("}})";
  EXPECT_EQ(places_in(R"("content":{"a":{"ann@example.org)" + find), Places{"content.a.*"});
  EXPECT_EQ(places_in(R"("content":{"a":{"customer of ours)" + find), Places{"content.a.*"});
  EXPECT_EQ(places_in(R"("content":{"a":{"20261128)" + find), Places{"content.a.*"});
  EXPECT_EQ(places_in(R"("content":{"a":{"user_20261128)" + find), Places{"content.a.*"});
  EXPECT_EQ(places_in(R"("content":{"a":{")" + std::string(33, 'k') + find), Places{"content.a.*"});
  EXPECT_EQ(places_in(R"("content":{"a":{")" + std::string(32, 'k') + find),
            Places{"content.a." + std::string(32, 'k')});
  EXPECT_EQ(places_in(R"("content":"{\"ann@example.org\":{\"b\":\")" + aws_key + R"(\"}}")"), Places{"content.*.b"});
  // A key that is a find, above another find.
  const std::string other = std::string("AKIA") + "ODZDOCIS" + "3JHTLGMY";
  EXPECT_EQ(places_in(R"("content":{")" + other + R"(":{"b":")" + aws_key + R"("}})"),
            (Places{"key", "content.*.b"}));
}

TEST_F(FindingPath, IsLeftOutWhereItIsNotSure) {
  EXPECT_EQ(places_in(R"("content":[{"k":"x"},[["y"],")" + aws_key + R"("]])"), Places{"content"})
      << "arrays in arrays";
  EXPECT_EQ(places_in(R"("content":[[{"a":"{\"b\":\")" + aws_key + R"(\"}"}]])"), Places{"content"});
  std::string deep = aws_key;
  for (int i = 0; i < 8; ++i)
    deep = R"({"a_rather_long_name_of_a_member":)" + (i == 0 ? '"' + deep + '"' : deep) + "}";
  EXPECT_EQ(places_in(R"("content":)" + deep), Places{"content"}) << "too long";
  std::string many = R"("content":[)";
  for (int i = 0; i < 300; ++i) many += R"("a",)";
  EXPECT_EQ(places_in(many + '"' + aws_key + R"("])"), Places{"content[*]"});
}

TEST_F(FindingPath, ComesThroughADoor) {
  const auto carried = [&](const std::string& place) {
    return places_in(
        R"("findings":[{"pattern":"aws.access_key","tier":"halt","fingerprint":"54a93ecb2924ca46","place":")" +
        place + R"("}])");
  };
  for (const std::string place : {"content", "content.messages[2].text", "arguments[0].*", "session_id"}) {
    EXPECT_EQ(carried(place), Places{place});
  }
  EXPECT_EQ(carried("content.a b"), Places{"content"});
  EXPECT_EQ(carried("session_id.a"), Places{"session_id"});
  EXPECT_EQ(carried("content" + std::string(200, '.')), Places{"content"});
  EXPECT_EQ(carried("nowhere.a"), Places{"unknown field"});
}

TEST_F(FindingPath, NamesNoSecretByItsEndInADoorsRecord) {
  json_ =
      R"({"type":"tool.call","time":"2026-01-05T00:00:00Z","correlation_id":"t","agent":"a","tool":"t","findings":[)"
      R"({"pattern":"aws.access_key","tier":"halt","fingerprint":"54a93ecb2924ca46","place":"content.api_key"}],)"
      R"("zz":"jNEVvuVP1A0yVhSPJk9QMOK7"})";
  const auto decoded = decoder_.decode(json_);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(sanitizer_.sanitize(*decoded.value()).findings().size(), 1U);
}

TEST_F(FindingPath, IsAllowedByTheWholePlaceOrItsFirstWord) {
  Finding finding;
  finding.pattern = "jwt";
  set_place(finding, "content.result", nullptr);
  EXPECT_EQ(place_of(finding), "content.result");
  for (const auto& [place, is_one] : {std::pair("content", true), std::pair("content.result", true),
                                      std::pair("content.other", false), std::pair("arguments", false)}) {
    const Allowance allowance{{}, "jwt", place, RecordTime{std::chrono::hours(1)}, "why"};
    EXPECT_EQ(is_allowed(finding, {&allowance, 1}, RecordTime{}), is_one) << place;
  }
}

}  // namespace finding_path_test
}  // namespace tocsin
