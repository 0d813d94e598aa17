// Uploads of vendors' SDKs: what each form says, and what is malformed is refused with a reason.

#include "core/event/upload_decoder.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <msgpack.hpp>

#include "base/compression.h"
#include "core/event/record_decoder.h"
#include "core/event/vendors/multipart.h"
#include "core/sanitize/shipped_patterns.h"
#include "core/stage/receive_stage.h"
#include "core/test_support.h"

namespace tocsin {
namespace upload_decoder_test {

constexpr std::size_t most = 1 << 20;

std::string gzipped(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// A frame that does not say how long its content is, as LangSmith's SDK streams it.
std::string zstd_of(const std::string& text) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  std::string out(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  ZSTD_inBuffer from{text.data(), text.size(), 0};
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  ZSTD_compressStream2(context, &to, &from, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

TEST(Compression, WhatWasCompressedComesOut) {
  const std::string text = std::string(300'000, 'a') + "end";
  for (const std::string& body : {gzipped(text), zstd_of(text)}) {
    const Compression how = compression_of(body);
    ASSERT_NE(how, Compression::none);
    const auto plain = decompress(body, how, most);
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain.value(), text);
    EXPECT_EQ(decompress(body, how, text.size() - 1).error(), CompressionError::too_large);
    EXPECT_EQ(decompress(body, how, text.size()).value().size(), text.size());
    for (std::size_t size = 0; size < body.size(); ++size) {
      EXPECT_FALSE(decompress(body.substr(0, size), how, most)) << size << " of " << body.size();
    }
  }
  EXPECT_EQ(decompress(gzipped("one ") + gzipped("two"), Compression::gzip, most).value(), "one two");
  EXPECT_EQ(compression_named("br").error(), CompressionError::unknown);
}

TEST(Multipart, PartsComeByTheirNames) {
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"post.1\"\r\nContent-Type: application/json; "
      "length=2\r\n\r\n{}\r\n"
      "--b\r\ncontent-disposition: form-data; filename=\"f\"; name=plain\r\n\r\n--x\r\n\r\n--b--\r\n";
  const auto parts = vendor::parts_of("multipart/form-data; boundary=b", body);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].name, "post.1");
  EXPECT_EQ(parts[0].body, "{}");
  EXPECT_EQ(parts[1].name, "plain");
  EXPECT_EQ(parts[1].body, "--x\r\n");
  EXPECT_TRUE(vendor::parts_of("multipart/form-data", body).empty());
  EXPECT_TRUE(vendor::parts_of("multipart/form-data; boundary=c", body).empty());
  for (std::size_t size = 0; size + 4 < body.size(); ++size) {
    EXPECT_LE(vendor::parts_of("multipart/form-data; boundary=b", body.substr(0, size)).size(), 2U);
  }
}

std::string say(const AgentEvent& event) {
  std::string text(name_of(event.fields.type));
  for (const StringField field : {StringField::agent, StringField::correlation_id, StringField::model,
                                  StringField::tool, StringField::error_type, StringField::suite}) {
    if (event.fields.has(field)) text += " " + std::string(event.fields.get(field));
  }
  for (const NumberField field : {NumberField::tokens_in, NumberField::tokens_cached, NumberField::tokens_out,
                                  NumberField::cost, NumberField::score, NumberField::accepted}) {
    if (const auto number = event.fields.get(field)) {
      text += " " + std::string(name_of(field)) + "=" + std::to_string(*number);
    }
  }
  if (event.fields.outcome() != Outcome::absent) text += " " + std::string(name_of(event.fields.outcome()));
  return text;
}

std::vector<std::string> events_of(const Upload& upload) {
  UploadDecoder decoder(most);
  std::vector<std::string> list;
  if (const auto error = decoder.begin(upload)) return {std::string(name_of(*error))};
  while (const AgentEvent* const event = decoder.next()) list.push_back(say(*event));
  return list;
}
using Events = std::vector<std::string>;

const std::string run_post =
    R"({"id":"r1","trace_id":"r1","name":"support","run_type":"chain","start_time":"2026-11-21T01:52:09.076658+00:00"})";
const std::string run_patch =
    R"({"id":"r2","trace_id":"r1","parent_run_id":"r1","name":"ChatOpenAI","run_type":"llm",
        "start_time":"2026-11-21T01:52:09Z","end_time":1795225929500,
        "extra":{"metadata":{"ls_model_name":"gpt-4o-mini","usage_metadata":{"input_tokens":9,"output_tokens":2}}},
        "outputs":{"usage_metadata":{"input_tokens":9,"output_tokens":2,"input_token_details":{"cache_read":4}}}})";

TEST(Upload, LangSmithsRunsBeginWhenTheyArePostedAndEndWhenTheyArePatched) {
  const Events expected{"task.started support r1",
                        "step support r1 gpt-4o-mini tokens_in=9 tokens_cached=4 tokens_out=2"};
  const std::string batch = R"({"post":[)" + run_post + R"(],"patch":[)" + run_patch + "]}";
  EXPECT_EQ(events_of({"/runs/batch", "application/json", {}, {}, batch}), expected);
  EXPECT_EQ(events_of({"/runs/batch", "application/json", "gzip", {}, gzipped(batch)}), expected);
  const std::string zstd = zstd_of(batch);
  EXPECT_EQ(events_of({"/langsmith/runs/batch?x=1", "application/json", "zstd", {}, zstd}), expected);
  const auto part = [](const std::string& name, const std::string& body) {
    return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\nContent-Type: application/json\r\n\r\n" +
           body + "\r\n";
  };
  const std::string parts =
      part("post.r1", run_post) + part("post.r1.inputs", "{}") + part("patch.r2", run_patch) + "--b--\r\n";
  EXPECT_EQ(events_of({"/runs/multipart", "multipart/form-data; boundary=b", {}, {}, parts}), expected);
  EXPECT_EQ(events_of({"/runs", "application/json", {}, {}, run_post}), Events{"task.started support r1"});
  // What people say of a run, and the files that go with it.
  const std::string key = std::string("AK") + "IAQYLPMN5HHHFPZAM2";
  const std::string more = part("post.r1", run_post) +
                           part("feedback.f1", R"({"id":"f1","run_id":"r1","trace_id":"r1","key":"user","score":1.0,)"
                                               R"("created_at":"2026-11-21T01:53:09Z","comment":"fine"})") +
                           part("attachment.r1.notes", "the key is " + key) +
                           part("attachment.r1.picture", std::string("\x89PNG\0", 5)) + "--b--\r\n";
  UploadDecoder decoder(most);
  ASSERT_FALSE(decoder.begin({"/runs/multipart", "multipart/form-data; boundary=b", {}, {}, more}));
  std::string types;
  bool has_key = false;
  while (const AgentEvent* const event = decoder.next()) {
    types += std::string(name_of(event->fields.type)) + " " +
             std::string(event->fields.get(StringField::correlation_id)) + ";";
    has_key = has_key || event->text.find(key) != std::string_view::npos;
  }
  EXPECT_EQ(types, "task.started r1;task.heartbeat r1;review r1;");
  EXPECT_TRUE(has_key);
  EXPECT_EQ(
      events_of({"/feedback",
                 "application/json",
                 {},
                 {},
                 R"({"id":"f2","run_id":"r1","key":"correct","score":0.5,"feedback_source":{"type":"model"}})"}),
      Events{"eval.result r1 correct score=500000"});
  EXPECT_EQ(
      events_of({"/feedback", "application/json", {}, {}, R"({"id":"f3","run_id":"r1","key":"user","score":0.7})"}),
      Events{"eval.result r1 user score=700000"})
      << "a person's figure is no yes";
  const std::string failed =
      R"x({"trace_id":"r1","dotted_order":"x","end_time":"2026-11-21T01:52:10Z","error":"ToolError('no')"})x";
  EXPECT_EQ(events_of({"/runs/r1", "application/json", {}, {}, failed}),
            Events{"task.finished r1 ToolError errored"});
}

TEST(Upload, LangfusesEventsCompleteEachOther) {
  const std::string body = R"({"batch":[
    {"id":"1","type":"trace-create","timestamp":"2026-11-21T01:52:01Z","body":{"id":"t","name":"support","timestamp":"2026-11-21T01:52:01Z"}},
    {"id":"2","type":"generation-create","timestamp":"2026-11-21T01:52:01Z","body":{"id":"g","traceId":"t","startTime":"2026-11-21T01:52:01Z","model":"m","input":{"tools":[{"function":{"name":"look"}}]}}},
    {"id":"3","type":"generation-update","timestamp":"2026-11-21T01:52:02Z","body":{"id":"g","traceId":"t","endTime":"2026-11-21T01:52:02Z","usage":{"input":10},"usageDetails":{"input":6,"input_cached_tokens":4,"output":3},"costDetails":{"total":0.5}}},
    {"id":"4","type":"span-create","timestamp":"2026-11-21T01:52:02Z","body":{"id":"s","traceId":"t","name":"look","startTime":"2026-11-21T01:52:02Z","endTime":"2026-11-21T01:52:03Z","level":"ERROR"}},
    {"id":"5","type":"span-create","timestamp":"2026-11-21T01:52:02Z","body":{"id":"u","traceId":"t","name":"format","startTime":"2026-11-21T01:52:02Z","endTime":"2026-11-21T01:52:03Z"}},
    {"id":"6","type":"score-create","timestamp":"2026-11-21T01:52:04Z","body":{"id":"v","traceId":"t","name":"helpful","value":0.25}},
    {"id":"7","type":"score-create","timestamp":"2026-11-21T01:52:04Z","body":{"id":"w","traceId":"t","name":"thumb","value":1,"dataType":"BOOLEAN"}},
    {"id":"8","type":"trace-create","timestamp":"2026-11-21T01:52:05Z","body":{"id":"t","output":"done"}}]})";
  EXPECT_EQ(
      events_of({"/api/public/ingestion", "application/json", {}, {}, body}),
      (Events{"task.started support t", "step support t m tokens_in=10 tokens_cached=4 tokens_out=3 cost=500000",
              "tool.call support t look error", "task.heartbeat support t",
              "eval.result support t helpful score=250000", "review support t thumb accepted=1",
              "task.finished support t completed"}));
}

