// What one event costs on its way through ingest, step by step, and what a series costs in evaluate.
//
// Everything in one process and run, beside other parsers of the same records: on a shared machine ratios say more
// than nanoseconds. The end of the output is a table of medians over passes; a pass is some 4,000 events. Cuts (the
// end of a 10 s slice) are timed apart: here a slice holds a tenth of a pass, on a busy partition a thousand passes.
//
// Every row checks its result against sums that another parser took from the records, and that events which find
// nothing allocate nothing. The exit status says whether all of them held.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <simdjson.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "allocations.h"
#include "app/shipped_files.h"
#include "base/hash.h"
#include "core/event/native_decoder.h"
#include "core/sanitize/event_sanitizer.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "traffic.h"

namespace tocsin {
namespace {

using namespace std::chrono_literals;

// Time that this thread ran: what others do on the machine is not counted, but for the caches they share.
struct Clock {
  using duration = std::chrono::nanoseconds;
  static duration now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
  }
};

constexpr std::chrono::microseconds between_records = 25ms;  // 400 records a slice
constexpr std::size_t many_agents = 7'000;                   // 20,000 series and more under the shipped rules

double nanoseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::nano>(duration).count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// One line of the table. All per event, but for the line of evaluate.
struct Row {
  std::string name;
  std::vector<double> passes;   // nanoseconds, cuts left out
  std::vector<double> overall;  // and with them
  std::string allocations = "-";
  std::string note;
};

std::vector<std::unique_ptr<Row>> rows;
bool all_held = true;

Row& row_named(const std::string& name) {
  for (const auto& row : rows) {
    if (row->name == name) return *row;
  }
  rows.push_back(std::make_unique<Row>());
  rows.back()->name = name;
  return *rows.back();
}

void require(bool holds, const Row& row, const std::string& what) {
  if (holds) return;
  all_held = false;
  fmt::print(stderr, "CHECK FAILED: {}: {}\n", row.name, what);
}

Fingerprinter fingerprinter() {
  static constexpr unsigned char key[] = {1, 2, 3, 4};
  return Fingerprinter(key);
}

std::shared_ptr<const PatternLibrary> patterns() {
  static const auto library = [] {
    Diagnostics diagnostics;
    return load_patterns(shipped_patterns(), diagnostics);
  }();
  return library;
}

std::shared_ptr<const RuleSet> rules(const std::string& more = {}) {
  std::vector<NamedText> files(shipped_rules().begin(), shipped_rules().end());
  files.insert(files.end(), shipped_demo_specs().begin(), shipped_demo_specs().end());
  if (!more.empty()) files.push_back({"more.yaml", more});
  Diagnostics diagnostics;
  auto set = load_rules(files, diagnostics);
  if (set == nullptr) fmt::print(stderr, "the rules do not load\n");
  return set;
}

// 1,000 rules as a platform team writes them: 20 for each of 50 agents, six of which are the demo's. Half of an
// agent's 20 add up something that no other rule does.
std::string thousand_rules() {
  std::vector<std::string> agents{"customer-support", "claims-intake",     "market-research",
                                  "code-maintainer",  "billing-assistant", "ops-triage"};
  while (agents.size() < 50) agents.push_back(fmt::format("agent-{:05}", agents.size()));
  struct Form {
    const char* from;
    const char* also;
    const char* value;
    const char* when;
  };
  constexpr Form forms[] = {
      {"step", "", "per_hour(cost)", "value > 50"},
      {"step", " && tokens_in > 20000", "count()", "value > 500"},
      {"step", " && model_tier == \"frontier\"", "sum(tokens_out)", "value > 1000000"},
      {"step", " && generation > 20s", "count()", "value > 100"},
      {"tool.call", "", "count()", "value > 5000"},
      {"tool.call", " && latency > 5s", "count()", "value > 100"},
      {"tool.call", " && has(error_type)", "count()", "value > 200"},
      {"task.finished", "", "ratio(outcome == \"errored\")", "value > 0.9 && hits >= 40"},
      {"task.finished", " && cost > 2.00", "count()", "value > 50"},
      {"task.finished", " && tokens_in > 100000", "count()", "value > 50"},
  };
  constexpr const char* windows[] = {"5m", "15m", "1h", "6h", "24h"};
  std::string text = "groups:\n- name: teams\n  defaults: {group_by: [env, agent], actions: [page]}\n  rules:\n";
  int number = 0;
  for (const std::string& agent : agents) {
    for (int copy = 0; copy < 2; ++copy) {
      for (const Form& form : forms) {
        text += fmt::format(
            "  - alert: Team{:04}\n    from: {}\n    where: agent == \"{}\"{}\n    value: {}\n    window: {}\n    "
            "when: {}\n",
            number, form.from, agent, form.also, form.value, windows[number % 5], form.when);
        ++number;
      }
    }
  }
  return text;
}

// What rules count within each task: calls by their arguments, calls by their tool, and money.
const std::string counting_rules = R"(
groups:
- name: counts
  rules:
  - {preset: tool_loop}
  - {alert: Retries, mode: task, from: tool.call, where: has(error_type), per: [tool], value: count(), when: value >= 20}
  - {alert: Dear, mode: task, from: step, value: sum(cost), window: 1h, when: value > 50}
)";

