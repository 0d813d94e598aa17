// Attributes of a deployment's own: read from native JSON and from spans, scanned like every other text, and carried
// from a door to ingest.

#include "core/event/own_attributes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/event/dialect.h"
#include "core/event/record_decoder.h"
#include "core/sanitize/sanitized_event_json.h"
#include "core/sanitize/sanitized_event_otlp.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/receive_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace own_attributes_test {

constexpr std::string_view attributes_text = R"(
attributes:
  tenant:
  - resource["tenant.id"]
  - json["tenant"]
  - json["labels.tenant"]
  region: attribute["cloud.region"]
  queue: json["labels.queue.name"]
  bot: attribute["gen_ai.agent.name"]
  vendor:
  - json["jumpcloud_api_key"]
  - resource["jumpcloud_api_key"]
)";

std::shared_ptr<const RuleSet> rules() {
  static const auto loaded = test::rules_from(attributes_text);
  return loaded;
}

// "NAME=VALUE ..." of the record's event of this type, in the order of the file.
std::string attributes_of(const AgentEvent& event) {
  std::string all;
  for (std::size_t i = 0; i < event.own->size(); ++i) {
    if (!event.fields.has(own_attribute(i))) continue;
    all += (all.empty() ? "" : " ") + (*event.own)[i].name + "=" + std::string(event.fields.get(own_attribute(i)));
  }
  return all;
}
std::string read(const std::string& record, EventType type = EventType::step) {
  RecordDecoder decoder;
  decoder.know(rules()->names);
  if (const auto error = decoder.begin(record, {})) return std::string(name_of(*error));
  while (const AgentEvent* const event = decoder.next()) {
    if (event->fields.type == type) return attributes_of(*event);
  }
  return "no such event";
}

std::string step(const std::string& members) {
  return R"({"type":"step","correlation_id":"t1","agent":"a",)" + members + "}";
}

std::string pair(const std::string& key, const std::string& value) {
  return R"({"key":")" + key + R"(","value":{)" + value + "}}";
}
std::string model_call(const std::string& of_resource, const std::string& of_span) {
  return R"({"resourceSpans":[{"resource":{"attributes":[)" + of_resource +
         R"(]},"scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010107","spanId":"0101010101010101",)"
         R"("parentSpanId":"0101010101010102","name":"chat","startTimeUnixNano":"1767571200000000000",)"
         R"("endTimeUnixNano":"1767571201000000000","attributes":[)" +
         pair("gen_ai.operation.name", R"("stringValue":"chat")") + (of_span.empty() ? "" : "," + of_span) +
         "]}]}]}]}";
}

TEST(OwnAttributes, AreReadFromKeysOfNativeJson) {
  EXPECT_EQ(read(step(R"("tenant":"acme","labels":{"queue":{"name":"q1"},"other":"x"})")), "tenant=acme queue=q1");
  EXPECT_EQ(read(step(R"("labels":{"queue.name":"q1"})")), "queue=q1") << "a key may hold the dot";
  EXPECT_EQ(read(step(R"("labels.queue.name":"q1","labels.queue":"no")")), "queue=q1");
  EXPECT_EQ(read(step(R"("labels":{"queue":"q1"},"queue":"q2")")), "") << "another key";
  EXPECT_EQ(read(step(R"("tenant":42)")), "tenant=42");
  EXPECT_EQ(read(step(R"("tenant":true)")), "tenant=true");
  EXPECT_EQ(read(step(R"("tenant":"","labels":{"queue":{"name":null}})")), "") << "empty is absent";
  EXPECT_EQ(read(step(R"("tenant":{"id":"acme"})")), "");
  EXPECT_EQ(read(step(R"("tenant":["acme"])")), "");
  EXPECT_EQ(read(step(R"("tenant":{"id":1e)")), "not_json");
}

TEST(OwnAttributes, OfSeveralSourcesTheFirstThatIsThereCountsWhateverTheirOrderInTheRecord) {
  EXPECT_EQ(read(step(R"("tenant":"first","labels":{"tenant":"second"})")), "tenant=first");
  EXPECT_EQ(read(step(R"("labels":{"tenant":"second"},"tenant":"first")")), "tenant=first");
  EXPECT_EQ(read(step(R"("labels":{"tenant":"second"})")), "tenant=second");
  EXPECT_EQ(read(step(R"("tenant":"first","attributes":{"tenant":"own","nobody":"x"})")), "tenant=own")
      << "as Tocsin writes it";
}

