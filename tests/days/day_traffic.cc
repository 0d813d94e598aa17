#include "days/day_traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "app/demo/random.h"

namespace tocsin::days {

namespace {

using namespace std::chrono_literals;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// Percent of the busiest hour, at the beginning of each hour; between them it rises and falls evenly.
using Curve = std::array<int, 24>;
constexpr Curve office = {2, 1, 1, 1, 1, 2, 6, 22, 58, 88, 100, 98, 82, 86, 99, 97, 84, 55, 26, 12, 8, 6, 4, 3};
constexpr Curve long_day = {14, 9,  7,   6,  6,  8,  14, 28, 55, 78, 92, 97,
                            95, 96, 100, 98, 92, 84, 76, 70, 60, 46, 32, 21};
constexpr Curve office_and_night = {30, 30, 30,  30, 26, 20, 18, 26, 55, 85, 100, 96,
                                    76, 88, 100, 95, 82, 58, 40, 32, 30, 30, 30,  30};
constexpr Curve always = {88, 86,  85,  85,  86, 88, 92, 95, 98, 100, 100, 100,
                          98, 100, 100, 100, 98, 97, 96, 94, 92, 91,  90,  89};

struct Agent {
  std::string_view name, spec, spec_version;
  std::array<std::string_view, 2> models;
  int second_model_percent;  // of calls
  int tasks_an_hour;         // when busiest
  Curve curve;
  int weekend_percent;
  Duration length;  // the median of a task's
  Duration budget;
  int calls;                         // of the model, the median of a task's
  std::int64_t call_micro_usd;       // the median
  int failed_thousandths;            // of tasks
  int handed_back_thousandths;       // of tasks
  int refused_per_hundred_thousand;  // of tool calls
};

constexpr Agent agents[] = {
    {"concierge",
     "concierge-policy",
     "3.2",
     {"sonnet-large", "sonnet-large"},
     0,
     40,
     long_day,
     70,
     seconds{70},
     minutes{5},
     4,
     24'000,
     10,
     200,
     60},
    {"claims",
     "claims-policy",
     "1.4",
     {"gpt-wide", "gpt-wide"},
     0,
     30,
     office,
     3,
     seconds{150},
     minutes{10},
     5,
     42'000,
     12,
     300,
     100},
    {"engineer",
     "engineer-policy",
     "2.0",
     {"opus-deep", "haiku-quick"},
     60,
     12,
     office_and_night,
     30,
     minutes{7},
     minutes{30},
     11,
     60'000,
     15,
     120,
     400},
    {"invoices",
     "invoices-policy",
     "0.9",
     {"gpt-wide", "gpt-small"},
     50,
     24,
     office,
     2,
     seconds{45},
     minutes{4},
     3,
     9'000,
     8,
     180,
     50},
    {"triage",
     "triage-policy",
     "5.1",
     {"haiku-quick", "haiku-quick"},
     0,
     8,
     always,
     90,
     seconds{40},
     minutes{3},
     3,
     5'000,
     5,
     250,
     200},
    {"research",
     "research-policy",
     "1.0",
     {"opus-deep", "sonnet-large"},
     40,
     4,
     always,
     80,
     minutes{16},
     minutes{60},
     14,
     110'000,
     20,
     150,
     100},
};

constexpr int hour_noise = 250;  // sigma of an hour's traffic, in thousandths
// Of what a task costs, in three parts. Their logarithms spread by 0.73 in all, as those of the 200 recorded runs do
// (0.54 of it by the number of calls, 0.29 from call to call of a task).
constexpr int calls_noise = 540;
constexpr int task_cost_noise = 450;
constexpr int call_cost_noise = 300;
constexpr int failures_vary = 15;  // percent, from hour to hour
constexpr int hand_backs_vary = 20;
constexpr int length_noise = 550;
constexpr Duration heartbeat_every = minutes{1};
constexpr Duration quiet_task = minutes{3};  // longer ones send heartbeats

// Draws that make each other more likely within an hour: after k successes in n draws of an hour the next has the
// chance (a + k) / (a + b + n), where a / (a + b) is the ordinary chance. As if each hour had a chance of its own,
// which varies by `percent` of the ordinary one (one standard deviation of the beta distribution).
class Urn {
 public:
  Urn(int thousandths, int percent)
      : balls_(10'000'000LL * (1'000 - thousandths) / (std::int64_t{thousandths} * percent * percent) - 1'000),
        ordinary_(thousandths) {}

  // `factor`: times the ordinary chance.
  bool draw(Random& random, std::int64_t hour, int factor) {
    if (hour != hour_) {
      hour_ = hour;
      draws_ = successes_ = 0;
    }
    const std::int64_t chance = std::min(900, ordinary_ * factor);
    const std::int64_t in_favour = balls_ * chance / 1'000 + 1'000 * successes_;
    const std::int64_t all = balls_ + 1'000 * draws_;
    const bool success = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(all))) < in_favour;
    ++draws_;
    successes_ += success ? 1 : 0;
    return success;
  }

