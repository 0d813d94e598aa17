// What a deployment says besides the patterns: findings that it vouches for, fields that it wants hashed, dropped or
// kept, patterns on trial, patterns in another one's place.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/time_text.h"
#include "core/event/native_decoder.h"
#include "core/sanitize/event_sanitizer.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/test_support.h"

namespace tocsin {
namespace allowance_test {

using test::aws_key;

std::shared_ptr<const PatternLibrary> library_with(const std::string& text,
                                                   std::vector<std::string>* mistakes = nullptr) {
  std::vector<NamedText> files(tocsin::shipped_patterns().begin(), tocsin::shipped_patterns().end());
  files.push_back({"own.yaml", text});
  Diagnostics diagnostics;
  auto library = load_patterns(files, diagnostics, tocsin::shipped_patterns());
  for (const Diagnostic& one : diagnostics.sorted()) {
    if (mistakes != nullptr)
      mistakes->push_back(std::to_string(one.at.line) + " " + one.code);
    else
      ADD_FAILURE() << to_text(one);
  }
  return library;
}

const std::vector<FingerprintKey> keys = {{"k2", "the key in force since May"}, {"k1", "the key that was before it"}};

class Allowances : public testing::Test {
 protected:
  const SanitizedEvent& sanitize(const std::shared_ptr<const PatternLibrary>& library, const std::string& json) {
    sanitizer_ = std::make_unique<EventSanitizer>(library, Fingerprinter(keys));
    json_ = json;
    const auto decoded = decoder_.decode(json_);
    EXPECT_TRUE(decoded.has_value());
    return sanitizer_->sanitize(*decoded.value());
  }

  std::string json_;
  NativeDecoder decoder_;
  std::unique_ptr<EventSanitizer> sanitizer_;
};

std::string event_with(const std::string& result) {
  return R"({"type":"tool.call","time":"2026-01-05T00:00:00Z","correlation_id":"t","agent":"a","tool":"t","session_id":"s-1",)"
         R"("content":{"result":")" +
         result + R"("}})";
}

RecordTime at(std::string_view text) {
  return as_record_time(*parse_rfc3339(text));
}

TEST_F(Allowances, AreByFingerprintPatternOrPlaceUntilTheyExpire) {
  const auto plain = library_with("sanitize: {version: 1, fields: []}");
  const std::string fingerprint = sanitize(plain, event_with(aws_key)).findings()[0].fingerprint;
  for (const std::string& what :
       {"fingerprint: " + fingerprint, std::string("pattern: aws.access_key"), std::string("place: content"),
        "fingerprint: " + fingerprint + ", place: content"}) {
    const auto library =
        library_with("sanitize: {version: 1, allow: [{" + what + ", until: 2026-06-01, reason: a sandbox key}]}");
    ASSERT_NE(library, nullptr);
    const SanitizedEvent& event = sanitize(library, event_with(aws_key));
    ASSERT_EQ(event.findings().size(), 1U) << "it is a finding all the same";
    EXPECT_TRUE(is_allowed(event.findings()[0], library->allowances(), at("2026-05-31T23:59:59Z"))) << what;
    EXPECT_FALSE(is_allowed(event.findings()[0], library->allowances(), at("2026-06-01T00:00:00Z"))) << what;
  }
  const auto other = library_with(
      "sanitize: {version: 1, allow: [{fingerprint: 0123456789abcdef, until: 2026-06-01, reason: another}]}");
  EXPECT_FALSE(is_allowed(sanitize(other, event_with(aws_key)).findings()[0], other->allowances(),
                          at("2026-01-01T00:00:00Z")));
}

TEST_F(Allowances, ByAFingerprintOutliveTheKeyThatItWasMadeWith) {
  Scanner scanner(test::shipped_patterns());
  const Fingerprinter former({keys[1]});
  const std::string fingerprint = former.of(scanner.scan(aws_key)[0], scanner.library());
  const auto library = library_with("sanitize: {version: 1, allow: [{fingerprint: " + fingerprint +
                                    ", until: 2026-06-01, reason: old}]}");
  const Finding finding = sanitize(library, event_with(aws_key)).findings()[0];
  EXPECT_NE(finding.fingerprint, fingerprint);
  EXPECT_TRUE(is_allowed(finding, library->allowances(), at("2026-01-01T00:00:00Z")));
}

