// What an evaluate partition costs to bring back after its process died: its series from their records, then the
// blocks of the last 65 minutes, then the first grid time. Beside it, what it costs to only hash the same bytes.
//
//   tocsin_bench_restore [--series N] [--cells-per-slice N]
//   tocsin_bench_restore --rules                 prints the rules that the series are of
//   tocsin_bench_restore --kafka FILE ...        writes such states, blocks and positions as a service with this
//                                                configuration would have left them (restore_kafka.py)
//
// Of every history a cell is full in each minute of the last hour, and in each quarter of the day before it.

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "app/config.h"
#include "base/hash.h"
#include "core/stage/block_codec.h"
#include "core/stage/evaluate_keys.h"
#include "core/stage/evaluate_stage.h"
#include "core/stage/series_table.h"
#include "edge/kafka/kafka_bus.h"
#include "edge/kafka/topic_check.h"

namespace tocsin {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

// A third of the series each: 1.3 KB, 2.0 KB with 195 quarters, and 1.3 KB under two labels more.
constexpr const char* rule_text = R"(
groups:
- name: bench
  defaults: {labels: {severity: critical}, actions: [page], max_series: 1000000}
  rules:
  - alert: Cost
    from: step
    group_by: [env, agent]
    value: per_hour(cost)
    window: 1h
    min_samples: 20
    baseline: {range: 24h, block: 1h, stat: mean, empty: skip, min_blocks: 6, floor: 1.00}
    when: value > 2 * baseline && value - baseline > 5000000
  - alert: Errors
    from: task.finished
    group_by: [env, agent]
    value: ratio(outcome in ["errored", "timed_out"])
    window: 15m..24h
    min_samples: 10
    baseline: {range: 24h, min_samples: 50, floor: 0.01}
    when: low(value) > min(3 * baseline, (1 + baseline) / 2) && hits >= 4
  - alert: Calls
    from: tool.call
    group_by: [env, agent, tool]
    value: count()
    window: 5m
    baseline: {range: 24h, empty: zero, floor: 1}
    when: value >= 1000000 && value > 3 * baseline
)";

constexpr RecordTime last_grid{Duration{1'767'571'200'000} + 26h};

struct Bench {
  std::size_t series = 20'000;
  std::size_t cells_per_slice = 0;  // zero: one in a hundred
  std::string kafka;                // a configuration
  std::size_t part = 0, parts = 1;  // of the agents
  std::shared_ptr<const RuleSet> rules;
  std::vector<StateRecord> records;
  std::vector<std::string> blocks;
  std::string position;
  std::vector<std::vector<GroupKey>> groups;  // of each aggregate, in order
  std::vector<Totals> expected;               // of every thousandth series, over a day
};

double seconds_since(Steady::time_point begin) {
  return std::chrono::duration<double>(Steady::now() - begin).count();
}

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "restore_bench: {}\n", why);
  std::exit(1);
}

EvaluateOptions options() {
  EvaluateOptions options;
  options.deployment = "bench";
  options.keeps_state = true;
  return options;
}

