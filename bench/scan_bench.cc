// What scanning costs: nanoseconds a byte on clean text, on recorded runs, on text dense with keywords and on text
// made to be costly; beside an RE2::Set of the same patterns and beside one RE2 after another, in one run.
//
// Each pattern goes into RE2 as what it says of form: its regex, behind its keyword or its vendor's name where that
// is what leads to it; and for a shape that code recognizes a regex of that form. Checksums, entropy and boundaries,
// which RE2 cannot judge, are left out: it has less to do than the scanner, and an RE2::Set says only which patterns
// hit, not where. Everything reads its text once before the clock runs, as RE2 builds its automata while it reads:
// text that is new costs it more.
//
// Each benchmark checks its result, so that none measures a scan that finds nothing because it is broken. The end of
// the output is a table; the exit status says whether all checks held.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/set.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/shipped_files.h"
#include "core/event/native_decoder.h"
#include "core/sanitize/matcher.h"
#include "core/sanitize/scanner.h"
#include "traffic.h"

namespace tocsin {
namespace {

bool all_held = true;

void require(bool holds, const std::string& what) {
  if (holds) return;
  all_held = false;
  fmt::print(stderr, "CHECK FAILED: {}\n", what);
}

const std::shared_ptr<const PatternLibrary>& shipped_library() {
  static const std::shared_ptr<const PatternLibrary> library = [] {
    Diagnostics diagnostics;
    return load_patterns(shipped_patterns(), diagnostics);
  }();
  return library;
}

// An event as ingest hands it over: about 600 bytes of keys and values, joined by '\0'.
std::string clean_event() {
  std::string event;
  for (const char* piece :
       {"type",
        "tool.call",
        "time",
        "2026-01-05T00:17:04.482011Z",
        "agent",
        "airline-support",
        "agent_version",
        "2.3.0",
        "spec",
        "airline-policy",
        "spec_version",
        "1.4",
        "env",
        "prod",
        "correlation_id",
        "86eef3b3c099d0d2edc2751c335def2d",
        "session_id",
        "s-c69f066fa8c6",
        "tokens_in",
        "1746",
        "tokens_out",
        "11",
        "max_tokens",
        "4096",
        "tool",
        "get_user_details",
        "call_id",
        "call_oIHazX6yQrB8hUwl4cRilFKj",
        "authz",
        "passed",
        "latency_ms",
        "185.48",
        "side_effect",
        "read",
        "output",
        "{\"reservation\": \"ZFA04Y\", \"flights\": [{\"number\": \"HAT268\", \"date\": \"2026-05-12\", \"price\": "
        "152.99}], \"cabin\": \"economy\"} Your flight has been booked; the total of $305.98 was charged to the card "
        "on file. Is there anything else that I can help you with today?"}) {
    event += piece;
    event += '\0';
  }
  return event;
}

// What a model says to a person.
constexpr std::string_view clean_text =
    "I have looked at the booking and at the fare rules that apply to it. A change of the return flight is possible "
    "until two hours before departure, and the difference in fare would be charged to the card on file. Shall I go "
    "ahead with the morning connection by way of Denver, or would you rather keep the evening flight and take a "
    "window seat instead? Baggage stays as it was booked: two pieces in the hold and one on board. ";

std::string repeated(std::string_view text, std::size_t size) {
  std::string all;
  while (all.size() < size) all += text;
  all.resize(size);
  return all;
}

// --- The patterns in RE2's language ------------------------------------------------------------------------------

std::string any_of(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : "|") + re2::RE2::QuoteMeta(word);
  return "(?i:" + all + ")";
}

// What stands between a name and its value: the rest of the name, quotes, a colon or an equals sign, or the end of
// the string that is the name.
constexpr const char* assigned = "[A-Za-z0-9_.-]{0,24}[\"' ]{0,3}[:=\\x00][:=> \"']{0,6}";

std::string value_of(const CompiledPattern& pattern) {
  if (!pattern.regex.empty()) return "(?:" + pattern.regex.text() + ")";
  switch (pattern.check) {
    case Check::password_value:
      return "[!-~]{6,64}";
    case Check::person_name:
      return "[A-Za-z\\x80-\\xff .'-]{2,64}";
    default:
      return "[!-~]{16,256}";
  }
}

std::string form_of(const CompiledPattern& pattern, const std::vector<std::string>& keywords,
                    const std::vector<std::string>& words_for_keys) {
  switch (pattern.shape) {
    case Shape::regex:
      return pattern.regex.text();
    case Shape::assignment:
      return any_of(keywords) + assigned + value_of(pattern);
    case Shape::named:
      return any_of(pattern.names) + "[^\\x00]{0,80}?" + any_of(words_for_keys) + assigned + value_of(pattern);
    case Shape::email:
      return "[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}";
    case Shape::card:
      return "[0-9](?:[ -]?[0-9]){12,18}";
    case Shape::ssn:
      return "[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4}";
    case Shape::itin:
      return "9[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{4}";
    case Shape::iban:
      return "[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}";
    case Shape::phone:
      return "\\+[0-9][0-9 ().-]{8,}|[0-9]{3}[-. ][0-9]{3}[-. ][0-9]{4}";
    case Shape::ip:
      return "(?:[0-9]{1,3}\\.){3}[0-9]{1,3}|(?:[0-9A-Fa-f]{1,4}:){2,7}[0-9A-Fa-f:]+";
  }
  return {};
}

const std::vector<std::string>& forms() {
  static const std::vector<std::string> all = [] {
    const Matcher& matcher = shipped_library()->matcher();
    std::map<std::uint16_t, std::vector<std::string>> keywords;
    for (const Keyword& keyword : matcher.gate().keywords()) {
      for (const std::uint16_t pattern : keyword.patterns) keywords[pattern].push_back(keyword.text);
    }
    std::vector<std::string> words_for_keys;  // only the first pattern that is known by a name has them
    for (std::size_t i = 0; i < matcher.size() && words_for_keys.empty(); ++i) {
      const auto index = static_cast<std::uint16_t>(i);
      if (matcher.pattern(index).shape == Shape::named) words_for_keys = keywords[index];
    }
    std::vector<std::string> made;
    for (std::size_t i = 0; i < matcher.size(); ++i) {
      const auto index = static_cast<std::uint16_t>(i);
      made.push_back(form_of(matcher.pattern(index), keywords[index], words_for_keys));
    }
    return made;
  }();
  return all;
}

re2::RE2::Options options(std::int64_t most_memory) {
  re2::RE2::Options made;
  made.set_encoding(re2::RE2::Options::EncodingLatin1);  // as the library's own
  made.set_never_capture(true);
  made.set_log_errors(false);
  made.set_max_mem(most_memory);
  return made;
}

// All patterns in one automaton, built while it reads.
const re2::RE2::Set& set_of_all() {
  constexpr std::int64_t most_memory = std::int64_t{2} << 30;
  static const auto set = [] {
    auto made = std::make_unique<re2::RE2::Set>(options(most_memory), re2::RE2::UNANCHORED);
    for (const std::string& form : forms()) {
      std::string problem;
      require(made->Add(form, &problem) >= 0, "RE2::Set takes each pattern: " + problem);
    }
    require(made->Compile(), "RE2::Set compiles");
    return made;
  }();
  return *set;
}

const std::vector<std::unique_ptr<re2::RE2>>& one_by_one() {
  constexpr std::int64_t most_memory = 8 << 20;  // each; RE2's default
  static const auto all = [] {
    std::vector<std::unique_ptr<re2::RE2>> made;
    for (const std::string& form : forms()) {
      made.push_back(std::make_unique<re2::RE2>(form, options(most_memory)));
      require(made.back()->ok(), "RE2 takes each pattern: " + made.back()->error());
    }
    return made;
  }();
  return all;
}

// --- Texts -------------------------------------------------------------------------------------------------------

using Texts = std::vector<std::string>;  // each is scanned by itself

// The strings of the recorded runs' events, as ingest scans them.
Texts airline_texts() {
  constexpr std::size_t enough = 512 * 1024;
  static const Traffic traffic = Traffic::airline();
  Texts texts;
  NativeDecoder decoder;
  std::size_t bytes = 0;
  // From all over the file: events of one run are alike.
  const std::size_t step = std::max<std::size_t>(1, traffic.bytes() / enough);
  for (std::size_t i = 0; i < traffic.size() && bytes < enough; i += step) {
    const auto event = decoder.decode(traffic.record(i).value, traffic.record(i).key);
    if (!event) continue;
    texts.emplace_back(event.value()->text);
    bytes += texts.back().size();
  }
  return texts;
}

// Every keyword of the library once, with nothing behind it that a pattern would take.
std::string all_keywords() {
  std::string text;
  for (const Keyword& keyword : shipped_library()->matcher().gate().keywords()) text += keyword.text + " ";
  return text;
}

struct Corpus {
  const char* name;
  Texts texts;
  bool is_costly = false;  // made to be: its text is repeated to a MiB for the scanner, and much less is read by RE2

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const std::string& text : texts) sum += text.size();
    return sum;
  }
};

