#include "app/demo/incident_plan.h"

#include <algorithm>

namespace tocsin {

std::vector<PlannedIncident> plan_incidents(EventTime last_day) {
  using std::chrono::hours;
  using std::chrono::minutes;
  const auto at = [&](int hour, int minute = 0) -> EventTime { return last_day + hours{hour} + minutes{minute}; };
  return {
      // The agent has 48 tasks an hour then, so that an hour always holds the 20 samples that the rule asks for.
      {Trouble::broken_tool, "SurfaceRateOutOfBand", "ops-triage", at(3), at(6),
       "The metrics tool is down: ops-triage hands back four tasks in five."},
      // The busiest agent: 130 tasks come within some four hours, and the alert with them.
      {Trouble::never_surfaces, "SurfaceRateTooLow", "customer-support", at(6), at(15),
       "customer-support no longer hands anything back, whatever it is asked."},
      {Trouble::provider_outage, "ErrorRateSpike", "billing-assistant", at(9, 30), at(11),
       "The model provider of billing-assistant is out: every other task fails."},
      {Trouble::costly_context, "CostSpike", "code-maintainer", at(13), at(15),
       "code-maintainer no longer shortens its prompts: each model call costs many times as much."},
      // The end is three times the budget of 15 minutes; the alert comes at twice the budget.
      {Trouble::provider_hang, "TaskOverWallClock", "market-research", at(16, 10), at(16, 55),
       "A model call of market-research never returns: the task falls silent."},
      {Trouble::provider_hang, "TaskOverWallClock", "market-research", at(16, 14), at(16, 59),
       "A second model call of market-research never returns while the first one hangs."},
      {Trouble::leaked_secret, "SecretLeak", "code-maintainer", at(18, 30), at(18, 45),
       "code-maintainer reads a credential from a file and repeats it in prompts, answers and tool calls."},
      {Trouble::prompt_injection, "AuthorizationRefusalSpike", "market-research", at(20, 15), at(20, 30),
       "Pages that market-research reads tell it to send data away; the tool layer refuses each call."},
  };
}

bool troubled(std::span<const PlannedIncident> plan, Trouble trouble, std::string_view agent, EventTime time) {
  return std::ranges::any_of(plan, [&](const PlannedIncident& incident) {
    return incident.trouble == trouble && incident.agent == agent && incident.begin <= time && time < incident.end;
  });
}

}  // namespace tocsin
