#include "app/demo/run_generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "app/demo/agent_profile.h"
#include "app/demo/event_writer.h"
#include "app/demo/incident_plan.h"
#include "app/demo/random.h"
#include "app/demo/task_run.h"

namespace tocsin {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration system_interval = minutes{5};

// In the incidents, by the brief of each: well visible, but not absurd.
constexpr std::uint32_t outage_errors_per_million = 550'000;
constexpr std::uint32_t broken_tool_surfaces_per_million = 830'000;
constexpr int injected_tasks = 13;
constexpr Duration injected_every = minutes{1};
// Beside the ordinary ones, so that no lull among a dozen tasks hides the costs for an hour.
constexpr Duration costly_task_every = minutes{12};
constexpr std::uint32_t timed_out_errors_per_million = 200'000;  // of the failing tasks
constexpr std::uint32_t session_goes_on_per_million = 350'000;   // a person's next task comes in the same session

// Numbers of tasks that are none of the ordinary flow, so that incidents leave the others as they were.
constexpr std::uint64_t first_extra_task = 1'000'000'000;

struct Credential {
  std::string key_id;
  std::string secret;
  std::string text() const { return fmt::format("AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}", key_id, secret); }
};

// Shaped as Amazon's are: four letters and 16 of base 32; 40 of base 64.
Credential make_credential(std::uint64_t seed) {
  constexpr std::string_view base_32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  constexpr std::string_view base_64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Random random(seed, "credential");
  Credential credential{.key_id = std::string("AK") + "IA", .secret = {}};
  for (int i = 0; i < 16; ++i) credential.key_id += base_32[random.below(base_32.size())];
  for (int i = 0; i < 40; ++i) credential.secret += base_64[random.below(base_64.size())];
  return credential;
}

// The whole time of one agent.
class AgentTimeline {
 public:
  AgentTimeline(const GeneratorOptions& options, const AgentProfile& profile, std::uint64_t number,
                std::span<const PlannedIncident> incidents, std::string_view leaked_text)
      : options_(options),
        profile_(profile),
        incidents_(incidents),
        leaked_text_(leaked_text),
        end_(options.begin + days{options.days}),
        fates_(options.seed, profile.agent, 1),
        sessions_(options.seed, profile.agent, 2),
        writer_(profile, options.seed, number),
        tasks_until_error_(next_error_gap()) {}

  void run() {
    ordinary_tasks();
    close_session();
    writer_.begin_part(1);
    for (const PlannedIncident& incident : incidents_) {
      if (incident.agent == profile_.agent) extra_tasks(incident);
    }
    writer_.begin_part(2);
    states();
  }

  std::vector<GeneratedEvent> take_events() { return writer_.take(); }
  std::size_t task_count() const { return tasks_.size(); }

  // The tasks that are incidents themselves, in the order of the plan.
  const std::vector<std::string>& incident_tasks() const { return incident_tasks_; }

 private:
  struct Session {
    std::string id;
    std::string user_hash;
    int tasks = 0;
    std::int64_t cost_micro_usd = 0;
    EventTime last_end;
  };

  bool troubled_now(Trouble trouble, EventTime time) const {
    return troubled(incidents_, trouble, profile_.agent, time);
  }

  // Thousandths of a task an hour.
  std::int64_t rate_at(EventTime time) const {
    const auto day = std::chrono::floor<days>(time);
    const std::chrono::weekday weekday{day};
    if (profile_.weekdays_only && (weekday == std::chrono::Saturday || weekday == std::chrono::Sunday)) return 0;
    const auto hour = std::chrono::floor<hours>(time - day).count();
    return scaled(profile_.tasks_an_hour_tenths[static_cast<std::size_t>(hour)]);
  }
  std::int64_t scaled(int tenths) const { return static_cast<std::int64_t>(tenths * 100 * options_.volume); }