// The traffic of a row, or a reason to skip it.
Traffic* airline() {
  static Traffic traffic = Traffic::airline();
  return traffic.size() > 0 ? &traffic : nullptr;
}
Traffic* generated() {
  static Traffic traffic = Traffic::generated();
  return &traffic;
}

bool skipped(benchmark::State& state, const Traffic* traffic) {
  if (traffic != nullptr) return false;
  state.SkipWithError("skipped: no recorded runs at $TOCSIN_DATA or ../shared/data/airline/events.jsonl");
  return true;
}

void count_pass(benchmark::State& state, Row& row, const Traffic& traffic, double ns) {
  state.SetIterationTime(ns * 1e-9);
  row.passes.push_back(ns / static_cast<double>(traffic.size()));
}

void finish_row(benchmark::State& state, Row& row, const Traffic& traffic) {
  state.counters["ns_per_event"] = median(row.passes);
  row.note = fmt::format("{} bytes an event", traffic.bytes() / traffic.size());
}

// Runs `one(record)` over passes of `traffic`; after a first pass no event may allocate.
template <class One>
void each_record(benchmark::State& state, Row& row, Traffic& traffic, One one) {
  std::uint64_t taken = 0;
  std::int64_t events = 0;
  traffic.begin_pass(between_records);
  for (std::size_t i = 0; i < traffic.size(); ++i) one(traffic.record(i));
  for (auto _ : state) {
    traffic.begin_pass(between_records);
    const std::uint64_t before = allocations();
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < traffic.size(); ++i) one(traffic.record(i));
    const auto end = Clock::now();
    taken += allocations() - before;
    events += static_cast<std::int64_t>(traffic.size());
    count_pass(state, row, traffic, nanoseconds(end - begin));
  }
  row.allocations = fmt::format("{:.3f}", static_cast<double>(taken) / static_cast<double>(events));
  finish_row(state, row, traffic);
}

// --- References ---------------------------------------------------------------------------------------------

void read_bytes(benchmark::State& state, const std::string& name, Traffic* traffic) {
  if (skipped(state, traffic)) return;
  Row& row = row_named(name);
  std::vector<char> copy(NativeDecoder::max_record_bytes);
  each_record(state, row, *traffic, [&](const RawRecord& record) {
    std::memcpy(copy.data(), record.value.data(), record.value.size());
    benchmark::DoNotOptimize(hash64({copy.data(), record.value.size()}));
  });
}

