#include "app/import_command.h"

#include <gtest/gtest.h>

#include <sstream>

#include "base/diagnostic.h"
#include "core/rule/rule_set.h"

namespace tocsin {
namespace import_command_test {

struct Answer {
  int status = 0;
  std::string out;
  std::string err;
};

// What comes of a file; what is written must load.
Answer import(const std::string& text) {
  std::ostringstream out;
  std::ostringstream err;
  const int status = run_import({"prom.yml", text}, out, err);
  if (status != 2) {
    const std::vector<NamedText> files{{"imported.yaml", out.str()}};
    Diagnostics diagnostics;
    EXPECT_NE(load_rules(files, diagnostics), nullptr) << out.str();
    for (const Diagnostic& one : diagnostics.all()) ADD_FAILURE() << to_text(one);
  }
  return {status, out.str(), err.str()};
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// One alert called A; `more` are further lines of it.
std::string alert_on(const std::string& expression, const std::string& more = "") {
  return "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      " + expression + "\n" + more;
}

const std::string head =
    "# Written by tocsin import. Each of these alerts is a page; say actions: [investigate] where it should not be.\n"
    "groups:\n- name: g\n  rules:\n";
const std::string every_process =
    "  # of all processes together; the Prometheus rule compared those of each scrape\n";

TEST(ImportCommand, ThresholdsComeOver) {
  struct Case {
    const char* expression;
    const char* expected;  // the rule's keys behind its name
  };
  const Case cases[] = {
      {R"(sum by (env, agent) (rate(tocsin_agent_cost_dollars_total{env="prod"}[1h])) * 3600 > 5)",
       R"(from: step; where: env == "prod"; value: per_hour(cost); window: 1h; when: value > 5)"},
      {"sum by (env, agent) (rate(tocsin_agent_tool_calls_total[5m])) > 0.1",
       "from: tool.call; value: rate(count()); window: 5m; when: value > 0.1"},
      {"sum without (instance, job) (increase(tocsin_agent_tool_refusals_total[1h])) >= 20",
       R"(from: tool.call; where: 'authz in ["refused", "refused_with_reason"]'; value: count(); window: 1h; when: value >= 20)"},
      {R"(sum by (agent)(rate(tocsin_agent_tasks_total{outcome="errored"}[1h])) / sum by (agent)(rate(tocsin_agent_tasks_total[1h])) > 0.2)",
       R"(from: task.finished; group_by: [agent]; where: has(outcome); value: ratio(outcome == "errored"); window: 1h; when: value > 0.2)"},
      {R"(sum by (env, agent)(rate(tocsin_agent_tasks_total{env="prod",outcome=~"errored|timed_out"}[2h])) / sum by (env, agent)(rate(tocsin_agent_tasks_total{env="prod"}[2h])) > 0.2)",
       R"(from: task.finished; where: env == "prod" && has(outcome); value: 'ratio(outcome in ["errored", "timed_out"])'; window: 2h; when: value > 0.2)"},
      {"sum by (env, agent)(rate(tocsin_agent_tool_errors_total[5m])) / sum by (env, "
       "agent)(rate(tocsin_agent_tool_calls_total[5m])) > 0.1",
       "from: tool.call; value: ratio(has(error_type)); window: 5m; when: value > 0.1"},
      {"sum by (env, agent)(increase(tocsin_agent_reviews_accepted_total[24h])) / sum by (env, "
       "agent)(increase(tocsin_agent_reviews_total[24h])) < 0.6",
       "from: review; where: has(accepted); value: ratio(accepted); window: 1d; when: value < 0.6"},
      // The number on the left; arithmetic of numbers; comments; the grouping behind.
      {"5 * 60 < sum(increase(tocsin_agent_tool_calls_total[30m])) by (agent, env) # calls",
       "from: tool.call; value: count(); window: 30m; when: value > 300"},
      {"-1e2 <= SUM BY (env, agent) (increase(tocsin_agent_tool_calls_total[30m]))",
       "from: tool.call; value: count(); window: 30m; when: value >= -100; no_data: hold"},
      {"100 * sum by (env, agent)(rate(tocsin_agent_tool_errors_total[5m])) / sum by (env, "
       "agent)(rate(tocsin_agent_tool_calls_total[5m])) > 10",
       "from: tool.call; value: ratio(has(error_type)); window: 5m; when: value * 100 > 10"},
      {"1 - sum by (env, agent)(rate(tocsin_agent_tool_errors_total[5m])) / sum by (env, "
       "agent)(rate(tocsin_agent_tool_calls_total[5m])) < 0.9",
       "from: tool.call; value: ratio(has(error_type)); window: 5m; when: 1 - value < 0.9"},
      {"sum by (env, agent)(increase(tocsin_agent_tool_calls_total[30m])) / 30 > 2",
       "from: tool.call; value: count(); window: 30m; when: value / 30 > 2"},
      {"sum by (env, agent)(rate(tocsin_agent_tool_calls_total[30m]) * 60) > 2",
       "from: tool.call; value: per_minute(count()); window: 30m; when: value > 2"},
      // Labels.
      {R"y(sum by (env, agent)(increase(tocsin_agent_tool_calls_total{env=~"(prod|stage)", agent!="a\"b"}[5m])) > 2)y",
       R"(from: tool.call; where: 'agent != "a\"b" && env in ["prod", "stage"]'; value: count(); window: 5m; when: value > 2)"},
      {R"(sum by (env, agent)(increase(tocsin_agent_tool_calls_total{env!="dev"}[5m])) > 2)",
       R"(from: tool.call; where: env != "dev" || !has(env); value: count(); window: 5m; when: value > 2)"},
      {R"(sum by (env, agent)(increase(tocsin_agent_tool_calls_total{env!~"dev|test",agent!~"a|b"}[5m])) > 2)",
       R"(from: tool.call; where: '!(agent in ["a", "b"]) && (!(env in ["dev", "test"]) || !has(env))'; value: count(); window: 5m; when: value > 2)"},
      {R"(sum by (agent)(increase(tocsin_agent_tool_calls_total{env=""}[5m])) > 2)",
       "from: tool.call; group_by: [agent]; where: \"!has(env)\"; value: count(); window: 5m; when: value > 2"},
      {"sum by (env)(increase(tocsin_agent_tool_calls_total[5m])) > 2",
       "from: tool.call; group_by: [env]; where: has(agent); value: count(); window: 5m; when: value > 2"},
      {R"(sum(increase(tocsin_agent_tool_calls_total{env="prod"}[5m])) > 2)",
       R"(from: tool.call; group_by: [env]; where: env == "prod" && has(agent); value: count(); window: 5m; when: value > 2)"},
      {R"(sum by (env, agent, outcome)(increase(tocsin_agent_tasks_total{outcome="timed_out"}[1h])) > 2)",
       R"(from: task.finished; where: outcome == "timed_out"; value: count(); window: 1h; when: value > 2; labels: {outcome: timed_out})"},
      // Model calls and tokens.
      {"sum by (env, agent)(rate(tocsin_agent_model_calls_total[5m])) > 2",
       "from: step; where: has(tokens_in) || has(tokens_out) || has(cost) || has(generation); value: rate(count()); "
       "window: 5m; when: value > 2"},
      {R"(sum by (env, agent)(increase(tocsin_agent_tokens_total{kind="output"}[24h])) > 1e6)",
       "from: step; value: sum(tokens_out); window: 1d; when: value > 1000000"},
      {R"(sum by (env, agent)(increase(tocsin_agent_tokens_total{kind!="output"}[24h])) > 1e6)",
       "from: step; value: sum(tokens_in); window: 1d; when: value > 1000000"},
      {"sum by (env, agent)(rate(tocsin_agent_tokens_total[1h])) * 86400 > 1e6",
       "from: step; values: {value: per_day(tokens_in), tokens_out: per_day(tokens_out)}; window: 1h; when: value + "
       "tokens_out > 1000000"},
      {R"(sum by (env, agent)(rate(tocsin_agent_tokens_total{kind="input_uncached"}[1h])) > 5)",
       "from: step; where: has(tokens_in) || has(tokens_out) || has(cost) || has(generation); values: {value: "
       "rate(tokens_in), tokens_cached: rate(tokens_cached)}; window: 1h; when: value - tokens_cached > 5"},
      // Several thresholds.
      {R"(sum by (agent)(rate(tocsin_agent_tasks_total{outcome="errored"}[1h])) / sum by (agent)(rate(tocsin_agent_tasks_total[1h])) > 0.2 and (sum by (agent)(increase(tocsin_agent_tasks_total[1h])) >= 20 and sum by (agent)(increase(tocsin_agent_tasks_total{outcome="errored"}[1h])) > 3))",
       R"(from: task.finished; group_by: [agent]; where: has(outcome); value: ratio(outcome == "errored"); window: 1h; when: value > 0.2 && samples >= 20 && hits > 3)"},
      {R"(sum by (env, agent)(rate(tocsin_agent_tasks_total[1h])) * 3600 > 20 and sum by (env, agent)(rate(tocsin_agent_tasks_total{outcome="errored"}[1h])) / sum by (env, agent)(rate(tocsin_agent_tasks_total[1h])) > 0.2)",
       R"(from: task.finished; where: has(outcome); value: ratio(outcome == "errored"); window: 1h; when: samples > 20 && value > 0.2)"},
      {R"(sum by (env, agent)(rate(tocsin_agent_tasks_total{outcome="errored"}[1h])) / sum by (env, agent)(rate(tocsin_agent_tasks_total[1h])) > 0.1 and sum by (env, agent)(rate(tocsin_agent_tasks_total{outcome="surfaced"}[1h])) / sum by (env, agent)(rate(tocsin_agent_tasks_total[1h])) > 0.2)",
       R"(from: task.finished; where: has(outcome); values: {value: ratio(outcome == "errored"), share: ratio(outcome == "surfaced")}; window: 1h; when: value > 0.1 && share > 0.2)"},
      // What holds when nothing happens must not end because nothing happens.
      {"sum by (env, agent)(increase(tocsin_agent_tool_calls_total[5m])) < 1",
       "from: tool.call; value: count(); window: 5m; when: value < 1; no_data: hold"},
  };
  for (const Case& one : cases) {
    const Answer answer = import(alert_on(one.expression));
    std::string expected = head + "  - alert: A\n    ";
    for (const char* c = one.expected; *c != '\0'; ++c) {
      if (*c == ';') {
        expected += "\n   ";
      } else {
        expected += *c;
      }
    }
    EXPECT_EQ(answer.out, expected + "\n") << one.expression;
    EXPECT_EQ(answer.err, "1 rules carried over, 0 not\n");
    EXPECT_EQ(answer.status, 0);
  }
}