// --- Measuring ---------------------------------------------------------------------------------------------------

constexpr std::array<const char*, 3> ways{"scanner", "RE2::Set", "one by one"};

struct Row {
  std::array<double, ways.size()> ns_per_byte{};  // 0: not measured
  std::array<std::string, ways.size()> notes;
};
std::map<std::string, Row> rows;
std::vector<std::string> order;

void note(benchmark::State& state, const Corpus& corpus, std::size_t way, std::size_t bytes, double seconds,
          const std::string& label) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
  const double ns = seconds * 1e9 / (static_cast<double>(state.iterations()) * static_cast<double>(bytes));
  state.counters["ns_per_byte"] = ns;
  state.SetLabel(label);
  if (std::find(order.begin(), order.end(), corpus.name) == order.end()) order.emplace_back(corpus.name);
  Row& row = rows[corpus.name];
  row.ns_per_byte[way] = ns;
  row.notes[way] = label;
}

// That this thread ran: what others do on the machine is not counted.
double seconds_so_far() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

template <class Scan>
double seconds_of(benchmark::State& state, Scan scan) {
  scan();
  double seconds = 0;
  for (auto _ : state) {
    const double begin = seconds_so_far();
    scan();
    const double taken = seconds_so_far() - begin;
    state.SetIterationTime(taken);
    seconds += taken;
  }
  return seconds;
}