TEST_F(Allowances, SayWhatAndUntilWhenAndWhy) {
  std::vector<std::string> mistakes;
  EXPECT_EQ(library_with("sanitize:\n"
                         "  version: 1\n"
                         "  allow:\n"
                         "  - {until: 2026-06-01, reason: r}\n"
                         "  - {pattern: aws.acess_key, until: 2026-06-01, reason: r}\n"
                         "  - {fingerprint: xyz, until: soon}\n"
                         "  fields:\n"
                         "  - {field: sesion_id, do: hash}\n"
                         "  - {field: correlation_id, do: drop}\n"
                         "  - {field: tool, do: burn}\n",
                         &mistakes),
            nullptr);
  EXPECT_EQ(mistakes,
            (std::vector<std::string>{"4 missing-key", "5 unknown-pattern", "6 missing-key", "6 fingerprint",
                                      "6 until", "8 field", "9 field", "10 unknown-value"}));
}

TEST_F(Allowances, FieldsAreHashedDroppedOrKept) {
  const auto library = library_with(
      "sanitize: {version: 1, fields: [{field: session_id, do: hash}, {field: agent_version, do: drop}, {field: "
      "tool, do: keep}]}");
  const SanitizedEvent& event = sanitize(
      library,
      R"({"type":"tool.call","time":"2026-01-05T00:00:00Z","correlation_id":"t","agent":"mail of ann@x.org",)"
      R"("agent_version":"1","tool":"mail.to.bob@x.org","session_id":"customer 12"})");
  EXPECT_EQ(event.fields().get(StringField::session_id), Fingerprinter(keys).of("customer 12"));
  EXPECT_FALSE(event.fields().has(StringField::agent_version));
  EXPECT_EQ(event.fields().get(StringField::tool), "mail.to.bob@x.org");
  EXPECT_EQ(event.fields().get(StringField::agent).substr(0, 18), "mail of [email:k2:")
      << "the key's id is in the mark";
}

// What a tool did is a description; what it holds of people is redacted like everything else.
TEST_F(Allowances, ASideEffectTellsTheActionAndNoContent) {
  const SanitizedEvent& event =
      sanitize(test::shipped_patterns(),
               R"({"type":"tool.call","time":"2026-01-05T00:00:00Z","correlation_id":"t","agent":"a",)"
               R"("tool":"t","side_effect":"mails ann@x.org her card 4111 1111 1111 1111 and )" +
                   aws_key + "\"}");
  const std::string_view text = event.fields().get(StringField::side_effect);
  EXPECT_EQ(text.find("ann@"), std::string::npos);
  EXPECT_EQ(text.find("4111"), std::string::npos);
  EXPECT_EQ(text.find(aws_key), std::string::npos);
  EXPECT_EQ(text.substr(0, 6), "mails ");
}

// It says what was done, not what it was done with.
TEST_F(Allowances, ASideEffectEndsWhereContentBegins) {
  const std::string letter =
      "Dear Ann, your order is late because the carrier has lost it, and we are sorry for that. Yours, the shop";
  const std::vector<std::pair<std::string, std::string>> all = {
      {"write", "write"},
      {"mail.send", "mail.send"},
      {"write:orders", "write:orders"},
      {"creates a ticket for the customer's order", "creates a ticket for the customer's order"},
      {"mail.send: " + letter, "mail.send"},
      {"mail.send\n" + letter, "mail.send"},
      {"wrote \"" + letter + "\"", "wrote"},
      {R"({"to": "ann", "body": "x"})", "other"},
      {"update {\"name\": \"Ann\"}", "update"},
      {"<html>" + letter, "other"},
      {"  ", "other"},
      {letter, letter.substr(0, 64)},
      {"paid with 4111 1111 1111 1111", "paid with [card:"},
      {"shell: curl -H " + aws_key, "shell"},
      {"shell curl " + aws_key, "shell curl [aws.access_key:"},
  };
  for (const auto& [written, expected] : all) {
    const nlohmann::json record = {
        {"type", "tool.call"}, {"correlation_id", "t"}, {"tool", "t"}, {"side_effect", written}};
    const SanitizedEvent& event = sanitize(test::shipped_patterns(), record.dump());
    const std::string said(event.fields().get(StringField::side_effect));
    EXPECT_EQ(said.substr(0, expected.find("[") == std::string::npos ? said.size() : expected.size()), expected);
    EXPECT_LE(said.size(), 64U);
    EXPECT_EQ(said.find(aws_key), std::string::npos);
  }
  const auto keeping = library_with("sanitize: {version: 1, fields: [{field: side_effect, do: keep}]}");
  const nlohmann::json record = {{"type", "tool.call"}, {"correlation_id", "t"}, {"side_effect", "mail: " + letter}};
  EXPECT_EQ(sanitize(keeping, record.dump()).fields().get(StringField::side_effect), "mail: " + letter)
      << "a deployment may want it as it comes";
}