TEST(ImportCommand, WhatCantComeOverIsSaidWithItsReason) {
  struct Case {
    const char* expression;
    const char* reason;  // part of it
  };
  const Case cases[] = {
      {"histogram_quantile(0.95, sum by (le) (rate(tocsin_agent_tool_calls_total[5m]))) > 2", "has no quantiles"},
      {"predict_linear(tocsin_agent_tool_calls_total[1h], 3600) > 5", "looks at a trend"},
      {"absent(tocsin_agent_tool_calls_total)", "mode: absence"},
      {"irate(tocsin_agent_tool_calls_total[5m]) > 1", "looks at two scrapes"},
      {"round(rate(tocsin_agent_tool_calls_total[5m])) > 1", "Tocsin has no round()"},
      {"rate(tocsin_agent_tool_calls_total[5m] offset 1d) > 1", "'offset' looks at another time"},
      {"rate(tocsin_agent_tool_calls_total[5m] @ end()) > 1", "'@' looks at another time"},
      {"max_over_time(rate(tocsin_agent_tool_calls_total[5m])[1h:5m]) > 1", "Tocsin has no max_over_time()"},
      {"rate(rate(tocsin_agent_tool_calls_total[5m])[1h:]) > 1", "a subquery looks at a figure's past"},
      {R"(rate(tocsin_agent_tool_calls_total{agent=~"sup.*"}[5m]) > 1)", "more than words with |"},
      {R"(rate(tocsin_agent_tool_calls_total{tool="x"}[5m]) > 1)", "'tool' is no label of"},
      {R"(rate(tocsin_agent_tool_calls_total{instance="x:1"}[5m]) > 1)", "leave the matcher out"},
      {R"(rate(tocsin_agent_tool_calls_total{agent=""}[5m]) > 1)", "so it never fires"},
      {R"(sum by (agent)(rate(tocsin_agent_tasks_total{outcome="failed"}[5m])) > 1)", "'failed' is no outcome"},
      {R"(sum by (agent)(rate(tocsin_agent_tokens_total{kind="input"}[5m])) > 1)", "'input' is no kind"},
      {R"(sum by (agent)(rate(tocsin_agent_tokens_total{kind="output",kind!="output"}[5m])) > 1)",
       "no kind of tokens"},
      {"increase(tocsin_agent_tasks_total[1h]) > 5", "compares each outcome on its own"},
      {R"(rate(tocsin_agent_tasks_total{outcome="errored"}[1h]) / rate(tocsin_agent_tasks_total[1h]) > 0.1)",
       "compares each outcome on its own"},
      {R"(rate(tocsin_agent_tokens_total{kind="output"}[1h]) / rate(tocsin_agent_tokens_total{kind="input_cached"}[1h]) > 5)",
       "different labels"},
      {"sum by (agent)(rate(tocsin_agent_tool_errors_total[5m])) / sum by "
       "(env)(rate(tocsin_agent_tool_calls_total[5m])) > 1",
       "different labels"},
      {"rate(tocsin_agent_tool_errors_total[5m]) / on (agent) rate(tocsin_agent_tool_calls_total[5m]) > 1",
       "'on' matches series"},
      {"rate(tocsin_agent_tool_errors_total[5m]) / rate(tocsin_agent_tool_errors_total[5m]) > 1",
       "divides a figure by itself"},
      {"rate(tocsin_agent_cost_dollars_total[1h]) / rate(tocsin_agent_tasks_total[1h]) > 1",
       "counts events of one type"},
      {"rate(tocsin_agent_tool_calls_total[1h]) > 2 * rate(tocsin_agent_tool_calls_total[24h])",
       "a rule has one window"},
      {"rate(tocsin_agent_tool_calls_total[1h]) > 2 and rate(tocsin_agent_tool_errors_total[1h]) > 1",
       "its figures count different events"},
      {"sum(rate(tocsin_agent_tool_calls_total[5m])) > 1", "adds all agents up"},
      {"avg by (agent) (rate(tocsin_agent_tool_calls_total[5m])) > 1", "this is avg"},
      {"topk(3, rate(tocsin_agent_tool_calls_total[5m])) > 1", "this is topk"},
      {"sum by (cluster, agent) (rate(tocsin_agent_tool_calls_total[5m])) > 1", "sums by 'cluster'"},
      {"sum by (agent) (rate(tocsin_agent_tool_calls_total[5m]) + rate(tocsin_agent_tool_errors_total[5m])) > 1",
       "put the sums inside"},
      {"tocsin_agent_tool_calls_total > 100", "write increase(tocsin_agent_tool_calls_total[1h])"},
      {"rate(tocsin_agent_tool_calls_total[5m])", "compares with no number"},
      {"rate(tocsin_agent_tool_calls_total[5m]) == 0", "< 1"},
      {"rate(tocsin_agent_tool_calls_total[5m]) > bool 0", "'bool'"},
      {"rate(tocsin_agent_tool_calls_total[5m]) > bool on (agent) group_left () "
       "rate(tocsin_agent_tool_errors_total[5m])",
       "'bool'"},
      {"rate(tocsin_agent_tool_calls_total[5m]) > 1 2", "can't be read at '2'"},
      {"rate(tocsin_agent_tool_calls_total[5m]) > 1 or rate(tocsin_agent_tool_errors_total[5m]) > 1",
       "a rule for each side"},
      {"rate(tocsin_agent_tool_calls_total[5m]) > 1 unless rate(tocsin_agent_tool_errors_total[5m]) > 1", "'unless'"},
      {"1 < rate(tocsin_agent_tool_calls_total[5m]) < 2", "join comparisons with 'and'"},
      {"rate(tocsin_agent_tool_calls_total[5m]) % 2 > 1", "does not calculate with '%'"},
      {"rate(tocsin_agent_tool_calls_total[5m]) > Inf", "write a number"},
      {"rate(tocsin_agent_tool_calls_total[5m]) > 1 / 0", "divides by 0"},
      {"1 > 0", "compares two numbers"},
      {"increase(tocsin_agent_tool_calls_total[90s]) > 5", "write [2m] and a threshold for it"},
      {"increase(tocsin_agent_tool_calls_total[7d]) > 5", "longer than 24h"},
      {"rate(tocsin_agent_tool_calls_total[soon]) > 5", "'[soon]' is no range"},
      {"rate(tocsin_agent_tool_calls_total) > 5", "needs a metric and a range"},
      {"rate(tocsin_agent_tool_calls_total[5m] > 5", "ends in the middle"},
      {"rate(tocsin_agent_tool_calls_total[5m]) >", "ends in the middle"},
      {"rate(tocsin_agent_tool_calls_total{agent=\"x}[5m]) > 5", "no closing quote"},
      // Metrics that no rule can count.
      {"tocsin_pages_pending > 0", "Tocsin can't page about its own pager"},
      {"sum by (receiver) (increase(tocsin_pages_total{result=\"parked\"}[15m])) > 0", "its own pager"},
      {"up{job=\"tocsin\"} == 0", "its own pager"},
      {"absent(up{job=\"tocsin\"})", "its own pager"},
      {"increase(tocsin_unscanned_events_total[15m]) > 0", R"(where: scan == "cut")"},
      {"increase(tocsin_agent_findings_total[5m]) > 0", "where: has(secret.pattern)"},
      {"tocsin_agent_surface_ratio > 0.4", R"(ratio(outcome == "surfaced"))"},
      {"tocsin_agent_open_tasks > 10", "mode: task"},
      {"tocsin_agent_reported_queue_depth > 10", "queue_depth > N"},
      {"rate(tocsin_agent_tool_call_total[5m]) > 1", "did you mean 'tocsin_agent_tool_calls_total'?"},
      {"rate(node_cpu_seconds_total[5m]) > 1", "is no metric of Tocsin's"},
      {"agent:cost:rate1h > 1", "comes from a recording rule"},
      {"{agent=\"x\"} > 1", "write the name before '{'"},
  };
  for (const Case& one : cases) {
    const Answer answer = import(alert_on(one.expression));
    EXPECT_EQ(answer.out, "groups: []\n") << one.expression;
    EXPECT_TRUE(answer.err.starts_with("prom.yml:4: A: ")) << answer.err;
    EXPECT_TRUE(holds(answer.err, one.reason)) << one.expression << "\n" << answer.err;
    EXPECT_TRUE(answer.err.ends_with("\n0 rules carried over, 1 not\n")) << answer.err;
    EXPECT_EQ(answer.status, 1);
  }
}

