// What sanitizing costs: nanoseconds a byte on clean text, beside RE2::Set with patterns of the same kinds in the
// same run, and on text made to be costly. Each benchmark checks its result, so that none measures a scan that
// finds nothing because it is broken.

#include <benchmark/benchmark.h>
#include <re2/re2.h>
#include <re2/set.h>

#include <string>
#include <vector>

#include "app/shipped_files.h"
#include "core/sanitize/scanner.h"

namespace tocsin {
namespace {

std::shared_ptr<const PatternLibrary> shipped_library() {
  Diagnostics diagnostics;
  return load_patterns(shipped_patterns(), diagnostics);
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

std::string repeated(std::string_view text, std::size_t size) {
  std::string all;
  while (all.size() < size) all += text;
  all.resize(size);
  return all;
}

void per_byte(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
  state.counters["ns_per_byte"] = benchmark::Counter(static_cast<double>(state.iterations() * bytes) * 1e-9,
                                                     benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void scan_clean_event(benchmark::State& state) {
  Scanner scanner(shipped_library());
  const std::string event = clean_event();
  std::size_t found = 0;
  for (auto _ : state) found += scanner.scan(event).size();
  if (found != 0) state.SkipWithError("the clean event is not clean");
  per_byte(state, event.size());
}
BENCHMARK(scan_clean_event);

void re2_set_clean_event(benchmark::State& state) {
  re2::RE2::Set set(re2::RE2::Options(), re2::RE2::UNANCHORED);
  for (const char* pattern :
       {"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}", "gh[pousr]_[A-Za-z0-9]{36}", "github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        "xox[abprso]-(?:[0-9]{8,14}-){1,3}[A-Za-z0-9]{18,64}", "hooks\\.slack\\.com/services/T[A-Za-z0-9_]{8,12}",
        "[sr]k_(?:live|test)_[A-Za-z0-9]{14,99}", "sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,200}",
        "sk-ant-[a-z0-9]{5}-[A-Za-z0-9_-]{93}AA", "AIza[A-Za-z0-9_-]{35}", "-----BEGIN [A-Z ]*PRIVATE KEY",
        "eyJ[A-Za-z0-9_-]{10,}\\.[A-Za-z0-9_-]{8,}\\.",
        "(?i)(?:password|secret|token|api_key)[\"' ]*[:=\\x00]+[\"' ]*[a-z0-9]{16}",
        "[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}", "[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        "[0-9]{3}-[0-9]{2}-[0-9]{4}", "[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", "\\+[0-9][0-9 ().-]{8,}"}) {
    set.Add(pattern, nullptr);
  }
  set.Compile();
  const std::string event = clean_event();
  std::vector<int> hits;
  for (auto _ : state) benchmark::DoNotOptimize(set.Match(event, &hits));
  per_byte(state, event.size());
}
BENCHMARK(re2_set_clean_event);

// At most 50 ms a MiB, whatever it is.
void scan_costly_text(benchmark::State& state, std::string_view text) {
  Scanner scanner(shipped_library());
  const std::string buffer = repeated(text, 1 << 20);
  for (auto _ : state) benchmark::DoNotOptimize(scanner.scan(buffer).size());
  state.SetLabel(scanner.last_scan_was_cut() ? "cut" : "read to its end");
  per_byte(state, buffer.size());
}
BENCHMARK_CAPTURE(scan_costly_text, keywords, "ghp_ AKIA sk-ant- xoxb-1 password= secret: eyJ token=a -----BEGIN ")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scan_costly_text, addresses, "aaaa@aaaa@")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scan_costly_text, true_addresses, "a@b.co ")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scan_costly_text, digits, "4111 1111 4111-1111 ")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scan_costly_text, digit_run, "41111111111111111111")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scan_costly_text, webhooks, "hooks.slack.com/services/T0000000")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scan_costly_text, key_headers, "-----BEGIN PRIVATE KEY-----")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scan_costly_text, base64, "V+X0w8B8yW9XUQTw/m9za5P9IgWcH1z7+YCR+baxxxFPdAy2bw9vYnQQ9BIXkGZE/")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(scan_costly_text, key_pairs, "AKIAODZDOCIS2JHTLGMX C87Q+sexwkcVNVAc+hva9FrLhJ/r59ehi+w8BYy8 ")
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tocsin

BENCHMARK_MAIN();
