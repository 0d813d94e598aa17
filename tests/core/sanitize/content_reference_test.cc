// What leaves in the place of content: a keyed hash, a length, a retention, names in the deployment's own store, and
// its text only where a deployment asks for it, without anything that a scan finds.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/yaml_tree.h"
#include "core/event/native_decoder.h"
#include "core/event/record_decoder.h"
#include "core/sanitize/event_sanitizer.h"
#include "core/sanitize/sanitized_event_json.h"
#include "core/sanitize/sanitized_event_otlp.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/block_codec.h"
#include "core/stage/ingest_stage.h"
#include "core/stage/receive_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace content_reference_test {

using nlohmann::json;
using namespace std::chrono_literals;
using test::aws_key;
using test::github_token;

std::shared_ptr<const PatternLibrary> library_with(const std::string& references) {
  std::vector<NamedText> files(tocsin::shipped_patterns().begin(), tocsin::shipped_patterns().end());
  files.push_back({"own.yaml", "sanitize: {version: 1, references: " + references + "}\n"});
  Diagnostics diagnostics;
  auto library = load_patterns(files, diagnostics, tocsin::shipped_patterns());
  for (const Diagnostic& one : diagnostics.sorted()) ADD_FAILURE() << to_text(one);
  return library;
}

const std::shared_ptr<const PatternLibrary>& keeping_all() {
  static const auto library = library_with(
      "{content: {keep: redacted, max_bytes: 65536}, arguments: {keep: redacted}, results: {keep: redacted}}");
  return library;
}

Fingerprinter fingerprinter() {
  return Fingerprinter(std::vector<unsigned char>(32, 7));
}

json event_of(const std::string& type, json more) {
  json event = {{"type", type}, {"time", "2026-01-05T00:00:00Z"}, {"correlation_id", "t"}, {"agent", "a"}};
  event.update(more);
  return event;
}

// A record of topic `events`, and the same as a door writes it.
struct Written {
  json event;
  std::string of_door;
};

class Writer {
 public:
  explicit Writer(std::shared_ptr<const PatternLibrary> library) : sanitizer_(std::move(library), fingerprinter()) {}

  Written of(const std::string& record) {
    const auto error = decoder_.begin(record, "t");
    EXPECT_FALSE(error) << record;
    const AgentEvent* const event = error ? nullptr : decoder_.next();
    if (event == nullptr) return {};
    const SanitizedEvent& clean = sanitizer_.sanitize(*event);
    const auto content = sanitizer_.reference(*event, TextPlace::content);
    const auto arguments = sanitizer_.reference(*event, TextPlace::argument);
    return {json::parse(to_json(clean, content, arguments)), to_source_json(clean, content, arguments)};
  }
  json event(const std::string& record) { return of(record).event; }
  json event(const json& record) { return event(record.dump()); }

 private:
  RecordDecoder decoder_;
  EventSanitizer sanitizer_;
};

const json both = {{"content", {{"output", "I write to Ann"}}}, {"arguments", {{"to", "Ann"}}}};

TEST(ContentReference, IsAHashALengthAndARetentionAndNeverText) {
  Writer written(test::shipped_patterns());
  const json event = written.event(event_of("tool.call", both));
  for (const char* name : {"content_ref", "arguments_ref"}) {
    const json& reference = event.at(name);
    EXPECT_EQ(reference.size(), 3U) << reference;
    EXPECT_TRUE(is_fingerprint(reference.at("hash").get<std::string>()));
    EXPECT_EQ(reference.at("retention"), "30d");
  }
  EXPECT_EQ(event.at("content_ref").at("bytes"), std::string("I write to Ann").size() + 1);
  EXPECT_EQ(event.dump().find("Ann"), std::string::npos);
  EXPECT_FALSE(written.event(event_of("step", json::object())).contains("content_ref"));
}

TEST(ContentReference, HasTheRetentionOfItsField) {
  Writer written(library_with("{retention: 90d, results: {retention: legal_hold}, arguments: {retention: none}}"));
  const json step = written.event(event_of("step", both)), call = written.event(event_of("tool.call", both));
  EXPECT_EQ(step.at("content_ref").at("retention"), "90d");
  EXPECT_EQ(call.at("content_ref").at("retention"), "legal_hold");
  EXPECT_EQ(call.at("arguments_ref").at("retention"), "none");
}