TEST(ImportCommand, TimesLabelsAndTextsComeOver) {
  const Answer answer = import(alert_on("sum by (env, agent) (rate(tocsin_agent_cost_dollars_total[1h])) * 3600 > 5",
                                        R"y(    for: 15m
    keep_firing_for: 90s
    labels: {severity: critical, team: "a, b", empty: "", nothing: "null"}
    annotations:
      summary: '{{ $labels.agent }} of {{$labels.env}} spends ${{ $value }}/h ("{{ $value | printf "%.2f" }}")'
      share: '{{ $value | humanizePercentage }}'
      description: |
        two
        lines: {{ printf "%.1f" $value }} {{ $value | humanizeDuration }}
)y"));
  EXPECT_EQ(answer.out, head + R"y(  - alert: A
    from: step
    value: per_hour(cost)
    window: 1h
    when: value > 5
    for: 15m
    keep_firing_for: 1m30s
    labels: {nothing: "null", severity: critical, team: "a, b"}
    annotations:
      summary: "{{agent}} of {{env}} spends {{value}}/h (\"{{value}}\")"
      share: "{{value|percent}}"
      description: "two\nlines: {{value}} {{value|duration}}\n"
)y");
  EXPECT_EQ(answer.status, 0);
}

TEST(ImportCommand, AValueInATextIsWhatTheComparisonLookedAt) {
  const Answer answer = import(alert_on(
      R"(100 * sum by (agent)(rate(tocsin_agent_tasks_total{outcome="errored"}[1h])) / sum by (agent)(rate(tocsin_agent_tasks_total[1h])) > 20)",
      "    annotations: {summary: '{{ $value }} % of {{ $labels.agent }}'}\n"));
  EXPECT_TRUE(holds(answer.out, R"(summary: "{{value * 100}} % of {{agent}}")")) << answer.out;
}

TEST(ImportCommand, WhatChangesOnTheWayStandsInAComment) {
  const Answer answer = import(alert_on(R"(rate(tocsin_agent_tool_calls_total{job="tocsin"}[90s]) > 5)"));
  EXPECT_EQ(
      answer.out,
      head +
          "  # of all processes together; the Prometheus rule compared those of each scrape\n"
          "  # the matcher of job is gone: a rule sees the events of this Tocsin, whatever the scrape is called\n"
          "  # the window of 1m30s became 2m: whole minutes up to 1h, above whole quarters of an hour\n"
          "  - alert: A\n    from: tool.call\n    value: rate(count())\n    window: 2m\n    when: value > 5\n");
  EXPECT_TRUE(holds(import(alert_on("rate(tocsin_agent_tool_calls_total[100m]) > 5")).out, "    window: 1h45m\n"));
  const std::string per_call =
      "sum by (env, agent)(rate(tocsin_agent_cost_dollars_total[1h])) / "
      "sum by (env, agent)(rate(tocsin_agent_model_calls_total[1h])) > 0.05";
  EXPECT_EQ(import(alert_on(per_call)).out,
            head +
                "  # divided by 0 it is unknown, and neither fires nor resolves; in PromQL it is infinite\n"
                "  - alert: A\n    from: step\n"
                "    where: has(tokens_in) || has(tokens_out) || has(cost) || has(generation)\n"
                "    values: {value: rate(cost), count: rate(count())}\n    window: 1h\n"
                "    when: value / count > 0.05\n");
}

TEST(ImportCommand, TextsAndLabelsThatTocsinHasNotAreSaid) {
  struct Case {
    const char* more;
    const char* reason;
  };
  const Case cases[] = {
      {"    annotations: {summary: '{{ $labels.instance }}'}\n", "'instance' is no label of its alert"},
      {"    annotations: {summary: '{{ query \"up\" }}'}\n", "'query \"up\"' is no template"},
      {"    annotations: {summary: '{{ $value | title }}'}\n", "is no template"},
      {"    annotations: {summary: '{{ $value'}\n", "'{{' has no '}}'"},
      {"    labels: {severity: '{{ $value }}'}\n", "the label 'severity' holds a template"},
      {"    labels: {agent: x}\n", "would hide the group's own"},
      {"    for: soon\n", "'soon' is no duration"},
      {"    for: 60d\n", "must lie between"},
      {"    every: 1m\n", "'every' is no key"},
  };
  for (const Case& one : cases) {
    const Answer answer = import(alert_on("rate(tocsin_agent_tool_calls_total[5m]) > 5", one.more));
    EXPECT_TRUE(holds(answer.err, one.reason)) << answer.err;
    EXPECT_EQ(answer.status, 1);
  }
}

TEST(ImportCommand, EveryRuleIsCarriedOverOrSaid) {
  const Answer answer = import(R"(groups:
- name: "cost: of all"
  interval: 1m
  labels: {team: ml, severity: info}
  rules:
  - record: agent:cost
    expr: rate(tocsin_agent_cost_dollars_total[1h])
  - alert: Cost
    expr: rate(tocsin_agent_cost_dollars_total[1h]) * 3600 > 5
    labels: {severity: critical}
  - alert: Cost
    expr: rate(tocsin_agent_cost_dollars_total[1h]) * 3600 > 1
  - alert: Agent cost
    expr: rate(tocsin_agent_cost_dollars_total[1h]) * 3600 > 5
  - expr: vector(1)
- name: health
  rules:
  - alert: Lagging
    expr: tocsin_queue_records > 10
)");
  EXPECT_EQ(
      answer.err,
      "prom.yml:6: agent:cost: a recording rule makes a series of Prometheus'; a rule of Tocsin's adds events up "
      "itself, so leave it there\n"
      "prom.yml:11: Cost: line 8 has an alert of that name already; names are unique in Tocsin, so rename one\n"
      "prom.yml:13: Agent cost: as a rule of Tocsin's it would have a mistake: an alert's name has letters, "
      "digits and '_' only\n"
      "prom.yml:15: (no name): it has no alert or no expr; see promtool check rules\n"
      "prom.yml:18: Lagging: 'tocsin_queue_records' is Tocsin's own health, which stays in Prometheus: Tocsin "
      "can't page about its own pager\n"
      "1 rules carried over, 5 not\n");
  EXPECT_EQ(
      answer.out,
      "# Written by tocsin import. Each of these alerts is a page; say actions: [investigate] where it should "
      "not be.\ngroups:\n# interval did not come over: rules are looked at every 10 s\n- name: \"cost: of all\"\n"
      "  rules:\n" +
          every_process +
          "  - alert: Cost\n    from: step\n    value: per_hour(cost)\n    window: 1h\n    when: value > 5\n"
          "    labels: {severity: critical, team: ml}\n");
  EXPECT_EQ(answer.status, 1);
}

TEST(ImportCommand, TocsinsOwnHealthStaysInPrometheus) {
  std::ostringstream out;
  std::ostringstream err;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int status = run_import(ImportOptions{std::string(PROJECT_ROOT) + "/deploy/prometheus/tocsin.rules.yml"});
  const std::string written = testing::internal::GetCapturedStdout();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(status, 1);
  EXPECT_EQ(written, "groups: []\n");
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(holds(line, "own pager") || line.starts_with("0 rules carried over, ")) << line;
  }
}

