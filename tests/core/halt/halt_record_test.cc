#include "core/halt/halt_record.h"

#include <gtest/gtest.h>

#include "core/test_support.h"

namespace tocsin {
namespace halt_record_test {

using namespace std::chrono_literals;
using test::event_at;

HaltRecord full_record() {
  HaltRecord halt;
  halt.id = "00aa";
  halt.scope = "task:42/\"x\"";
  halt.state = HaltState::enforced;
  halt.rule = "SecretLeak";
  halt.reason = "a credential\nin two lines";
  halt.pattern = "aws.access_key";
  halt.fingerprint = "9f3a01bc9f3a01bc";
  halt.env = "prod";
  halt.agent = "sup\xc3\xbcport";
  halt.correlation_id = "42/\"x\"";
  halt.count = 9;
  halt.first_at = event_at(1s);
  halt.last_at = event_at(2s + 345ms);
  halt.expires_at = event_at(168h);
  return halt;
}

TEST(HaltRecord, ComesBackFromItsJsonWhole) {
  for (const HaltState state : {HaltState::enforced, HaltState::dry_run, HaltState::held}) {
    HaltRecord halt = full_record();
    halt.state = state;
    const std::string json = to_json(halt);
    EXPECT_EQ(json.find('\n'), std::string::npos) << "one line";
    const auto back = halt_from_json(json);
    ASSERT_TRUE(back);
    EXPECT_EQ(to_json(*back), json);
    EXPECT_EQ(back->state, state);
    EXPECT_EQ(back->enforced(), state == HaltState::enforced);
    EXPECT_EQ(back->count, 9u);
    EXPECT_EQ(back->reason, halt.reason);
    EXPECT_EQ(back->agent, halt.agent);
    EXPECT_EQ(back->expires_at, halt.expires_at);
    EXPECT_EQ(back->key(), halt.key());
  }
}

TEST(HaltRecord, SaysInItsJsonWhetherItIsEnforced) {
  HaltRecord halt = full_record();
  EXPECT_NE(to_json(halt).find(R"("enforced":true)"), std::string::npos);
  halt.state = HaltState::dry_run;
  EXPECT_NE(to_json(halt).find(R"("enforced":false)"), std::string::npos);
  halt.state = HaltState::held;
  EXPECT_NE(to_json(halt).find(R"("enforced":false)"), std::string::npos);
}

TEST(HaltRecord, BrokenBytesInATextDoNotBreakTheJson) {
  HaltRecord halt = full_record();
  halt.reason = "cut \xf0\x9f here";
  EXPECT_TRUE(halt_from_json(to_json(halt)));
}

TEST(HaltRelease, ComesBackFromItsJsonWhole) {
  const HaltRelease release{"00aa", "task:42", "ann", "a test key", event_at(3s)};
  const auto back = release_from_json(to_json(release));
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back), to_json(release));
  EXPECT_EQ(back->by, "ann");
  EXPECT_EQ(back->at, event_at(3s));
  EXPECT_EQ(back->key(), "release/task:42/00aa");
}

TEST(HaltRecord, JunkIsRefused) {
  const std::string valid = to_json(full_record());
  for (const std::string& junk :
       {std::string(), std::string("null"), std::string("[]"), std::string("42"), std::string("\"halt\""),
        std::string("{}"), std::string("{\"kind\":\"halt\"}"), std::string("{\"kind\":\"halt\",\"halt_id\":\"a\"}"),
        std::string("{\"kind\":\"halt\",\"halt_id\":1,\"scope\":\"task:1\"}"),
        std::string("{\"kind\":\"release\",\"halt_id\":\"a\",\"scope\":\"task:1\"}"),
        std::string("{\"halt_id\":\"a\",\"scope\":\"task:1\"}"), std::string(valid + "x"), std::string("\0\0", 2),
        std::string(200'000, '[')}) {
    EXPECT_FALSE(halt_from_json(junk)) << junk.substr(0, 60);
  }
  EXPECT_FALSE(release_from_json(valid)) << "a halt is no release";
}

TEST(HaltRecord, CutShortAtAnyByteItIsRefused) {
  const std::string valid = to_json(full_record());
  for (std::size_t size = 0; size < valid.size(); ++size) {
    EXPECT_FALSE(halt_from_json(std::string_view(valid).substr(0, size))) << size;
  }
}

TEST(HaltRecord, FieldsOfAnotherTypeAreReadAsAbsentOrRefused) {
  const auto halt = halt_from_json(R"({"kind":"halt","halt_id":"a","scope":"task:1","rule":5,"first_at":7})");
  ASSERT_TRUE(halt);
  EXPECT_EQ(halt->rule, "");
  EXPECT_EQ(halt->first_at, EventTime{});
}

TEST(HaltId, IsOneForASecretInAScopeAndTellsEverythingElseApart) {
  const std::string id = halt_id("eu1", "SecretLeak", "task:1", "f");
  EXPECT_EQ(id, halt_id("eu1", "SecretLeak", "task:1", "f"));
  EXPECT_EQ(id.size(), 32u);
  EXPECT_NE(id, halt_id("us1", "SecretLeak", "task:1", "f"));
  EXPECT_NE(id, halt_id("eu1", "Other", "task:1", "f"));
  EXPECT_NE(id, halt_id("eu1", "SecretLeak", "task:2", "f"));
  EXPECT_NE(id, halt_id("eu1", "SecretLeak", "task:1", "g"));
  EXPECT_NE(halt_id("a", "bc", "d", "e"), halt_id("ab", "c", "d", "e"));
}

}  // namespace halt_record_test
}  // namespace tocsin