TEST(ContentReference, AnEventItselfMayAskForLessAndNeverForMore) {
  EXPECT_EQ(shorter_retention("30d", "7d"), "7d");
  EXPECT_EQ(shorter_retention("30d", "36h"), "36h");
  EXPECT_EQ(shorter_retention("30d", "90d"), "30d");
  EXPECT_EQ(shorter_retention("30d", "none"), "none");
  EXPECT_EQ(shorter_retention("none", "1d"), "none");
  EXPECT_EQ(shorter_retention("30d", "legal_hold"), "30d") << "nobody knows how long that is";
  EXPECT_EQ(shorter_retention("legal_hold", "1d"), "legal_hold");
  EXPECT_EQ(shorter_retention("30d", "00000000000000000007d"), "30d") << "too long for a word";
  EXPECT_EQ(shorter_retention("30d", ""), "30d");
  Writer written(test::shipped_patterns());
  json event = event_of("step", both);
  event["content_ref"] = {{"retention", "7d"}};
  EXPECT_EQ(written.event(event).at("content_ref").at("retention"), "7d");
  event["content_ref"] = {{"retention", "Dear Ann"}};
  EXPECT_EQ(written.event(event).at("content_ref").at("retention"), "30d");
}

TEST(ContentReference, KeepsTheTextOnlyOfFieldsThatADeploymentNames) {
  Writer written(library_with("{arguments: {keep: redacted}}"));
  const json event = written.event(event_of("tool.call", both));
  EXPECT_EQ(event.at("arguments_ref").at("text"), "Ann");
  EXPECT_FALSE(event.at("arguments_ref").contains("cut"));
  EXPECT_FALSE(event.at("content_ref").contains("text"));

  Writer results(library_with("{results: {keep: redacted}, content: {keep: nothing}}"));
  EXPECT_EQ(results.event(event_of("tool.call", both)).at("content_ref").at("text"), "I write to Ann");
  EXPECT_FALSE(results.event(event_of("step", both)).at("content_ref").contains("text"));
}

TEST(ContentReference, WhatIsKeptHoldsNoSecretAndNoPersonalData) {
  struct Planted {
    json content;
    std::vector<std::string> secrets;
  };
  const std::string password = "Zx9!kQ2vLw7pRt4s";
  const std::vector<Planted> all = {
      {"it is " + aws_key + " and no other", {aws_key}},
      {"token " + github_token + "\nnext line", {github_token}},
      {{{"id", aws_key}, {"secret", test::aws_secret}}, {aws_key, test::aws_secret}},
      {test::private_key("\n"), {test::key_body}},
      {test::private_key("\\n"), {test::key_body}},
      {{"-----BEGIN RSA " + std::string("PRIVATE KEY-----"), test::key_body, test::key_body,
        "-----END RSA " + std::string("PRIVATE KEY-----")},
       {test::key_body}},
      {{{"password", password}}, {password}},
      {"password=" + password, {password}},
      {"postgres://shop:" + password.substr(5) + "@db.internal:5432/app", {password.substr(5)}},
      // "the key is ... here" in base64
      {std::string("dGhlIGtleSBpcyBBS0lB") + "T0RaRE9DSVMySkhUTEdNWCBoZXJl", {"T0RaRE9DSVMySkhU"}},
      {json::object({{"inner", json::object({{"key", aws_key}}).dump()}}).dump(), {aws_key}},
      {"write to ann.smith@example.org or +44 20 7946 0958", {"ann.smith@", "7946 0958"}},
      {"ann.smith@example.org+44 20 7946 0958", {"ann.smith@", "7946 0958"}},
      {"card 4111 1111 1111 1111, SSN 219-09-9999, DE89 3704 0044 0532 0130 00", {"4111", "219-09", "0532 0130"}},
      {{{"a", {{{"b", "x " + aws_key}}, {{"c", "ann@example.org"}}}}}, {aws_key, "ann@"}},
  };
  Writer written(keeping_all());
  Scanner scanner(test::shipped_patterns());
  for (const Planted& one : all) {
    for (const char* field : {"content", "arguments"}) {
      const json event = written.event(event_of("step", {{field, {{"text", one.content}}}}));
      const std::string text = event.at(std::string(field) + "_ref").at("text");
      for (const std::string& secret : one.secrets) {
        EXPECT_EQ(event.dump().find(secret), std::string::npos) << field << ": " << text;
      }
      EXPECT_NE(text.find('['), std::string::npos) << "a mark stands in its place: " << text;
      EXPECT_TRUE(scanner.scan(text).empty()) << text;
    }
  }
}