TEST(ImportCommand, WhatIsNoFileOfPrometheusRulesIsAnErrorOfItsOwn) {
  for (const char* text : {"", "groups: [", "rules: []", "groups: {}", "- a", "a: *b"}) {
    const Answer answer = import(text);
    EXPECT_EQ(answer.status, 2) << text;
    EXPECT_EQ(answer.out, "");
    EXPECT_TRUE(answer.err.starts_with("prom.yml:")) << answer.err;
  }
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_import(ImportOptions{"/nowhere/prom.yml"}), 2);
  EXPECT_TRUE(holds(testing::internal::GetCapturedStderr(), "there is no such file"));
}

TEST(ImportCommand, ExpressionsThatNestWithoutEndAreRefused) {
  const std::string deep = std::string(2'000, '(') + "1" + std::string(2'000, ')') + " > 0";
  EXPECT_TRUE(holds(import(alert_on(deep)).err, "nested too deeply"));
  EXPECT_TRUE(holds(import(alert_on(std::string(2'000, '-') + "1 > 0")).err, "nested too deeply"));
  EXPECT_TRUE(holds(import(alert_on(std::string(5'000, '-') + "1 > 0")).err, "longer than 4 KiB"));
  std::string wide = "rate(tocsin_agent_tool_calls_total[5m])";
  for (int i = 0; i < 1'000; ++i) wide += "+1";
  EXPECT_EQ(import(alert_on(wide + " > 1")).status, 1);
}

}  // namespace import_command_test
}  // namespace tocsin
