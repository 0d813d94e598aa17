// What a span costs to decode: OTLP in protobuf beside libprotobuf, OTLP in JSON beside nlohmann_json, in one run.
//
// A record of 512 spans, of which one in five is an agent's: a model call with its messages, a tool call, the agent;
// the others are of the services around it, and make no event. Each row decodes the same record, and must come to the
// same sum of tokens.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "allocations.h"
#include "core/event/record_decoder.h"
#include "otlp_trace.pb.h"

namespace tocsin {
namespace {

constexpr int spans = 512;
constexpr int passes = 200;
constexpr std::uint64_t began = 1'767'571'200'000'000'000;

std::string id_of(int number, std::size_t size) {
  std::string id(size, '\1');
  for (std::size_t i = 0; i < 4; ++i) id[size - 1 - i] = static_cast<char>(number >> (8 * i) & 0xff);
  return id;
}

void add(bench::Span& span, const std::string& name, const std::string& text) {
  auto* const one = span.add_attributes();
  one->set_key(name);
  one->mutable_value()->set_string_value(text);
}
void add(bench::Span& span, const std::string& name, std::int64_t number) {
  auto* const one = span.add_attributes();
  one->set_key(name);
  one->mutable_value()->set_int_value(number);
}

bench::TracesData traffic(std::int64_t& tokens) {
  bench::TracesData data;
  auto& resource = *data.add_resource_spans();
  for (const auto& [name, text] : {std::pair("service.name", "shop"), std::pair("service.version", "1.4.2"),
                                   std::pair("deployment.environment.name", "production")}) {
    auto* const one = resource.mutable_resource()->add_attributes();
    one->set_key(name);
    one->mutable_value()->set_string_value(text);
  }
  auto& scope = *resource.add_scope_spans();
  scope.mutable_scope()->set_name("opentelemetry.instrumentation");
  tokens = 0;
  for (int i = 0; i < spans; ++i) {
    auto& span = *scope.add_spans();
    span.set_trace_id(id_of(i / 16, 16));
    span.set_span_id(id_of(i + 1, 8));
    if (i % 16 != 0) span.set_parent_span_id(id_of(i / 16 * 16 + 1, 8));
    span.set_kind(3);
    span.set_start_time_unix_nano(began + static_cast<std::uint64_t>(i) * 1'000'000);
    span.set_end_time_unix_nano(began + static_cast<std::uint64_t>(i) * 1'000'000 + 5'000'000);
    if (i % 16 == 0) {
      span.set_name("invoke_agent support");
      add(span, "gen_ai.operation.name", "invoke_agent");
      add(span, "gen_ai.agent.name", "support");
      add(span, "gen_ai.conversation.id", "sess-1");
    } else if (i % 8 == 1) {
      span.set_name("chat gpt-4o-mini");
      add(span, "gen_ai.operation.name", "chat");
      add(span, "gen_ai.provider.name", "openai");
      add(span, "gen_ai.request.model", "gpt-4o-mini");
      add(span, "gen_ai.response.model", "gpt-4o-mini-2024-07-18");
      add(span, "server.address", "api.openai.com");
      add(span, "server.port", 443);
      add(span, "gen_ai.response.id", "chatcmpl-A0123456789");
      add(span, "gen_ai.usage.input_tokens", 1'200 + i);
      add(span, "gen_ai.usage.output_tokens", 40);
      add(span, "gen_ai.input.messages", std::string(400, 'm'));
      tokens += 1'200 + i;
    } else if (i % 16 == 2) {
      span.set_name("execute_tool lookup_order");
      add(span, "gen_ai.operation.name", "execute_tool");
      add(span, "gen_ai.tool.name", "lookup_order");
      add(span, "gen_ai.tool.call.arguments", R"({"order_id":"7781"})");
    } else {
      span.set_name("GET /orders/{id}");
      add(span, "http.request.method", "GET");
      add(span, "url.path", "/orders/7781");
      add(span, "http.response.status_code", 200);
      add(span, "server.address", "orders.internal");
      add(span, "network.protocol.version", "1.1");
      add(span, "user_agent.original", "python-httpx/0.27");
    }
  }
  return data;
}

// OTLP's JSON has ids in hexadecimal, and 64-bit integers as texts.
std::string json_of(const bench::TracesData& data) {
  const auto hex = [](const std::string& bytes) {
    std::string text;
    for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
  };
  const auto attributes = [](const auto& list) {
    nlohmann::json out = nlohmann::json::array();
    for (const auto& one : list) {
      out.push_back({{"key", one.key()},
                     {"value", one.value().has_int_value()
                                   ? nlohmann::json{{"intValue", std::to_string(one.value().int_value())}}
                                   : nlohmann::json{{"stringValue", one.value().string_value()}}}});
    }
    return out;
  };
  nlohmann::json list = nlohmann::json::array();
  const auto& resource = data.resource_spans(0);
  for (const auto& span : resource.scope_spans(0).spans()) {
    list.push_back({{"traceId", hex(span.trace_id())},
                    {"spanId", hex(span.span_id())},
                    {"parentSpanId", hex(span.parent_span_id())},
                    {"name", span.name()},
                    {"kind", span.kind()},
                    {"startTimeUnixNano", std::to_string(span.start_time_unix_nano())},
                    {"endTimeUnixNano", std::to_string(span.end_time_unix_nano())},
                    {"attributes", attributes(span.attributes())}});
  }
  const nlohmann::json scope = {{"scope", {{"name", "opentelemetry.instrumentation"}}}, {"spans", list}};
  const nlohmann::json whole = {{"resource", {{"attributes", attributes(resource.resource().attributes())}}},
                                {"scopeSpans", nlohmann::json::array({scope})}};
  // Members in the order in which exporters write them: what the record is stands first.
  return "{\"resourceSpans\":[" + whole.dump() + "]}";
}

std::int64_t tokens_in(RecordDecoder& decoder, const std::string& record) {
  std::int64_t sum = 0;
  if (decoder.begin(record, {})) return -1;
  while (const AgentEvent* const event = decoder.next()) sum += event->fields.get_or(NumberField::tokens_in, 0);
  return sum;
}

bool all_held = true;

template <class Pass>
double time_of(const char* name, std::int64_t expected, Pass pass) {
  std::vector<double> times;
  std::uint64_t taken = 0;
  for (int i = 0; i < passes; ++i) {
    const std::uint64_t before = tocsin::allocations();
    const auto begin = std::chrono::steady_clock::now();
    const std::int64_t sum = pass();
    const auto end = std::chrono::steady_clock::now();
    taken = tocsin::allocations() - before;
    if (sum != expected) all_held = false;
    times.push_back(std::chrono::duration<double, std::nano>(end - begin).count() / spans);
  }
  std::nth_element(times.begin(), times.begin() + passes / 2, times.end());
  const double median = times[passes / 2];
  std::printf("%-34s %8.0f ns a span %10.2f allocations a span\n", name, median, static_cast<double>(taken) / spans);
  return median;
}

int run() {
  std::int64_t tokens = 0;
  const bench::TracesData data = traffic(tokens);
  std::string packed;
  data.SerializeToString(&packed);
  const std::string json = json_of(data);
  std::printf("%d spans, %zu bytes of protobuf, %zu bytes of JSON\n", spans, packed.size(), json.size());
  RecordDecoder decoder;
  OtlpDecoder alone;
  const double decode =
      time_of("protobuf: decoded", 0, [&] { return alone.decode(packed, RecordForm::otlp_protobuf) ? 0 : -1; });
  const double ours = time_of("protobuf: decoded, to events", tokens, [&] { return tokens_in(decoder, packed); });
  bench::TracesData parsed;
  const double theirs =
      time_of("protobuf: libprotobuf's parse", 0, [&] { return parsed.ParseFromString(packed) ? 0 : -1; });
  const double ours_json = time_of("JSON: decoded, to events", tokens, [&] { return tokens_in(decoder, json); });
  const double theirs_json =
      time_of("JSON: nlohmann's parse", 0, [&] { return nlohmann::json::parse(json).is_object() ? 0 : -1; });
  std::printf(
      "protobuf: %.2f times libprotobuf's parse alone, %.2f with the events; JSON: %.2f times nlohmann's parse\n",
      decode / theirs, ours / theirs, ours_json / theirs_json);
  if (!all_held) std::printf("a row did not come to the sum of tokens that was put in\n");
  return all_held ? 0 : 1;
}

}  // namespace
}  // namespace tocsin

int main() {
  return tocsin::run();
}
