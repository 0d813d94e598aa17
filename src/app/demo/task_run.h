// One task of a made-up agent, from its start to its end, as the events that it would have sent.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "app/demo/agent_profile.h"
#include "app/demo/event_writer.h"
#include "app/demo/incident_plan.h"
#include "app/demo/random.h"
#include "app/demo/subject.h"

namespace tocsin {

enum class Ending { completed, surfaced, errored, timed_out };

// What is unusual about a task.
enum class Twist {
  none,
  hangs,     // falls silent and ends at three times its budget
  injected,  // a page that it read makes it call what it may not
  leaks      // reads a credential and repeats it
};

struct TaskPlan {
  std::uint64_t number = 0;  // different for each task of the agent
  EventTime start;
  Ending ending = Ending::completed;
  Twist twist = Twist::none;
  std::string session_id;
  std::string user_hash;
};

struct TaskSummary {
  std::string correlation_id;
  EventTime start;
  EventTime end;
  std::int64_t cost_micro_usd = 0;
};

class TaskRun {
 public:
  // `leaked_text` is what a task with Twist::leaks reads. All references must outlive the run.
  TaskRun(const TaskPlan& plan, std::span<const PlannedIncident> incidents, std::string_view leaked_text,
          Random random, EventWriter& writer);

  // Writes all events of the task. Requires: called once.
  TaskSummary run();

 private:
  void start();
  void work();  // turns, until they end or the plan cuts them short
  void work_injected();
  void work_leaking();
  void finish();

  void advance(Duration duration);  // heartbeats included
  void maybe_pause();
  void step(std::string_view type, std::int64_t tokens_out, std::string_view prompt, std::string_view output);
  void call(const ToolTemplate& tool);
  void call(std::string_view tool, std::string_view arguments, std::string_view result, std::string_view authz,
            bool writes, std::string_view error_type = {}, std::string_view authz_reason = {});
  void hand_over();
  void fail();
  bool out_of_time() const;
  const ToolTemplate& pick_tool();
  EventLine line(std::string_view type) { return writer_.line(type, now_, correlation_id_); }
  void add(const EventLine& line) { writer_.add(now_, correlation_id_, line); }

  const AgentProfile& profile_;
  const TaskPlan& plan_;
  std::span<const PlannedIncident> incidents_;
  std::string_view leaked_text_;
  Random random_;
  EventWriter& writer_;

  std::string correlation_id_;
  Subject subject_;
  EventTime now_;
  EventTime next_heartbeat_;
  Duration paused_{};
  std::int64_t context_ = 0;  // tokens that the next model call reads
  std::int64_t cached_ = 0;   // of them, how many the last call has left in the provider's cache
  std::int64_t tokens_in_ = 0;
  std::int64_t tokens_out_ = 0;
  std::int64_t tokens_cached_ = 0;
  std::int64_t cost_micro_usd_ = 0;
};

}  // namespace tocsin
