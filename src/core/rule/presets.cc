#include "core/rule/presets.h"

namespace tocsin {

namespace {

constexpr std::string_view text = R"yaml(# What money an agent spends in an hour, against its day.
cost_spike:
  alert: CostSpike
  from: step
  values: {value: per_hour(cost), per_call: avg(cost)}
  window: 1h
  min_samples: 20
  baseline: {range: 24h, block: 1h, stat: mean, empty: skip, min_blocks: 6, peak: 7d, floor: 1.00, declared: spec.cost.per_hour, reset_on: [spec_version, model]}
  when: value > 2 * baseline && value > baseline + 5.5 * baseline.stdev && value - baseline > 5.00 && (per_call > 2 * baseline.per_call || value > 2 * spec.cost.per_hour || value > 10 * baseline.peak || value > 5 * baseline && value > 2.5 * baseline.peak && baseline.age >= 48h)
  keep_firing_while: value > 1.5 * baseline && value > baseline + 2.5 * baseline.stdev && value - baseline > 2.50
  annotations: {summary: "{{agent}} spends {{value|usd}}/h, {{value / baseline|x}} its 24 h average"}

# What a task costs, against what its spec declares.
cost_per_task:
  alert: CostPerTask
  from: step
  values: {value: sum(cost), tasks: distinct(correlation_id)}
  window: 1h
  min_samples: 20
  when: tasks >= 5 && value / tasks > spec.cost.per_task
  for: 5m
  annotations: {summary: "a task of {{agent}} costs {{value / tasks|usd}}; its spec allows {{spec.cost.per_task|usd}}"}

# How many tasks fail, against the day.
error_spike:
  alert: ErrorRateSpike
  from: task.finished
  value: ratio(outcome in ["errored", "timed_out"])
  window: 15m..24h
  min_samples: 10
  baseline: {range: 24h, min_samples: 50, floor: 0.01}
  when: low(value) > min(3 * baseline, (1 + baseline) / 2) && hits >= 4
  annotations: {summary: "{{agent}} fails {{value|percent}} of its tasks ({{hits}} of {{samples}}); its 24 h average is {{baseline|percent}}"}

# The same for each version of an agent by itself, so that a roll-out cannot hide behind the version before.
error_spike_by_version:
  alert: ErrorRateOfVersion
  from: task.finished
  group_by: [env, agent, agent_version]
  value: ratio(outcome in ["errored", "timed_out"])
  window: 15m..24h
  min_samples: 10
  when: low(value) > 0.1 && hits >= 4
  annotations: {summary: "version {{agent_version}} of {{agent}} fails {{value|percent}} of its tasks ({{hits}} of {{samples}})"}

# Calls of a tool that fail.
tool_errors:
  alert: ToolErrors
  from: tool.call
  group_by: [env, agent, tool]
  value: ratio(has(error_type))
  window: 15m..24h
  min_samples: 20
  baseline: {range: 24h, min_samples: 50, floor: 0.02}
  when: low(value) > min(3 * baseline, (1 + baseline) / 2) && hits >= 5
  annotations: {summary: "{{tool}} fails {{value|percent}} of the calls of {{agent}}"}

# More tasks handed to people than the spec's band allows.
surface_band:
  alert: SurfaceRateOutOfBand
  from: task.finished
  group_by: [env, agent, spec, spec_version]
  value: ratio(outcome == "surfaced")
  window: 15m..24h
  min_samples: 20
  when: low(value) > spec.surface_rate.max
  for: 15m
  annotations: {summary: "{{agent}} hands {{value|percent}} of its tasks back to people; its spec allows {{spec.surface_rate.max|percent}}"}

# Fewer than the band expects: an agent that no longer asks.
surface_low:
  alert: SurfaceRateTooLow
  from: task.finished
  group_by: [env, agent, spec, spec_version]
  value: ratio(outcome == "surfaced")
  window: 1h..24h
  min_samples: 130
  when: high(value) < spec.surface_rate.min
  for: 15m
  labels: {severity: warning}
  annotations: {summary: "{{agent}} hands only {{value|percent}} of its tasks back to people; its spec expects {{spec.surface_rate.min|percent}} at least"}

# Refusals by the authorization layer, over several tasks.
refusal_spike:
  alert: AuthorizationRefusalSpike
  from: tool.call
  where: authz in ["refused", "refused_with_reason"]
  values: {value: count(), tasks: distinct(correlation_id)}
  window: 5m
  baseline: {range: 24h, empty: zero, floor: 1}
  when: value >= 10 && value > 3 * baseline && tasks >= 3
  for: 3m
  actions: [page, investigate]
  annotations: {summary: "{{agent}} was refused {{value}} tool calls in 5 minutes, over {{tasks}} tasks"}

# A credential in the telemetry: the task is halted.
secret_leak:
  alert: SecretLeak
  mode: event
  where: has(secret.pattern)
  group_by: [env, agent, correlation_id, secret.pattern]
  actions: [{halt: task}, page, investigate, spec_gap]
  resolve: manual
  annotations: {summary: "a credential ({{secret_pattern}}) stands in the telemetry of {{agent}}; revoke it where it was issued"}

# Telemetry that could not be scanned to its end is not known to be clean.
unscanned:
  alert: UnscannedTelemetry
  mode: event
  where: scan == "cut"
  group_by: [env, agent]
  annotations: {summary: "an event of {{agent}} was too costly to scan for secrets to its end"}

# A task that runs past twice its wall clock.
budget_overrun:
  alert: TaskOverWallClock
  mode: task
  when: elapsed > 2 * spec.wall_clock
  page_by: [env, agent]
  expire: 24h
  annotations: {summary: "a task of {{agent}} has been running for {{elapsed|duration}}, against a budget of {{spec.wall_clock|duration}}"}

# A task that says nothing any more.
task_silent:
  alert: TaskSilent
  mode: task
  when: silent > 30m
  page_by: [env, agent]
  expire: 24h
  annotations: {summary: "a task of {{agent}} has said nothing for half an hour; it has been running for {{elapsed|duration}}"}

# An agent that says nothing any more, for as long as it is remembered.
no_heartbeat:
  alert: AgentSilent
  from: step
  value: count()
  window: 15m
  when: value == 0
  no_data: fire
  no_data_after: 15m
  keep_firing_for: 0s
  annotations: {summary: "{{agent}} has made no step for 15 minutes"}

# The slowest twentieth of a tool's calls takes more than ten seconds: its 95th percentile does.
latency_p95:
  alert: ToolLatencyP95
  from: tool.call
  group_by: [env, agent, tool]
  where: has(latency)
  value: ratio(latency > 10s)
  window: 15m..24h
  min_samples: 20
  when: low(value) > 0.05
  for: 5m
  labels: {severity: warning}
  annotations: {summary: "{{value|percent}} of the calls of {{tool}} by {{agent}} took more than 10 s"}

# The same of the time until a model's first token.
ttft_p95:
  alert: FirstTokenP95
  from: step
  group_by: [env, agent, model]
  where: has(ttft)
  value: ratio(ttft > 5s)
  window: 15m..24h
  min_samples: 20
  when: low(value) > 0.05
  for: 5m
  labels: {severity: warning}
  annotations: {summary: "{{value|percent}} of the first tokens of {{model}} for {{agent}} took more than 5 s"}

# Tokens of a task, against the day: prompts that grow with every step.
token_runaway:
  alert: TokenRunaway
  from: step
  values: {value: sum(tokens_in), tasks: distinct(correlation_id)}
  window: 15m
  min_samples: 20
  baseline: {range: 24h, min_samples: 100, floor: 1}
  when: value > 3 * baseline && value / tasks > 50000
  annotations: {summary: "{{agent}} read {{value}} tokens in 15 minutes, {{value / baseline|x}} its 24 h average, in {{tasks}} tasks"}

# The same tool again and again in few tasks.
tool_repetition:
  alert: ToolRepetition
  from: tool.call
  group_by: [env, agent, tool]
  values: {value: count(), tasks: distinct(correlation_id)}
  window: 15m
  when: value >= 40 && value / tasks >= 20
  labels: {severity: warning}
  annotations: {summary: "{{agent}} called {{tool}} {{value}} times in 15 minutes, in {{tasks}} tasks"}

# The month's budget will not do, by the clock of UTC.
monthly_forecast:
  alert: MonthlyBudgetForecast
  from: step
  value: sum(cost)
  window: {calendar: month}
  when: forecast(value) > spec.cost.per_month
  labels: {severity: warning}
  annotations: {summary: "{{agent}} will have spent {{forecast(value)|usd}} this month, {{spec.cost.per_month|usd}} are declared"}

# An agent that spoke in the last week has done nothing for an hour. `no_heartbeat` is quicker, and for model calls alone.
agent_gone:
  alert: AgentGone
  mode: absence
  after: 1h
  annotations: {summary: "{{agent}} has done nothing for an hour"}

# A new version of the model fails more of its tasks than the one before it.
model_version_worse:
  alert: ModelVersionWorse
  from: task.finished
  value: ratio(outcome in ["errored", "timed_out"])
  compare: {by: model_version, with: previous}
  window: 15m..6h
  min_samples: 10
  when: low(value) > high(previous)
  annotations: {summary: "{{model_version}} of {{agent}} fails {{value|percent}} of its tasks, {{previous|percent}} before"}

# The same call again and again within one task, while it runs. Calls whose telemetry has no arguments count as the same.
tool_loop:
  alert: ToolLoop
  mode: task
  from: tool.call
  per: [tool, arguments.hash]
  value: count()
  window: 15m
  when: value >= 20
  page_by: [env, agent]
  annotations: {summary: "a task of {{agent}} has called {{tool}} {{value}} times within 15 minutes with the same arguments"}

# People accept less of what an agent does.
acceptance_drop:
  alert: AcceptanceDrop
  from: review
  where: has(accepted)
  value: ratio(accepted)
  window: 1h..24h
  min_samples: 20
  baseline: {range: 72h, min_samples: 60}
  when: high(value) < 0.8 * baseline
  labels: {severity: warning}
  annotations: {summary: "people accept {{value|percent}} of what {{agent}} does; it was {{baseline|percent}}"}

# Scores of evaluations, against three days.
score_drop:
  alert: ScoreDrop
  from: eval.result
  group_by: [env, agent, suite]
  value: avg(score)
  window: 6h
  min_samples: 20
  baseline: {range: 72h, min_samples: 60}
  when: value < 0.85 * baseline
  labels: {severity: warning}
  annotations: {summary: "{{agent}} scores {{value}} in {{suite}}; it was {{baseline}}"}
)yaml";

const YamlNode& presets() {
  static const YamlNode root = [] {
    Diagnostics none;
    return parse_yaml({"presets", std::string(text)}, none).value_or(YamlNode{});
  }();
  return root;
}

}  // namespace

std::string_view presets_text() {
  return text;
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> names;
  for (const YamlNode& key : presets().keys) names.push_back(key.scalar);
  return names;
}

const YamlNode* preset_named(std::string_view name) {
  return presets().find(name);
}

}  // namespace tocsin
