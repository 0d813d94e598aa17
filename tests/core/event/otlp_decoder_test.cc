// OTLP records, in protobuf and JSON: what is in them comes out, and what is malformed is refused or passed over.

#include "core/event/otlp_decoder.h"

#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "core/event/record_decoder.h"
#include "core/test_support.h"

namespace tocsin {
namespace otlp_decoder_test {

using protozero::pbf_writer;

constexpr std::uint64_t began = 1'767'571'200'000'000'000;
constexpr std::uint64_t second = 1'000'000'000;

std::string id_of(int number, std::size_t bytes) {
  std::string id(bytes, '\1');
  id.back() = static_cast<char>(number);
  return id;
}

std::string text_value(const std::string& text) {
  std::string bytes;
  pbf_writer(bytes).add_string(1, text);
  return bytes;
}
std::string integer_value(std::int64_t number) {
  std::string bytes;
  pbf_writer(bytes).add_int64(3, number);
  return bytes;
}
std::string list_value(const std::string& value) {
  std::string list, bytes;
  pbf_writer(list).add_message(1, value);
  pbf_writer(bytes).add_message(5, list);
  return bytes;
}
std::string attribute(const std::string& name, const std::string& value) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_string(1, name);
  writer.add_message(2, value);
  return bytes;
}

struct Built {
  int number = 1;  // of its id
  int parent = 0;  // 0: none
  std::string name = "span";
  std::vector<std::string> attributes;
  bool failed = false;
  std::uint64_t begin = began, end = began + second;
  std::vector<std::string> events = {};
};

std::string span_of(const Built& built) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_bytes(1, id_of(7, 16));
  writer.add_bytes(2, id_of(built.number, 8));
  if (built.parent != 0) writer.add_bytes(4, id_of(built.parent, 8));
  writer.add_string(5, built.name);
  writer.add_fixed64(7, built.begin);
  writer.add_fixed64(8, built.end);
  for (const std::string& one : built.events) writer.add_message(11, one);
  for (const std::string& one : built.attributes) writer.add_message(9, one);
  if (built.failed) {
    std::string status;
    pbf_writer(status).add_enum(3, 2);
    writer.add_message(15, status);
  }
  return bytes;
}

std::string record_of(const std::vector<std::string>& spans,
                      const std::vector<std::string>& resource_attributes = {}) {
  std::string resource, scope, scope_spans, resource_spans, record;
  for (const std::string& one : resource_attributes) pbf_writer(resource).add_message(1, one);
  pbf_writer(scope).add_string(1, "library");
  pbf_writer(scope_spans).add_message(1, scope);
  for (const std::string& one : spans) pbf_writer(scope_spans).add_message(2, one);
  pbf_writer(resource_spans).add_message(1, resource);
  pbf_writer(resource_spans).add_message(2, scope_spans);
  pbf_writer(record).add_message(1, resource_spans);
  return record;
}

std::string one_of_each() {
  Built call{
      2,
      1,
      "chat m",
      {attribute("gen_ai.operation.name", text_value("chat")), attribute("gen_ai.request.model", text_value("m")),
       attribute("gen_ai.response.model", text_value("m-2026-01-01")),
       attribute("gen_ai.usage.input_tokens", integer_value(100)),
       attribute("gen_ai.usage.output_tokens", text_value("7")),
       attribute("gen_ai.response.finish_reasons", list_value(text_value("tool_calls")))}};
  Built tool{3,
             1,
             "execute_tool search",
             {attribute("gen_ai.operation.name", text_value("execute_tool")),
              attribute("gen_ai.tool.name", text_value("search")),
              attribute("gen_ai.tool.call.arguments", text_value("{\"q\":\"shoes\"}"))},
             true,
             began + second,
             began + 3 * second};
  Built agent{1,
              0,
              "invoke_agent support",
              {attribute("gen_ai.operation.name", text_value("invoke_agent")),
               attribute("gen_ai.agent.name", text_value("support")),
               attribute("gen_ai.usage.input_tokens", integer_value(100))},
              false,
              began,
              began + 4 * second};
  Built other{9, 1, "GET /", {attribute("http.method", text_value("GET"))}};
  return record_of(
      {span_of(agent), span_of(tool), span_of(other), span_of(call)},
      {attribute("service.name", text_value("shop")), attribute("deployment.environment", text_value("prod"))});
}