TEST(Upload, DatadogsEventsAreInJsonOrPackedInSpans) {
  const std::string event =
      R"({"span_id":"2","trace_id":"t","parent_id":"1","name":"OpenAI","start_ns":1795225934955409696,"duration":1000000,"status":"ok",
          "tags":["env:prod"],"metrics":{"input_tokens":9,"cache_read_input_tokens":4,"output_tokens":2},
          "meta":{"span":{"kind":"llm"},"model_name":"m","agent_attribution":{"pagent_name":"support"}}})";
  const Events expected{"step support t m tokens_in=9 tokens_cached=4 tokens_out=2"};
  for (const char* path : {"/api/v2/llmobs", "/evp_proxy/v2/api/v2/llmobs"}) {
    EXPECT_EQ(events_of({path, "application/json", {}, {}, R"([{"event_type":"span","spans":[)" + event + "]}]"}),
              expected);
  }
  // As the tracer packs it: the event's own bytes inside the span's.
  msgpack::sbuffer inner, outer;
  msgpack::packer<msgpack::sbuffer> in(inner), out(outer);
  const auto text = [](auto& to, const char* value) { to.pack(std::string(value)); };
  in.pack_map(5);
  text(in, "name"), text(in, "OpenAI");
  text(in, "trace_id"), text(in, "t");
  text(in, "parent_id"), text(in, "1");
  text(in, "metrics"), in.pack_map(3);
  text(in, "input_tokens"), in.pack(9), text(in, "cache_read_input_tokens"), in.pack(4.0), text(in, "output_tokens"),
      in.pack(2);
  text(in, "meta"), in.pack_map(3);
  text(in, "span"), in.pack_map(1), text(in, "kind"), text(in, "llm");
  text(in, "model_name"), text(in, "m");
  text(in, "agent_attribution"), in.pack_map(1), text(in, "pagent_name"), text(in, "support");
  const auto traced = [&](bool is_submitted) {
    outer.clear();
    out.pack_array(1), out.pack_array(1), out.pack_map(7);
    text(out, "span_id"), out.pack(std::uint64_t{16'876'910'154'354'704'465U});
    text(out, "trace_id"), out.pack(7);
    text(out, "resource"), text(out, "createChatCompletion");
    text(out, "start"), out.pack(std::int64_t{1'795'225'934'955'409'696});
    text(out, "duration"), out.pack(1'000'000);
    text(out, "meta"), out.pack_map(1), text(out, "_dd.llmobs.submitted"), text(out, is_submitted ? "1" : "0");
    text(out, is_submitted ? "other" : "meta_struct"), out.pack_map(1), text(out, "_llmobs");
    out.pack_bin(static_cast<std::uint32_t>(inner.size())),
        out.pack_bin_body(inner.data(), static_cast<std::uint32_t>(inner.size()));
    return std::string(outer.data(), outer.size());
  };
  const std::string packed = traced(false), submitted = traced(true);
  EXPECT_EQ(events_of({"/v0.4/traces", "application/msgpack", {}, {}, packed}), expected);
  EXPECT_EQ(events_of({"/v0.4/traces", "application/msgpack", {}, {}, submitted}), Events{});
  for (std::size_t size = 0; size < packed.size(); ++size) {
    EXPECT_EQ(events_of({"/v0.4/traces", "application/msgpack", {}, {}, packed.substr(0, size)}),
              Events{"not_msgpack"});
  }
}

