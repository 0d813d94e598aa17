// What many rules cost: sets of 10, 100, 1,000 and 10,000 of them, fed the same events in turns in one process.
//
// The sets are as fleets have them: the rules that ship; two in a hundred about all agents, with thresholds, windows
// and environments of their own over sums that many share; the others about one agent each, some twenty an agent and
// half of them over a sum that the agent's others do not have. There are 500 agents in the traffic, whatever the set,
// so that the largest has rules about all of them. A last set is one that nobody has: 200 rules, each of which adds
// up something else over every agent's calls.
//
// Each round feeds every set one whole slice (100,000 events, 10,000 a second), its cut included, and then lets the
// evaluate stage look at it. The table has medians over rounds. The exit status says whether all sets counted the
// same events, and whether 10,000 rules cost at most a tenth (a quarter, in the few rounds of a test run) of the
// throughput that 10 have.

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "allocations.h"
#include "app/shipped_files.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"
#include "traffic.h"

namespace tocsin {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t agent_count = 500;
constexpr std::chrono::microseconds between_records = 100us;
constexpr double events_a_slice = 100'000;
constexpr int passes_a_slice = 26;  // somewhat more
constexpr int rules_an_agent = 20;

// Time that this thread ran: what others do on the machine is not counted, but for the caches they share.
double now_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Form {
  std::string_view from;
  std::string_view where;
  std::string_view value;
  std::string_view when;  // of a number that makes it this rule's own
};

// About one agent. The first ten forms are of five sums.
constexpr Form of_one_agent[] = {
    {"step", "", "per_hour(cost)", "value > 50{:02}"},
    {"task.finished", "", R"(ratio(outcome == "errored"))", "low(value) > 0.9{:02}"},
    {"tool.call", "", "count()", "value > 50{:02}00"},
    {"step", "", "sum(tokens_out)", "value > 100{:02}0000"},
    {"task.finished", "", R"(ratio(outcome == "surfaced"))", "low(value) > 0.9{:02}"},
    {"step", "", "per_hour(cost)", "value > 80{:02}"},
    {"task.finished", "", R"(ratio(outcome == "errored"))", "low(value) > 0.95{:02}"},
    {"tool.call", "", "count()", "value > 80{:02}00"},
    {"step", "", "sum(tokens_out)", "value > 200{:02}0000"},
    {"task.finished", "", R"(ratio(outcome == "surfaced"))", "low(value) > 0.95{:02}"},
    {"step", "tokens_in > 20000", "count()", "value > 5{:02}00"},
    {"step", R"(model_tier == "frontier")", "sum(tokens_out)", "value > 100{:02}0000"},
    {"step", "generation > 20s", "count()", "value > 1{:02}00"},
    {"step", R"(model == "gpt-4o")", "sum(cost)", "value > 90{:02}"},
    {"tool.call", "latency > 5s", "count()", "value > 1{:02}00"},
    {"tool.call", "has(error_type)", "count()", "value > 2{:02}00"},
    {"tool.call", R"(side_effect == "write")", "count()", "value > 7{:02}00"},
    {"tool.call", R"(authz in ["refused", "refused_with_reason"])", "count()", "value > 5{:02}00"},
    {"task.finished", "cost > 2.00", "count()", "value > 5{:02}00"},
    {"task.finished", "tokens_in > 100000", "count()", "value > 5{:02}00"},
};
static_assert(std::size(of_one_agent) == rules_an_agent);

// About all agents.
constexpr Form of_all_agents[] = {
    {"step", "", "per_hour(cost)", "value > 50{:02}"},
    {"task.finished", "", R"(ratio(outcome in ["errored", "timed_out"]))", "low(value) > 0.9{:02}"},
    {"tool.call", "has(error_type)", "count()", "value > 7{:02}00"},
    {"step", R"(env == "staging")", "per_hour(cost)", "value > 50{:02}"},
    {"task.finished", R"(env == "canary")", R"(ratio(outcome == "errored"))", "low(value) > 0.9{:02}"},
};

constexpr std::string_view windows[] = {"5m", "15m", "1h", "6h", "24h"};

void add_rule(std::string& text, int number, const Form& form, std::string_view and_where = {}) {
  std::string where(form.where);
  if (!and_where.empty()) where = where.empty() ? std::string(and_where) : fmt::format("{} && {}", and_where, where);
  text += fmt::format("  - alert: Rule{:05}\n    from: {}\n", number, form.from);
  if (!where.empty()) text += fmt::format("    where: '{}'\n", where);
  text += fmt::format("    value: {}\n    window: {}\n    when: {}\n", form.value, windows[number / 7 % 5],
                      fmt::format(fmt::runtime(form.when), number % 100));
}

constexpr std::string_view head =
    "groups:\n- name: teams\n  defaults: {group_by: [env, agent], actions: [page]}\n  rules:\n";

// As many as are missing beside those that ship.
std::string fleet_rules(int count) {
  std::string text(head);
  int of_agents = 0;
  for (int i = 0; i < count; ++i) {
    constexpr int one_in = 50;
    if (i % one_in == 0) {
      add_rule(text, i, of_all_agents[i / one_in % std::size(of_all_agents)]);
      continue;
    }
    const int agent = of_agents / rules_an_agent;
    add_rule(text, i, of_one_agent[of_agents++ % rules_an_agent],
             fmt::format(R"(agent == "agent-{:05}")", agent % static_cast<int>(agent_count)));
  }
  return text;
}

std::string different_rules(int count) {
  std::string text(head);
  for (int i = 0; i < count; ++i) {
    add_rule(text, i, {"tool.call", fmt::format("latency > {}ms", 2'000 + i), "count()", "value > 50{:02}00"});
  }
  return text;
}

struct Set {
  std::string name;
  std::size_t rule_count = 0, aggregate_count = 0;
  double load_ms = 0;
  std::shared_ptr<const RuleSet> rules;
  Traffic traffic;
  std::unique_ptr<IngestPartition> ingest;
  std::unique_ptr<EvaluatePartition> evaluate;
  IngestOutput out;
  std::int64_t rule_bytes = 0;
  std::int64_t events = 0;
  std::int64_t counted = 0;     // model calls, as the blocks have them
  std::vector<double> pass_ns;  // an event, cuts left out
  std::vector<double> cut_ns, grid_ns;

  Set(std::string set_name, const std::string& text) : name(std::move(set_name)), traffic(Traffic::generated()) {
    traffic.use_agents(agent_count);
    std::vector<NamedText> files(shipped_rules().begin(), shipped_rules().end());
    files.insert(files.end(), shipped_demo_specs().begin(), shipped_demo_specs().end());
    files.push_back({"teams.yaml", text});
    Diagnostics diagnostics;
    const std::int64_t before = allocated_bytes();
    const double begin = now_ns();
    rules = load_rules(files, diagnostics);
    load_ms = (now_ns() - begin) / 1e6;
    rule_bytes = allocated_bytes() - before;
    if (rules == nullptr) {
      for (const auto& one : diagnostics.all()) fmt::print(stderr, "{}\n", one.message);
      std::exit(2);
    }
    rule_count = rules->rules.size();
    aggregate_count = rules->aggregates.size();
    static constexpr unsigned char key[] = {1, 2, 3, 4};
    static const auto patterns = [] {
      Diagnostics mistakes;
      return load_patterns(shipped_patterns(), mistakes);
    }();
    ingest = std::make_unique<IngestPartition>(IngestOptions{}, rules, patterns, Fingerprinter(key));
    evaluate = std::make_unique<EvaluatePartition>(EvaluateOptions{}, rules);
  }

  void feed_pass() {
    traffic.begin_pass(between_records);
    double ns = 0;
    for (std::size_t i = 0; i < traffic.size();) {
      const bool cuts = traffic.cuts(i);
      const double begin = now_ns();
      do {
        ingest->apply(traffic.record(i++), out);
      } while (!cuts && i < traffic.size() && !traffic.cuts(i));
      (cuts ? cut_ns.emplace_back() : ns) += now_ns() - begin;
    }
    events += static_cast<std::int64_t>(traffic.size());
    pass_ns.push_back(ns / static_cast<double>(traffic.size()));
    look_at_cuts();
  }

  void look_at_cuts() {
    std::vector<AlertChange> changes;
    for (Cut& cut : out.cuts) {
      for (const Cell& cell : cut.block.cells) {
        const Aggregate& aggregate = rules->aggregates[cell.aggregate];
        if (aggregate.kind == Aggregate::Kind::sum && aggregate.from == EventType::step && aggregate.where.always() &&
            aggregate.number == NumberField::cost) {
          counted += cell.totals.count;
        }
      }
      const double begin = now_ns();
      evaluate->apply(std::move(cut.block), changes);
      grid_ns.push_back(now_ns() - begin);
    }
    out.clear();
  }

  // Every agent shows up.
  void warm_up() {
    for (int i = 0; i < 2 * passes_a_slice; ++i) feed_pass();
    pass_ns.clear();
    cut_ns.clear();
    grid_ns.clear();
  }

  // What the heap gets back; nothing can be fed any more.
  std::int64_t end_evaluate() {
    const std::int64_t before = allocated_bytes();
    evaluate.reset();
    return before - allocated_bytes();
  }
};

int run(int rounds, double most_ratio) {
  constexpr int sizes[] = {10, 100, 1'000, 10'000};
  const auto shipped = [] {
    Diagnostics diagnostics;
    const std::vector<NamedText> files(shipped_rules().begin(), shipped_rules().end());
    return static_cast<int>(load_rules(files, diagnostics)->rules.size());
  }();
  std::vector<std::unique_ptr<Set>> sets;
  for (const int size : sizes)
    sets.push_back(std::make_unique<Set>(fmt::format("{} rules", size), fleet_rules(size - shipped)));
  sets.push_back(std::make_unique<Set>("200 that differ", different_rules(200)));
  for (auto& set : sets) set->warm_up();
  for (int pass = 0; pass < rounds * passes_a_slice; ++pass) {
    for (auto& set : sets) set->feed_pass();
  }

  fmt::print("{:<16}{:>8}{:>7}{:>9}{:>9}{:>7}{:>8}{:>9}{:>9}{:>10}{:>10}{:>10}\n", "", "rules", "sums", "load ms",
             "ns/event", "ratio", "cut ms", "grid ms", "series", "B/rule", "B/series", "heap MiB");
  const Set& first = *sets.front();
  bool all_held = true;
  for (const auto& set : sets) {
    const double cut = median(set->cut_ns), first_cut = median(first.cut_ns);
    const double ns = median(set->pass_ns) + cut / events_a_slice;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < set->pass_ns.size(); ++i) {
      ratios.push_back((set->pass_ns[i] + cut / events_a_slice) / (first.pass_ns[i] + first_cut / events_a_slice));
    }
    const double ratio = median(ratios);
    const SeriesUse use = set->evaluate->series();
    const auto more_rules = static_cast<std::int64_t>(set->rule_count - first.rule_count);
    const std::int64_t a_rule = more_rules > 0 ? (set->rule_bytes - first.rule_bytes) / more_rules : 0;
    const std::int64_t evaluate_bytes = set->end_evaluate();
    fmt::print("{:<16}{:>8}{:>7}{:>9.1f}{:>9.1f}{:>7.3f}{:>8.2f}{:>9.2f}{:>9}{:>10}{:>10}{:>10.1f}\n", set->name,
               set->rule_count, set->aggregate_count, set->load_ms, ns, ratio, cut / 1e6, median(set->grid_ns) / 1e6,
               use.used, a_rule, evaluate_bytes / static_cast<std::int64_t>(use.used),
               static_cast<double>(set->rule_bytes + evaluate_bytes) / 1048576.0);
    const bool same = set->counted == first.counted && set->events == first.events;
    if (!same)
      fmt::print(stderr, "CHECK FAILED: {}: {} calls counted, not {}\n", set->name, set->counted, first.counted);
    const bool cheap = set == sets.back() || ratio <= most_ratio;
    if (!cheap) fmt::print(stderr, "CHECK FAILED: {}: {:.3f} of the time of 10 rules\n", set->name, ratio);
    all_held = all_held && same && cheap;
  }
  fmt::print("{}\n", all_held ? "check ok" : "CHECK FAILED");
  return all_held ? 0 : 1;
}

}  // namespace
}  // namespace tocsin

int main(int argument_count, char** arguments) {
  int rounds = 3;
  double most_ratio = 1.25;
  if (argument_count == 3 && std::string_view(arguments[1]) == "--rounds") {
    const std::string_view number(arguments[2]);
    if (std::from_chars(number.data(), number.data() + number.size(), rounds).ec != std::errc{} || rounds < 1)
      return 2;
    most_ratio = 1.10;
  } else if (argument_count != 1) {
    fmt::print(stderr, "usage: tocsin_bench_rules [--rounds N]\n");
    return 2;
  }
  return tocsin::run(rounds, most_ratio);
}