// Each event as "type agent field=value ...", for comparisons.
std::vector<std::string> events_of(std::string_view record, std::string_view key = {}) {
  RecordDecoder decoder;
  std::vector<std::string> list;
  if (const auto error = decoder.begin(record, key)) return {std::string(name_of(*error))};
  while (const AgentEvent* const event = decoder.next()) {
    std::string text(name_of(event->fields.type));
    for (std::size_t i = 0; i < string_field_count; ++i) {
      const auto field = static_cast<StringField>(i);
      if (event->fields.has(field))
        text += " " + std::string(name_of(field)) + "=" + std::string(event->fields.get(field));
    }
    for (std::size_t i = 0; i < number_field_count; ++i) {
      const auto field = static_cast<NumberField>(i);
      if (const auto number = event->fields.get(field))
        text += " " + std::string(name_of(field)) + "=" + std::to_string(*number);
    }
    if (event->fields.outcome() != Outcome::absent) text += " " + std::string(name_of(event->fields.outcome()));
    list.push_back(std::move(text));
  }
  return list;
}

const std::string trace = "01010101010101010101010101010107";

TEST(Otlp, ASpanOfEachKindMakesItsEvents) {
  const auto events = events_of(one_of_each());
  ASSERT_EQ(events.size(), 4U);
  const std::string common = " env=prod agent=support correlation_id=" + trace;
  EXPECT_EQ(events[0], "task.started" + common + " span_id=0101010101010101");
  EXPECT_EQ(events[1], "step" + common +
                           " span_id=0101010101010102 parent_span_id=0101010101010101 model=m"
                           " model_version=2026-01-01 tokens_in=100 tokens_out=7 generation=1000000");
  EXPECT_EQ(events[2], "tool.call" + common +
                           " span_id=0101010101010103 parent_span_id=0101010101010101"
                           " error_type=error tool=search latency=2000000");
  EXPECT_EQ(events[3], "task.finished" + common + " span_id=0101010101010101 started_at=1767571200000 completed");
}

TEST(Otlp, JsonSaysTheSame) {
  const std::string json = R"({"resourceSpans":[{"scopeSpans":[{"spans":[
    {"attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"invoke_agent"}},
                   {"value":{"stringValue":"support"},"key":"gen_ai.agent.name"},
                   {"key":"gen_ai.usage.input_tokens","value":{"intValue":"100"}}],
     "traceId":"01010101010101010101010101010107","spanId":"0101010101010101","parentSpanId":"","name":"invoke_agent support",
     "startTimeUnixNano":"1767571200000000000","endTimeUnixNano":"1767571204000000000","status":{"code":"STATUS_CODE_OK"}},
    {"traceId":"01010101010101010101010101010107","spanId":"0101010101010103","parentSpanId":"0101010101010101",
     "name":"execute_tool search","startTimeUnixNano":1767571201000000000,"endTimeUnixNano":1767571203000000000,
     "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"execute_tool"}},
                   {"key":"gen_ai.tool.name","value":{"stringValue":"search"}}],"status":{"code":2},"links":[]},
    {"traceId":"01010101010101010101010101010107","spanId":"0101010101010102","parentSpanId":"0101010101010101",
     "name":"chat m","startTimeUnixNano":"1767571200000000000","endTimeUnixNano":"1767571201000000000",
     "events":[{"name":"x","timeUnixNano":"1","attributes":[{"key":"gen_ai.usage.input_tokens","value":{"intValue":"5"}}]}],
     "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
                   {"key":"gen_ai.request.model","value":{"stringValue":"m"}},
                   {"key":"gen_ai.response.model","value":{"stringValue":"m-2026-01-01"}},
                   {"key":"gen_ai.usage.input_tokens","value":{"intValue":100}},
                   {"key":"gen_ai.usage.output_tokens","value":{"doubleValue":7.0}},
                   {"key":"list","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":true}}]}}]}}}]}]}],
    "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},
                              {"key":"deployment.environment.name","value":{"stringValue":"prod"}}]}}]})";
  EXPECT_EQ(events_of(json), events_of(one_of_each()));
}