void simdjson_dom(benchmark::State& state, const std::string& name, Traffic* traffic) {
  if (skipped(state, traffic)) return;
  Row& row = row_named(name);
  simdjson::dom::parser parser;
  std::int64_t tokens = 0, expected = 0;
  each_record(state, row, *traffic, [&](const RawRecord& record) {
    // From unpadded bytes, as records come: the parser copies them, and so does ours.
    const simdjson::dom::element event = parser.parse(record.value.data(), record.value.size(), true);
    std::int64_t in = 0;
    std::string_view type;
    if (event["type"].get(type) == simdjson::SUCCESS && type == "step" &&
        event["tokens_in"].get(in) == simdjson::SUCCESS) {
      tokens += in;
    }
  });
  expected = traffic->sums().tokens_in;
  require(expected > 0 && tokens > 0 && tokens % expected == 0, row, "tokens read");
}

void nlohmann_dom(benchmark::State& state, const std::string& name, Traffic* traffic) {
  if (skipped(state, traffic)) return;
  Row& row = row_named(name);
  each_record(state, row, *traffic,
              [&](const RawRecord& record) { benchmark::DoNotOptimize(nlohmann::json::parse(record.value).size()); });
}

// --- Decode and sanitize ------------------------------------------------------------------------------------

void decode(benchmark::State& state, const std::string& name, Traffic* traffic) {
  if (skipped(state, traffic)) return;
  Row& row = row_named(name);
  NativeDecoder decoder;
  TrafficSums sums;
  std::int64_t events = 0, refused = 0;
  each_record(state, row, *traffic, [&](const RawRecord& record) {
    const auto decoded = decoder.decode(record.value, record.key);
    if (!decoded) {
      ++refused;
      return;
    }
    ++events;
    const EventFields& fields = decoded.value()->fields;
    if (fields.type == EventType::step) {
      sums.tokens_in += fields.get_or(NumberField::tokens_in, 0);
      sums.tokens_out += fields.get_or(NumberField::tokens_out, 0);
      sums.cost += fields.get_or(NumberField::cost, 0);
    }
  });
  const std::int64_t passes = events / static_cast<std::int64_t>(traffic->size());
  require(refused == 0, row, "every record is read");
  require(sums.tokens_in == passes * traffic->sums().tokens_in, row, "tokens in");
  require(sums.tokens_out == passes * traffic->sums().tokens_out, row, "tokens out");
  require(sums.cost == passes * traffic->sums().cost, row, "cost");
  require(row.allocations == "0.000", row, "decoding allocates");
}

void sanitize(benchmark::State& state, const std::string& name, Traffic* traffic) {
  if (skipped(state, traffic)) return;
  Row& row = row_named(name);
  NativeDecoder decoder;
  EventSanitizer sanitizer(patterns(), fingerprinter());
  std::int64_t secrets = 0, personal = 0, unscanned = 0;
  each_record(state, row, *traffic, [&](const RawRecord& record) {
    const SanitizedEvent& event = sanitizer.sanitize(*decoder.decode(record.value, record.key).value());
    secrets += static_cast<std::int64_t>(event.findings().size());
    personal += event.redactions();
    unscanned += event.is_unscanned() ? 1 : 0;
  });
  require(secrets == 0 && unscanned == 0, row, "these records hold no secret and are all scanned");
  require(personal > 0, row, "the addresses in these records are found");
  // An id that by chance looks like a telephone number is redacted, which allocates: one in thousands.
  require(std::stod(row.allocations) < 0.01, row, "sanitizing allocates");
}

// --- The ingest stage ---------------------------------------------------------------------------------------

// A partition and its traffic; lives through all calls of its benchmark, which begins small and grows.
struct IngestRun {
  std::shared_ptr<const RuleSet> set;
  Traffic traffic;
  IngestPartition partition;
  IngestOutput out;
  EvaluatePartition* evaluate = nullptr;  // gets the blocks, off the clock, where it is there
  std::int64_t cell_cost = 0;             // what the blocks say was spent, to compare with what was fed
  std::int64_t fed = 0;
  std::int64_t passes = 0;