 private:
  std::int64_t balls_;  // a + b, in thousandths
  int ordinary_;
  std::int64_t hour_ = -1, draws_ = 0, successes_ = 0;
};

bool is_weekend(EventTime time) {
  const std::chrono::weekday day{floor<std::chrono::days>(time)};
  return day == std::chrono::Saturday || day == std::chrono::Sunday;
}

class AgentDays {
 public:
  AgentDays(const DaysPlan& plan, const Agent& agent, std::span<const PlannedTrouble> troubles, Days& days)
      : plan_(plan),
        agent_(agent),
        troubles_(troubles),
        days_(days),
        random_(plan.seed, agent.name),
        failed_(agent.failed_thousandths, failures_vary),
        handed_back_(agent.handed_back_thousandths, hand_backs_vary) {}

  void run() {
    const EventTime end = plan_.begin + hours{24} * plan_.days;
    // Candidates come at three times the busiest rate, and some of them are taken: the rate may change at any time.
    constexpr int room = 3;
    const Duration gap = Duration{hours{1}} / (room * agent_.tasks_an_hour);
    for (EventTime at = plan_.begin + random_.exponential(gap); at < end; at += random_.exponential(gap)) {
      if (random_.chance(static_cast<std::uint32_t>(std::min<std::int64_t>(rate_at(at) / room, 1'000'000)))) task(at);
    }
    for (const PlannedTrouble& trouble : troubles_) {
      if (trouble.agent != agent_.name) continue;
      if (trouble.trouble == Trouble::refused_calls) refused(trouble.begin);
      if (trouble.trouble == Trouble::credential) leaking(trouble);
      if (trouble.trouble == Trouble::silent_task) silent(trouble);
    }
  }