  // A Poisson process whose rate changes with the hour, by thinning one with the highest rate.
  void ordinary_tasks() {
    Random arrivals(options_.seed, profile_.agent, 0);
    const std::int64_t highest =
        std::max<std::int64_t>(scaled(*std::ranges::max_element(profile_.tasks_an_hour_tenths)), 1);
    const Duration mean_gap{Duration{hours{1}}.count() * 1'000 / highest};
    std::uint64_t number = 0;
    for (EventTime at = options_.begin;;) {
      at += arrivals.exponential(mean_gap) + Duration{1};
      if (at >= end_) break;
      if (static_cast<std::int64_t>(arrivals.below(static_cast<std::uint64_t>(highest))) >= rate_at(at)) continue;
      ordinary_task(number++, at);
    }
  }

  void ordinary_task(std::uint64_t number, EventTime at) {
    TaskPlan plan{.number = number, .start = at, .ending = ending_at(at), .session_id = {}, .user_hash = {}};
    join_session(plan);
    const TaskSummary summary = run_task(plan);
    session_.tasks += 1;
    session_.cost_micro_usd += summary.cost_micro_usd;
    session_.last_end = std::max(session_.last_end, summary.end);
  }

  Ending ending_at(EventTime at) {
    // Each task draws the same numbers whatever its fate, so that an incident does not change the tasks after it.
    const bool surfaces = fates_.chance(profile_.surfaces_per_million);
    const bool outage_hits = fates_.chance(outage_errors_per_million);
    const bool hands_back = fates_.chance(broken_tool_surfaces_per_million);
    const bool times_out = fates_.chance(timed_out_errors_per_million);
    const bool fails = --tasks_until_error_ < 0;
    if (fails) tasks_until_error_ = next_error_gap();

    if (troubled_now(Trouble::provider_outage, at) && outage_hits) return Ending::errored;
    if (fails) return times_out ? Ending::timed_out : Ending::errored;
    if (troubled_now(Trouble::never_surfaces, at)) return Ending::completed;
    const bool hands_over = troubled_now(Trouble::broken_tool, at) ? hands_back : surfaces;
    return hands_over ? Ending::surfaced : Ending::completed;
  }

  std::int64_t next_error_gap() {
    return profile_.error_gap_least +
           fates_.exponential(std::int64_t{profile_.error_gap_mean} - profile_.error_gap_least);
  }

  void extra_tasks(const PlannedIncident& incident) {
    if (incident.trouble == Trouble::provider_hang) {
      extra_task(incident.begin, Twist::hangs, Ending::timed_out);
    } else if (incident.trouble == Trouble::leaked_secret) {
      extra_task(incident.begin, Twist::leaks, Ending::completed);
    } else if (incident.trouble == Trouble::costly_context) {
      for (EventTime at = incident.begin; at < incident.end; at += costly_task_every) {
        extra_task(at, Twist::none, Ending::completed);
      }
    } else if (incident.trouble == Trouble::prompt_injection) {
      Random pace(options_.seed, "injection");
      for (int i = 0; i < injected_tasks; ++i) {
        const EventTime at = incident.begin + i * injected_every + pace.between(seconds{0}, seconds{20});
        extra_task(at, Twist::injected,
                   pace.chance(profile_.surfaces_per_million) ? Ending::surfaced : Ending::completed);
      }
    }
  }

  void extra_task(EventTime at, Twist twist, Ending ending) {
    TaskPlan plan{.number = first_extra_task + extra_count_++,
                  .start = at,
                  .ending = ending,
                  .twist = twist,
                  .session_id = session_name(),
                  .user_hash = user_hash()};
    const std::string correlation_id = run_task(plan).correlation_id;
    if (twist == Twist::hangs || twist == Twist::leaks) incident_tasks_.push_back(correlation_id);
  }

  TaskSummary run_task(const TaskPlan& plan) {
    const TaskSummary summary =
        TaskRun(plan, incidents_, leaked_text_, Random(agent_seed_, "task", plan.number), writer_).run();
    tasks_.push_back({summary.start, summary.end});
    review(plan, summary);
    return summary;
  }

  // Some tasks are looked at by a person an hour or so later; what comes after the end of the run is left out.
  void review(const TaskPlan& plan, const TaskSummary& summary) {
    Random random(agent_seed_, "review", plan.number);
    if (!random.chance(profile_.reviews_per_million)) return;
    const EventTime at = summary.end + random.lognormal(Duration{minutes{50}}, 500);
    const bool accepted = random.chance(profile_.accepted_per_million);
    if (at >= end_) return;
    writer_.add(at, summary.correlation_id,
                writer_.line("review", at, summary.correlation_id).raw("accepted", accepted ? "true" : "false"));
  }

  std::string session_name() { return fmt::format("s-{:012x}", sessions_.next() >> 16); }
  std::string user_hash() {
    const std::uint64_t high = sessions_.next();
    return fmt::format("{:016x}{:016x}", high, sessions_.next());
  }

  void join_session(TaskPlan& plan) {
    const bool goes_on = sessions_.chance(session_goes_on_per_million);
    if (session_.id.empty() || !goes_on) {
      close_session();
      session_ = {.id = session_name(), .user_hash = user_hash(), .last_end = plan.start};
      if (profile_.has_sessions) {
        const EventTime at = plan.start - Duration{1};  // one gap between tasks is at least that long
        writer_.add(at, session_.id, session_line("session.started", at));
      }
    }
    plan.session_id = session_.id;
    plan.user_hash = session_.user_hash;
  }

  void close_session() {
    if (session_.id.empty() || !profile_.has_sessions) return;
    const EventTime at = session_.last_end + Duration{500};
    writer_.add(at, session_.id,
                session_line("session.finished", at)
                    .number("tasks", session_.tasks)
                    .usd("cost_usd", session_.cost_micro_usd));
  }

  EventLine session_line(std::string_view type, EventTime at) {
    EventLine line = writer_.line(type, at);
    line.text("session_id", session_.id).text("user_hash", session_.user_hash);
    return line;
  }

  // What the agent says of itself every five minutes.
  void states() {
    Random random(options_.seed, profile_.agent, 3);
    std::vector<EventTime> starts, ends;
    for (const auto& [start, end] : tasks_) {
      starts.push_back(start);
      ends.push_back(end);
    }
    std::ranges::sort(starts);
    std::ranges::sort(ends);
    const auto before = [](const std::vector<EventTime>& times, EventTime at) {
      return std::distance(times.begin(), std::ranges::upper_bound(times, at));
    };
    for (EventTime at = options_.begin + random.between(Duration{1}, system_interval); at < end_;
         at += system_interval) {
      const std::int64_t running = before(starts, at) - before(ends, at);
      const std::int64_t waiting =
          running > 2 ? static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(running))) : 0;
      writer_.add(at, profile_.agent,
                  writer_.line("system", at)
                      .text("active_spec_version", profile_.spec_version)
                      .text("active_model_version", profile_.model_version)
                      .number("concurrent_tasks", running)
                      .number("queue_depth", waiting));
    }
  }