// A log record as SDKs write it; `trace` empty: none.
std::string log_record(const std::string& body, const std::vector<std::string>& attributes, bool has_trace) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_fixed64(11, began);
  writer.add_message(5, text_value(body));
  for (const std::string& one : attributes) writer.add_message(6, one);
  if (has_trace) writer.add_bytes(9, id_of(7, 16));
  if (has_trace) writer.add_bytes(10, id_of(1, 8));
  return bytes;
}

TEST(Otlp, WhatTheResourceSaysIsScannedOnceARecord) {
  RecordDecoder decoder;
  const Built call{2, 1, "chat", {attribute("gen_ai.operation.name", text_value("chat"))}};
  const Built other{3, 1, "chat", {attribute("gen_ai.operation.name", text_value("chat"))}};
  const std::string record = record_of({span_of(call), span_of(other)},
                                       {attribute("process.command_line", text_value("serve --key hunter2"))});
  ASSERT_FALSE(decoder.begin(record, {}));
  std::size_t found = 0;
  while (const AgentEvent* const event = decoder.next()) {
    found += event->text.find("serve --key hunter2") != std::string_view::npos ? 1 : 0;
  }
  EXPECT_EQ(found, 1U);
}

TEST(Otlp, ALogRecordOfATraceIsASignOfLifeAndCountsNothing) {
  const auto tokens = attribute("gen_ai.usage.input_tokens", integer_value(100));
  EXPECT_EQ(events_of(record_of({log_record("", {tokens}, true)})),
            std::vector<std::string>{"task.heartbeat correlation_id=" + trace});
  EXPECT_EQ(events_of(record_of({log_record("GET /", {attribute("http.method", text_value("GET"))}, true)})),
            std::vector<std::string>{});
  RecordDecoder decoder;
  const std::string record = record_of({log_record("what was said", {tokens}, true)});
  ASSERT_FALSE(decoder.begin(record, {}));
  const AgentEvent* const event = decoder.next();
  ASSERT_NE(event, nullptr);
  EXPECT_NE(event->text.find("what was said"), std::string_view::npos);
  EXPECT_EQ(event->fields.time, EventTime{Duration{static_cast<std::int64_t>(began / 1'000'000)}});
}

TEST(Otlp, ClaudeCodesEventsCountWhereThereAreNoSpans) {
  const auto event = [](const std::string& name, std::vector<std::string> more, bool has_trace) {
    more.push_back(attribute("event.name", text_value(name)));
    more.push_back(attribute("prompt.id", text_value("turn")));
    return log_record("claude_code." + name, more, has_trace);
  };
  const std::vector<std::string> call{
      attribute("input_tokens", text_value("100")), attribute("cache_read_tokens", integer_value(20)),
      attribute("output_tokens", integer_value(5)), attribute("cost_usd", text_value("0.25"))};
  const std::vector<std::string> tool{attribute("tool_name", text_value("Bash")),
                                      attribute("success", text_value("false"))};
  // What is sent again is known by its event_id.
  const std::string record = record_of(
      {event("user_prompt", {}, false), event("api_request", call, false), event("tool_result", tool, false)});
  auto events = events_of(record);
  EXPECT_EQ(events, events_of(record));
  for (std::string& one : events) {
    const std::size_t at = one.find(" event_id=");
    ASSERT_NE(at, std::string::npos) << one;
    one.erase(at, std::string_view(" event_id=").size() + 32);
  }
  EXPECT_EQ(events, (std::vector<std::string>{
                        "task.started correlation_id=turn",
                        "step correlation_id=turn tokens_in=120 tokens_out=5 tokens_cached=20 cost=250000",
                        "tool.call correlation_id=turn error_type=error tool=Bash"}));
  EXPECT_EQ(events_of(record_of({event("user_prompt", {}, true), event("api_request", call, true)})),
            (std::vector<std::string>{"task.started correlation_id=" + trace + " span_id=0101010101010101",
                                      "task.heartbeat correlation_id=" + trace}));
  // Somebody else's event of that name.
  EXPECT_EQ(events_of(record_of({log_record("x", {attribute("event.name", text_value("api_request"))}, false)})),
            std::vector<std::string>{});
}

