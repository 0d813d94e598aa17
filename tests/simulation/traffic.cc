#include "simulation/traffic.h"

#include <algorithm>

#include "base/hash.h"

namespace tocsin::sim {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view agents[] = {"support", "claims", "research", "billing"};

struct Trouble {
  enum Kind { errors, costs, calls, silence, refusals };
  Kind kind = errors;
  std::size_t agent = 0;
  Duration from{}, to{};
};

class Writer {
 public:
  Writer(const TrafficPlan& plan, std::uint64_t seed) : plan_(plan), random_(seed) {}

  Traffic make() {
    plan_troubles();
    for (std::size_t agent = 0; agent < std::size(agents); ++agent) run_agent(agent);
    if (plan_.is_odd) add_oddities();
    std::stable_sort(traffic_.records.begin(), traffic_.records.end(),
                     [](const PlannedRecord& a, const PlannedRecord& b) { return a.arrives < b.arrives; });
    return std::move(traffic_);
  }

 private:
  void plan_troubles() {
    for (const auto kind :
         {Trouble::errors, Trouble::errors, Trouble::costs, Trouble::calls, Trouble::silence, Trouble::refusals}) {
      Trouble trouble{kind, static_cast<std::size_t>(random_.below(std::size(agents))), {}, {}};
      trouble.from = plan_.begin + random_.between(10min, plan_.length * 8 / 10);
      trouble.to = trouble.from + random_.between(4min, 15min);
      // A rise needs a past to rise over.
      if (kind == Trouble::costs) {
        trouble.from = plan_.begin + plan_.length / 2;
        trouble.to = trouble.from + 12min;
      }
      troubles_.push_back(trouble);
    }
  }

  bool has(Trouble::Kind kind, std::size_t agent, Duration at) const {
    return std::any_of(troubles_.begin(), troubles_.end(), [&](const Trouble& trouble) {
      return trouble.kind == kind && trouble.agent == agent && trouble.from <= at && at < trouble.to;
    });
  }

  void run_agent(std::size_t agent) {
    const Duration end = plan_.begin + plan_.length;
    for (Duration at = plan_.begin + random_.exponential(20s); at < end;) {
      const bool is_busy = has(Trouble::errors, agent, at) || has(Trouble::calls, agent, at);
      if (!has(Trouble::silence, agent, at)) run_task(agent, at);
      at += 5s + random_.exponential(is_busy ? 25s : 75s);
    }
  }

  std::string common(std::string_view type, Duration at, std::size_t agent, bool says_agent = true) {
    std::string json = "{\"type\":\"" + std::string(type) + "\",\"time\":" + time_of(at) + ",\"event_id\":\"e" +
                       std::to_string(++events_) + "\",\"env\":\"prod\"";
    if (says_agent) json += ",\"agent\":\"" + std::string(agents[agent]) + "\"";
    return json;
  }

  // In several units, all of them right.
  std::string time_of(Duration at) {
    switch (random_.below(12)) {
      case 0:
        return std::to_string(at.count()) + "000";
      case 1:
        return std::to_string(at.count()) + "000000";
      default:
        return std::to_string(at.count());
    }
  }

  void run_task(std::size_t agent, Duration start) {
    const std::string key = "task-" + std::to_string(++tasks_);
    const std::size_t spec = agent % 2;
    const Duration budget = spec == 0 ? 90s : 3min;
    const bool overruns = random_.chance(0.05);
    const bool never_ends = overruns && random_.chance(0.3);
    const Duration length = overruns ? 2 * budget + random_.between(10s, 5min) : random_.between(5s, budget);
    if (!random_.chance(0.03)) {
      emit(start, key,
           common("task.started", start, agent) + ",\"spec\":\"" + (spec == 0 ? "quick" : "slow") +
               "\",\"spec_version\":\"1\"}");
    }
    const std::int64_t steps = 1 + random_.below(4);
    for (std::int64_t i = 0; i < steps; ++i) step(agent, key, start + length * (i + 1) / (steps + 1));
    if (has(Trouble::calls, agent, start)) {
      for (int i = 0; i < 14; ++i) call(agent, key, start + random_.between(1s, 40s), "passed");
    }
    if (has(Trouble::refusals, agent, start)) call(agent, key, start + 2s, "refused");
    if (random_.chance(plan_.leaks)) leak(agent, key, start + length / 2);
    if (overruns && random_.chance(0.5)) {
      emit(start + length / 2, key, common("task.heartbeat", start + length / 2, agent) + "}");
    }
    if (never_ends) return;
    const Duration end = start + length;
    const bool fails = random_.chance(has(Trouble::errors, agent, end) ? 0.85 : 0.08);
    const char* outcome = fails ? (random_.chance(0.5) ? "errored" : "timed_out") : "completed";
    emit(end, key, common("task.finished", end, agent) + ",\"outcome\":\"" + outcome + "\"}");
    if (random_.chance(0.02)) {  // an end that comes twice, as another event
      emit(end + 1s, key, common("task.finished", end + 1s, agent) + ",\"outcome\":\"errored\"}");
    }
  }