  const GeneratorOptions& options_;
  const AgentProfile& profile_;
  std::span<const PlannedIncident> incidents_;
  std::string_view leaked_text_;
  EventTime end_;
  Random fates_;
  Random sessions_;
  EventWriter writer_;
  std::int64_t tasks_until_error_;
  std::uint64_t agent_seed_ = Random(options_.seed, profile_.agent, 4).next();
  Session session_;
  std::uint64_t extra_count_ = 0;
  std::vector<std::pair<EventTime, EventTime>> tasks_;
  std::vector<std::string> incident_tasks_;
};

}  // namespace

GeneratedRuns generate_runs(const GeneratorOptions& options) {
  GeneratedRuns runs;
  std::vector<PlannedIncident> plan;
  std::string leaked_text;
  if (options.incidents) {
    plan = plan_incidents(options.begin + days{options.days - 1});
    const Credential credential = make_credential(options.seed);
    runs.planted_key_id = credential.key_id;
    runs.planted_secret = credential.secret;
    leaked_text = credential.text();
  }

  std::uint64_t number = 0;
  for (const AgentProfile& profile : demo_agents()) {
    AgentTimeline timeline(options, profile, number++, plan, leaked_text);
    timeline.run();
    std::ranges::move(timeline.take_events(), std::back_inserter(runs.events));
    runs.tasks += timeline.task_count();

    auto task = timeline.incident_tasks().begin();
    for (const PlannedIncident& incident : plan) {
      if (incident.agent != profile.agent) continue;
      const bool one_task = incident.trouble == Trouble::provider_hang || incident.trouble == Trouble::leaked_secret;
      runs.incidents.push_back({.alert = std::string(incident.alert),
                                .env = std::string(EventWriter::env),
                                .agent = std::string(incident.agent),
                                .correlation_id = one_task ? *task++ : std::string{},
                                .begin = incident.begin,
                                .end = incident.end,
                                .what = std::string(incident.what)});
    }
  }
  std::ranges::stable_sort(runs.events, {}, &GeneratedEvent::time);
  std::ranges::stable_sort(runs.incidents, {}, &Incident::begin);
  return runs;
}

}  // namespace tocsin