void by_scanner(benchmark::State& state, const Corpus& corpus) {
  Scanner scanner(shipped_library());
  std::size_t found = 0;
  bool was_cut = false;
  const double seconds = seconds_of(state, [&] {
    found = 0;
    for (const std::string& text : corpus.texts) {
      found += scanner.scan(text).size();
      was_cut = was_cut || scanner.last_scan_was_cut();
    }
  });
  // At most 50 ms a MiB, whatever it is: what is left out then is said to be.
  require(!was_cut || corpus.is_costly, std::string(corpus.name) + " is read to its end");
  note(state, corpus, 0, corpus.bytes(), seconds, was_cut ? "cut" : fmt::format("{} found", found));
}

// As much as is read in a moment at some microseconds a byte, from the beginning.
Texts first_of(const Corpus& corpus, std::size_t most) {
  Texts texts;
  std::size_t bytes = 0;
  for (const std::string& text : corpus.texts) {
    if (bytes >= most) break;
    texts.push_back(text.substr(0, most - bytes));
    bytes += texts.back().size();
  }
  return texts;
}

void by_set(benchmark::State& state, const Corpus& corpus) {
  constexpr std::size_t most = 256 * 1024;
  const Texts texts = first_of(corpus, corpus.is_costly ? 16 * 1024 : most);
  const re2::RE2::Set& set = set_of_all();
  std::size_t bytes = 0, hits = 0;
  bool has_failed = false;
  std::vector<int> matched;
  const auto read = [&] {
    bytes = hits = 0;
    for (const std::string& text : texts) {
      re2::RE2::Set::ErrorInfo error{re2::RE2::Set::kNoError};
      hits += set.Match(text, &matched, &error) ? matched.size() : 0;
      has_failed = has_failed || error.kind != re2::RE2::Set::kNoError;
      bytes += text.size();
    }
  };
  const double seconds = seconds_of(state, read);
  note(state, corpus, 1, bytes, seconds, has_failed ? "out of memory" : fmt::format("{} patterns hit", hits));
}

void by_one_by_one(benchmark::State& state, const Corpus& corpus) {
  const Texts texts = first_of(corpus, corpus.is_costly ? 1024 : 4096);
  const auto& all = one_by_one();
  std::size_t bytes = 0, hits = 0;
  const auto read = [&] {
    bytes = hits = 0;
    for (const std::string& text : texts) {
      for (const auto& regex : all) hits += re2::RE2::PartialMatch(text, *regex) ? 1 : 0;
      bytes += text.size();
    }
  };
  const double seconds = seconds_of(state, read);
  note(state, corpus, 2, bytes, seconds, fmt::format("{} patterns hit", hits));
}