  IngestRun(std::shared_ptr<const RuleSet> rule_set, Traffic given)
      : set(std::move(rule_set)),
        traffic(std::move(given)),
        partition(IngestOptions{}, set, patterns(), fingerprinter()) {}

  struct PassCost {
    double events = 0;  // nanoseconds
    double cuts = 0;
    double evaluate = 0;
    int slices = 0;
    std::uint64_t allocations_of_events = 0;  // of those that cut nothing
    std::uint64_t allocations = 0;
  };

  void take_cuts(PassCost& cost) {
    for (Cut& cut : out.cuts) {
      for (const Cell& cell : cut.block.cells) {
        const Aggregate& aggregate = set->aggregates[cell.aggregate];
        if (aggregate.kind == Aggregate::Kind::sum && aggregate.number == NumberField::cost &&
            aggregate.where.always()) {
          cell_cost += cell.totals.sum;
        }
      }
      ++cost.slices;
      if (evaluate == nullptr) continue;
      static std::vector<AlertChange> changes;
      changes.clear();
      const auto begin = Clock::now();
      evaluate->apply(std::move(cut.block), changes);
      cost.evaluate += nanoseconds(Clock::now() - begin);
    }
    out.clear();
  }

  PassCost pass(std::chrono::microseconds every = between_records) {
    traffic.begin_pass(every);
    PassCost cost;
    std::size_t i = 0;
    while (i < traffic.size()) {
      std::uint64_t before = allocations();
      if (traffic.cuts(i)) {
        const auto begin = Clock::now();
        partition.apply(traffic.record(i++), out);
        cost.cuts += nanoseconds(Clock::now() - begin);
        cost.allocations += allocations() - before;
        take_cuts(cost);
        before = allocations();
      }
      const auto begin = Clock::now();
      for (; i < traffic.size() && !traffic.cuts(i); ++i) partition.apply(traffic.record(i), out);
      cost.events += nanoseconds(Clock::now() - begin);
      cost.allocations_of_events += allocations() - before;
    }
    cost.allocations += cost.allocations_of_events;
    take_cuts(cost);
    fed += static_cast<std::int64_t>(traffic.size());
    ++passes;
    return cost;
  }

  void close_all() {
    PassCost ignored;
    traffic.skip(15min);  // ended tasks are forgotten after ten
    partition.close_until(traffic.now(), out);
    take_cuts(ignored);
  }

  // Allocations of a pass inside one slice that has seen the same agents before: of events that move a task, and
  // of all others.
  struct SteadyAllocations {
    std::uint64_t moving = 0, moving_events = 0;
    std::uint64_t others = 0, other_events = 0;
  };
  SteadyAllocations steady_allocations() {
    const std::chrono::microseconds every{4'000'000 / static_cast<std::int64_t>(traffic.size())};
    SteadyAllocations found;
    // Slots are reused with their texts' memory: each grows until it has held the longest of them.
    constexpr int most_rounds = 60;
    for (int round = 0; round < most_rounds && (round == 0 || found.others > 0); ++round) {
      found = {};
      close_all();
      for (const bool again : {false, true}) {
        traffic.begin_pass(every, again);
        for (std::size_t i = 0; i < traffic.size(); ++i) {
          const std::uint64_t before = allocations();
          partition.apply(traffic.record(i), out);
          const std::uint64_t taken = allocations() - before;
          if (!again) continue;
          (traffic.moves_task(i) ? found.moving : found.others) += taken;
          ++(traffic.moves_task(i) ? found.moving_events : found.other_events);
        }
        fed += static_cast<std::int64_t>(traffic.size());
        ++passes;
      }
    }
    return found;
  }

  bool may_allocate = false;  // what rules count within tasks has memory of its own

