#include "core/event/native_decoder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "core/test_support.h"

// Counts the allocations of this program; what a test asks for is the difference.
namespace {
thread_local std::size_t allocations = 0;
[[maybe_unused]] void* counted_allocation(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
}  // namespace
// The sanitizers have allocators of their own, which must not be mixed with this one.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void* operator new(std::size_t size) {
  return counted_allocation(size);
}
void* operator new[](std::size_t size) {
  return counted_allocation(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
#endif

namespace tocsin {
namespace native_decoder_test {

using namespace std::chrono_literals;
using test::event_at;

// The event of a record that must be read. Valid until the next call.
const AgentEvent& read(std::string_view json, std::string_view key = {}) {
  static NativeDecoder decoder;
  const auto decoded = decoder.decode(json, key);
  if (!decoded) {
    ADD_FAILURE() << name_of(decoded.error()) << ": " << json.substr(0, 200);
    static const AgentEvent nothing;
    return nothing;
  }
  return *decoded.value();
}
const EventFields& fields(std::string_view json, std::string_view key = {}) {
  return read(json, key).fields;
}

std::string refusal(std::string_view json) {
  NativeDecoder decoder;
  const auto decoded = decoder.decode(json);
  return decoded ? "accepted" : std::string(name_of(decoded.error()));
}

std::string step_with(const std::string& members) {
  return R"({"type":"step",)" + members + "}";
}

TEST(NativeDecoder, ReadsEveryTypeOfEvent) {
  for (std::size_t i = 0; i < event_type_count; ++i) {
    const auto type = static_cast<EventType>(i);
    EXPECT_EQ(fields(R"({"type":")" + std::string(name_of(type)) + R"("})").type, type) << name_of(type);
  }
}

TEST(NativeDecoder, ReadsEveryTextField) {
  std::string json = R"({"type":"step")";
  for (std::size_t i = 0; i < string_field_count; ++i) {
    const std::string name(name_of(static_cast<StringField>(i)));
    json += ",\"" + name + "\":\"the " + name + "\"";
  }
  const EventFields& event = fields(json + "}");
  for (std::size_t i = 0; i < string_field_count; ++i) {
    const auto field = static_cast<StringField>(i);
    EXPECT_TRUE(event.has(field)) << name_of(field);
    EXPECT_EQ(event.get(field), "the " + std::string(name_of(field)));
  }
}

TEST(NativeDecoder, ReadsEveryNumberInItsUnit) {
  struct Case {
    const char* name;
    const char* wire;
    NumberField field;
    std::int64_t value;
  };
  for (const Case& one :
       {Case{"tokens_in", "1200", NumberField::tokens_in, 1'200},
        Case{"tokens_out", "34", NumberField::tokens_out, 34},
        Case{"tokens_cached", "5", NumberField::tokens_cached, 5},
        Case{"cost_usd", "0.004108", NumberField::cost, 4'108}, Case{"ttft_ms", "350.5", NumberField::ttft, 350'500},
        Case{"generation_ms", "2000", NumberField::generation, 2'000'000},
        Case{"latency_ms", "12", NumberField::latency, 12'000},
        Case{"result_bytes", "4096", NumberField::result_bytes, 4'096}, Case{"tasks", "3", NumberField::tasks, 3},
        Case{"concurrent_tasks", "7", NumberField::concurrent_tasks, 7},
        Case{"queue_depth", "0", NumberField::queue_depth, 0},
        Case{"cost_per_hour", "1.25", NumberField::cost_per_hour, 1'250'000},
        Case{"score", "-0.5", NumberField::score, -500'000}}) {
    for (const bool quoted : {false, true}) {
      const std::string wire = quoted ? "\"" + std::string(one.wire) + "\"" : one.wire;
      EXPECT_EQ(fields(step_with("\"" + std::string(one.name) + "\":" + wire)).get(one.field), one.value)
          << one.name << " " << wire;
    }
  }
}

TEST(NativeDecoder, ReadsWordsOfClosedSetsAndTakesOthersForOther) {
  EXPECT_EQ(fields(R"({"type":"task.finished","outcome":"timed_out"})").outcome(), Outcome::timed_out);
  EXPECT_EQ(fields(R"({"type":"task.finished","outcome":"exploded"})").outcome(), Outcome::other);
  EXPECT_EQ(fields(R"({"type":"task.finished"})").outcome(), Outcome::absent);
  EXPECT_EQ(fields(R"({"type":"tool.call","authz":"refused_with_reason"})").authz(), Authz::refused_with_reason);
  EXPECT_EQ(fields(R"({"type":"tool.call","authz":"absent"})").authz(), Authz::none) << "said to be absent";
  EXPECT_EQ(fields(R"({"type":"tool.call"})").authz(), Authz::absent) << "not said";
  EXPECT_EQ(fields(step_with(R"("step_type":"surface")")).step_type(), StepType::surface);
}

TEST(NativeDecoder, AbsentIsNotZeroAndNotEmpty) {
  const EventFields& event =
      fields(step_with(R"("tokens_in":0,"model":"","agent":null,"cost_usd":null,"ttft_ms":"")"));
  EXPECT_EQ(event.get(NumberField::tokens_in), 0);
  EXPECT_FALSE(event.has(NumberField::tokens_out));
  EXPECT_FALSE(event.has(NumberField::cost));
  EXPECT_FALSE(event.has(NumberField::ttft));
  EXPECT_FALSE(event.has(StringField::model));
  EXPECT_FALSE(event.has(StringField::agent));
  EXPECT_FALSE(event.time);
}

TEST(NativeDecoder, ReadsTheBudgetAndTheReview) {
  const EventFields& event = fields(
      R"({"type":"task.started","budget":{"wall_clock_s":90.5,"tokens":"1000","cost_usd":2.5,"unknown":{"a":[1]}}})");
  EXPECT_EQ(event.get(NumberField::budget_wall_clock), 90'500'000);
  EXPECT_EQ(event.get(NumberField::budget_tokens), 1'000);
  EXPECT_EQ(event.get(NumberField::budget_cost), 2'500'000);
  EXPECT_EQ(fields(R"({"type":"review","accepted":true})").get(NumberField::accepted), 1);
  EXPECT_EQ(fields(R"({"type":"review","accepted":"false"})").get(NumberField::accepted), 0);
  EXPECT_FALSE(fields(R"({"type":"review","accepted":null})").has(NumberField::accepted));
}

TEST(NativeDecoder, ReadsTimesInEveryUnitAndForm) {
  // 2026-01-05T00:16:44.953Z, as far as each form can say it.
  const EventTime exact{Duration{1'767'572'204'953}};
  const EventTime second{Duration{1'767'572'204'000}};
  EXPECT_EQ(fields(step_with(R"("time":"2026-01-05T00:16:44.953Z")")).time, exact);
  EXPECT_EQ(fields(step_with(R"("time":"2026-01-05t01:16:44.953999+01:00")")).time, exact);
  EXPECT_EQ(fields(step_with(R"("time":1767572204)")).time, second);
  EXPECT_EQ(fields(step_with(R"("time":1767572204953)")).time, exact);
  EXPECT_EQ(fields(step_with(R"("time":1767572204953111)")).time, exact);
  EXPECT_EQ(fields(step_with(R"("time":1767572204953111222)")).time, exact);
  EXPECT_EQ(fields(step_with(R"("time":"1767572204953111222")")).time, exact) << "as JavaScript has to write it";
  EXPECT_EQ(fields(step_with(R"("time":1.767572204e9)")).time, second);
  EXPECT_EQ(
      fields(R"({"type":"task.finished","started_at":"2026-01-05T00:16:44.953Z"})").get(NumberField::started_at),
      1'767'572'204'953);
}

TEST(NativeDecoder, TheKeyIsTheCorrelationIdWhereTheRecordHasNone) {
  EXPECT_EQ(fields(step_with(R"("a":1)"), "task-7").get(StringField::correlation_id), "task-7");
  EXPECT_EQ(fields(step_with(R"("correlation_id":"own")"), "key").get(StringField::correlation_id), "own");
  EXPECT_EQ(fields(step_with(R"("correlation_id":"")"), "key").get(StringField::correlation_id), "key");
  EXPECT_FALSE(fields(step_with(R"("a":1)")).has(StringField::correlation_id));
  EXPECT_FALSE(fields(step_with(R"("a":1)"), std::string(1'025, 'k')).has(StringField::correlation_id));
}

TEST(NativeDecoder, EveryStringIsThereToBeScannedWithItsPlace) {
  const AgentEvent& event = read(
      R"({"type":"tool.call","tool":"t","arguments":{"k":["v"]},"content":"c","strange":{"deep":"u"},"authz":"weird"})",
      "key");
  std::string all;
  for (const TextPiece& piece : event.pieces) {
    const char* places[] = {"field", "key", "argument", "content", "unknown"};
    all += std::string(places[static_cast<int>(piece.place)]) + ":" +
           std::string(event.text.substr(piece.begin, piece.end - piece.begin)) + " ";
  }
  EXPECT_EQ(all, "field:t key:k argument:v content:c key:strange key:deep unknown:u unknown:weird field:key ");
}

TEST(NativeDecoder, VersionsAndIdsMayBeNumbers) {
  EXPECT_EQ(fields(step_with(R"("spec_version":1.4 ,"agent":"a")")).get(StringField::spec_version), "1.4");
  EXPECT_EQ(fields(step_with(R"("correlation_id":42)")).get(StringField::correlation_id), "42");
}

std::string nested(int levels) {  // objects and lists in all, with the outermost
  return R"({"type":"step","content":)" + std::string(static_cast<std::size_t>(levels - 1), '[') +
         std::string(static_cast<std::size_t>(levels - 1), ']') + "}";
}

TEST(NativeDecoder, LimitsHoldToTheLastLevelKeyAndByte) {
  EXPECT_EQ(refusal(nested(100)), "accepted");
  EXPECT_EQ(refusal(nested(101)), "too_deep");
  const auto keys = [](int count) {
    std::string json = R"({"type":"step")";
    for (int i = 1; i < count; ++i) json += ",\"k" + std::to_string(i) + "\":1";
    return json + "}";
  };
  EXPECT_EQ(refusal(keys(4'096)), "accepted");
  EXPECT_EQ(refusal(keys(4'097)), "too_many_keys");
  const std::string around = step_with(R"("content":"")");
  std::string full = around;
  full.insert(full.size() - 2, std::string((1 << 20) - around.size(), 'x'));
  EXPECT_EQ(full.size(), 1u << 20);
  EXPECT_EQ(refusal(full), "accepted");
  full.insert(full.size() - 2, "x");
  EXPECT_EQ(refusal(full), "too_large");
}

TEST(NativeDecoder, AByteOrderMarkIsPassedOver) {
  EXPECT_EQ(refusal("\xEF\xBB\xBF{\"type\":\"step\"}"), "accepted");
}

TEST(NativeDecoder, OfARepeatedKeyTheLastOneHolds) {
  const EventFields& event = fields(R"({"type":"step","agent":"a","agent":"b","tokens_in":1,"tokens_in":2})");
  EXPECT_EQ(event.get(StringField::agent), "b");
  EXPECT_EQ(event.get(NumberField::tokens_in), 2);
}

TEST(NativeDecoder, BadRecordsAreRefusedWithTheirReason) {
  struct Case {
    std::string record;
    const char* reason;
  };
  std::string many_keys = R"({"type":"step","content":{)";
  for (int i = 0; i < 100'000; ++i) many_keys += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":1";
  many_keys += "}}";
  const std::vector<Case> cases{
      {"", "empty"},
      {"\xEF\xBB\xBF", "empty"},
      {"   ", "empty"},
      {"null", "not_an_object"},
      {"true", "not_an_object"},
      {"42", "not_an_object"},
      {"\"text\"", "not_an_object"},
      {"[]", "not_an_object"},
      {"[{\"type\":\"step\"}]", "not_an_object"},
      {"{}", "no_type"},
      {R"({"agent":"a"})", "no_type"},
      {R"({"type":null})", "no_type"},
      {R"({"type":"unheard.of"})", "unknown_type"},
      {R"({"type":""})", "unknown_type"},
      {R"({"type":"Step"})", "unknown_type"},
      {R"({"type":7})", "wrong_type"},
      {R"({"type":["step"]})", "wrong_type"},
      {"{", "not_json"},
      {"{\"type\":\"step\"", "not_json"},
      {"{\"type\":\"step\",}", "not_json"},
      {"{\"type\" \"step\"}", "not_json"},
      {"{type:\"step\"}", "not_json"},
      {"{'type':'step'}", "not_json"},
      {"{\"type\":step}", "not_json"},
      {"{\"type\":\"step\" \"agent\":\"a\"}", "not_json"},
      {"{\"type\":\"step\",\"content\":[1,2}", "not_json"},
      {"{\"type\":\"step\",\"content\":nul}", "not_json"},
      {"{\"type\":\"step\",\"content\":tru}", "not_json"},
      {"{\"type\":\"step\",\"content\":NaN}", "not_json"},
      {"{\"type\":\"step\",\"content\":01}", "not_json"},
      {"{\"type\":\"step\",\"content\":\"unclosed}", "not_json"},
      {"{\"type\":\"step\",\"content\":\"a\nb\"}", "not_json"},
      {std::string("{\"type\":\"step\",\"content\":\"a\0b\"}", 32), "not_json"},
      {std::string("{\"type\":\"step\"}\0", 16), "not_json"},
      {std::string("\0{\"type\":\"step\"}", 16), "not_json"},
      {"{\"type\":\"step\"}{\"type\":\"step\"}", "trailing_data"},
      {"{\"type\":\"step\"} x", "not_json"},
      {"{\"type\":\"step\"},", "not_json"},
      {"{\"type\":\"step\",\"agent\":\"\xff\"}", "not_utf8"},
      {"{\"type\":\"step\",\"agent\":\"\xc3\"}", "not_utf8"},
      {"{\"type\":\"step\",\"agent\":\"\xed\xa0\x80\"}", "not_utf8"},
      {"{\"type\":\"step\",\"agent\":\"\xc0\xaf\"}", "not_utf8"},
      {"{\"type\":\"step\",\"\xff\":1}", "not_utf8"},
      {step_with(R"("time":"yesterday")"), "bad_time"},
      {step_with(R"("time":-5)"), "bad_time"},
      {step_with(R"("time":"2026-02-30T00:00:00Z")"), "bad_time"},
      {step_with(R"("time":"2026-01-05T00:00:00")"), "bad_time"},
      {step_with(R"("time":1e30)"), "bad_time"},
      {step_with(R"("time":"NaN")"), "bad_time"},
      {step_with(R"("time":true)"), "wrong_type"},
      {step_with(R"("tokens_in":"NaN")"), "wrong_type"},
      {step_with(R"("tokens_in":"Infinity")"), "wrong_type"},
      {step_with(R"("tokens_in":"12 tokens")"), "wrong_type"},
      {step_with(R"("tokens_in":true)"), "wrong_type"},
      {step_with(R"("tokens_in":[1])"), "wrong_type"},
      {step_with(R"("tokens_in":{})"), "wrong_type"},
      {step_with(R"("agent":true)"), "wrong_type"},
      {step_with(R"("agent":["a"])"), "wrong_type"},
      {step_with(R"("accepted":1)"), "wrong_type"},
      {step_with(R"("accepted":"yes")"), "wrong_type"},
      {step_with(R"("outcome":3)"), "wrong_type"},
      {step_with(R"("budget":5)"), "wrong_type"},
      {step_with(R"("budget":{"tokens":"many"})"), "wrong_type"},
      {step_with(R"("tokens_in":-1)"), "out_of_range"},
      {step_with(R"("tokens_in":18446744073709551616)"), "out_of_range"},
      {step_with("\"tokens_in\":1" + std::string(400, '0')), "out_of_range"},
      {step_with(R"("tokens_in":1e400)"), "out_of_range"},
      {step_with(R"("cost_usd":1e308)"), "out_of_range"},
      {step_with(R"("cost_usd":"1000000000.000001")"), "out_of_range"},
      {step_with(R"("cost_usd":-0.01)"), "out_of_range"},
      {R"({"type":"step","content":)" + std::string(5'000'000, '['), "too_large"},
      {R"({"type":"step","content":)" + std::string(500'000, '['), "not_json"},
      {R"({"type":"step","content":)" + std::string(500'000, '[') + std::string(500'000, ']') + "}", "too_deep"},
      {R"({"type":"step","content":)" + std::string(10 << 20, ' ') + "1}", "too_large"},
      {many_keys, many_keys.size() > (1u << 20) ? "too_large" : "too_many_keys"},
      {R"({"type":"step","content":[)" + std::string(20'000, '1').replace(1, 1, ",") + "]}", "not_json"},
  };
  EXPECT_GE(cases.size(), 40u);
  for (const Case& one : cases) {
    EXPECT_EQ(refusal(one.record), one.reason) << one.record.substr(0, 120);
  }
}

TEST(NativeDecoder, LoneSurrogatesAreReadAsReplacementCharacters) {
  EXPECT_EQ(fields(step_with(R"("agent":"a\ud800b")")).get(StringField::agent),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(fields(step_with(R"("agent":"a\u0000b")")).get(StringField::agent),
            "a\xef\xbf\xbd"
            "b")
      << "no NUL inside";
}

const std::string full_record =
    R"({"type":"tool.call","time":"2026-01-05T00:16:44.953Z","correlation_id":"task-1","agent":"s\u00fc\"p","tokens_in":12,)"
    R"("cost_usd":"0.5","arguments":{"list":[1,2.5,{"a":null}],"text":"x\\y"},"accepted":true,"budget":{"tokens":5},)"
    R"("content":["long enough to pass a block of sixteen bytes, and another one"],"authz":"passed"})";

TEST(NativeDecoder, CutShortAtAnyByteARecordIsRefusedAndNeverCrashes) {
  ASSERT_EQ(refusal(full_record), "accepted");
  NativeDecoder decoder;
  for (std::size_t size = 0; size < full_record.size(); ++size) {
    // On the heap and exactly as long, so that a sanitizer sees a read past the end.
    const std::vector<char> cut(full_record.begin(), full_record.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_FALSE(decoder.decode({cut.data(), cut.size()}).has_value()) << size;
  }
  EXPECT_TRUE(decoder.decode(full_record).has_value()) << "and the decoder is as good as before";
}

TEST(NativeDecoder, RandomChangesOfARecordNeverCrash) {
  for (const std::uint64_t seed : test::seeds(10)) {
    SCOPED_TRACE("TOCSIN_SEED=" + std::to_string(seed));
    test::Random random(seed);
    NativeDecoder decoder;
    for (int i = 0; i < 3'000; ++i) {
      std::string record = full_record;
      for (std::int64_t n = random.below(4) + 1; n > 0; --n) {
        const auto at = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(record.size())));
        if (random.below(3) == 0) {
          record.erase(at, 1);
        } else {
          record[at] = static_cast<char>(random.below(2) == 0 ? random.bits() : "{}[]\",:\\u0"[random.below(10)]);
        }
      }
      if (const auto decoded = decoder.decode(record, "key")) {
        for (const TextPiece& piece : decoded.value()->pieces) {
          ASSERT_LE(piece.begin, piece.end);
          ASSERT_LE(piece.end, decoded.value()->text.size());
        }
      }
    }
  }
}

TEST(NativeDecoder, NothingOfOneRecordIsLeftInTheNext) {
  NativeDecoder decoder;
  ASSERT_TRUE(decoder.decode(full_record).has_value());
  const auto next = decoder.decode(R"({"type":"step"})");
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next.value()->fields.strings_present, 0u);
  EXPECT_EQ(next.value()->fields.numbers_present, 0u);
  EXPECT_FALSE(next.value()->fields.time);
  EXPECT_TRUE(next.value()->pieces.empty());
  EXPECT_TRUE(next.value()->text.empty());
}

TEST(NativeDecoder, ReasonsAreShortFixedWordsWithNoByteOfAPayload) {
  for (std::size_t i = 0; i < decode_error_count; ++i) {
    const std::string_view name = name_of(static_cast<DecodeError>(i));
    EXPECT_FALSE(name.empty());
    EXPECT_LT(name.size(), 20u);
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789"), std::string_view::npos) << name;
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(name, name_of(static_cast<DecodeError>(j)));
  }
}

TEST(NativeDecoder, SteadyTrafficAllocatesNothing) {
  NativeDecoder decoder;
  const std::string small = step_with(R"("agent":"a")");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(decoder.decode(full_record, "key").has_value());
    ASSERT_FALSE(decoder.decode("{").has_value());
  }
  const std::size_t before = allocations;
  std::size_t good = 0;
  for (int i = 0; i < 1'000; ++i) {
    good += decoder.decode(full_record, "key").has_value() ? 1 : 0;
    good += decoder.decode(small, "key").has_value() ? 1 : 0;
    good += decoder.decode("{\"type\":", "key").has_value() ? 1 : 0;
  }
  EXPECT_EQ(allocations - before, 0u);
  EXPECT_EQ(good, 2'000u);
}

}  // namespace native_decoder_test
}  // namespace tocsin