// The example of rules/language.md, as people copy it.
TEST_F(Allowances, NumbersThatLeadToAPersonAreRedactedAsThePageShows) {
  const std::string page = test::file_text("rules/language.md");
  const std::size_t box = page.find("```yaml\n", page.find("### Numbers that lead to a person")) + 8;
  const auto library = library_with(page.substr(box, page.find("```", box) - box));
  ASSERT_NE(library, nullptr);
  const SanitizedEvent& event = sanitize(
      library,
      R"({"type":"tool.call","time":"2026-01-05T00:00:00Z","correlation_id":"t","agent":"for CUST-20261128",)"
      R"("tool":"refund ORD-2026-004711","session_id":"chat-CUST-20261128","result_schema":"ORD-2026-004711",)"
      R"("error_type":"no account_id=123456 here","side_effect":"refunds ORD-2026-004711 to CUST-20261128",)"
      R"("arguments":{"account_number":"987654321"},"content":{"result":"of CUST-20261129 and ORD-2026-004712"}})");
  const EventFields& fields = event.fields();
  EXPECT_EQ(fields.get(StringField::agent).substr(0, 14), "for [customer:");
  EXPECT_EQ(fields.get(StringField::tool).substr(0, 14), "refund [order:");
  EXPECT_EQ(fields.get(StringField::error_type).substr(0, 23), "no account_id=[account:");
  EXPECT_EQ(fields.get(StringField::side_effect).substr(0, 15), "refunds [order:");
  EXPECT_TRUE(is_fingerprint(fields.get(StringField::session_id)));
  EXPECT_FALSE(fields.has(StringField::result_schema));
  EXPECT_EQ(event.redactions(), 10U);
  EXPECT_TRUE(event.findings().empty()) << "it is no secret: nobody is paged";
  for (const std::string_view text : fields.strings) {
    for (const char* number : {"20261128", "004711", "123456"}) EXPECT_EQ(text.find(number), text.npos) << text;
  }
  // One number has one mark everywhere, so that people can follow it.
  EXPECT_NE(fields.get(StringField::side_effect).find(fields.get(StringField::tool).substr(7)), std::string::npos);
}

// Numbers of customers, accounts and orders are personal data where a deployment says what they look like.
TEST_F(Allowances, PatternsOfADeploymentsOwnComeBesideThoseThatShip) {
  const auto library = library_with(
      "sanitize:\n  version: 1\n  patterns:\n"
      "  - {id: pii.customer, tier: pii, description: number of a customer, keywords: [CUST-], regex: "
      "'CUST-[0-9]{8}',\n"
      "     examples: [CUST-20261128], near_misses: [CUST-2026112]}\n"
      "  - {id: pii.account, tier: pii, description: account, shape: assignment, keywords: [account_number, "
      "account_id],\n"
      "     regex: '[0-9]{6,12}', examples: ['account_number: 123456789'], near_misses: ['account_number: none']}\n");
  const SanitizedEvent& event = sanitize(
      library,
      R"({"type":"tool.call","time":"2026-01-05T00:00:00Z","correlation_id":"t","agent":"for CUST-20261128",)"
      R"("tool":"t","content":{"account_number":"123456789","result":"ann@x.org"}})");
  EXPECT_EQ(event.fields().get(StringField::agent).substr(0, 14), "for [customer:");
  EXPECT_EQ(event.redactions(), 3U);
}

TEST_F(Allowances, APatternOnTrialIsCountedAndOneMayTakeAnothersPlace) {
  const auto library = library_with(
      "sanitize:\n  version: 1\n  patterns:\n"
      "  - {id: own.token, tier: halt, shadow: true, description: d, keywords: [ownt_], regex: 'ownt_[a-z0-9]{20}',\n"
      "     examples: [[ownt_, k4m9x2q7w1z8, c3v6b5n0]]}\n"
      "  - {id: aws.access_key, replaces: true, tier: count, description: d, keywords: [AKIA], regex: "
      "'AKIA[A-Z0-9]{16}',\n"
      "     examples: [[AKIA, ODZDOCIS, 2JHTLGMX]]}\n");
  const SanitizedEvent& event =
      sanitize(library, event_with(std::string("ownt_") + "k4m9x2q7w1z8c3v6b5n0 and " + aws_key));
  ASSERT_EQ(event.findings().size(), 2U);
  EXPECT_EQ(event.findings()[0].pattern, "own.token");
  EXPECT_EQ(event.findings()[0].tier, Tier::count);
  EXPECT_EQ(event.findings()[1].tier, Tier::count);
}

}  // namespace allowance_test
}  // namespace tocsin
