#include "simulation/plain_reading.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace tocsin::sim {

namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr Duration slice = 10s;
constexpr std::int64_t open_end = INT64_MAX / 4;

constexpr const char* recent = "Recent";

RecordTime down(RecordTime time, Duration grain) {
  return {Duration{time.since_epoch.count() / grain.count() * grain.count()}};
}

struct Seen {  // a finding of mode event
  std::string alert;
  std::string labels;
  RecordTime at;
};
struct TaskChange {
  bool is_over = false;  // else ended or lost
  std::string agent;
  std::string task;
};

// What one partition says at one grid time.
struct Closed {
  std::map<std::pair<std::string, std::string>, Sum> sums;  // rule, group
  std::vector<Seen> seen;
  std::vector<TaskChange> tasks;
};

struct Task {
  std::string env, agent, spec, spec_version;
  std::int64_t started = 0;
  std::int64_t last = 0;
  std::optional<std::int64_t> ended;
  bool saw_start = false;
  bool has_fired = false;
  RecordTime forgotten{};
};

std::optional<std::int64_t> time_of(const Json& event, bool& is_bad) {
  const auto time = event.find("time");
  if (time == event.end()) return std::nullopt;
  if (!time->is_number_integer() || time->get<std::int64_t>() < 0) {
    is_bad = true;
    return std::nullopt;
  }
  const auto number = time->get<std::int64_t>();
  if (number < 100'000'000'000) return number * 1'000;
  if (number < 100'000'000'000'000) return number;
  if (number < 100'000'000'000'000'000) return number / 1'000;
  return number / 1'000'000;
}

std::string text_of(const Json& event, const char* name) {
  const auto found = event.find(name);
  return found != event.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

class PartitionReading {
 public:
  PartitionReading(const SourcePartition& input, PlainAnswer& answer) : input_(input), answer_(answer) {}

  std::map<RecordTime, Closed> read(RecordTime until) {
    next_ = input_.first_grid;
    time_ = next_ - slice;
    auto idle = input_.idle.begin();
    for (std::size_t i = 0; i <= input_.records.size(); ++i) {
      for (; idle != input_.idle.end() && idle->records == static_cast<std::int64_t>(i); ++idle) come_to(idle->grid);
      if (i < input_.records.size()) apply(input_.records[i]);
    }
    std::erase_if(closed_, [&](const auto& entry) { return entry.first > until; });
    return std::move(closed_);
  }

 private:
  void come_to(RecordTime time) {
    for (; next_ <= time; next_ = next_ + slice) close();
    time_ = std::max(time_, time);
  }

  void close() {
    for (auto task = tasks_.begin(); task != tasks_.end();) {
      const auto limit = limit_of(task->second);
      Task& one = task->second;
      if (limit && !one.has_fired && !(one.ended && *one.ended <= one.started + *limit) &&
          one.started + *limit + 5'000 <= next_.since_epoch.count()) {
        one.has_fired = true;
        now_.tasks.push_back({true, one.agent, task->first});
        if (one.ended) now_.tasks.push_back({false, one.agent, task->first});
      }
      const bool lost = !one.ended && one.last + Duration{1h}.count() <= next_.since_epoch.count();
      if (lost && one.has_fired) now_.tasks.push_back({false, one.agent, task->first});
      const bool goes = lost || (one.ended && one.forgotten <= next_);
      task = goes ? tasks_.erase(task) : std::next(task);
    }
    closed_[next_] = std::exchange(now_, {});
  }

  static std::optional<std::int64_t> limit_of(const Task& task) {
    if (task.spec == "quick" && task.spec_version == "1") return 180'000;
    if (task.spec == "slow" && task.spec_version == "1") return 360'000;
    return std::nullopt;
  }

  void apply(const SourceRecord& record) {
    const bool is_ahead = record.stamp.since_epoch - record.arrived > 60s;
    if (!is_ahead) come_to(record.stamp);
    const Json event = Json::parse(record.value, nullptr, false);
    if (!event.is_object()) return;
    bool is_bad = false;
    const auto said = time_of(event, is_bad);
    if (is_bad || !ids_.insert(text_of(event, "event_id")).second) return;
    const std::int64_t at = said.value_or(time_.since_epoch.count());
    const std::string type = text_of(event, "type");

    auto known = tasks_.find(record.key);
    const bool is_new = known == tasks_.end();
    if (is_new) {
      known = tasks_.emplace(record.key, Task{}).first;
      known->second.started = known->second.last = at;
    }
    Task& task = known->second;
    bool repeats = false;
    const auto learn = [&](std::string& field, const char* name, bool overrides) {
      const std::string value = text_of(event, name);
      if (!value.empty() && (field.empty() || overrides)) field = value;
    };
    const bool begins = type == "task.started" && !task.saw_start;
    learn(task.env, "env", begins);
    learn(task.agent, "agent", begins);
    learn(task.spec, "spec", begins);
    learn(task.spec_version, "spec_version", begins);
    task.last = std::max(task.last, at);
    if (begins) {
      task.saw_start = true;
      task.started = at;
    }
    if (type == "task.finished") {
      repeats = task.ended.has_value();
      if (!repeats) {
        task.ended = at;
        task.forgotten = time_ + 10min;
        if (task.has_fired) now_.tasks.push_back({false, task.agent, record.key});
      }
    }
    std::string agent = text_of(event, "agent");
    if (agent.empty()) agent = task.agent;
    const std::string group = "agent=" + agent + " env=prod";
    if (!repeats) count(event, type, agent, group);
    if (type == "tool.call" && text_of(event, "authz") == "refused") now_.seen.push_back({"Refusal", group, time_});
    look_for_secret(event, agent, record.key);
  }

  void count(const Json& event, const std::string& type, const std::string& agent, const std::string& group) {
    if (type == "tool.call") add("ManyCalls", "env=prod", 0);
    if (agent.empty()) return;
    if (type == "task.finished") {
      const std::string outcome = text_of(event, "outcome");
      add("ErrorRate", group, outcome == "errored" || outcome == "timed_out" ? 1 : 0);
    }
    if (type == "step") add(recent, group, 0);
    if (type == "step" && event.contains("cost_usd")) {
      add("CostRise", group, std::llround(event["cost_usd"].get<double>() * 1e6));
    }
  }

  void add(const char* rule, const std::string& group, std::int64_t sum) {
    Sum& total = now_.sums[{rule, group}];
    total.sum += sum;
    total.count += 1;
  }

  void look_for_secret(const Json& event, const std::string& agent, const std::string& task) {
    const std::string content = text_of(event, "content");
    const std::size_t at = content.find(std::string("AK") + "IA");
    if (at == std::string::npos) return;
    answer_.halts.emplace("task:" + task, content.substr(at, 20));
    now_.seen.push_back({"SecretLeak",
                         "agent=" + agent + " correlation_id=" + task + " env=prod secret_pattern=aws.access_key",
                         time_});
  }

  const SourcePartition& input_;
  PlainAnswer& answer_;
  RecordTime time_{};
  RecordTime next_{};
  Closed now_;
  std::map<RecordTime, Closed> closed_;
  std::map<std::string, Task> tasks_;
  std::set<std::string> ids_;
};

// The alert of one group under one rule of mode window.
struct WindowAlert {
  std::map<RecordTime, Sum> slices;  // by their end
  enum { idle, pending, firing } state = idle;
  RecordTime since{};
  std::optional<RecordTime> false_since;
  std::int64_t episode = 0;
  std::vector<std::pair<std::int64_t, std::int64_t>> excluded;
  bool is_learned = false;
  double frozen = NAN;
  RecordTime last_sample{Duration{INT64_MIN / 4}};
  Duration gap{};

  Sum between(RecordTime from, RecordTime to) const {  // slices that begin in [from, to)
    Sum sum;
    for (auto one = slices.upper_bound(from); one != slices.end() && one->first <= to; ++one) {
      sum.sum += one->second.sum;
      sum.count += one->second.count;
    }
    return sum;
  }
};

struct WindowRule {
  const char* name;
  Duration window;
  std::int64_t least;
  Duration hold, keep, silence;
};
constexpr WindowRule window_rules[] = {
    {"ErrorRate", 5min, 3, 1min, 2min, 8min},
    {"CostRise", 4min, 4, 0s, 90s, 1h},
    {"ManyCalls", 2min, 0, 0s, 1min, 1h},
};
constexpr WindowRule recent_rule{recent, 1h, 0, 0s, 90s, 1h};
constexpr Duration learned_after = 45min;

class WindowReading {
 public:
  WindowReading(const WindowRule& rule, std::string group, PlainAnswer& answer)
      : rule_(rule), group_(std::move(group)), answer_(answer) {}

  void add(RecordTime grid, Sum sum) {
    Sum& total = alert_.slices[grid];
    total.sum += sum.sum;
    total.count += sum.count;
  }

  // Everything is as if it had always been counted.
  void learn(RecordTime grid, Sum sum) {
    add(grid, sum);
    alert_.last_sample = std::prev(alert_.slices.end())->first;
    const RecordTime begin = down(alert_.last_sample, 1min) - rule_.window;
    alert_.gap = (alert_.last_sample - begin) / alert_.between(begin, alert_.last_sample).count;
  }

  std::int64_t episode() const { return alert_.episode; }
  void go_on_from(std::int64_t episode) { alert_.episode = episode; }
  void end(RecordTime now) {
    if (alert_.state == WindowAlert::firing) resolve(now);
  }

  // `counted_since`: before it nothing was counted, though something may have been there.
  void judge(RecordTime now, std::optional<RecordTime> counted_since = std::nullopt) {
    const RecordTime begin = down(now, 1min) - rule_.window;
    const Sum seen = alert_.between(begin, now);
    if (const auto fresh = alert_.slices.find(now); fresh != alert_.slices.end() && fresh->second.count > 0) {
      alert_.last_sample = now;
      alert_.gap = (now - begin) / seen.count;
    }
    const double baseline = std::isnan(alert_.frozen) ? baseline_at(begin) : alert_.frozen;
    std::optional<bool> truth;
    if (seen.count >= rule_.least && !(counted_since && begin < *counted_since)) truth = holds(seen, baseline);
    const bool silent = now - alert_.last_sample >= std::max(rule_.silence, 8 * alert_.gap);
    if (silent && alert_.state == WindowAlert::firing) return resolve(now);
    forget_exclusions(now);
    if (silent) truth = false;
    if (!truth) return;
    if (*truth) {
      alert_.false_since.reset();
      if (alert_.state == WindowAlert::firing) return;
      if (alert_.state == WindowAlert::idle) {
        alert_.state = WindowAlert::pending;
        alert_.since = now;
        alert_.excluded.emplace_back(now.since_epoch.count(), open_end);
      }
      if (now - alert_.since >= rule_.hold) {
        alert_.state = WindowAlert::firing;
        alert_.is_learned = false;
        alert_.frozen = baseline;
        ++alert_.episode;
        answer_.pages[{rule_.name, group_, alert_.episode, true}] = now;
      }
    } else if (alert_.state == WindowAlert::pending) {
      alert_.state = WindowAlert::idle;
      alert_.excluded.pop_back();
    } else if (alert_.state == WindowAlert::firing) {
      if (!alert_.false_since) alert_.false_since = now;
      if (now - *alert_.false_since >= rule_.keep) resolve(now);
    }
  }

 private:
  void resolve(RecordTime now) {
    alert_.state = WindowAlert::idle;
    alert_.false_since.reset();
    if (!alert_.is_learned) alert_.excluded.back().second = now.since_epoch.count();
    alert_.frozen = NAN;
    answer_.pages[{rule_.name, group_, alert_.episode, false}] = now;
  }

  // What lasts is the new normal.
  void forget_exclusions(RecordTime now) {
    if (alert_.state == WindowAlert::firing && !alert_.is_learned && now - alert_.since >= learned_after) {
      alert_.is_learned = true;
      alert_.excluded.pop_back();
      alert_.frozen = NAN;
    }
    std::erase_if(alert_.excluded, [&](const auto& one) {
      return one.second != open_end && one.second + learned_after.count() <= now.since_epoch.count();
    });
  }

  std::optional<bool> holds(Sum seen, double baseline) const {
    const std::string_view name = rule_.name;
    if (name == "ManyCalls") return seen.count >= 25;
    if (name == recent) return seen.count >= 30;
    if (name == "ErrorRate") return static_cast<double>(seen.sum) / static_cast<double>(seen.count) > 0.5;
    if (std::isnan(baseline)) return std::nullopt;
    return static_cast<double>(seen.sum) / 1e6 > 3 * baseline;
  }

  // Dollars for as long as the window is, over the quarters with traffic of the hour before it.
  double baseline_at(RecordTime window_begin) const {
    if (std::string_view(rule_.name) != "CostRise") return NAN;
    const RecordTime to = down(window_begin, 15min);
    Sum all;
    Duration busy{};
    for (RecordTime quarter = to - 1h; quarter < to; quarter = quarter + 15min) {
      const std::int64_t from = quarter.since_epoch.count(), end = from + Duration{15min}.count();
      const bool is_out = std::any_of(alert_.excluded.begin(), alert_.excluded.end(),
                                      [&](const auto& one) { return from < one.second && end > one.first; });
      if (is_out) continue;
      const Sum sum = alert_.between(quarter, quarter + 15min);
      all.sum += sum.sum;
      all.count += sum.count;
      if (sum.count > 0) busy += 15min;
    }
    if (all.count < 12 || busy == 0s) return NAN;
    const double total = static_cast<double>(all.sum) / 1e6 * static_cast<double>(Duration{rule_.window}.count()) /
                         static_cast<double>(busy.count());
    return std::max(total, 0.05);
  }

  const WindowRule& rule_;
  std::string group_;
  PlainAnswer& answer_;
  WindowAlert alert_;
};

// The rule that comes and goes.
class RecentReading {
 public:
  RecentReading(const std::vector<SourcePartition>& partitions, const std::vector<RecentRun>& runs,
                PlainAnswer& answer)
      : partitions_(partitions), runs_(runs), answer_(answer) {}

  void judge(RecordTime now, const std::map<std::string, Sum>& fresh) {
    if (run_ < runs_.size() && runs_[run_].end && now > *runs_[run_].end) {
      for (auto& [group, reading] : groups_) {
        reading.end(now);
        episodes_[group] = reading.episode();
      }
      groups_.clear();
      ++run_;
    }
    if (run_ == runs_.size() || now <= runs_[run_].from) return;
    const RecentRun& run = runs_[run_];
    for (const auto& [group, sum] : fresh) of(group).add(now, sum);
    if (run.past_at == now) {
      for (const std::int32_t p : run.past_of) learn(partitions_[static_cast<std::size_t>(p)], run.from);
    }
    const bool knows_all =
        run.from_the_beginning || (run.past_at && now >= *run.past_at && run.past_of.size() == partitions_.size());
    for (auto& [group, reading] : groups_) {
      reading.judge(now, knows_all ? std::nullopt : std::optional(run.from));
    }
  }

 private:
  WindowReading& of(const std::string& group) {
    const auto [known, is_new] = groups_.try_emplace(group, recent_rule, group, answer_);
    if (is_new) known->second.go_on_from(episodes_[group]);
    return known->second;
  }

  // The records that were read before the slice that begins at `from`, at their own stamps.
  void learn(const SourcePartition& partition, RecordTime from) {
    SourcePartition before;
    const std::int64_t read = partition.read_until(from);
    std::optional<RecordTime> first;
    RecordTime last{};
    for (std::int64_t i = 0; i < read; ++i) {
      SourceRecord record = partition.records[static_cast<std::size_t>(i)];
      const bool is_last = i + 1 == read;
      const bool is_ahead =
          record.stamp >= from ||
          (!is_last && record.stamp - partition.records[static_cast<std::size_t>(i + 1)].stamp > Duration{1min});
      record.arrived = record.stamp.since_epoch - (is_ahead ? Duration{2min} : Duration{});
      if (!is_ahead) last = std::max(last, record.stamp);
      if (!is_ahead && !first) first = record.stamp;
      before.records.push_back(std::move(record));
    }
    if (!first) return;
    before.first_grid = down(*first, slice) + slice;
    before.idle = {{std::max(from, last + slice), read}};
    PlainAnswer ignored;
    for (const auto& [grid, closed] : PartitionReading(before, ignored).read(from)) {
      for (const auto& [key, sum] : closed.sums) {
        if (key.first == recent) of(key.second).learn(grid, sum);
      }
    }
  }

  const std::vector<SourcePartition>& partitions_;
  const std::vector<RecentRun>& runs_;
  PlainAnswer& answer_;
  std::size_t run_ = 0;
  std::map<std::string, WindowReading> groups_;
  std::map<std::string, std::int64_t> episodes_;
};

// One page for all tasks of an agent that run too long.
class OverrunReading {
 public:
  explicit OverrunReading(PlainAnswer& answer) : answer_(answer) {}

  void judge(RecordTime now, const std::vector<TaskChange>& changes) {
    std::set<std::string> touched;
    for (const TaskChange& change : changes) {
      if (change.is_over) {
        running_[change.agent].insert(change.task);
        touched.insert(change.agent);
      }
    }
    for (const TaskChange& change : changes) {
      if (!change.is_over && running_[change.agent].erase(change.task) > 0) touched.insert(change.agent);
    }
    for (const std::string& agent : touched) {
      Page& page = pages_[agent];
      const bool is_open = !running_[agent].empty();
      if (is_open == page.is_open) continue;
      page.is_open = is_open;
      if (is_open) ++page.episode;
      answer_.pages[{"TaskOverrun", "agent=" + agent + " env=prod", page.episode, is_open}] = now;
    }
  }

 private:
  struct Page {
    bool is_open = false;
    std::int64_t episode = 0;
  };
  PlainAnswer& answer_;
  std::map<std::string, std::set<std::string>> running_;
  std::map<std::string, Page> pages_;
};

class EventReading {
 public:
  explicit EventReading(PlainAnswer& answer) : answer_(answer) {}

  void see(const Seen& seen) {
    Alert& alert = alerts_[{seen.alert, seen.labels}];
    if (!alert.is_firing && seen.at <= alert.resolved) return;
    alert.last = std::max(alert.last, seen.at);
    if (alert.is_firing) return;
    alert.is_firing = true;
    ++alert.episode;
    answer_.pages[{seen.alert, seen.labels, alert.episode, true}] = seen.at;
  }

  void judge(RecordTime now) {
    for (auto& [key, alert] : alerts_) {
      if (key.first != "Refusal" || !alert.is_firing || now - alert.last < 1h) continue;
      alert.is_firing = false;
      alert.resolved = now;
      answer_.pages[{key.first, key.second, alert.episode, false}] = now;
    }
  }

 private:
  struct Alert {
    bool is_firing = false;
    std::int64_t episode = 0;
    RecordTime last{Duration{INT64_MIN / 4}};
    RecordTime resolved{Duration{INT64_MIN / 4}};
  };
  PlainAnswer& answer_;
  std::map<std::pair<std::string, std::string>, Alert> alerts_;
};

}  // namespace

PlainAnswer read_plainly(const std::vector<SourcePartition>& partitions, const std::vector<RecentRun>& runs,
                         RecordTime until) {
  PlainAnswer answer;
  std::vector<std::map<RecordTime, Closed>> closed;
  RecordTime first{Duration{INT64_MAX}};
  for (std::size_t p = 0; p < partitions.size(); ++p) {
    closed.push_back(PartitionReading(partitions[p], answer).read(until));
    first = std::min(first, partitions[p].first_grid);
    for (const auto& [grid, slice_of] : closed.back()) {
      for (const auto& [key, sum] : slice_of.sums) {
        if (key.first == recent) continue;  // it is not there always
        answer.slices[{static_cast<std::int32_t>(p), key.first, key.second, grid.since_epoch.count()}] = sum;
      }
    }
  }
  std::map<std::pair<std::string, std::string>, WindowReading> windows;
  RecentReading recents(partitions, runs, answer);
  OverrunReading overruns(answer);
  EventReading events(answer);
  for (RecordTime now = first; now <= until; now = now + slice) {
    std::vector<TaskChange> tasks;
    std::map<std::string, Sum> fresh;
    for (const auto& partition : closed) {
      const auto found = partition.find(now);
      if (found == partition.end()) continue;
      for (const Seen& seen : found->second.seen) events.see(seen);
      for (const auto& [key, sum] : found->second.sums) {
        if (key.first == recent) {
          fresh[key.second].sum += sum.sum;
          fresh[key.second].count += sum.count;
        }
        for (const WindowRule& rule : window_rules) {
          if (key.first != rule.name) continue;
          windows.try_emplace(key, rule, key.second, answer).first->second.add(now, sum);
        }
      }
      tasks.insert(tasks.end(), found->second.tasks.begin(), found->second.tasks.end());
    }
    for (auto& [key, reading] : windows) reading.judge(now);
    recents.judge(now, fresh);
    overruns.judge(now, tasks);
    events.judge(now);
  }
  return answer;
}

}  // namespace tocsin::sim