// The texts that each pattern must find, one event each.
TEST(ContentReference, WhatIsKeptOfThePatternsOwnExamplesIsClean) {
  Writer written(keeping_all());
  Scanner scanner(test::shipped_patterns());
  int count = 0;
  for (const NamedText& file : tocsin::shipped_patterns()) {
    Diagnostics diagnostics;
    const auto root = parse_yaml(file, diagnostics);
    ASSERT_TRUE(root) << file.file;
    for (const YamlNode& pattern : root->find("sanitize")->find("patterns")->items) {
      for (const YamlNode& example : pattern.find("examples")->items) {
        std::string text = example.scalar;
        for (const YamlNode& part : example.items) text += part.scalar;
        const json event = event_of("step", {{"content", {{"text", "it is " + text + " here"}}}});
        const std::string kept = written.event(event.dump(-1, ' ', false, json::error_handler_t::replace))
                                     .at("content_ref")
                                     .value("text", std::string());
        const auto left = scanner.scan(kept);
        EXPECT_TRUE(left.empty()) << file.file << ": " << kept;
        ++count;
      }
    }
  }
  EXPECT_GE(count, 1'500);
}

TEST(ContentReference, ALongTextIsCutAtACharacterAndSaysSo) {
  Writer written(library_with("{content: {keep: redacted}, arguments: {keep: redacted, max_bytes: 16}}"));
  std::string text = "x";
  while (text.size() < 20'000) text += "\xC3\xA9";  // e with an accent, at odd places
  json event = event_of("step", {{"content", text}, {"arguments", "0123456789abcde\xE2\x82\xAC and more"}});
  json made = written.event(event);
  EXPECT_EQ(made.at("content_ref").at("text"), text.substr(0, 8'191));
  EXPECT_EQ(made.at("content_ref").at("cut"), true);
  EXPECT_EQ(made.at("content_ref").at("bytes"), text.size() + 1) << "of all of it";
  EXPECT_EQ(made.at("arguments_ref").at("text"), "0123456789abcde");
  event = event_of("step", {{"arguments", "0123456789abcdef"}});
  made = written.event(event);
  EXPECT_EQ(made.at("arguments_ref").at("text"), "0123456789abcdef");
  EXPECT_FALSE(made.at("arguments_ref").contains("cut"));
}

TEST(ContentReference, NoCutGoesThroughASecret) {
  Scanner scanner(test::shipped_patterns());
  constexpr std::size_t most = 40;
  Writer written(library_with("{content: {keep: redacted, max_bytes: 40}}"));
  for (std::size_t before = 0; before <= most; ++before) {
    const std::string whole = std::string(before, '.') + " " + aws_key + " and what comes after it";
    const json made = written.event(event_of("step", {{"content", whole}}));
    const std::string text = made.at("content_ref").at("text");
    EXPECT_LE(text.size(), most);
    EXPECT_EQ(text.find(aws_key.substr(0, 6)), std::string::npos) << text;
    EXPECT_TRUE(scanner.scan(text).empty()) << text;
  }
}

TEST(ContentReference, OfAnEventThatWasNotScannedToItsEndNothingIsKept) {
  Writer written(keeping_all());
  std::string text;
  while (text.size() < 600'000) text += "-----BEGIN PRIVATE KEY-----";
  const json event = written.event(event_of("step", {{"content", text}, {"arguments", "short"}}));
  ASSERT_EQ(event.at("unscanned"), true);
  EXPECT_FALSE(event.at("content_ref").contains("text"));
  EXPECT_FALSE(event.at("arguments_ref").contains("text"));
  const json by_a_door = written.event(event_of("step", {{"content", "short"}, {"unscanned", true}}));
  EXPECT_FALSE(by_a_door.at("content_ref").contains("text"));
}

TEST(ContentReference, ComesFromADoorAsItWouldHaveBeenMadeHere) {
  for (const auto& library : {keeping_all(), test::shipped_patterns(),
                              library_with("{retention: 7d, content: {keep: redacted, max_bytes: 20}}")}) {
    Writer door(library), ingest(library);
    json event = event_of("step", both);
    event["content"]["more"] = "of ann@example.org, whose order is late";
    event["content_ref"] = "s3://bucket/key";
    const Written once = door.of(event.dump());
    const Written again = ingest.of(once.of_door);
    EXPECT_EQ(again.event.at("content_ref"), once.event.at("content_ref"));
    EXPECT_EQ(again.event.at("arguments_ref"), once.event.at("arguments_ref"));
    EXPECT_EQ(again.event.at("redactions"), 1);
    EXPECT_EQ(again.of_door, once.of_door);
  }
}

// Anybody can write the form in which doors hand on what they kept.
TEST(ContentReference, ATextThatAProducerPutsThereIsContentLikeAnyOther) {
  const json event =
      event_of("step", {{"content_ref", {{"text", "mail ann@example.org " + aws_key}, {"cut", true}}}});
  Writer plain(test::shipped_patterns());
  const json without = plain.event(event);
  EXPECT_FALSE(without.at("content_ref").contains("text"));
  EXPECT_EQ(without.at("findings").at(0).at("place"), "content");
  Writer written(keeping_all());
  const std::string text = written.event(event).at("content_ref").at("text");
  EXPECT_EQ(text.substr(0, 12), "mail [email:");
  EXPECT_EQ(text.find(aws_key), std::string::npos);
}

TEST(ContentReference, NamesTheDeploymentsOwnStore) {
  Writer written(test::shipped_patterns());
  json event = event_of("tool.call", both);
  event["content_ref"] = "s3://prompts/2026/01/05/7f3a.json";
  event["arguments_ref"] = {{"uris", {"gs://b/one", "gs://b/two"}}};
  json made = written.event(event);
  EXPECT_EQ(made.at("content_ref").at("uris"), json::array({"s3://prompts/2026/01/05/7f3a.json"}));
  EXPECT_EQ(made.at("arguments_ref").at("uris"), json::array({"gs://b/one", "gs://b/two"}));
  EXPECT_TRUE(made.at("content_ref").contains("hash"));
  // Without content of its own the event has the name alone.
  made = written.event(event_of("step", {{"content_ref", {"s3://b/one", "s3://b/two"}}}));
  EXPECT_EQ(made.at("content_ref"), json::object({{"retention", "30d"}, {"uris", {"s3://b/one", "s3://b/two"}}}));
  json many = json::array();
  for (int i = 0; i < 20; ++i) many.push_back("s3://b/" + std::to_string(i));
  EXPECT_EQ(written.event(event_of("step", {{"content_ref", many}})).at("content_ref").at("uris").size(), 8U);
  EXPECT_FALSE(written.event(event_of("step", {{"content_ref", "Dear Ann, your order"}})).contains("content_ref"));
  for (const json& odd : {json(5), json(true), json(nullptr), json::object({{"a", {1, {{"b", "c"}}}}}),
                          json::array({5, json::array({"x"}), "y"})}) {
    EXPECT_NO_THROW(written.event(event_of("step", {{"content_ref", odd}}))) << odd;
  }
}

TEST(ContentReference, OfAStoreHoldsNoCredential) {
  Writer written(test::shipped_patterns());
  const std::string uri = "https://reader:" + std::string("Zx9kQ2vLw7pR") + "@store.example.org/ann@example.org/" +
                          aws_key + "/7f?versionId=3&X-Amz-Signature=5d41402abc4b&token=abc#x";
  const json made = written.event(event_of("step", {{"content_ref", uri}}));
  const std::string name = made.at("content_ref").at("uris").at(0);
  for (const std::string& secret : {std::string("Zx9kQ"), std::string("reader"), std::string("5d414"), aws_key,
                                    std::string("ann@"), std::string("abc")}) {
    EXPECT_EQ(made.dump().find(secret), std::string::npos) << name;
  }
  EXPECT_TRUE(name.starts_with("https://store.example.org/[email:")) << name;
  EXPECT_TRUE(name.ends_with("/7f?versionId=3")) << name;
  bool is_found = false;
  for (const json& finding : made.at("findings")) is_found = is_found || finding.at("place") == "content_ref";
  EXPECT_TRUE(is_found) << "a credential there is one that leaked";
}

// As opentelemetry-util-genai's upload hook writes them, and Tocsin's own.
TEST(ContentReference, OfSpansNamesTheStoreToo) {
  const auto attribute = [](const char* name, const json& value) { return json{{"key", name}, {"value", value}}; };
  const auto text = [](const char* value) { return json{{"stringValue", value}}; };
  const json span = {
      {"traceId", "5b8efff798038103d269b633813fc60c"},
      {"spanId", "eee19b7ec3c1b174"},
      {"name", "chat"},
      {"startTimeUnixNano", "1767571200000000000"},
      {"endTimeUnixNano", "1767571201000000000"},
      {"attributes",
       json::array({attribute("gen_ai.operation.name", text("chat")),
                    attribute("gen_ai.input.messages_ref", text("gs://b/1_inputs.json")),
                    attribute("gen_ai.output.messages_ref", text("gs://b/1_outputs.json")),
                    attribute("gen_ai.system_instructions_ref", text("gs://b/2_system_instruction.json")),
                    attribute("gen_ai.tool.definitions_ref", text("gs://b/3_tool.definitions.json")),
                    attribute("tocsin.content_ref",
                              {{"arrayValue", {{"values", json::array({text("s3://u:p@b/1"), text("s3://b/2")})}}}}),
                    attribute("tocsin.arguments_ref", text("s3://b/3"))})}};
  const std::string record = R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + span.dump() + "]}]}]}";
  RecordDecoder decoder;
  ASSERT_FALSE(decoder.begin(record, "t"));
  EventSanitizer sanitizer(test::shipped_patterns(), fingerprinter());
  bool is_step = false;
  while (const AgentEvent* const event = decoder.next()) {
    if (event->fields.type != EventType::step) continue;
    is_step = true;
    sanitizer.sanitize(*event);
    const auto content = sanitizer.reference(*event, TextPlace::content);
    const auto arguments = sanitizer.reference(*event, TextPlace::argument);
    ASSERT_TRUE(content && arguments);
    EXPECT_EQ(content->uris, (std::vector<std::string>{"gs://b/1_inputs.json", "gs://b/1_outputs.json",
                                                       "gs://b/2_system_instruction.json",
                                                       "gs://b/3_tool.definitions.json", "s3://b/1", "s3://b/2"}));
    EXPECT_EQ(arguments->uris, (std::vector<std::string>{"s3://b/3"}));
  }
  EXPECT_TRUE(is_step);
}

TEST(ContentReference, GoesOutInSpansWithoutAnyText) {
  NativeDecoder decoder;
  EventSanitizer sanitizer(keeping_all(), fingerprinter());
  json event = event_of("tool.call", both);
  event["tool"] = "mail";
  event["content_ref"] = {"s3://b/1", "s3://b/2"};
  const std::string record = event.dump();
  const auto decoded = decoder.decode(record);
  ASSERT_TRUE(decoded);
  const SanitizedEvent& clean = sanitizer.sanitize(*decoded.value());
  const auto content = sanitizer.reference(*decoded.value(), TextPlace::content);
  const auto arguments = sanitizer.reference(*decoded.value(), TextPlace::argument);
  ASSERT_TRUE(content && content->text);
  const std::string span = to_otlp(clean, std::nullopt, content, arguments);
  for (const std::string& part : {std::string("tocsin.content.hash"), content->hash, std::string("30d"),
                                  std::string("tocsin.content.retention"), std::string("tocsin.arguments.bytes"),
                                  std::string("tocsin.content_ref"), std::string("s3://b/2"), arguments->hash}) {
    EXPECT_NE(span.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(span.find("Ann"), std::string::npos);

  // It comes in again, under the name by which spans say it.
  RecordDecoder again;
  ASSERT_FALSE(again.begin(span, {}));
  bool is_call = false;
  while (const AgentEvent* const one = again.next()) {
    if (one->fields.type != EventType::tool_call) continue;
    is_call = true;
    sanitizer.sanitize(*one);
    EXPECT_EQ(sanitizer.reference(*one, TextPlace::content)->uris, content->uris);
  }
  EXPECT_TRUE(is_call);
}

TEST(ContentReference, KeptTextIsInTheTopicOfEventsAndNowhereElse) {
  IngestOptions options;
  options.publish_events = options.publish_spans = true;
  IngestPartition ingest(options, test::rules_from(R"(
groups:
- name: g
  rules:
  - {alert: Calls, from: tool.call, group_by: [agent, tool], value: count(), window: 1h, when: value > 5}
  - {alert: Leak, mode: event, where: has(secret.pattern), group_by: [agent, correlation_id, secret.pattern],
     actions: [{halt: task}, page], resolve: manual}
)"),
                         keeping_all(), fingerprinter());
  IngestOutput out;
  json event =
      event_of("tool.call", {{"tool", "mail"}, {"content", "marigold " + aws_key}, {"arguments", "primrose"}});
  ingest.apply({"t", event.dump(), test::at(1s), 0}, out);
  ingest.close_until(test::at(60s), out);
  ASSERT_EQ(out.published.size(), 1U);
  EXPECT_NE(out.published[0].value.find("marigold [aws.access_key:"), std::string::npos) << out.published[0].value;
  EXPECT_NE(out.published[0].value.find("primrose"), std::string::npos);
  ASSERT_EQ(out.spans.size(), 1U);
  ASSERT_EQ(out.findings.size(), 1U);
  std::string rest = out.spans[0].value + encode(out.findings[0]) + out.published[0].key;
  for (const HaltRecord& halt : out.halts) rest += to_json(halt);
  for (const Cut& cut : out.cuts) rest += encode(cut.block);
  std::vector<StateRecord> changes;
  ingest.take_changes(changes);
  ASSERT_FALSE(changes.empty());
  for (const StateRecord& change : changes) rest += change.key + change.value;
  for (const char* word : {"marigold", "primrose"}) EXPECT_EQ(rest.find(word), std::string::npos) << word;
}

TEST(ContentReference, MistakesAreToldWhereTheyStand) {
  const auto mistakes_of = [](const std::vector<std::string>& texts) {
    std::vector<NamedText> files(tocsin::shipped_patterns().begin(), tocsin::shipped_patterns().end());
    for (const std::string& text : texts) files.push_back({"own" + std::to_string(files.size()), text});
    Diagnostics diagnostics;
    EXPECT_EQ(load_patterns(files, diagnostics, tocsin::shipped_patterns()), nullptr);
    std::vector<std::string> all;
    for (const Diagnostic& one : diagnostics.sorted()) {
      all.push_back(std::to_string(one.at.line) + ":" + std::to_string(one.at.column) + " " + one.code);
      EXPECT_FALSE(one.message.empty());
    }
    return all;
  };
  using Mistakes = std::vector<std::string>;
  EXPECT_EQ(mistakes_of({"sanitize:\n"
                         "  version: 1\n"
                         "  references:\n"
                         "    retention: 30\n"
                         "    content: {keep: all}\n"
                         "    argument: {keep: redacted}\n"
                         "    arguments: {max_bytes: 100}\n"
                         "    results: {keep: redacted, max_bytes: 1000000, retention: 'three weeks'}\n"}),
            (Mistakes{"4:16 retention", "5:21 unknown-value", "6:5 unknown-key", "7:28 missing-key", "8:42 number",
                      "8:62 retention"}));
  EXPECT_EQ(mistakes_of({"sanitize: {version: 1, references: [30d]}"}), (Mistakes{"1:36 shape"}));
  EXPECT_EQ(mistakes_of({"sanitize: {version: 1, references: {content: redacted}}"}), (Mistakes{"1:46 shape"}));
  EXPECT_EQ(mistakes_of({"sanitize: {version: 1, references: {retention: a23456789_123456789-1}}"}),
            (Mistakes{"1:48 retention"}));
  EXPECT_EQ(mistakes_of({"sanitize: {version: 1, references: {retention: 7d}}",
                         "sanitize: {version: 1, references: {retention: 8d}}"}),
            (Mistakes{"1:36 duplicate-key"}));
}

}  // namespace content_reference_test
}  // namespace tocsin