TEST(Upload, HeliconesRequestsSayInHeadersWhatTheyArePartOf) {
  const std::pair<std::string_view, std::string_view> headers[] = {
      {"helicone-session-id", "s"}, {"helicone-request-id", "q"}, {"helicone-session-path", "/support/x"}};
  const auto logged = [&](const std::string& request, const std::string& response) {
    const std::string body =
        R"({"providerRequest":{"json":)" + request + R"(},"providerResponse":)" + response +
        R"(,"timing":{"startTime":{"seconds":1795225940,"milliseconds":205},"endTime":{"seconds":1795225940,"milliseconds":274}}})";
    return events_of({"/custom/v1/log", "application/json", {}, headers, body});
  };
  EXPECT_EQ(
      logged(
          R"({"model":"m"})",
          R"({"status":200,"json":{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}})"),
      Events{"step support s m tokens_in=9 tokens_cached=4 tokens_out=2"});
  EXPECT_EQ(
      logged(
          R"({"model":"m"})",
          R"({"status":200,"json":{},"textBody":"{\"model\":\"m\",\"usage\":null}\n{\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}"})"),
      Events{"step support s m tokens_in=9 tokens_out=2"});
  EXPECT_EQ(
      logged(R"({"model":"m"})", R"x({"status":200,"json":{},"textBody":"Traceback (most recent call last)"})x"),
      Events{"step support s m error"});
  EXPECT_EQ(logged(R"({"_type":"tool","toolName":"look","input":{}})", R"({"status":200,"json":{"error":"down"}})"),
            Events{"tool.call support s look error"});
  EXPECT_EQ(
      events_of(
          {"/x/v1/log",
           "application/json",
           {},
           {},
           R"([{"request_id":"q","request_created_at":"2026-11-21T01:52:01Z","delay_ms":50,"request_body":"{\"model\":\"m\"}",
                      "response_body":{"usage":{"prompt_tokens":3,"completion_tokens":1}},"request_properties":{"Helicone-Session-Id":"s"}}])"}),
      Events{"step s m tokens_in=3 tokens_out=1"});
}