// A key that all three must find, so that none is fast because it finds nothing.
void check_all_find() {
  const std::string text = "id AKIAODZDOCIS2JHTLGMX of a key, and write to somebody@example.com";
  Scanner scanner(shipped_library());
  require(scanner.scan(text).size() == 2, "the scanner finds a key and an address");
  std::vector<int> matched;
  require(set_of_all().Match(text, &matched) && matched.size() >= 2, "the set finds a key and an address");
  const auto& all = one_by_one();
  require(std::count_if(all.begin(), all.end(),
                        [&](const auto& regex) { return re2::RE2::PartialMatch(text, *regex); }) ==
              static_cast<std::ptrdiff_t>(matched.size()),
          "one by one the same patterns hit as in the set");
  require(scanner.scan(clean_event()).empty(), "the clean event is clean");
}

void print_table() {
  fmt::print("\n{} patterns; nanoseconds a byte\n{:<18}{:>10}{:>12}{:>14}{:>11}{:>13}  {}\n", forms().size(), "",
             ways[0], ways[1], ways[2], "Set/ours", "single/ours", "what the scanner says");
  for (const std::string& name : order) {
    const Row& row = rows[name];
    const auto& ns = row.ns_per_byte;
    const auto figure = [](double value) { return value > 0 ? fmt::format("{:.2f}", value) : std::string("-"); };
    const auto ratio = [&](std::size_t way) {
      return ns[0] > 0 && ns[way] > 0 ? fmt::format("{:.1f}", ns[way] / ns[0]) : std::string("-");
    };
    fmt::print("{:<18}{:>10}{:>12}{:>14}{:>11}{:>13}  {}{}\n", name, figure(ns[0]), figure(ns[1]), figure(ns[2]),
               ratio(1), ratio(2), row.notes[0], row.notes[1] == "out of memory" ? "; RE2::Set out of memory" : "");
  }
  fmt::print("{}\n", all_held ? "check ok" : "CHECK FAILED");
}

std::vector<Corpus> corpora() {
  constexpr std::size_t mebibyte = 1 << 20;
  const auto costly = [](const char* name, std::string_view text) {
    return Corpus{name, {repeated(text, mebibyte)}, true};
  };
  std::vector<Corpus> all;
  all.push_back({"clean event", Texts(500, clean_event())});  // one is over before a clock is asked
  all.push_back({"clean text", Texts(100, repeated(clean_text, 4096))});
  all.push_back({"airline events", airline_texts()});
  all.push_back({"all keywords", {repeated(all_keywords(), 64 * 1024)}, true});
  all.push_back(costly("keywords", "ghp_ AKIA sk-ant- xoxb-1 password= secret: eyJ token=a -----BEGIN "));
  all.push_back(costly("addresses", "aaaa@aaaa@"));
  all.push_back(costly("true addresses", "a@b.co "));
  all.push_back(costly("digits", "4111 1111 4111-1111 "));
  all.push_back(costly("digit run", "41111111111111111111"));
  all.push_back(costly("webhooks", "hooks.slack.com/services/T0000000"));
  all.push_back(costly("key headers", "-----BEGIN PRIVATE KEY-----"));
  all.push_back(costly("base64", "V+X0w8B8yW9XUQTw/m9za5P9IgWcH1z7+YCR+baxxxFPdAy2bw9vYnQQ9BIXkGZE/"));
  all.push_back(costly("key pairs", "AKIAODZDOCIS2JHTLGMX C87Q+sexwkcVNVAc+hva9FrLhJ/r59ehi+w8BYy8 "));
  return all;
}

}  // namespace
}  // namespace tocsin

int main(int argument_count, char** arguments) {
  using namespace tocsin;
  benchmark::Initialize(&argument_count, arguments);
  if (benchmark::ReportUnrecognizedArguments(argument_count, arguments)) return 2;
  check_all_find();
  const std::vector<Corpus> all = corpora();
  constexpr std::array functions{by_scanner, by_set, by_one_by_one};
  for (const Corpus& corpus : all) {
    if (corpus.texts.empty()) continue;  // no recorded runs here
    for (std::size_t way = 0; way < ways.size(); ++way) {
      benchmark::RegisterBenchmark(fmt::format("{}/{}", corpus.name, ways[way]).c_str(),
                                   [&corpus, run = functions[way]](benchmark::State& state) { run(state, corpus); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  print_table();
  return all_held ? 0 : 1;
}