  void check(Row& row) {
    const SteadyAllocations steady = steady_allocations();
    require(steady.others == 0 || may_allocate, row,
            fmt::format("{} allocations in {} events", steady.others, steady.other_events));
    row.allocations = fmt::format(
        "{:.3f} ({:.2f} of begin and end of a task)",
        static_cast<double>(steady.others) / static_cast<double>(steady.other_events),
        static_cast<double>(steady.moving) / static_cast<double>(std::max<std::uint64_t>(steady.moving_events, 1)));
    close_all();
    const StreamTotals& totals = partition.totals();
    const TrafficSums& sums = traffic.sums();
    require(totals.records == fed && totals.events == fed, row, "every record is an event");
    require(totals.duplicates == 0 && totals.all_dead_letters() == 0, row, "none is refused");
    require(totals.model_calls == passes * sums.model_calls, row, "model calls");
    require(totals.tool_calls == passes * sums.tool_calls, row, "tool calls");
    require(totals.tokens_in == passes * sums.tokens_in, row, "tokens in");
    require(totals.tokens_out == passes * sums.tokens_out, row, "tokens out");
    require(totals.cost == passes * sums.cost, row, "cost");
    require(totals.tasks == passes * sums.tasks, row, "tasks");
    require(cell_cost == totals.cost, row, "the blocks hold all cost");
  }
};

void measure(benchmark::State& state, Row& row, IngestRun& run) {
  double slices = 0, cut_ns = 0;
  std::uint64_t taken = 0, events = 0;
  for (auto _ : state) {
    const IngestRun::PassCost cost = run.pass();
    const auto size = static_cast<double>(run.traffic.size());
    count_pass(state, row, run.traffic, cost.events * size / (size - cost.slices));
    row.overall.push_back((cost.events + cost.cuts) / size);
    slices += cost.slices;
    cut_ns += cost.cuts;
    taken += cost.allocations;
    events += run.traffic.size();
  }
  run.check(row);
  finish_row(state, row, run.traffic);
  row.note += fmt::format("; a cut {:.1f} us; allocations with slices {:.3f}; {} groups", cut_ns / slices / 1e3,
                          static_cast<double>(taken) / static_cast<double>(events), run.partition.groups());
}

void ingest(benchmark::State& state, const std::string& name, Traffic* traffic, const std::string& more_rules) {
  if (skipped(state, traffic)) return;
  static std::map<std::string, std::unique_ptr<IngestRun>> runs;
  auto& run = runs[name];
  if (run == nullptr) {
    run = std::make_unique<IngestRun>(rules(more_rules), *traffic);
    run->may_allocate = more_rules == counting_rules;
    // Until ended tasks are forgotten as fast as new ones begin.
    while (run->traffic.now() - traffic->now() < 15min) run->pass();
  }
  measure(state, row_named(name), *run);
}

// --- Many agents, and the evaluate stage --------------------------------------------------------------------

// Every agent shows up once.
void show_all_agents(IngestRun& run) {
  const auto agents_a_pass = static_cast<std::size_t>(run.traffic.sums().tasks);
  for (std::size_t seen = 0; seen < many_agents; seen += agents_a_pass) run.pass();
}

IngestRun& many() {
  static const auto run = [] {
    auto made = std::make_unique<IngestRun>(rules(), *generated());
    made->traffic.use_agents(many_agents);
    show_all_agents(*made);
    show_all_agents(*made);
    return made;
  }();
  return *run;
}

void ingest_many_agents(benchmark::State& state, const std::string& name) {
  many().evaluate = nullptr;
  measure(state, row_named(name), many());
}