TEST(Otlp, ACallThatTwoSpansReportCountsOnce) {
  const auto call = [](int number, int parent, int tokens) {
    Built built{number, parent, "chat", {attribute("gen_ai.operation.name", text_value("chat"))}};
    if (tokens > 0) built.attributes.push_back(attribute("gen_ai.usage.input_tokens", integer_value(tokens)));
    return span_of(built);
  };
  const auto plain = [](int number, int parent) { return span_of({number, parent, "POST", {}}); };
  const auto tool = [](int number, int parent) {
    return span_of({number, parent, "t", {attribute("gen_ai.operation.name", text_value("execute_tool"))}});
  };
  const auto steps = [](const std::vector<std::string>& spans) {
    std::vector<std::string> list;
    for (const std::string& event : events_of(record_of(spans))) {
      const std::size_t at = event.find("tokens_in=");
      if (event.starts_with("step")) {
        list.push_back(at == std::string::npos ? "none" : event.substr(at + 10, event.find(' ', at) - at - 10));
      }
    }
    return list;
  };
  using Steps = std::vector<std::string>;
  EXPECT_EQ(steps({call(2, 9, 10), call(3, 2, 11)}), Steps{"11"});
  EXPECT_EQ(steps({call(3, 2, 11), call(2, 9, 10)}), Steps{"11"});
  EXPECT_EQ(steps({call(2, 9, 10), plain(4, 2), call(3, 4, 11)}), Steps{"11"});
  EXPECT_EQ(steps({call(2, 9, 10), call(3, 2, 0)}), Steps{"10"});
  EXPECT_EQ(steps({call(2, 9, 10), call(3, 2, 11), call(4, 3, 12)}), Steps{"12"});
  EXPECT_EQ(steps({call(2, 9, 10), tool(4, 2), call(3, 4, 11)}), (Steps{"10", "11"}));
  EXPECT_EQ(steps({call(2, 3, 10), call(3, 2, 11)}).size(), 1U) << "two that are each other's parents";
  EXPECT_EQ(steps({call(2, 2, 10), call(3, 3, 11)}).size(), 2U) << "each its own parent";
}

TEST(Otlp, EveryStringIsThereToBeScanned) {
  RecordDecoder decoder;
  std::string exception;
  pbf_writer event(exception);
  event.add_fixed64(1, began);
  event.add_string(2, "exception");
  event.add_message(3, attribute("exception.message", text_value("the stack")));
  Built tool{3,
             1,
             "the name",
             {attribute("gen_ai.operation.name", text_value("execute_tool")),
              attribute("gen_ai.tool.call.arguments", text_value("the argument")),
              attribute("mine", list_value(text_value("the part")))}};
  tool.events = {exception};
  const std::string record = record_of({span_of(tool)});
  ASSERT_FALSE(decoder.begin(record, {}));
  const AgentEvent* const made = decoder.next();
  ASSERT_NE(made, nullptr);
  std::map<std::string, TextPlace> places;
  for (const TextPiece& piece : made->pieces) {
    places[std::string(made->text.substr(piece.begin, piece.end - piece.begin))] = piece.place;
  }
  for (const char* text : {"the stack", "the name", "the argument", "the part", "mine", "exception.message"}) {
    EXPECT_TRUE(places.contains(text)) << text;
  }
  EXPECT_EQ(places["the argument"], TextPlace::argument);
}