Cell cell_of(const Bench& bench, std::uint32_t aggregate, const GroupKey& group, std::mt19937_64& random) {
  Cell cell;
  cell.aggregate = aggregate;
  cell.group = group;
  cell.totals.count = 1 + static_cast<std::int64_t>(random() % 40);
  const bool is_money = bench.rules->aggregates[aggregate].kind == Aggregate::Kind::sum;
  cell.totals.sum = is_money ? static_cast<std::int64_t>(random() % 400'000) : cell.totals.count / 20;
  return cell;
}

Totals of_a_day(const Series& series) {
  const Totals day = series.history.window(last_grid, 24h), hour = series.history.window(last_grid, 1h);
  return {day.sum * 31 + hour.sum, day.count * 31 + hour.count};
}

// Quarter by quarter for a day, then minute by minute for an hour.
void make_records(Bench& bench, std::mt19937_64& random) {
  const std::size_t agents = bench.series / 3;
  const std::size_t rest = bench.series - 2 * agents;
  bench.groups.resize(bench.rules->aggregates.size());
  for (std::uint32_t a = 0; a < bench.groups.size(); ++a) {
    const bool has_tool = bench.rules->rules[a].group_by.size() == 3;
    for (std::size_t i = 0; i < (has_tool ? rest : agents); ++i) {
      const std::size_t agent = (has_tool ? i / 4 : i) * bench.parts + bench.part;
      GroupKey group = std::string("production") + '\0' + fmt::format("agent-{:07}", agent);
      if (has_tool) group += '\0' + fmt::format("search_orders_{}", i % 4);
      bench.groups[a].push_back(std::move(group));
    }
  }
  SeriesTable table(*bench.rules);
  std::vector<Cell> cells;
  const auto fold = [&](RecordTime begin) {
    for (std::uint32_t a = 0; a < bench.groups.size(); ++a) {
      cells.clear();
      for (const GroupKey& group : bench.groups[a]) cells.push_back(cell_of(bench, a, group, random));
      table.fold(cells, begin);
    }
  };
  for (RecordTime at = last_grid - 26h; at < last_grid - 1h; at = at + quarter_length) fold(at);
  for (RecordTime at = last_grid - 1h; at < last_grid; at = at + minute_length) fold(at);
  std::size_t number = 0;
  for (std::uint32_t a = 0; a < bench.groups.size(); ++a) {
    for (const GroupKey& group : bench.groups[a]) {
      if (number++ % 1'000 == 0) bench.expected.push_back(of_a_day(*table.find(a, group)));
    }
  }
  for (Duration turn = 0s; turn < stored_every; turn += slice_length) table.store(last_grid - turn, bench.records);
  // As a compacted topic holds them: in the order of their turns, not of their keys.
  if (bench.records.size() != bench.series) fail("a series was not stored");
}

void make_blocks(Bench& bench, std::mt19937_64& random) {
  for (RecordTime grid = last_grid - folded_again + slice_length; grid <= last_grid; grid = grid + slice_length) {
    Block block;
    block.grid = grid;
    block.rule_set = bench.rules->hash;
    for (std::uint32_t a = 0; a < bench.groups.size(); ++a) {
      const std::size_t stride = std::max<std::size_t>(1, bench.series / bench.cells_per_slice);
      for (std::size_t i = random() % stride; i < bench.groups[a].size(); i += stride) {
        block.cells.push_back(cell_of(bench, a, bench.groups[a][i], random));
      }
    }
    bench.blocks.push_back(encode(block));
  }
}

std::string make_position(const Bench& bench) {
  EvaluatePartition partition(options(), bench.rules);
  std::vector<AlertChange> none;
  for (const RecordTime grid : {last_grid - 26h, last_grid}) {
    Block block;
    block.grid = grid;
    block.rule_set = bench.rules->hash;
    partition.apply(std::move(block), none);
  }
  return partition.position();
}

// What a stored series says is what it was made of.
void check_records(const Bench& bench) {
  SeriesTable table(*bench.rules);
  for (const StateRecord& record : bench.records) {
    if (!table.restore(record.key, record.value)) fail("a record can't be read");
  }
  table.end_restore();
  std::size_t number = 0, at = 0;
  for (std::uint32_t a = 0; a < bench.groups.size(); ++a) {
    for (const GroupKey& group : bench.groups[a]) {
      if (number++ % 1'000 != 0) continue;
      const Series* series = table.find(a, group);
      if (series == nullptr || of_a_day(*series) != bench.expected[at++]) fail("a series came back with other sums");
    }
  }
}

void load_bench_rules(Bench& bench) {
  Diagnostics diagnostics;
  const std::vector<NamedText> files{{"bench.yaml", rule_text}};
  bench.rules = load_rules(files, diagnostics);
  if (bench.rules != nullptr) return;
  for (const Diagnostic& each : diagnostics.all()) fmt::print(stderr, "{}\n", to_text(each));
  fail("the rules do not load");
}

void make(Bench& bench) {
  if (bench.cells_per_slice == 0) bench.cells_per_slice = std::max<std::size_t>(1, bench.series / 100);
  std::mt19937_64 random(bench.part);
  make_records(bench, random);
  make_blocks(bench, random);
  bench.position = make_position(bench);
}

// Each blocks partition with its share, in transactions as evaluate has them.
int fill_kafka(Bench bench) {
  Diagnostics diagnostics;
  const Config config = load_config_file(bench.kafka, diagnostics);
  if (diagnostics.has_errors() || !config.kafka) fail("the configuration can't be used");
  const LogLine quiet = [](LogLevel level, const std::string& line) {
    if (level >= LogLevel::warning) fmt::print(stderr, "{}\n", line);
  };
  TopicReport report = check_topics(*config.kafka, quiet);
  if (!report.is_good()) fail("the topics are not good");
  const std::int32_t parts = report.names.partitions(Topic::blocks);
  auto bus = KafkaBus::start(*config.kafka, std::move(report.names), quiet);
  if (!bus) fail(bus.error());
  auto member = bus.value()->join("evaluate", {Topic::blocks, Topic::findings}, "fill");
  if (!member) fail(member.error());
  std::optional<std::vector<Assigned>> assigned;
  while (!assigned || assigned->empty()) {
    member.value()->serve();
    if (auto taken = member.value()->take_assignment()) assigned = std::move(taken);
    member.value()->wait(50ms);
  }
  bench.series /= static_cast<std::size_t>(parts);
  bench.cells_per_slice /= static_cast<std::size_t>(parts);
  std::size_t count = 0;
  for (std::int32_t q = 0; q < parts; ++q) {
    Bench own = bench;
    own.part = static_cast<std::size_t>(q);
    own.parts = static_cast<std::size_t>(parts);
    make(own);
    const TopicPartition blocks[] = {{Topic::blocks, q}};
    const auto first = bus.value()->ends(blocks);
    if (!first) fail("the broker does not answer");
    for (std::string& block : own.blocks) member.value()->send({Topic::blocks, q, "0", std::move(block)});
    std::string position = std::to_string(first->front()) + " " + own.position;
    for (std::size_t i = 0; i < own.records.size(); ++i) {
      StateRecord& record = own.records[i];
      member.value()->send({Topic::states, q, std::move(record.key), std::move(record.value)});
      if ((i + 1) % 20'000 != 0 && i + 1 != own.records.size()) continue;
      const auto end = bus.value()->ends(blocks);
      if (!end || !member.value()->commit({{blocks[0], end->front(), position}})) fail("a transaction failed");
      member.value()->serve();
    }
    // The marker of the first transaction is behind the blocks.
    const auto end = bus.value()->ends(blocks);
    member.value()->send({Topic::states, q, "versions/none", {}});
    if (!end || !member.value()->commit({{blocks[0], end->front(), position}})) fail("a transaction failed");
    count += own.records.size();
  }
  fmt::print("{} series in {} partitions\n", count, parts);
  return 0;
}

int run(Bench bench) {
  make(bench);

  std::size_t record_bytes = 0, block_bytes = 0;
  for (const StateRecord& record : bench.records) record_bytes += record.key.size() + record.value.size();
  for (const std::string& block : bench.blocks) block_bytes += block.size();
  auto begin = Steady::now();
  std::uint64_t digest = 0;
  for (const StateRecord& record : bench.records) digest ^= hash64(record.key) + hash64(record.value);
  for (const std::string& block : bench.blocks) digest ^= hash64(block);
  const double hashing = seconds_since(begin);

  EvaluatePartition partition(options(), bench.rules);
  begin = Steady::now();
  for (const StateRecord& record : bench.records) {
    if (!partition.restore(record.key, record.value)) fail("a record can't be read");
  }
  const double restoring = seconds_since(begin);
  begin = Steady::now();
  if (!partition.begin_resume(bench.position)) fail("the position can't be read");
  const double sorting = seconds_since(begin);
  begin = Steady::now();
  std::size_t cells = 0;
  for (const std::string& bytes : bench.blocks) {
    auto block = decode_block(bytes);
    if (!block) fail("a block can't be read");
    cells += block->cells.size();
    partition.resume(*std::move(block));
  }
  const double folding = seconds_since(begin);
  begin = Steady::now();
  std::vector<AlertChange> changes;
  partition.end_resume(changes);
  const double resuming = seconds_since(begin);
  if (partition.series().used != bench.series) fail("series are missing");
  if (partition.evaluated() != last_grid) fail("it goes on at another grid time");
  begin = Steady::now();
  Block next;
  next.grid = last_grid + slice_length;
  next.rule_set = bench.rules->hash;
  partition.apply(std::move(next), changes);
  const double evaluating = seconds_since(begin);
  if (partition.evaluated() != last_grid + slice_length) fail("it does not go on");

  const auto count = static_cast<double>(bench.series);
  fmt::print(
      "series {}, records {:.1f} MB ({:.0f} B each), histories {:.1f} MB, blocks {} with {} cells, {:.1f} MB\n",
      bench.series, static_cast<double>(record_bytes) / 1e6, static_cast<double>(record_bytes) / count,
      static_cast<double>(partition.series().bytes) / 1e6, bench.blocks.size(), cells,
      static_cast<double>(block_bytes) / 1e6);
  const auto line = [&](const char* what, double seconds, double of) {
    fmt::print("{:<34} {:8.3f} s  {:9.0f} ns each  {:8.2f} s for 1 M\n", what, seconds, seconds * 1e9 / of,
               seconds * 1e6 / of);
  };
  line("records restored", restoring, count);
  line("series put in order", sorting, count);
  line("blocks folded again (per cell)", folding, static_cast<double>(cells));
  line("rules find their groups", resuming, count);
  line("first grid time", evaluating, count);
  line("hashing the same bytes", hashing, count);
  fmt::print("restore / hashing {:.1f}  (digest {:016x})\n", (restoring + sorting + folding + resuming) / hashing,
             digest);
  check_records(bench);
  return 0;
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  tocsin::Bench bench;
  tocsin::load_bench_rules(bench);
  if (argc == 2 && std::strcmp(argv[1], "--rules") == 0) {
    fmt::print("{}", tocsin::rule_text);
    return 0;
  }
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--kafka") == 0) bench.kafka = argv[i + 1];
    if (std::strcmp(argv[i], "--series") == 0) bench.series = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--cells-per-slice") == 0)
      bench.cells_per_slice = std::strtoull(argv[i + 1], nullptr, 10);
  }
  return bench.kafka.empty() ? tocsin::run(std::move(bench)) : tocsin::fill_kafka(std::move(bench));
}