TEST(OwnAttributes, AreReadFromSpansAndTheirResources) {
  const std::string tenant = pair("tenant.id", R"("stringValue":"acme")");
  const std::string region = pair("cloud.region", R"("stringValue":"eu")");
  EXPECT_EQ(read(model_call(tenant, {})), "tenant=acme");
  EXPECT_EQ(read(model_call({}, tenant)), "") << "of the resource alone";
  EXPECT_EQ(read(model_call(region, {})), "region=eu");
  EXPECT_EQ(read(model_call(pair("cloud.region", R"("stringValue":"us")"), region)), "region=eu");
  EXPECT_EQ(read(model_call(pair("tenant.id", R"("intValue":"42")"), pair("cloud.region", R"("boolValue":true)"))),
            "tenant=42 region=true");
  EXPECT_EQ(read(model_call(tenant, pair("tocsin.attributes.tenant", R"("stringValue":"own")"))), "tenant=own");
  EXPECT_EQ(read(model_call({}, pair("gen_ai.agent.name", R"("stringValue":"support")"))), "bot=support");
}

TEST(OwnAttributes, ANameThatMeansAFieldGivesThatToo) {
  RecordDecoder decoder;
  decoder.know(rules()->names);
  const std::string record = model_call({}, pair("gen_ai.agent.name", R"("stringValue":"support")"));
  ASSERT_FALSE(decoder.begin(record, {}));
  const AgentEvent* const event = decoder.next();
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->fields.get(StringField::agent), "support");
  EXPECT_EQ(attributes_of(*event), "bot=support");
}

TEST(OwnAttributes, NothingOfOneRecordIsLeftInTheNext) {
  RecordDecoder decoder;
  decoder.know(rules()->names);
  const std::string full = step(R"("tenant":"acme")"), bare = step(R"("cost_usd":1)");
  ASSERT_FALSE(decoder.begin(full, {}));
  EXPECT_EQ(attributes_of(*decoder.next()), "tenant=acme");
  ASSERT_FALSE(decoder.begin(bare, {}));
  EXPECT_EQ(attributes_of(*decoder.next()), "");
  decoder.know(nullptr);
  ASSERT_FALSE(decoder.begin(full, {}));
  const AgentEvent* const event = decoder.next();
  EXPECT_EQ(event->own, nullptr);
  EXPECT_FALSE(event->fields.has(own_attribute(0)));
  EXPECT_NE(event->text.find("acme"), std::string_view::npos) << "it is scanned all the same";
}

TEST(OwnAttributes, InspectionSaysWhereTheyWereRead) {
  RecordDecoder decoder;
  decoder.know(rules()->names);
  const std::string record =
      model_call(pair("tenant.id", R"("stringValue":"acme")"), pair("other", R"("intValue":"1")"));
  ASSERT_FALSE(decoder.begin(record, {}));
  const auto explained = decoder.spans()->explain();
  ASSERT_EQ(explained.size(), 1U);
  const auto& given = explained[0].given;
  const auto own = std::find_if(given.begin(), given.end(), [](const auto& one) { return !one.own.empty(); });
  ASSERT_NE(own, given.end());
  EXPECT_EQ(own->own, "tenant");
  EXPECT_EQ(own->attribute, "tenant.id");
  EXPECT_EQ(explained[0].unknown, (std::vector<std::string_view>{"other"}));
}

Fingerprinter fingerprinter() {
  return Fingerprinter(std::vector<unsigned char>(32, 7));
}

// What the event looks like outside, and what was found in it.
std::string sanitized(const std::string& record) {
  RecordDecoder decoder;
  decoder.know(rules()->names);
  if (decoder.begin(record, {})) return "refused";
  EventSanitizer sanitizer(test::shipped_patterns(), fingerprinter());
  const SanitizedEvent& event = sanitizer.sanitize(*decoder.next());
  std::string all = to_json(event, std::nullopt, std::nullopt);
  for (const Finding& finding : event.findings()) all += " found in " + place_of(finding);
  return all;
}