TEST(Otlp, ArgumentsThatAreNumbersAreToldApart) {
  const auto scalars_of = [](const std::string& name, const std::string& value) {
    RecordDecoder decoder;
    const std::string record = record_of({span_of(
        {3, 1, "tool", {attribute("gen_ai.operation.name", text_value("execute_tool")), attribute(name, value)}})});
    EXPECT_FALSE(decoder.begin(record, {}));
    return decoder.next()->argument_scalars;
  };
  const std::string arguments = "gen_ai.tool.call.arguments";
  EXPECT_NE(scalars_of(arguments, integer_value(1)), 0u);
  EXPECT_EQ(scalars_of(arguments, integer_value(1)), scalars_of(arguments, integer_value(1)));
  EXPECT_NE(scalars_of(arguments, integer_value(1)), scalars_of(arguments, integer_value(2)));
  EXPECT_EQ(scalars_of(arguments, text_value("1")), 0u) << "a text is among the texts";
  EXPECT_EQ(scalars_of("mine", integer_value(1)), 0u);
}

TEST(Otlp, TrapsOfTheDialects) {
  const auto span = [](int number, int parent, std::vector<std::string> attributes) {
    return span_of({number, parent, "span", std::move(attributes)});
  };
  // Claude Code's input is without the cached tokens.
  auto events = events_of(record_of(
      {span(2, 1,
            {attribute("span.type", text_value("llm_request")), attribute("input_tokens", integer_value(177)),
             attribute("cache_read_tokens", integer_value(1'024))})}));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_NE(events[0].find("tokens_in=1201 tokens_cached=1024"), std::string::npos) << events[0];
  // The Vercel AI SDK repeats a call's figures on the span around it, and under two names.
  events = events_of(record_of({span(3, 1,
                                     {attribute("ai.operationId", text_value("ai.streamText")),
                                      attribute("ai.usage.inputTokens", integer_value(100))}),
                                span(4, 3,
                                     {attribute("ai.operationId", text_value("ai.streamText.doStream")),
                                      attribute("ai.usage.inputTokens", integer_value(100)),
                                      attribute("gen_ai.usage.input_tokens", integer_value(100))})}));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_TRUE(events[0].starts_with("task.heartbeat")) << events[0];
  EXPECT_NE(events[1].find("tokens_in=100"), std::string::npos);
  // A span that Logfire sends when it begins comes again when it ends.
  EXPECT_TRUE(events_of(record_of({span(5, 0,
                                        {attribute("gen_ai.operation.name", text_value("chat")),
                                         attribute("logfire.span_type", text_value("pending_span"))})}))
                  .empty());
  // Langfuse writes figures as a text, in two shapes.
  for (const auto& [usage, in, out] :
       {std::tuple(R"({"prompt_tokens":613,"completion_tokens":45,"prompt_tokens_details":{"cached_tokens":512}})",
                   613, 45),
        std::tuple(R"({"input":101,"input_cached_tokens":512,"output":37,"output_reasoning_tokens":8,"total":658})",
                   613, 45)}) {
    events = events_of(record_of({span(6, 1,
                                       {attribute("langfuse.observation.type", text_value("generation")),
                                        attribute("langfuse.observation.usage_details", text_value(usage))})}));
    ASSERT_EQ(events.size(), 1U);
    EXPECT_NE(events[0].find("tokens_in=" + std::to_string(in) + " tokens_out=" + std::to_string(out) +
                             " tokens_cached=512"),
              std::string::npos)
        << events[0];
  }
  // Absent is not zero.
  events = events_of(record_of({span(7, 1, {attribute("gen_ai.operation.name", text_value("chat"))})}));
  EXPECT_EQ(events[0].find("tokens"), std::string::npos);
}

TEST(Otlp, MetricsOfAgentsAreScannedAndCountNoCalls) {
  enum Kind : std::uint32_t { gauge = 5, sum = 7, histogram = 9, exponential = 10, summary = 11 };
  const auto metric = [](const std::string& name, Kind kind, std::int64_t value) {
    std::string point, points, bytes, scope_metrics, resource_metrics, record;
    pbf_writer writer(point);
    const std::uint32_t attributes = kind == histogram ? 9 : kind == exponential ? 1 : 7;
    writer.add_message(attributes, attribute("agent.name", text_value("support")));
    writer.add_message(attributes, attribute("gen_ai.token.type", text_value("input")));
    writer.add_fixed64(3, began);
    if (kind == gauge || kind == sum) {
      writer.add_sfixed64(6, value);
    } else {
      writer.add_double(5, static_cast<double>(value));
    }
    pbf_writer(points).add_message(1, point);
    pbf_writer(bytes).add_string(1, name);
    pbf_writer(bytes).add_message(kind, points);
    pbf_writer(scope_metrics).add_message(2, bytes);
    pbf_writer(resource_metrics).add_message(2, scope_metrics);
    pbf_writer(record).add_message(1, resource_metrics);
    return record;
  };
  const auto numbers = [](const std::string& record) {
    std::vector<std::string> events = events_of(record);
    for (std::string& one : events) {
      const std::size_t at = one.find("event_id=");
      if (at != std::string::npos) one.erase(at, std::string_view("event_id=").size() + 33);
    }
    return events;
  };
  using Events = std::vector<std::string>;
  EXPECT_EQ(numbers(metric("tocsin.agent.queue_depth", gauge, 7)), Events{"system agent=support queue_depth=7"});
  EXPECT_EQ(numbers(metric("tocsin.agent.concurrent_tasks", sum, 3)),
            Events{"system agent=support concurrent_tasks=3"});
  for (const Kind kind : {gauge, sum, histogram, exponential, summary}) {
    EXPECT_EQ(numbers(metric("gen_ai.client.token.usage", kind, 120)), Events{"system agent=support "}) << kind;
    EXPECT_EQ(numbers(metric("http.server.duration", kind, 120)), Events{}) << kind;
    EXPECT_EQ(numbers(metric("sixteen.letters.", kind, 120)), Events{}) << "as long as the id of a trace";
  }
  EXPECT_EQ(
      numbers(
          R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"timeUnixNano":"1767571200000000000",)"
          R"("asDouble":2.5,"attributes":[{"key":"agent.name","value":{"stringValue":"support"}}]}]},)"
          R"("name":"tocsin.agent.cost_per_hour_usd"},{"name":"other","sum":{"dataPoints":[{"asInt":"1"}]}}]}]}]})"),
      Events{"system agent=support cost_per_hour=2500000"});
  EXPECT_TRUE(events_of(R"({"resourceLogs":[{"scopeLogs":[]}]})").empty());
  EXPECT_TRUE(events_of(R"({"resourceMetrics":[]})").empty());
}

TEST(Fault, F41_ProtobufCutAtEveryByteWithWrongTypesAndLengthsIsRefusedOrPassedOver) {
  const std::string record = one_of_each();
  for (std::size_t size = 0; size < record.size(); ++size) {
    const auto events = events_of(record.substr(0, size));
    ASSERT_EQ(events.size(), 1U) << size << " of " << record.size();
    EXPECT_TRUE(events[0] == "not_protobuf" || events[0] == "not_json" || events[0] == "empty") << events[0];
  }
  test::Random random(41);
  for (int i = 0; i < 20'000; ++i) {
    std::string broken = record;
    for (std::int64_t n = 1 + random.below(4); n > 0; --n) {
      broken[static_cast<std::size_t>(random.below(std::ssize(broken)))] = static_cast<char>(random.below(256));
    }
    events_of(broken);  // the sanitizers look on
  }
  std::string deep = text_value("x");
  for (int i = 0; i < 101; ++i) deep = list_value(deep);
  EXPECT_EQ(events_of(record_of({span_of({1, 0, "deep", {attribute("gen_ai.input.messages", deep)}})})),
            std::vector<std::string>{"too_deep"});
  const std::string bomb("\x0a\xff\xff\xff\xff\x0f", 6);  // 4 GiB, it says
  EXPECT_EQ(events_of(bomb), std::vector<std::string>{"not_protobuf"});
  std::vector<std::string> many(70'000, attribute("model", ""));
  const auto events = events_of(record_of({span_of({1, 0, "many", many})}));
  EXPECT_EQ(events, std::vector<std::string>{"too_many_keys"});
}

TEST(Otlp, OfASpanThatNobodyKnowsOnlyItsPlaceIsRead) {
  const std::string record = record_of(
      {span_of({1, 0, "GET /", {attribute("http.method", text_value("GET"))}}),
       span_of({2,
                1,
                "chat",
                {attribute("x", text_value("y")), attribute("gen_ai.operation.name", text_value("chat"))}})});
  OtlpDecoder decoder;
  const auto batch = decoder.decode(record, RecordForm::otlp_protobuf);
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch.value()->spans.size(), 2U);
  EXPECT_EQ(batch.value()->spans[0].begin, batch.value()->spans[0].end);
  EXPECT_EQ(batch.value()->spans[1].end - batch.value()->spans[1].begin, 2U);
  // Fields in another order than any writer has them.
  std::string odd;
  pbf_writer writer(odd);
  writer.add_message(9, attribute("gen_ai.operation.name", text_value("chat")));
  writer.add_bytes(1, id_of(7, 16));
  writer.add_bytes(2, id_of(3, 8));
  EXPECT_EQ(events_of(record_of({odd})).size(), 2U);
}

TEST(Otlp, MalformedJsonIsRefused) {
  for (const char* text :
       {R"({"resourceSpans":)", R"({"resourceSpans":[{]})", R"({"resourceSpans":{}})", R"({"resourceSpans":[1]})",
        R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"x"}]}]}]})",
        R"({"resourceSpans":[]} x)"}) {
    const auto events = events_of(text);
    ASSERT_EQ(events.size(), 1U) << text;
    EXPECT_TRUE(events[0] == "not_json" || events[0] == "wrong_type" || events[0] == "trailing_data") << events[0];
  }
  std::string deep = R"({"intValue":"1"})";
  for (int i = 0; i < 40; ++i) deep = R"({"arrayValue":{"values":[)" + deep + "]}}";
  EXPECT_EQ(events_of(R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":)" + deep +
                      "}]}]}]}]}"),
            std::vector<std::string>{"too_deep"});
}