// What a review found: each of these once crashed, stood still or was counted wrongly.
TEST(Upload, OddFormsAreReadOrRefusedInTime) {
  RecordDecoder decoder;
  EXPECT_TRUE(decoder.begin(R"({"traceID":"x","spans":[{"spanID":"1"}],"data":[]})", {}) == std::nullopt ||
              decoder.next() == nullptr);
  const std::string zeros = "[0" + [] {
    std::string list;
    for (int i = 0; i < 60'000; ++i) list += ",0";
    return list;
  }() + "]";
  const std::string long_key = R"({"post":[{"id":"a","trace_id":"a","run_type":"chain","inputs":{")" +
                               std::string(500'000, 'k') + "\":" + zeros + "}}]}";
  EXPECT_EQ(events_of({"/runs/batch", {}, {}, {}, long_key}).size(), 0U) << "neither begun nor ended";
  const std::string header = "--b\r\nContent-Disposition: " + std::string(900'000, ';') + "=\r\n\r\nx\r\n--b--";
  EXPECT_EQ(events_of({"/runs/multipart", "multipart/form-data; boundary=b", {}, {}, header}),
            Events{"not_multipart"});
  // As many as a client may send at once.
  std::string runs;
  for (int i = 0; i < 100; ++i) {
    std::string messages;
    for (int k = 0; k < 300; ++k) messages += std::string(k > 0 ? "," : "") + R"({"role":"user","content":"x"})";
    runs +=
        std::string(i > 0 ? "," : "") + R"({"id":"r)" + std::to_string(i) +
        R"(","run_type":"llm","trace_id":"t","parent_run_id":"p","end_time":1795225929500,"inputs":{"messages":[)" +
        messages + "]}}";
  }
  const std::string many = R"({"post":[)" + runs + "]}";
  UploadDecoder large(32 << 20);
  ASSERT_FALSE(large.begin({"/runs/batch", {}, {}, {}, many}));
  std::string bomb("\xdd\x00\x2f\xff\xff", 5);  // a list of three million maps
  bomb += std::string(0x2fffff, '\x80');
  EXPECT_EQ(large.begin({"/v0.4/traces", "application/msgpack", {}, {}, bomb}), DecodeError::not_msgpack);
}

TEST(Upload, ACallOutsideOfASessionIsATaskOfItsOwn) {
  const std::pair<std::string_view, std::string_view> headers[] = {{"helicone-request-id", "q"}};
  EXPECT_EQ(
      events_of(
          {"/custom/v1/log",
           {},
           {},
           headers,
           R"({"providerRequest":{"json":{"model":"m"}},"providerResponse":{"status":200,"json":{"usage":{"prompt_tokens":9}}},
                           "timing":{"startTime":{"seconds":1795225940},"endTime":{"seconds":1795225941}}})"}),
      (Events{"task.started q", "step q m tokens_in=9", "task.finished q completed"}));
}

TEST(Upload, NativeEventsAreLinesAndABadOneIsPassedOver) {
  UploadDecoder decoder(most);
  const std::string lines =
      "{\"type\":\"task.started\",\"correlation_id\":\"a\"}\nnonsense\n\r\n{\"type\":\"step\",\"correlation_id\":"
      "\"a\"}";
  ASSERT_FALSE(decoder.begin({"/v1/events", {}, {}, {}, lines}));
  int events = 0;
  while (decoder.next() != nullptr) ++events;
  EXPECT_EQ(events, 2);
  EXPECT_EQ(decoder.refused(), 1U);
  EXPECT_EQ(decoder.refused_for(), DecodeError::not_an_object);
}

TEST(Upload, WhatIsNoneOfADoorsFormsIsRefused) {
  EXPECT_EQ(events_of({"/v2/nothing", {}, {}, {}, "{}"}), Events{"unknown_form"});
  EXPECT_EQ(events_of({"/runs/batch", {}, {}, {}, "{}"}), Events{"unknown_form"});
  EXPECT_EQ(events_of({"/runs/batch", {}, {}, {}, "{"}), Events{"not_json"});
  EXPECT_EQ(events_of({"/runs/batch", {}, "br", {}, "{}"}), Events{"compression"});
  EXPECT_EQ(events_of({"/runs/batch", {}, "gzip", {}, "{}"}), Events{"compression"});
  EXPECT_EQ(events_of({"/v1/traces", {}, {}, {}, {}}), Events{});
  EXPECT_EQ(events_of({"/v1/traces", "application/json", {}, {}, "{}"}), Events{});
  EXPECT_EQ(events_of({"/runs/batch", {}, {}, {}, std::string(most + 1, ' ')}), Events{"too_large"});
  const std::string deep =
      R"({"post":[{"id":"a","trace_id":"a","inputs":)" + std::string(70, '[') + std::string(70, ']') + "}]}";
  EXPECT_EQ(events_of({"/runs/batch", {}, {}, {}, deep}), Events{"not_json"});
  const std::string packed(2'000'000, '\x91');  // a list in a list in a list
  UploadDecoder decoder(4 << 20);
  EXPECT_EQ(decoder.begin({"/v0.4/traces", "application/msgpack", {}, {}, packed}), DecodeError::not_msgpack);
}

TEST(Fault, F41_UploadsOfVendorsWithBytesChangedAreRefusedOrRead) {
  const std::string batch = R"({"post":[)" + run_post + R"(],"patch":[)" + run_patch + "]}";
  UploadDecoder decoder(most);
  for (std::size_t size = 0; size < batch.size(); ++size) {
    EXPECT_TRUE(decoder.begin({"/runs/batch", {}, {}, {}, batch.substr(0, size)})) << size;
  }
  test::Random random(41);
  constexpr std::string_view put = "{}[]\",:0-\\ntu";
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = batch;
    for (int k = 0; k < 3; ++k) {
      changed[random.below(static_cast<std::uint32_t>(changed.size()))] =
          put[random.below(static_cast<std::uint32_t>(put.size()))];
    }
    for (const char* path : {"/runs/batch", "/api/public/ingestion", "/api/v2/llmobs", "/custom/v1/log"}) {
      if (!decoder.begin({path, {}, {}, {}, changed})) {
        while (decoder.next() != nullptr) {
        }
      }
    }
  }
}

TEST(Upload, AUsersIdLeavesAsItsHashAlone) {
  const std::string run =
      R"({"id":"r1","trace_id":"r1","run_type":"chain","start_time":"2026-11-21T01:52:09Z","extra":{"metadata":{"user_id":"user-4711"}}})";
  ReceiveStage door(test::shipped_patterns(), Fingerprinter(std::vector<unsigned char>(32, 1)), most);
  const auto wire = [&] {
    const Received& received = door.apply({"/runs", {}, {}, {}, run});
    return received.records.empty() ? std::string{} : received.records.front().value;
  };
  const std::string first = wire();
  EXPECT_NE(first.find("\"user_hash\":\""), std::string::npos) << first;
  EXPECT_EQ(first.find("4711"), std::string::npos) << first;
  EXPECT_EQ(wire(), first);
}

TEST(Record, AVendorsJsonIsReadFromATopic) {
  RecordDecoder decoder;
  ASSERT_FALSE(decoder.begin(run_post, {}));
  const AgentEvent* const event = decoder.next();
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(say(*event), "task.started support r1");
  EXPECT_EQ(decoder.next(), nullptr);
  EXPECT_EQ(decoder.begin(R"({"traceId":1})", {}), DecodeError::no_type);
}

}  // namespace upload_decoder_test
}  // namespace tocsin
