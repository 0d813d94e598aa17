#include <algorithm>
#include <charconv>

#include "app/rule_test/rule_test.h"
#include "base/time_text.h"
#include "core/event/event_fields.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr Duration longest_test = 31 * 24h;
constexpr std::int64_t most_events = 2'000'000;

// Words of a line; what stands in quotes is one, with its quotes: a="b c".
std::vector<std::pair<std::string, std::uint32_t>> words_of(const std::string& line) {
  std::vector<std::pair<std::string, std::uint32_t>> words;
  bool is_quoted = false;
  bool is_open = false;
  for (std::uint32_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == ' ' && !is_quoted) {
      is_open = false;
      continue;
    }
    if (!is_open) words.emplace_back(std::string{}, i);
    is_open = true;
    if (c == '"' && (i == 0 || line[i - 1] != '\\')) is_quoted = !is_quoted;
    words.back().first += c;
  }
  return words;
}

class TestLoader {
 public:
  TestLoader(const NamedText& file, Diagnostics& diagnostics) : file_(file.file), diagnostics_(diagnostics) {}

  RuleTest load(const YamlNode& node) {
    RuleTest test;
    test.position = node.at;
    YamlReader reader(node, file_, "test", diagnostics_);
    if (!reader.is_map()) return test;
    reader.require("name");
    reader.require("input");
    reader.require("expect");
    test.name = reader.text("name").value_or("");
    test.alerts = reader.texts("alerts").value_or(std::vector<std::string>{});
    test.rules = reader.texts("rules").value_or(std::vector<std::string>{});
    test.start = as_record_time(*parse_rfc3339("2026-01-05T00:00:00Z"));
    if (const auto start = reader.text("start")) {
      const auto time = parse_rfc3339(*start);
      if (!time)
        reader.error(*reader.find("start"), "bad-time", "a time such as 2026-01-05T09:00:00+01:00 is needed here");
      if (time) test.start = floor_to(as_record_time(*time), 10s);
    }
    if (const auto mode = reader.choice("halts", {"enforce", "dry_run"})) test.enforce_halts = *mode == 0;
    if (const YamlNode* input = list(reader, "input")) {
      for (const YamlNode& line : input->items) load_input(line, test);
    }
    if (const YamlNode* expect = list(reader, "expect")) {
      for (const YamlNode& one : expect->items) load_expectation(one, test);
      if (expect->items.empty()) {
        reader.error(*expect, "empty-test",
                     "a test without an expectation cannot fail; write {quiet: true} for silence");
      }
    }
    std::int64_t events = 0;
    for (const TestInput& one : test.input) events += one.every > 0s ? one.length / one.every : 1;
    if (events > most_events) reader.error_here("too-many", "the input makes more than 2,000,000 events");
    return test;
  }

 private:
  static const YamlNode* list(YamlReader& reader, std::string_view key) {
    const YamlNode* node = reader.find(key);
    if (node == nullptr || node->is_list()) return node;
    reader.error(*node, "wrong-type", "'" + std::string(key) + "' must be a list");
    return nullptr;
  }

  void error(SourcePosition at, std::string_view code, std::string message) {
    diagnostics_.error(file_, at, code, std::move(message));
  }

  std::optional<Duration> duration(const YamlNode& node, std::string_view text, std::uint32_t offset = 0) {
    const auto length = text == "0" ? std::optional(Duration{}) : parse_duration(text);
    const SourcePosition at = position_in(node, offset);
    if (!length || *length < 0s || *length > longest_test) {
      error(at, "bad-duration", "a time after the start is needed here, such as 90s, 2h or 1h30m, up to 31d");
      return std::nullopt;
    }
    return length;
  }

  void load_input(const YamlNode& node, RuleTest& test) {
    TestInput input;
    input.position = node.at;
    if (node.is_map()) {
      YamlReader reader(node, file_, "input", diagnostics_);
      reader.require("events");
      input.kind = TestInput::Kind::file;
      input.file = reader.text("events").value_or("");
      test.input.push_back(std::move(input));
      return;
    }
    auto words = words_of(node.scalar);
    const auto at_word = [&](std::size_t i) { return position_in(node, words[i].second); };
    std::size_t next = 0;
    const auto take_duration = [&](const char* word, Duration& out) {
      if (next + 1 >= words.size() || words[next].first != word) return false;
      if (const auto length = duration(node, words[next + 1].first, words[next + 1].second)) out = *length;
      next += 2;
      return true;
    };
    take_duration("at", input.at);
    if (next == words.size())
      return error(node.at, "empty-input", "an event is needed here, such as step agent=a cost_usd=0.1");
    std::vector<std::string_view> known{"task", "restart"};
    for (std::size_t i = 0; i < event_type_count; ++i) known.push_back(name_of(static_cast<EventType>(i)));
    input.type = words[next].first;
    if (std::find(known.begin(), known.end(), input.type) == known.end()) {
      return error(at_word(next), "unknown-event",
                   "'" + input.type + "' is no event" + did_you_mean(input.type, known));
    }
    if (input.type == "task") input.kind = TestInput::Kind::task;
    if (input.type == "restart") input.kind = TestInput::Kind::restart;
    for (++next; next < words.size();) {
      if (take_duration("every", input.every)) continue;
      if (take_duration("for", input.length)) continue;
      const std::string& word = words[next].first;
      const std::size_t equals = word.find('=');
      if (equals == 0 || equals == std::string::npos || input.kind == TestInput::Kind::restart) {
        return error(at_word(next), "bad-input",
                     "FIELD=VALUE, `every D` or `for D` is needed here, not '" + word + "'");
      }
      input.fields.emplace_back(word.substr(0, equals), word.substr(equals + 1));
      ++next;
    }
    if ((input.every > 0s) != (input.length > 0s)) {
      return error(node.at, "bad-input", "`every D` and `for D` go together: step agent=a every 10s for 2h");
    }
    test.input.push_back(std::move(input));
  }