TEST(Otlp, NullIsAbsentAndManyTracesOfOneRecordStayApart) {
  EXPECT_TRUE(
      events_of(R"({"resourceSpans":[{"resource":null,"scopeSpans":[{"scope":null,"spans":null}]}]})").empty());
  std::string json = R"({"resourceSpans":[{"scopeSpans":[{"spans":[)";
  for (int i = 0; i < 1'500; ++i) {
    const std::string id = std::to_string(10'000 + i);
    json += i > 0 ? "," : "";
    json += R"({"traceId":")" + id + R"(","spanId":")" + id + R"(","name":"agent )" + id +
            R"(","startTimeUnixNano":"1767571200000000000","endTimeUnixNano":"1767571201000000000","attributes":[)"
            R"({"key":"openinference.span.kind","value":{"stringValue":"AGENT"}}]})"
            R"(,{"traceId":")" +
            id + R"(","parentSpanId":")" + id + R"(","spanId":"9)" + id +
            R"(","endTimeUnixNano":"1767571201000000000","attributes":[)"
            R"({"key":"openinference.span.kind","value":{"stringValue":"LLM"}}]})";
  }
  json += "]}]}]}";
  const auto events = events_of(json);
  ASSERT_EQ(events.size(), 4'500U);
  int calls = 0;
  for (const std::string& event : events) {
    if (!event.starts_with("step")) continue;
    ++calls;
    const std::size_t at = event.find("correlation_id=");
    const std::string id = event.substr(at + 15, 5);
    EXPECT_NE(event.find("agent=agent " + id), std::string::npos) << event;
  }
  EXPECT_EQ(calls, 1'500);
}

TEST(Otlp, ARootThatNobodyKnowsEndsATaskThatIsOpen) {
  RecordDecoder decoder;
  const std::string record =
      record_of({span_of({1, 0, "POST /chat", {attribute("http.method", text_value("POST"))}})});
  ASSERT_FALSE(decoder.begin(record, {}));
  const AgentEvent* const event = decoder.next();
  ASSERT_NE(event, nullptr);
  EXPECT_TRUE(event->needs_open_task);
  EXPECT_EQ(event->fields.type, EventType::task_finished);
}

}  // namespace otlp_decoder_test
}  // namespace tocsin