const std::string secret = std::string("AK") + "IAQYLPMN5HHHFPZAM2";

TEST(OwnAttributes, ASecretInOneIsFoundAndNeverLeaves) {
  for (const std::string& record :
       {step(R"("tenant":")" + secret + "\""), step(R"("labels":{"queue":{"name":"key )" + secret + " of mine\"}}"),
        model_call(pair("tenant.id", R"("stringValue":")" + secret + "\""), {})}) {
    const std::string out = sanitized(record);
    EXPECT_EQ(out.find("QYLPMN5HHHFPZAM2"), std::string::npos) << out;
    EXPECT_NE(out.find("aws.access_key"), std::string::npos) << out;
    EXPECT_TRUE(out.ends_with(" found in tenant") || out.ends_with(" found in queue")) << out;
  }
  const std::string mail = sanitized(step(R"("tenant":"ann.lee@example.org")"));
  EXPECT_EQ(mail.find("ann.lee"), std::string::npos) << mail;
  EXPECT_NE(mail.find(R"("attributes":{"tenant":"[email)"), std::string::npos) << mail;
}

TEST(OwnAttributes, ASecretThatOnlyItsNameTellsIsFoundAndNeverLeaves) {
  std::string key;
  for (int i = 0; i < 4; ++i) key += "a1B2c3D4e5";
  for (const std::string& record : {step(R"("jumpcloud_api_key":")" + key + "\""),
                                    model_call(pair("jumpcloud_api_key", R"("stringValue":")" + key + "\""), {})}) {
    const std::string out = sanitized(record);
    EXPECT_EQ(out.find(key), std::string::npos) << out;
    EXPECT_NE(out.find(" found in vendor"), std::string::npos) << out;
  }
}

TEST(OwnAttributes, WhatIsPassedOverIsScannedAndTakesNothingsPlace) {
  const std::string out = sanitized(step(R"("labels":{"tenant":")" + secret + R"("},"tenant":"acme")"));
  EXPECT_NE(out.find(R"("attributes":{"tenant":"acme"})"), std::string::npos) << out;
  EXPECT_NE(out.find("aws.access_key"), std::string::npos) << out;
}

TEST(OwnAttributes, AreAsLongAsOtherTexts) {
  const std::string out = sanitized(step(R"("tenant":")" + std::string(1'000, 'x') + "\""));
  EXPECT_NE(out.find('"' + std::string(256, 'x') + '"'), std::string::npos);
}

// A door reads and scans; ingest reads what it wrote.
TEST(OwnAttributes, ADoorCarriesThemAndSaysWhereASecretStood) {
  ReceiveStage door(test::shipped_patterns(), fingerprinter(), 1 << 20);
  door.know(rules()->names, test::shipped_patterns());
  const std::string body = model_call(pair("tenant.id", R"("stringValue":"acme")"),
                                      pair("cloud.region", R"("stringValue":"eu )" + secret + "\""));
  Upload upload;
  upload.path = "/v1/traces";
  upload.content_type = "application/json";
  upload.body = body;
  const Received& received = door.apply(upload);
  ASSERT_FALSE(received.error);
  ASSERT_EQ(received.records.size(), 1U);
  const std::string& record = received.records[0].value;
  EXPECT_NE(record.find(R"("attributes":{"tenant":"acme","region":"eu [)"), std::string::npos) << record;
  EXPECT_TRUE(read(record).starts_with("tenant=acme region=eu [")) << read(record);
  EXPECT_TRUE(sanitized(record).ends_with(" found in region")) << sanitized(record);
}

TEST(OwnAttributes, SpansThatArePublishedCarryThem) {
  RecordDecoder decoder;
  decoder.know(rules()->names);
  const std::string record = step(R"("tokens_in":5,"tenant":"acme","time":"2026-01-05T00:00:00Z")");
  ASSERT_FALSE(decoder.begin(record, {}));
  EventSanitizer sanitizer(test::shipped_patterns(), fingerprinter());
  EXPECT_EQ(read(to_otlp(sanitizer.sanitize(*decoder.next()), std::nullopt, std::nullopt, std::nullopt)),
            "tenant=acme bot=a");
}

}  // namespace own_attributes_test
}  // namespace tocsin