void evaluate_many_series(benchmark::State& state, const std::string& name) {
  Row& row = row_named(name);
  IngestRun& run = many();
  static const std::int64_t bytes_before = allocated_bytes();
  static const auto own = std::make_unique<EvaluatePartition>(EvaluateOptions{}, run.set);
  static std::int64_t bytes = 0;
  run.evaluate = own.get();
  if (own->series().used == 0) {
    show_all_agents(run);
    bytes = allocated_bytes() - bytes_before;  // ingest is in its steady state
  }
  double grids = 0, ns = 0;
  for (auto _ : state) {
    const IngestRun::PassCost cost = run.pass();
    const auto series = static_cast<double>(own->series().used);
    state.SetIterationTime(cost.evaluate * 1e-9);
    row.passes.push_back(cost.evaluate / cost.slices / series);
    grids += cost.slices;
    ns += cost.evaluate;
  }
  const SeriesUse use = own->series();
  std::int64_t seen = 0;
  for (const RuleSight& sight : own->sight()) seen += sight.live + sight.warming + sight.blind + sight.undeclared;
  require(use.used >= 20'000, row, fmt::format("{} series, not 20,000", use.used));
  require(seen >= static_cast<std::int64_t>(use.used) / 2, row, "the rules look at the groups");
  state.counters["ns_per_series"] = median(row.passes);
  row.allocations = "-";
  row.note = fmt::format(
      "a series and grid time; {} series, {:.2f} ms a grid time; {} bytes of history, {} of heap a series", use.used,
      ns / grids / 1e6, use.bytes / use.used, static_cast<std::size_t>(std::max<std::int64_t>(bytes, 0)) / use.used);
}

// ------------------------------------------------------------------------------------------------------------

void print_table() {
  const auto reference = [](const std::string& name) {
    for (const auto& row : rows) {
      if (row->name == name) return median(row->passes);
    }
    return 0.0;
  };
  fmt::print("\n{:<28}{:>8}{:>8}{:>9}{:>8}  {}\n", "", "ns", "least", "overall", "of DOM", "allocations; notes");
  for (const auto& row : rows) {
    if (row->passes.empty()) continue;
    const bool of_airline = row->name.starts_with("airline");
    const double dom = reference(of_airline ? "airline/simdjson_dom" : "generated/simdjson_dom");
    const double ns = median(row->passes);
    fmt::print("{:<28}{:>8.1f}{:>8.1f}{:>9}{:>8}  {}; {}\n", row->name, ns,
               *std::min_element(row->passes.begin(), row->passes.end()),
               row->overall.empty() ? "" : fmt::format("{:.1f}", median(row->overall)),
               dom > 0 && row->name != "evaluate" ? fmt::format("{:.2f}", ns / dom) : "", row->allocations,
               row->note);
  }
  fmt::print("{}\n", all_held ? "check ok" : "CHECK FAILED");
}

void add(const std::string& name, auto function, auto... given) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { function(state, name, given...); })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace tocsin

int main(int argument_count, char** arguments) {
  using namespace tocsin;
  benchmark::Initialize(&argument_count, arguments);
  if (benchmark::ReportUnrecognizedArguments(argument_count, arguments)) return 2;
  const std::string none;
  for (const auto& [set, traffic] : {std::pair{"airline/", airline()}, std::pair{"generated/", generated()}}) {
    const std::string prefix = set;
    add(prefix + "bytes", read_bytes, traffic);
    add(prefix + "simdjson_dom", simdjson_dom, traffic);
    add(prefix + "nlohmann", nlohmann_dom, traffic);
    add(prefix + "decode", decode, traffic);
    add(prefix + "decode_sanitize", sanitize, traffic);
    add(prefix + "ingest", ingest, traffic, none);
  }
  add("generated/ingest_counts", ingest, generated(), counting_rules);
  add("generated/ingest_1000_rules", ingest, generated(), thousand_rules());
  add("generated/ingest_20000_series", ingest_many_agents);
  add("evaluate", evaluate_many_series);
  benchmark::RunSpecifiedBenchmarks();
  print_table();
  return all_held ? 0 : 1;
}