  void step(std::size_t agent, const std::string& key, Duration at) {
    const std::int64_t cents = has(Trouble::costs, agent, at) ? 60 + random_.below(39) : 1 + random_.below(5);
    // Some leave out what their task has said.
    emit(at, key,
         common("step", at, agent, !random_.chance(0.2)) + ",\"tokens_in\":100,\"cost_usd\":0." +
             std::to_string(100 + cents).substr(1) + "}");
  }

  void call(std::size_t agent, const std::string& key, Duration at, const char* authz) {
    emit(at, key, common("tool.call", at, agent) + ",\"tool\":\"search\",\"authz\":\"" + authz + "\"}");
  }

  void leak(std::size_t agent, const std::string& key, Duration at) {
    constexpr std::string_view base_32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    std::string secret = std::string("AK") + "IA";
    for (int i = 0; i < 16; ++i) secret += base_32[static_cast<std::size_t>(random_.below(32))];
    traffic_.secrets.push_back(secret);
    const int times = 1 + static_cast<int>(random_.below(3));
    for (int i = 0; i < times; ++i) {
      const Duration when = at + random_.between(0s, 90s) * i;
      emit(when, key, common("step", when, agent) + ",\"content\":\"export KEY=" + secret + " now\"}");
    }
  }

  void emit(Duration at, const std::string& key, std::string value) {
    PlannedRecord record;
    record.stamp = {at};
    record.arrives = at + Duration{5 + random_.below(400)};
    if (plan_.is_odd && random_.chance(0.02)) record.arrives = at + random_.between(1s, 3min);
    record.key = key;
    record.partition = static_cast<std::int32_t>(hash64(key) % static_cast<std::uint64_t>(plan_.partitions));
    record.value = std::move(value);
    traffic_.records.push_back(std::move(record));
  }

  void add_oddities() {
    const std::size_t count = traffic_.records.size();
    for (std::size_t i = 20; i < count; ++i) {
      // A producer that tries again, perhaps behind later records.
      if (random_.chance(0.02)) {
        PlannedRecord again = traffic_.records[i];
        again.arrives += random_.between(0ms, 20s);
        traffic_.records.push_back(std::move(again));
      }
      PlannedRecord& record = traffic_.records[i];
      if (random_.chance(0.004)) record.stamp = {record.arrives + random_.between(30h, 30h * 24)};
      if (random_.chance(0.01)) record.stamp = {record.arrives + random_.between(1s, 25s)};
      // Not at the beginning: a log that begins in 1970 has no time to compare with.
      const bool is_under_way = record.arrives > plan_.begin + 5min;
      if (is_under_way && random_.chance(0.004)) record.stamp = {Duration{random_.below(1'000'000)}};
      if (random_.chance(0.006)) break_record(record);
    }
  }

  void break_record(PlannedRecord& record) {
    const std::size_t time = record.value.find("\"time\":");
    const std::size_t end = record.value.find(',', time);
    switch (random_.below(7)) {
      case 0:
        record.value.resize(record.value.size() / 2);
        break;
      case 1:
        record.value.replace(time, end - time, "\"time\":NaN");
        break;
      case 2:
        record.value.replace(time, end - time, "\"time\":-5");
        break;
      case 3:
        record.value.replace(time, end - time, "\"time\":0");  // 1970
        break;
      case 4:
        record.value.replace(time, end - time, "\"time\":4102444800");  // 2100
        break;
      case 5:
        record.value.erase(time, end + 1 - time);
        break;
      default:
        record.value.clear();
    }
  }

  TrafficPlan plan_;
  Random random_;
  Traffic traffic_;
  std::vector<Trouble> troubles_;
  std::int64_t tasks_ = 0;
  std::int64_t events_ = 0;
};

}  // namespace

const std::string_view rules_text = R"(groups:
- name: simulation
  defaults: {group_by: [env, agent], labels: {severity: critical}, actions: [page], max_series: 40, learn_after: 45m}
  rules:
  - alert: ErrorRate
    from: task.finished
    value: ratio(outcome in ["errored", "timed_out"])
    window: 5m
    min_samples: 3
    when: value > 0.5
    for: 1m
    keep_firing_for: 2m
    no_data_after: 8m
  - alert: CostRise
    from: step
    value: sum(cost)
    window: 4m
    min_samples: 4
    baseline: {range: 1h, min_samples: 12, floor: 0.05}
    when: value > 3 * baseline
    keep_firing_for: 90s
  - alert: ManyCalls
    from: tool.call
    group_by: [env]
    value: count()
    window: 2m
    when: value >= 25
    keep_firing_for: 1m
  - alert: TaskOverrun
    mode: task
    when: elapsed > 2 * spec.wall_clock
    page_by: [env, agent]
    expire: 1h
  - alert: Refusal
    mode: event
    from: tool.call
    where: authz == "refused"
    group_by: [env, agent]
  - alert: SecretLeak
    mode: event
    where: has(secret.pattern)
    group_by: [env, agent, correlation_id, secret.pattern]
    actions: [{halt: task}, page]
    resolve: manual
)";

const std::string_view specs_text = R"(specs:
- {name: quick, version: "1", wall_clock: 90s}
- {name: slow, version: "1", wall_clock: 3m}
)";

Traffic make_traffic(const TrafficPlan& plan, std::uint64_t seed) {
  return Writer(plan, seed).make();
}

}  // namespace tocsin::sim