  std::optional<TimeRange> range(YamlReader& reader, std::string_view key) {
    const auto text = reader.text(key);
    if (!text) return std::nullopt;
    const YamlNode& node = *reader.find(key);
    const std::size_t dots = text->find("..");
    const auto from = duration(node, std::string_view(*text).substr(0, dots));
    const auto to = dots == std::string::npos ? from
                                              : duration(node, std::string_view(*text).substr(dots + 2),
                                                         static_cast<std::uint32_t>(dots) + 2);
    if (!from || !to) return std::nullopt;
    if (*from > *to) reader.error(node, "bad-range", "a range runs from the earlier time to the later, as 10m..20m");
    return TimeRange{*from, *to};
  }

  ExpectedAlert alert_of(YamlReader& reader) {
    ExpectedAlert alert;
    alert.alert = reader.text("alert").value_or("");
    alert.labels = reader.text_map("labels").value_or(decltype(alert.labels){});
    alert.annotations = reader.text_map("annotations").value_or(decltype(alert.annotations){});
    alert.value = reader.number("value", -1e15, 1e15);
    alert.baseline = reader.number("baseline", -1e15, 1e15);
    alert.samples = reader.integer("samples", 0, 1'000'000'000);
    return alert;
  }

  void load_expectation(const YamlNode& node, RuleTest& test) {
    TestExpectation expected;
    expected.position = node.at;
    YamlReader reader(node, file_, "test's expectation", diagnostics_);
    if (!reader.is_map()) return;
    if (reader.find("firing") != nullptr) {
      expected.kind = TestExpectation::Kind::firing;
      reader.require("at");
      if (const auto at = range(reader, "at")) expected.at = at->to;
      if (const YamlNode* all = list(reader, "firing")) {
        for (const YamlNode& item : all->items) {
          ExpectedAlert alert;
          alert.alert = item.scalar;
          if (item.is_map()) {
            YamlReader inner(item, file_, "alert", diagnostics_);
            inner.require("alert");
            alert = alert_of(inner);
          }
          expected.all.push_back(std::move(alert));
        }
      }
    } else if (reader.find("alert") != nullptr) {
      expected.alert = alert_of(reader);
      expected.fires = range(reader, "fires");
      expected.resolves = range(reader, "resolves");
      reader.require("fires");
    } else if (reader.find("halt") != nullptr) {
      expected.kind = TestExpectation::Kind::halt;
      expected.scope = reader.text("halt").value_or("");
      expected.fires = range(reader, "at");
    } else if (reader.find("pages") != nullptr) {
      expected.kind = TestExpectation::Kind::pages;
      expected.pages = reader.integer("pages", 0, 1'000'000).value_or(0);
    } else if (reader.find("quiet") != nullptr) {
      expected.kind = TestExpectation::Kind::quiet;
      if (reader.find("quiet")->scalar == "true")
        expected.fires = TimeRange{0s, longest_test};
      else
        expected.fires = range(reader, "quiet");
    } else {
      reader.error_here(
          "bad-expectation",
          "one of 'alert' with 'fires', 'at' with 'firing', 'halt', 'pages' and 'quiet' is needed here");
      for (const YamlNode& key : node.keys) reader.find(key.scalar);
      return;
    }
    test.expect.push_back(std::move(expected));
  }

  std::string file_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::vector<RuleTest> load_rule_tests(const NamedText& file, Diagnostics& diagnostics) {
  std::vector<RuleTest> tests;
  const auto root = parse_yaml(file, diagnostics);
  if (!root) return tests;
  const YamlNode* const list = root->find("tests");
  if (list == nullptr || !list->is_list()) {
    diagnostics.error(file.file, {1, 1}, "no-tests", "a test file has the key 'tests' with a list of tests");
    return tests;
  }
  TestLoader loader(file, diagnostics);
  for (const YamlNode& node : list->items) tests.push_back(loader.load(node));
  return tests;
}

}  // namespace tocsin