 private:
  // In millionths of the busiest rate.
  std::int64_t rate_at(EventTime time) {
    const EventTime day = floor<std::chrono::days>(time);
    const auto hour = static_cast<std::size_t>((time - day) / hours{1});
    const std::int64_t into = (time - day) % hours{1} / minutes{1};
    const std::int64_t percent_of_minutes =
        agent_.curve[hour] * (60 - into) + agent_.curve[(hour + 1) % agent_.curve.size()] * into;
    if (const std::int64_t number = time.time_since_epoch() / hours{1}; number != noisy_hour_) {
      noisy_hour_ = number;
      noise_ = random_.lognormal(std::int64_t{1'000}, hour_noise);
    }
    const std::int64_t rate = percent_of_minutes * noise_ / 6;
    return is_weekend(time) ? rate * agent_.weekend_percent / 100 : rate;
  }

  bool has(Trouble kind, EventTime time) const {
    return std::any_of(troubles_.begin(), troubles_.end(), [&](const PlannedTrouble& trouble) {
      return trouble.trouble == kind && trouble.agent == agent_.name && trouble.begin <= time && time < trouble.end;
    });
  }

  std::string next_key() { return fmt::format("{}-{:x}-{:05}", agent_.name, plan_.seed, ++number_); }

  void emit(EventTime time, const std::string& key, std::string_view type, const std::string& more = {}) {
    days_.events.push_back(
        {time, key,
         fmt::format(R"({{"type":"{}","time":{},"event_id":"{}.{}","correlation_id":"{}",)"
                     R"("env":"prod","agent":"{}"{}}})",
                     type, time.time_since_epoch().count(), key, ++event_, key, agent_.name, more)});
  }

  void start(EventTime at, const std::string& key) {
    emit(at, key, "task.started",
         fmt::format(R"(,"agent_version":"1","spec":"{}","spec_version":"{}")", agent_.spec, agent_.spec_version));
    ++days_.tasks;
  }

  void call_model(EventTime at, const std::string& key, std::int64_t median_micro_usd, const std::string& more = {}) {
    const auto model =
        agent_.models[random_.chance(static_cast<std::uint32_t>(agent_.second_model_percent) * 10'000)];
    std::int64_t cost = random_.lognormal(median_micro_usd, call_cost_noise);
    if (has(Trouble::dear_calls, at)) cost *= 6;
    emit(at, key, "step",
         fmt::format(
             R"(,"step_type":"tool_call","model":"{}","tokens_in":2400,"tokens_out":120,"cost_usd":{}.{:06}{})",
             model, cost / 1'000'000, cost % 1'000'000, more));
  }

  void call_tool(EventTime at, const std::string& key, bool is_refused) {
    emit(at, key, "tool.call",
         fmt::format(R"(,"tool":"lookup","latency_ms":{},"authz":"{}")", random_.between(40, 900),
                     is_refused ? "refused" : "passed"));
  }

  void finish(EventTime at, const std::string& key, std::string_view outcome) {
    emit(at, key, "task.finished", fmt::format(R"(,"outcome":"{}")", outcome));
  }

  std::string_view outcome_at(EventTime time) {
    const std::int64_t hour = time.time_since_epoch() / hours{1};
    const bool fails = failed_.draw(random_, hour, has(Trouble::failures, time) ? 30 : 1);
    if (fails) return random_.chance(600'000) ? "errored" : "timed_out";
    if (has(Trouble::never_asks, time)) return "completed";
    if (has(Trouble::handed_back, time)) return random_.chance(750'000) ? "surfaced" : "completed";
    return handed_back_.draw(random_, hour, 1) ? "surfaced" : "completed";
  }

  void task(EventTime at) {
    const std::string key = next_key();
    // Some take longer than declared, but their agents give up before twice of it.
    const Duration length =
        std::clamp<Duration>(random_.lognormal(agent_.length, length_noise), seconds{4}, agent_.budget * 9 / 5);
    const std::int64_t calls =
        std::clamp<std::int64_t>(random_.lognormal(std::int64_t{agent_.calls}, calls_noise), 1, 60);
    const std::int64_t median = random_.lognormal(agent_.call_micro_usd, task_cost_noise);
    start(at, key);
    for (std::int64_t i = 1; i <= calls; ++i) {
      const EventTime then = at + length * i / (calls + 1);
      call_model(then, key, median);
      const bool is_refused = random_.chance(static_cast<std::uint32_t>(agent_.refused_per_hundred_thousand) * 10);
      if (i < calls) call_tool(then + length / (2 * (calls + 1)), key, is_refused);
    }
    if (length > quiet_task) {
      for (EventTime beat = at + heartbeat_every; beat < at + length; beat += heartbeat_every) {
        emit(beat, key, "task.heartbeat");
      }
    }
    finish(at + length, key, outcome_at(at + length));
  }

  void refused(EventTime at) {
    constexpr int tasks = 6, times = 5;
    for (int i = 0; i < tasks; ++i) {
      const std::string key = next_key();
      start(at, key);
      for (int j = 0; j < times; ++j) {
        call_tool(at + seconds{10} + random_.between(Duration{j * 40s}, Duration{j * 40s + 35s}), key, true);
      }
      finish(at + minutes{4}, key, "completed");
    }
  }

  void leaking(const PlannedTrouble& trouble) {
    constexpr std::string_view base_32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    std::string credential = std::string("AK") + "IA";
    for (int i = 0; i < 16; ++i) credential += random_.pick(base_32);
    start(trouble.begin - seconds{20}, trouble.correlation_id);
    for (int i = 0; i < 4; ++i) {
      call_model(trouble.begin + seconds{15} * i, trouble.correlation_id, agent_.call_micro_usd,
                 fmt::format(R"(,"content":{{"output":"export KEY={} and go on"}})", credential));
    }
    finish(trouble.end, trouble.correlation_id, "completed");
  }

  void silent(const PlannedTrouble& trouble) {
    start(trouble.begin, trouble.correlation_id);
    call_model(trouble.begin + seconds{5}, trouble.correlation_id, agent_.call_micro_usd);
    finish(trouble.end, trouble.correlation_id, "timed_out");
  }

  const DaysPlan& plan_;
  const Agent& agent_;
  std::span<const PlannedTrouble> troubles_;
  Days& days_;
  Random random_;
  Urn failed_, handed_back_;
  std::int64_t noisy_hour_ = -1;
  std::int64_t noise_ = 1'000;
  std::int64_t number_ = 0;
  std::int64_t event_ = 0;
};

// On one day, each on an agent of its own or in hours of its own.
std::vector<PlannedTrouble> plan_troubles(const DaysPlan& plan) {
  std::vector<PlannedTrouble> troubles;
  if (plan.trouble_day < 0) return troubles;
  Random random(plan.seed, "troubles");
  const EventTime day = floor<std::chrono::days>(plan.begin) + hours{24} * plan.trouble_day;
  const auto add = [&](Trouble trouble, std::string_view alert, std::string_view agent, Duration at, Duration length,
                       std::string task = {}) {
    const EventTime begin = day + at + random.between(Duration{}, Duration{minutes{40}});
    troubles.push_back({trouble, alert, agent, begin, begin + length, std::move(task)});
  };
  add(Trouble::dear_calls, "CostSpike", "claims", 10h, 2h);
  add(Trouble::failures, "ErrorRateSpike", "concierge", 9h, 1h);
  add(Trouble::handed_back, "SurfaceRateOutOfBand", "invoices", 9h, 2h);
  add(Trouble::never_asks, "SurfaceRateTooLow", "concierge", 12h, 6h);
  add(Trouble::refused_calls, "AuthorizationRefusalSpike", "engineer", 11h, 4min);
  add(Trouble::credential, "SecretLeak", "engineer", 15h, 2min, fmt::format("leak-{:x}", plan.seed));
  add(Trouble::silent_task, "TaskOverWallClock", "triage", 13h, 9min, fmt::format("silent-{:x}", plan.seed));
  return troubles;
}

}  // namespace

Days make_days(const DaysPlan& plan) {
  Days days;
  days.troubles = plan_troubles(plan);
  for (const Agent& agent : agents) AgentDays(plan, agent, days.troubles, days).run();
  std::stable_sort(days.events.begin(), days.events.end(),
                   [](const DayEvent& a, const DayEvent& b) { return a.time < b.time; });
  return days;
}

const std::string_view specs_text = R"(specs:
- {name: concierge-policy, version: "3.2", surface_rate: {min: 0.10, max: 0.35}, wall_clock: 5m, cost: {per_hour: 60}}
- {name: claims-policy, version: "1.4", surface_rate: {min: 0.15, max: 0.45}, wall_clock: 10m, cost: {per_hour: 60}}
- {name: engineer-policy, version: "2.0", surface_rate: {max: 0.30}, wall_clock: 30m, cost: {per_hour: 80}}
- {name: invoices-policy, version: "0.9", surface_rate: {min: 0.05, max: 0.35}, wall_clock: 4m, cost: {per_hour: 10}}
- {name: triage-policy, version: "5.1", surface_rate: {min: 0.10, max: 0.45}, wall_clock: 3m, cost: {per_hour: 3}}
- {name: research-policy, version: "1.0", surface_rate: {max: 0.40}, wall_clock: 1h, cost: {per_hour: 30}}
)";

}  // namespace tocsin::days
