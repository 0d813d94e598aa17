// Files with mistakes, each with everything that is said of it. What people write wrong, and what somebody writes
// on purpose: the text of a message is a part of the program, so a change of one shows here.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/rule/rule_set.h"
#include "core/sanitize/pattern_library.h"

namespace tocsin {
namespace broken_rules_test {

struct Broken {
  std::string name;
  std::string text;
  std::string expected;  // one line a mistake, by place
};

std::string rule(const std::string& keys) {
  return "groups:\n- name: g\n  rules:\n  - {" + keys + "}\n";
}
std::string window_rule_with(const std::string& keys) {
  return rule("alert: A, from: step, value: count(), window: 5m, when: value > 1, " + keys);
}
std::string when(const std::string& condition) {
  return rule("alert: A, from: step, value: count(), window: 5m, when: '" + condition + "'");
}
std::string times(std::size_t count, std::string_view text) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}
std::string task_rules(int count) {
  std::string all = "groups:\n- name: g\n  rules:\n";
  for (int i = 0; i < count; ++i) all += "  - {alert: T" + std::to_string(i) + ", mode: task, when: elapsed > 5m}\n";
  return all;
}

std::string complaints(const std::string& text) {
  Diagnostics diagnostics;
  const std::vector<NamedText> files{{"f", text}};
  const bool is_loaded = text.starts_with("sanitize:") ? load_patterns(files, diagnostics) != nullptr
                                                       : load_rules(files, diagnostics) != nullptr;
  EXPECT_FALSE(is_loaded);
  std::string all;
  for (const Diagnostic& one : diagnostics.sorted()) {
    const std::string line = to_text(one);
    const std::size_t begin = one.at.line > 0 ? std::string_view("f:").size() : std::string_view("f: ").size();
    all += (all.empty() ? "" : "\n") + line.substr(begin);
  }
  return all;
}

void expect_what_is_said(const std::vector<Broken>& files) {
  for (const Broken& file : files) EXPECT_EQ(complaints(file.text), file.expected) << file.name;
}

std::vector<Broken> whole_files() {
  const std::string whole = "a file has 'groups' (rules), 'specs', 'prices', 'names' or 'attributes'";
  return {
      {"empty file", "", "empty-file: this file is empty; " + whole},
      {"a mistake in the second line of a block",
       "groups:\n- name: g\n  rules:\n  - alert: A\n    from: step\n    value: count()\n    window: 5m\n    when: "
       ">-\n"
       "      value > 1 &&\n      valeu > 2\n",
       "10:7: bad-when: 'valeu' has no meaning here (did you mean 'value'?)"},
      {"a key without a value",
       "groups:\n- name: g\n  rules:\n  - alert: A\n    from: step\n    value: count()\n    when: value > 1\n    "
       "window:\n"
       "    for: 1m\n",
       "8:5: missing-value: 'window' has no value; write one behind it"},
      {"a number in a label", window_rule_with("labels: {level: \"{{value}}\"}"),
       "4:92: bad-template: 'value' has no meaning in this rule; a label holds labels of the group, and no numbers"},
      {"the bound of a baseline in a label", window_rule_with("labels: {level: \"{{low(baseline)}}\"}"),
       "4:92: bad-template: this rule has no baseline; a label holds labels of the group, and no numbers"},
      {"a bound of the spec in a label", window_rule_with("labels: {level: \"{{spec.cost.per_hour}}\"}"),
       "4:90: bad-template: a label holds labels of the group, and no numbers"},
      {"a comment alone", "# rules, some day\n", "empty-file: this file is empty; " + whole},
      {"a text", "page me when it is slow\n", "1:1: wrong-type: rule file must be a map of keys and values"},
      {"a list", "- alert: A\n", "1:1: wrong-type: rule file must be a map of keys and values"},
      {"an empty map", "{}\n",
       "1:1: empty-file: this file has neither 'groups' (rules) nor 'specs', 'prices', 'names' or 'attributes'"},
      {"null", "~\n", "1:1: empty-file: this file is empty; " + whole},
      {"two documents", R"y(groups: []
---
groups: []
)y",
       "many-documents: one YAML document a file; split this at '---'"},
      {"misspelt top-level key", "group: []\n",
       "1:1: unknown-key: 'group' is no key of a rule file (did you mean 'groups'?)"},
      {"rules without a group", R"y(rules:
- alert: A
)y",
       "1:1: no-group: 'rules' stands in a group: write groups: [{name: NAME, rules: [...]}]"},
      {"groups is a map", "groups: {name: g}\n", "1:9: wrong-type: a list is needed here"},
      {"a group is a text", R"y(groups:
- agents
)y",
       "2:3: wrong-type: group must be a map of keys and values"},
      {"a group without name and rules", R"y(groups:
- {}
)y",
       "2:3: missing-key: a group needs 'name'\n"
       "2:3: missing-key: a group needs 'rules'"},
      {"a group with keys of Prometheus", R"y(groups:
- name: g
  interval: 1m
  rules: []
)y",
       "3:3: unknown-key: 'interval' is no key of a group"},
      {"rules is a map", R"y(groups:
- name: g
  rules: {alert: A}
)y",
       "3:10: wrong-type: 'rules' must be a list"},
      {"a rule is a text", R"y(groups:
- name: g
  rules:
  - CostSpike
)y",
       "4:5: wrong-type: a rule must be a map of keys and values"},
      {"defaults is a list", R"y(groups:
- name: g
  defaults: [page]
  rules: []
)y",
       "3:13: wrong-type: 'defaults' must be a map of keys and values"},
      {"misspelt default", R"y(groups:
- name: g
  defaults: {group-by: [agent]}
  rules: []
)y",
       "3:14: unknown-key: 'group-by' is no key of a rule (did you mean 'group_by'?)"},
      {"repeated keys at the top", R"y(groups: []
groups: []
)y",
       "2:1: repeated-key: 'groups' stands twice in this map; keep one"},
      {"repeated keys in a rule", R"y(groups:
- name: g
  rules:
  - alert: A
    from: step
    value: count()
    window: 5m
    when: value > 1
    window: 10m
)y",
       "9:5: repeated-key: 'window' stands twice in this map; keep one"},
      {"repeated labels", R"y(groups:
- name: g
  rules:
  - alert: A
    from: step
    value: count()
    window: 5m
    when: value > 1
    labels: {team: a, team: b}
)y",
       "9:23: repeated-key: 'team' stands twice in this map; keep one"},
  };
}

std::vector<Broken> hostile_files() {
  return {
      {"cut off inside a rule", R"y(groups:
- name: g
  rules:
  - {alert: A, from: step, val)y",
       "4:1: syntax: a '}' is missing, or a text in this { } needs quotes: one that holds any of [ ] { } or a comma"},
      {"cut off inside a quote", R"y(groups:
- name: g
  rules:
  - alert: A
    annotations: {summary: "{{agent}} spe)y",
       "5:42: syntax: this text has no closing quote"},
      {"cut off after a key", R"y(groups:
- name: g
  rules:
  - alert: A
    from)y",
       "4:5: missing-key: a rule needs one of 'value' and 'values'\n"
       "4:5: missing-key: a rule needs 'window'\n"
       "4:5: missing-key: a rule needs 'when'\n"
       "5:5: missing-value: 'from' has no value; write one behind it"},
      {"windows that do not rise", rule("alert: A, from: step, value: count(), window: [1h, 5m], when: value > 1"),
       "4:57: bad-window: several windows are rising numbers of whole minutes, above 1h of whole quarters, up to "
       "24h: "
       "[5m, 1h]"},
      {"a list of one window", rule("alert: A, from: step, value: count(), window: [5m], when: value > 1"),
       "4:52: bad-window: two to four windows are needed here, such as [5m, 1h]; one is written as 5m"},
      {"a total over several windows beside a baseline",
       rule("alert: A, from: step, value: count(), window: [5m, 1h], baseline: {range: 24h}, when: value > baseline"),
       "4:52: bad-window: with several windows and a baseline, measure a rate: per_hour(...), ratio(...) or "
       "avg(...)"},
      {"an empty condition", "groups:\n- name: g\n  rules:\n  - {alert: A, mode: task, when: }\n",
       "4:34: missing-value: 'when' has no value; write one behind it"},
      {"an empty window",
       "groups:\n- name: g\n  rules:\n  - {alert: A, from: step, value: count(), window: , when: value > 1}\n",
       "4:52: missing-value: 'window' has no value; write one behind it"},
      {"tab as indentation", R"y(groups:
	- name: g
	  rules: []
)y",
       "2:2: syntax: a list's '-' cannot stand here; give it a line of its own, indented with blanks"},
      {"tab before a key", R"y(groups:
- name: g
	rules: []
)y",
       "3:1: syntax: indent with blanks; YAML allows no tab here"},
      {"bad indentation", R"y(groups:
- name: g
   rules: []
)y",
       "3:9: syntax: this ':' makes no key here; check how far the line is indented, or put a text that holds ': ' "
       "in quotes"},
      {"a colon too many", R"y(groups:
- name: g
  rules:
  - alert: A: B
)y",
       "4:13: syntax: this ':' makes no key here; check how far the line is indented, or put a text that holds ': ' "
       "in quotes"},
      {"binary bytes",
       std::string("\x00\x01\x02\x7f\x00\x1b"
                   "ELF\x00\x00",
                   11),
       "1:1: wrong-type: rule file must be a map of keys and values"},
      {"an escape that YAML does not know", R"y(groups:
- name: "g\q"
  rules: []
)y",
       "2:13: syntax: unknown escape character: q; between '...' a backslash is a backslash"},
      {"a condition that is a tag of YAML", "groups:\n- name: g\n  rules:\n  - alert: A\n    where: !has(tool)\n",
       "5:12: syntax: '!' begins a tag of YAML here; put a text that begins with it in quotes"},
      {"a template that is a map of YAML",
       "groups:\n- name: g\n  rules:\n  - alert: A\n    annotations: {summary: {{agent}} spends}\n",
       "5:29: syntax: a key must be a plain word; put a text that begins with '{' or '[' in quotes"},
      {"a list in a text", "groups:\n- name: g\n  rules:\n  - {alert: A, where: tool [x]}\n",
       "4:28: syntax: a '}' is missing, or a text in this { } needs quotes: one that holds any of [ ] { } or a "
       "comma"},
      {"a text that begins as an alias", "groups:\n- name: g\n  rules:\n  - alert: A\n    where: *x\n",
       "5:12: syntax: no value begins with '*'; put the text in quotes"},
      {"a text that begins with a reserved sign", "groups:\n- name: g\n  rules:\n  - alert: A\n    where: @x\n",
       "5:12: syntax: no value begins with this character; put the text in quotes"},
      {"an expression as Prometheus writes it", when("value =~ \"x\""),
       "4:69: bad-expression: write matches(FIELD, \"...\") for '=~'"},
      {"its negation", when("value !~ \"x\""), "4:69: bad-expression: write !matches(FIELD, \"...\") for '!~'"},
      {"a NUL in a name", rule(R"y(alert: "A\0B", from: step, value: count(), window: 5m, when: value > 1)y"),
       "4:13: bad-name: an alert's name has letters, digits and '_' only"},
      {"an alias bomb", R"y(a: &a [x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b]
groups: [*c, *c, *c]
)y",
       "2:8: syntax: aliases are not allowed here; write the value out"},
      {"a merge key", R"y(groups:
- name: g
  rules:
  - &a {alert: A, from: step, value: count(), window: 5m, when: value > 1}
  - {<<: *a, alert: B}
)y",
       "5:10: syntax: aliases are not allowed here; write the value out"},
      {"an alias of itself", "groups: &g [*g]\n", "1:13: syntax: aliases are not allowed here; write the value out"},
      {"20,000 nested lists", "groups: " + std::string(20'000, '['), "1:41: syntax: the file is nested too deeply"},
      {"20,000 nested maps", times(20'000, "{a: "), "1:253: syntax: the file is nested too deeply"},
      {"20,000 nested block lists", times(20'000, "- "), "1:129: syntax: the file is nested too deeply"},
      {"20,000 nested parentheses", when(std::string(20'000, '(') + "value > 1" + std::string(20'000, ')')),
       "4:63: bad-expression: this expression is longer than 4 KiB"},
      {"2,000 nested parentheses", when(std::string(2'000, '(') + "value" + std::string(2'000, ')')),
       "4:127: bad-expression: this expression is nested too deeply"},
      {"4,000 negations", when(std::string(4'000, '!')),
       "4:128: bad-expression: this expression is nested too deeply"},
      {"4,000 minus signs", when(std::string(4'000, '-') + "1"),
       "4:128: bad-expression: this expression is nested too deeply"},
      {"1,000 nested calls", when(times(1'000, "min(")),
       "4:322: bad-expression: this expression is nested too deeply"},
      {"a number of 400 digits", when("value > " + std::string(400, '9')),
       "4:71: bad-expression: this is not a number"},
      {"200,001 values", "groups: [" + times(200'000, "x,") + "x]",
       "1:400004: syntax: the file holds too many values"},
      {"more than 4 MiB", std::string((4U << 20) + 1, '#'), "too-large: the file has more than 4 MiB; split it"},
      {"a key that is a list", "[groups]: 1\n",
       "1:1: syntax: a key must be a plain word; put a text that begins with '{' or '[' in quotes"},
      {"a key that is a map", R"y(groups:
- {{name: g}: g}
)y",
       "2:4: syntax: a key must be a plain word; put a text that begins with '{' or '[' in quotes"},
      {"a key of 200 letters", std::string(200, 'x') + ": 1",
       "1:1: unknown-key: '" + std::string(200, 'x') + "' is no key of a rule file"},
      {"a name of 300 letters",
       rule("alert: " + std::string(300, 'A') + ", from: step, value: count(), window: 5m, when: value > 1"),
       "4:13: bad-name: an alert's name has 100 letters at most"},
      {"33 rules on tasks", task_rules(33),
       "36:5: too-many: there are 32 rules with mode: task already, which is the limit"},
  };
}

std::vector<Broken> names_and_keys() {
  return {
      {"no alert", rule("from: step, value: count(), window: 5m, when: value > 1"),
       "4:5: missing-key: a rule needs 'alert'"},
      {"no name", rule("alert: '', from: step, value: count(), window: 5m, when: value > 1"),
       "4:13: bad-name: an alert's name has letters, digits and '_' only"},
      {"a name with a blank", rule("alert: Cost spike, from: step, value: count(), window: 5m, when: value > 1"),
       "4:13: bad-name: an alert's name has letters, digits and '_' only"},
      {"a name with a dot", rule("alert: cost.spike, from: step, value: count(), window: 5m, when: value > 1"),
       "4:13: bad-name: an alert's name has letters, digits and '_' only"},
      {"a name that is a list", rule("alert: [A], from: step, value: count(), window: 5m, when: value > 1"),
       "4:13: wrong-type: 'alert' must be text\n"
       "4:13: bad-name: an alert's name has letters, digits and '_' only"},
      {"a repeated name", R"y(groups:
- name: one
  rules:
  - {alert: A, mode: task, when: elapsed > 5m}
- name: two
  rules:
  - {alert: A, mode: event, where: has(error_type)}
)y",
       "7:5: repeated-name: alert 'A' exists already (f:4); names are unique over all files"},
      {"a preset that is none", rule("preset: cost_spkie"),
       "4:14: unknown-preset: there is no preset 'cost_spkie' (did you mean 'cost_spike'?); `tocsin expand "
       "--presets` prints them all"},
      {"a preset with a key of another mode", rule("preset: secret_leak, window: 5m"),
       "4:27: other-mode: 'window' exists only in rules with mode: window and task"},
      {"a preset that is a list", rule("preset: [cost_spike]"),
       "4:14: unknown-preset: there is no preset ''; `tocsin expand --presets` prints them all"},
      {"a misspelt mode", rule("alert: A, mode: events, where: has(error_type)"),
       "4:22: unknown-word: 'mode' must be window, event, task or absence (did you mean 'event'?)"},
      {"a mode that is a list", rule("alert: A, mode: [event], where: has(error_type)"),
       "4:22: unknown-word: 'mode' must be window, event, task or absence"},
      {"a misspelt key", window_rule_with("min_sample: 10"),
       "4:73: unknown-key: 'min_sample' is no key of a rule (did you mean 'min_samples'?)"},
      {"a key of Prometheus", window_rule_with("expr: rate(cost) > 5"),
       "4:73: unknown-key: 'expr' is no key of a rule"},
      {"a key in camel case", window_rule_with("keepFiringFor: 5m"),
       "4:73: unknown-key: 'keepFiringFor' is no key of a rule (did you mean 'keep_firing_for'?)"},
      {"a rule without anything", rule("alert: A"),
       "4:5: missing-key: a rule needs 'from'\n"
       "4:5: missing-key: a rule needs one of 'value' and 'values'\n"
       "4:5: missing-key: a rule needs 'window'\n"
       "4:5: missing-key: a rule needs 'when'"},
      {"window in a rule on absence", rule("alert: A, mode: absence, after: 5m, window: 5m"),
       "4:42: other-mode: 'window' exists only in rules with mode: window and task"},
      {"after in a window rule", window_rule_with("after: 5m"),
       "4:73: other-mode: 'after' exists only in rules with mode: absence"},
      {"absence that is over before it begins", rule("alert: A, mode: absence, after: 1h, known: {seen: 30m}"),
       "4:56: bad-absence: 'seen' must be longer than 'after', or nothing is ever missed"},
      {"an expected group without its agent",
       rule("alert: A, mode: absence, after: 1h, known: {always: [{env: prod}]}"),
       "4:59: missing-key: a group needs 'agent'"},
      {"hours of a day that is none", rule("alert: A, mode: absence, after: 1h, active: 'Mo-Fri 08:00-18:00'"),
       "4:50: bad-hours: 'Mo' is no day (did you mean 'Mon'?): write Mon to Sun, as 'Mon-Fri' or 'Sat', or 'daily'"},
      {"a comparison with what is none",
       rule("alert: A, from: step, value: count(), window: 5m, when: value > previous, "
            "compare: {by: tool}"),
       "4:94: unknown-word: 'by' must be agent_version, spec, spec_version, model or model_version"},
      {"inhibited by nothing", window_rule_with("inhibited_by: [B]"),
       "4:5: bad-inhibition: 'A' is inhibited by 'B', which is no alert"},
      {"inhibited by itself", window_rule_with("inhibited_by: [A]"),
       "4:5: bad-inhibition: 'A' is inhibited by 'A', which is inhibited itself: name what inhibits that one"},
      {"a month by the clock of nowhere",
       rule("alert: A, from: step, value: sum(cost), window: {calendar: month, tz: Europe/Berln}, when: value > 5"),
       "4:76: unknown-zone: there is no time zone 'Europe/Berln' (did you mean 'Europe/Berlin'?)"},
      {"a forecast of five minutes",
       rule("alert: A, from: step, value: sum(cost), window: 5m, when: forecast(value) > 5"),
       "4:64: bad-when: forecast() is of a sum or a count in a calendar window, such as window: {calendar: month}"},
      {"values in a rule on tasks", rule("alert: A, mode: task, when: elapsed > 5m, values: {a: count()}"),
       "4:48: other-mode: 'values' exists only in rules with mode: window"},
      {"per in a window rule", window_rule_with("per: [tool]"),
       "4:73: other-mode: 'per' exists only in rules with mode: task"},
      {"per in an event rule", rule("alert: A, mode: event, from: tool.call, per: [tool]"),
       "4:46: other-mode: 'per' exists only in rules with mode: task"},
      {"when in a rule on events", rule("alert: A, mode: event, when: value > 1"),
       "4:29: other-mode: 'when' exists only in rules with mode: window and task"},
      {"expire in a window rule", window_rule_with("expire: 1h"),
       "4:73: other-mode: 'expire' exists only in rules with mode: task"},
      {"page_by in a window rule", window_rule_with("page_by: [agent]"),
       "4:73: other-mode: 'page_by' exists only in rules with mode: task"},
  };
}

std::vector<Broken> measures() {
  return {
      {"no from", rule("alert: A, value: count(), window: 5m, when: value > 1"),
       "4:5: missing-key: a rule needs 'from'"},
      {"an event type that is none", rule("alert: A, from: tool_call, value: count(), window: 5m, when: value > 1"),
       "4:22: unknown-word: 'from' must be task.started, task.heartbeat, task.paused, task.resumed, task.finished, "
       "step, tool.call, session.started, session.finished, system, review, eval.result or spec.gap (did you mean "
       "'tool.call'?)"},
      {"two event types", rule("alert: A, from: [step, tool.call], value: count(), window: 5m, when: value > 1"),
       "4:22: unknown-word: 'from' must be task.started, task.heartbeat, task.paused, task.resumed, task.finished, "
       "step, tool.call, session.started, session.finished, system, review, eval.result or spec.gap"},
      {"neither value nor values", rule("alert: A, from: step, window: 5m, when: value > 1"),
       "4:5: missing-key: a rule needs one of 'value' and 'values'"},
      {"both value and values",
       rule("alert: A, from: step, value: count(), values: {n: count()}, window: 5m, when: value > 1"),
       "4:52: repeated-key: a rule has 'value' or 'values'; keep one"},
      {"values without any", rule("alert: A, from: step, values: {}, window: 5m, when: value > 1"),
       "4:36: wrong-type: 'values' must be a map of one to eight names to what they measure"},
      {"a value called as something else is",
       rule("alert: A, from: step, values: {samples: count()}, window: 5m, when: samples > 1"),
       "4:37: bad-name: 'samples' means something of its own in a condition; call the value otherwise"},
      {"a value with a dash", rule("alert: A, from: step, values: {a-b: count()}, window: 5m, when: a > 1"),
       "4:37: bad-name: a value's name has letters, digits and '_' only"},
      {"a field for a measure", rule("alert: A, from: step, value: cost / count(), window: 5m, when: value > 1"),
       "4:35: bad-value: 'cost' is a field of events: measure it, as sum(cost)"},
      {"a quantile of nothing", rule("alert: A, from: step, value: p95(agent), window: 5m, when: value > 1"),
       "4:39: bad-value: p95() takes the name of a number field"},
      {"a quantile in percent",
       rule("alert: A, from: step, value: 'quantile(95, latency)', window: 5m, when: value > 1s"),
       "4:36: bad-value: quantile() takes a part between 0 and 1 and a field: quantile(0.95, latency)"},
      {"a value made of one further down",
       rule("alert: A, from: step, values: {a: b / count(), b: sum(cost)}, window: 5m, when: a > 1"),
       "4:42: bad-value: 'b' stands further down: a value is made of those above it"},
      {"a share of nothing said", rule("alert: A, from: step, value: share(sum(cost)), window: 5m, when: value > 1"),
       "4:35: bad-value: share() takes a measure and what it is a share of: share(sum(cost), of: [env])"},
      {"a share of another label",
       rule("alert: A, from: step, value: 'share(sum(cost), of: [tool])', window: 5m, when: value > 1"),
       "4:58: bad-value: 'tool' is not in the rule's group_by: a share is of groups of this rule"},
      {"a share of all of it",
       rule("alert: A, from: step, value: 'share(count(), of: [env, agent])', window: 5m, when: value > 1"),
       "4:51: bad-value: a share of all its labels is always 1; leave one of group_by out"},
      {"a baseline within a value",
       rule("alert: A, from: step, value: count() / samples, window: 5m, when: value > 1"),
       "4:43: bad-value: a value is made of measures; what is compared with it belongs into when:"},
      {"nine values",
       rule("alert: A, from: step, values: {a: count(), b: count(), c: count(), d: count(), e: count(), f: count(), "
            "g: count(), h: count(), i: count()}, window: 5m, when: a > 1"),
       "4:36: wrong-type: 'values' must be a map of one to eight names to what they measure"},
      {"a value that is a list", rule("alert: A, from: step, value: [count()], window: 5m, when: value > 1"),
       "4:35: wrong-type: an expression is needed here"},
      {"value: a field alone", rule("alert: A, from: step, window: 5m, value: 'cost', when: 'value > 1'"),
       "4:48: bad-value: 'cost' is a field of events: measure it, as sum(cost)"},
      {"value: an unknown function",
       rule("alert: A, from: step, window: 5m, value: 'median(latency)', when: 'value > 1'"),
       "4:48: bad-value: 'median' measures nothing; there are count, sum, avg, min, max, rate, per_minute, per_hour, "
       "per_day, ratio, distinct, p50 to p999, quantile and share"},
      {"value: a misspelt function", rule("alert: A, from: step, window: 5m, value: 'cuont()', when: 'value > 1'"),
       "4:48: bad-value: 'cuont' measures nothing (did you mean 'count'?)"},
      {"value: a function that there is not",
       rule("alert: A, from: step, window: 5m, value: 'tally()', when: 'value > 1'"),
       "4:48: bad-value: 'tally' measures nothing; there are count, sum, avg, min, max, rate, per_minute, per_hour, "
       "per_day, ratio, distinct, p50 to p999, quantile and share"},
      {"value: count of a field", rule("alert: A, from: step, window: 5m, value: 'count(cost)', when: 'value > 1'"),
       "4:48: bad-value: count() takes nothing; use where: to select events"},
      {"value: sum of two",
       rule("alert: A, from: step, window: 5m, value: 'sum(cost, tokens_in)', when: 'value > 1'"),
       "4:48: bad-value: sum() takes one argument"},
      {"value: sum of a misspelt field",
       rule("alert: A, from: step, window: 5m, value: 'sum(latancy)', when: 'value > 1'"),
       "4:52: bad-value: sum() takes the name of a number field (did you mean 'latency'?)"},
      {"value: sum of a text", rule("alert: A, from: step, window: 5m, value: 'sum(agent)', when: 'value > 1'"),
       "4:52: bad-value: sum() takes the name of a number field"},
      {"value: ratio of a word", rule("alert: A, from: step, window: 5m, value: 'ratio(outcome)', when: 'value > 1'"),
       "4:54: bad-value: 'outcome' is no condition; compare it, or write has(outcome)"},
      {"value: ratio with a word that outcome has not",
       rule(R"y(alert: A, from: step, window: 5m, value: 'ratio(outcome == "error")', when: 'value > 1')y"),
       "4:65: bad-value: 'error' is no value of outcome (did you mean 'errored'?)"},
      {"value: ratio with a misspelt field",
       rule(R"y(alert: A, from: step, window: 5m, value: 'ratio(outcom == "errored")', when: 'value > 1')y"),
       "4:54: bad-value: 'outcom' is no field of an event (did you mean 'outcome'?)"},
      {"value: distinct of a number",
       rule("alert: A, from: step, window: 5m, value: 'distinct(cost)', when: 'value > 1'"),
       "4:57: bad-value: distinct() takes the name of a text field"},
      {"value: distinct of a misspelt field",
       rule("alert: A, from: step, window: 5m, value: 'distinct(corelation_id)', when: 'value > 1'"),
       "4:57: bad-value: distinct() takes the name of a text field (did you mean 'correlation_id'?)"},
      {"value: the mean of a count",
       rule("alert: A, from: step, window: 5m, value: 'avg(count())', when: 'value > 1'"),
       "4:52: bad-value: avg() takes the name of a number field; of how many per time, use per_minute(count())"},
      {"value: the mean of a text", rule("alert: A, from: step, window: 5m, value: 'avg(tool)', when: 'value > 1'"),
       "4:52: bad-value: avg() takes the name of a number field"},
      {"value: a comparison", rule("alert: A, from: step, window: 5m, value: 'count() > 5', when: 'value > 1'"),
       "4:56: bad-value: a number is needed here, not a condition"},
      {"value: a measure without its bracket",
       rule("alert: A, from: step, window: 5m, value: 'sum(cost', when: 'value > 1'"),
       "4:56: bad-expression: ',' or ')' is missing here"},
  };
}

std::vector<Broken> durations() {
  return {
      {"no window", rule("alert: A, from: step, value: count(), when: value > 1"),
       "4:5: missing-key: a rule needs 'window'"},
      {"a window without a unit", rule("alert: A, from: step, value: count(), window: 5, when: value > 1"),
       "4:52: bad-duration: 'window' must be a duration such as 30s, 15m, 1h30m or 7d"},
      {"a window in words", rule("alert: A, from: step, value: count(), window: 5 minutes, when: value > 1"),
       "4:52: bad-duration: 'window' must be a duration such as 30s, 15m, 1h30m or 7d"},
      {"a window of seconds", rule("alert: A, from: step, value: count(), window: 30s, when: value > 1"),
       "4:52: out-of-range: 'window' must lie between 1m and 1d"},
      {"a window of a minute and a half", rule("alert: A, from: step, value: count(), window: 90s, when: value > 1"),
       "4:52: bad-window: a window is a number of whole minutes, above 1h of whole quarters"},
      {"a window with a fraction", rule("alert: A, from: step, value: count(), window: 1.5h, when: value > 1"),
       "4:52: bad-duration: 'window' must be a duration such as 30s, 15m, 1h30m or 7d"},
      {"a window with a capital unit", rule("alert: A, from: step, value: count(), window: 5M, when: value > 1"),
       "4:52: bad-duration: 'window' must be a duration such as 30s, 15m, 1h30m or 7d"},
      {"a window of 70 minutes", rule("alert: A, from: step, value: count(), window: 70m, when: value > 1"),
       "4:52: bad-window: a window is a number of whole minutes, above 1h of whole quarters"},
      {"a window of ten days", rule("alert: A, from: step, value: count(), window: 10d, when: value > 1"),
       "4:52: out-of-range: 'window' must lie between 1m and 1d"},
      {"a window with an open end", rule("alert: A, from: step, value: count(), window: 15m.., when: value > 1"),
       "4:52: bad-window: a growing window runs between two of 15m 30m 1h 3h 6h 12h 24h, as 15m..24h"},
      {"a window that grows between odd lengths",
       rule("alert: A, from: step, value: count(), window: 10m..2h, when: value > 1"),
       "4:52: bad-window: a growing window runs between two of 15m 30m 1h 3h 6h 12h 24h, as 15m..24h"},
      {"a window that shrinks", rule("alert: A, from: step, value: count(), window: 24h..15m, when: value > 1"),
       "4:52: bad-window: a growing window runs between two of 15m 30m 1h 3h 6h 12h 24h, as 15m..24h"},
      {"for: soon", window_rule_with("for: soon"),
       "4:78: bad-duration: 'for' must be a duration such as 30s, 15m, 1h30m or 7d"},
      {"for without a unit", window_rule_with("for: 300"),
       "4:78: bad-duration: 'for' must be a duration such as 30s, 15m, 1h30m or 7d"},
      {"for of a year", window_rule_with("for: 365d"), "4:78: out-of-range: 'for' must lie between 0s and 30d"},
      {"units in the wrong order", window_rule_with("keep_firing_for: 30m1h"),
       "4:90: bad-duration: 'keep_firing_for' must be a duration such as 30s, 15m, 1h30m or 7d"},
      {"learn_after of seconds", window_rule_with("learn_after: 5s"),
       "4:86: out-of-range: 'learn_after' must lie between 1m and 30d"},
      {"no_data with another word", window_rule_with("no_data: ignore"),
       "4:82: unknown-word: 'no_data' must be hold, resolve or fire"},
      {"no_data_after of seconds", window_rule_with("no_data_after: 30s"),
       "4:88: out-of-range: 'no_data_after' must lie between 1m and 30d"},
      {"confidence in percent", window_rule_with("confidence: 99"),
       "4:85: out-of-range: 'confidence' must lie between 0.5 and 0.999999"},
      {"confidence with a sign", window_rule_with("confidence: 99%"),
       "4:85: wrong-type: 'confidence' must be a number"},
      {"max_series with an exponent", window_rule_with("max_series: 1e6"),
       "4:85: wrong-type: 'max_series' must be a whole number"},
      {"min_samples with a fraction", window_rule_with("min_samples: 10.5"),
       "4:86: wrong-type: 'min_samples' must be a whole number"},
      {"min_samples below nothing", window_rule_with("min_samples: -1"),
       "4:86: out-of-range: 'min_samples' must lie between 0 and 1000000000"},
  };
}

std::vector<Broken> baselines() {
  return {
      {"baseline: 24h", window_rule_with("baseline: 24h"),
       "4:83: wrong-type: baseline must be a map of keys and values"},
      {"a baseline without range", window_rule_with("baseline: {block: 1h}"),
       "4:83: missing-key: a baseline needs 'range'"},
      {"a misspelt key of a baseline", window_rule_with("baseline: {range: 24h, minblocks: 6}"),
       "4:96: unknown-key: 'minblocks' is no key of a baseline (did you mean 'min_blocks'?)"},
      {"a block that does not divide the range", window_rule_with("baseline: {range: 24h, block: 7h}"),
       "4:103: bad-block: a block is whole quarters of an hour, and divides the range"},
      {"a range of 80 minutes", window_rule_with("baseline: {range: 80m}"),
       "4:91: bad-range: a range is whole quarters of an hour"},
      {"a range of a month", window_rule_with("baseline: {range: 30d}"),
       "4:91: out-of-range: 'range' must lie between 1h and 7d"},
      {"a statistic that is none", window_rule_with("baseline: {range: 24h, stat: mode}"),
       "4:102: unknown-word: 'stat' must be mean or median"},
      {"empty with another word", window_rule_with("baseline: {range: 24h, empty: ignore}"),
       "4:103: unknown-word: 'empty' must be skip or zero"},
      {"an unknown declared bound", window_rule_with("baseline: {range: 24h, declared: spec.cost.hourly}"),
       "4:106: unknown-bound: 'spec.cost.hourly' is no bound of a spec"},
      {"reset_on with a field that is no version", window_rule_with("baseline: {range: 24h, reset_on: [agent]}"),
       "4:106: unknown-field: 'agent' can't reset a baseline; use agent_version, spec, spec_version, model or "
       "model_version"},
      {"reset_on with a misspelt field", window_rule_with("baseline: {range: 24h, reset_on: [spec_versoin]}"),
       "4:106: unknown-field: 'spec_versoin' can't reset a baseline; use agent_version, spec, spec_version, model or "
       "model_version"},
      {"a floor below nothing", window_rule_with("baseline: {range: 24h, floor: -1}"),
       "4:103: out-of-range: 'floor' must lie between 0 and 1e+12"},
      {"no blocks at all", window_rule_with("baseline: {range: 24h, block: 1h, min_blocks: 0}"),
       "4:119: out-of-range: 'min_blocks' must lie between 1 and 1000"},
      {"the same time as never", window_rule_with("baseline: {same_time: last_month}"),
       "4:95: unknown-word: 'same_time' must be yesterday or last_week"},
      {"the same time and a range", window_rule_with("baseline: {same_time: yesterday, range: 24h}"),
       "4:113: bad-baseline: 'range' is of a range; same_time is one window, as it was then"},
      {"a median without blocks", window_rule_with("baseline: {range: 24h, stat: median}"),
       "4:102: bad-baseline: a median is one of blocks: add block: 1h"},
      {"a baseline of sets in five minutes",
       rule(
           "alert: A, from: step, value: distinct(correlation_id), window: 5m, when: value > 2 * baseline, baseline: "
           "{range: 24h}"),
       "4:69: short-distinct: a baseline of distinct(...) is made of quarters of an hour: use a window of 15m or "
       "more"},
      {"a baseline of a month's sum",
       rule("alert: A, from: step, value: sum(cost), window: {calendar: month}, when: value > 5, baseline: {range: "
            "24h}"),
       "4:100: bad-baseline: a calendar window has no baseline: compare with a bound, or with forecast(value)"},
  };
}

std::vector<Broken> conditions() {
  return {
      {"no when", rule("alert: A, from: step, value: count(), window: 5m"), "4:5: missing-key: a rule needs 'when'"},
      {"when is a map", rule("alert: A, from: step, value: count(), window: 5m, when: {value: 1}"),
       "4:62: wrong-type: an expression is needed here"},
      {"when: a misspelt name", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'vale > 1'"),
       "4:65: bad-when: 'vale' has no meaning here (did you mean 'value'?)"},
      {"when: nothing after an operator", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value >'"),
       "4:72: bad-expression: a value is missing at the end"},
      {"when: two conditions without a word between",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > 1 value < 9'"),
       "4:75: bad-expression: an operator is missing before this"},
      {"when: a single equals sign", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value = 1'"),
       "4:71: bad-expression: write '==' to compare"},
      {"when: a single ampersand",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > 1 & samples > 2'"),
       "4:75: bad-expression: '&' has no meaning here"},
      {"when: a number alone", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value'"),
       "4:65: bad-when: a condition is needed here; compare this with <, > or =="},
      {"when: a condition as a number",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: '(value > 1) > 2'"),
       "4:72: bad-when: a number is needed here, not a condition"},
      {"when: a chain of comparisons",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: '1 < value < 9'"),
       "4:75: bad-expression: an operator is missing before this"},
      {"when: a text", rule(R"y(alert: A, from: step, window: 5m, value: 'count()', when: 'value > "1"')y"),
       "4:73: bad-when: a number is needed here"},
      {"when: an open bracket", rule("alert: A, from: step, window: 5m, value: 'count()', when: '(value > 1'"),
       "4:75: bad-expression: ')' is missing here"},
      {"when: a bracket too many", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > 1)'"),
       "4:74: bad-expression: an operator is missing before this"},
      {"when: a unit that is none", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > 5x'"),
       "4:73: bad-expression: '5x' is neither a number nor a duration such as 30m"},
      {"when: an exponent", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > 1e3'"),
       "4:73: bad-expression: '1e3' is neither a number nor a duration such as 30m; numbers have no exponent: write "
       "1000"},
      {"when: a number with two points",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > 1.2.3'"),
       "4:76: bad-expression: '.' has no meaning here"},
      {"when: a percent sign", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > 5%'"),
       "4:74: bad-expression: '%' has no meaning here; write 0.25 for 25 %"},
      {"when: a sign that is not ASCII",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value ≥ 1'"),
       "4:71: bad-expression: write '>=' for this sign"},
      {"when: a function that is none",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'median(value) > 1'"),
       "4:65: bad-when: 'median' is no function here"},
      {"when: min of one", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'min(value) > 1'"),
       "4:65: bad-when: min() takes two numbers or more"},
      {"when: a list", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value in [1, 2]'"),
       "4:71: bad-when: 'in' belongs into where:, which looks at events; compare numbers here"},
      {"when: hits without a ratio", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'hits > 3'"),
       "4:65: bad-when: 'hits' exists only for ratio(...)"},
      {"when: low of a count", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'low(value) > 0.5'"),
       "4:69: bad-when: low() is the bound of a ratio(...); 'value' is none"},
      {"when: low of an expression",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'low(value + 1) > 0.5'"),
       "4:65: bad-when: low() takes the name of one value"},
      {"when: a baseline that the rule has not",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > 2 * baseline'"),
       "4:77: bad-when: this rule has no baseline; add one, such as baseline: {range: 24h}"},
      {"when: a bound that no spec has",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > spec.surface_rate'"),
       "4:73: bad-when: 'surface_rate' is no bound of a spec (did you mean 'surface_rate.min'?)"},
      {"when: a misspelt bound",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > spec.cost.per_houre'"),
       "4:73: bad-when: 'cost.per_houre' is no bound of a spec (did you mean 'cost.per_hour'?)"},
      {"when: elapsed in a window rule",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'elapsed > 5m'"),
       "4:65: bad-when: 'elapsed' exists only in rules with mode: task"},
      {"when: a duration beside a count",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > 5m'"),
       "4:71: bad-when: a plain number and a duration can't stand on both sides of '>'"},
      {"when: true", rule("alert: A, from: step, window: 5m, value: 'count()', when: 'true'"),
       "4:65: bad-when: a number is needed here"},
      {"when: stdev without blocks",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > baseline.stdev', baseline: {range: "
            "24h}"),
       "4:73: bad-when: 'baseline.stdev' needs blocks: baseline: {range: 24h, block: 1h}"},
      {"when: a figure that baselines have not",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > baseline.median', baseline: {range: "
            "24h, block: 1h}"),
       "4:73: bad-when: 'baseline.median' has no meaning here (did you mean 'baseline.peak'?)"},
      {"when: dollars beside a duration",
       rule("alert: A, from: step, window: 5m, value: 'per_hour(cost)', when: 'value > 2h'"),
       "4:78: bad-when: dollars and a duration can't stand on both sides of '>'"},
      {"when: dollars times dollars",
       rule("alert: A, from: step, window: 5m, value: 'sum(cost)', when: 'value * value > 4'"),
       "4:73: bad-when: dollars times dollars has no meaning"},
      {"when: a duration beside a bare number",
       rule("alert: A, from: step, window: 5m, value: 'sum(latency)', when: 'value > 5'"),
       "4:76: bad-when: a duration needs a unit beside it: write 30s, 15m or 2h"},
      {"when: dollars beside a bound of time",
       rule("alert: A, from: step, window: 5m, value: 'sum(cost)', when: 'value > spec.wall_clock'"),
       "4:73: bad-when: dollars and a duration can't stand on both sides of '>'"},
      {"when: the lesser of two units",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'min(value, 5m) > 1'"),
       "4:65: bad-when: a plain number and a duration can't stand in one min()"},
      {"when: a bound without its end",
       rule("alert: A, from: step, window: 5m, value: 'count()', when: 'value > spec.'"),
       "4:77: bad-expression: '.' has no meaning here"},
      {"when: value, where the measure has another name",
       rule("alert: A, from: step, values: {calls: count()}, window: 5m, when: value > 1"),
       "4:72: bad-when: 'value' has no meaning here"},
      {"when: over two lines", R"y(groups:
- name: g
  rules:
  - alert: A
    from: step
    value: count()
    window: 5m
    when: |
      value > 1 &&
      vale > 2
)y",
       "10:7: bad-when: 'vale' has no meaning here (did you mean 'value'?)"},
      {"when: behind letters that are not ASCII", R"y(groups:
- name: g
  rules:
  - {labels: {city: "Zürich"}, alert: A, from: step, value: count(), window: 5m, when: vale > 1}
)y",
       "4:89: bad-when: 'vale' has no meaning here (did you mean 'value'?)"},
      {"when of a task: elapsed below", rule("alert: A, mode: task, when: elapsed < 5m"),
       "4:34: bad-when: a rule on running tasks reads `elapsed > X` or `silent > X`, joined by && where there are "
       "two"},
      {"when of a task: a bare number", rule("alert: A, mode: task, when: elapsed > 5"),
       "4:42: bad-when: a duration needs a unit beside it: write 30s, 15m or 2h"},
      {"when of a task: or", rule("alert: A, mode: task, when: elapsed > 5m || silent > 5m"),
       "4:34: bad-when: a rule on running tasks reads `elapsed > X` or `silent > X`, joined by && where there are "
       "two"},
      {"when of a task: twice elapsed", rule("alert: A, mode: task, when: elapsed * 2 > 5m"),
       "4:34: bad-when: a rule on running tasks reads `elapsed > X` or `silent > X`, joined by && where there are "
       "two"},
      {"when of a task: a value", rule("alert: A, mode: task, when: value > 1"),
       "4:34: bad-when: 'value' has no meaning in this rule"},
      {"when of a task: no time at all", rule("alert: A, mode: task, when: spec.wall_clock > 5m"),
       "4:34: bad-when: a rule on running tasks reads `elapsed > X` or `silent > X`, joined by && where there are "
       "two"},
      {"when of a task: a misspelt name", rule("alert: A, mode: task, when: elapsd > 5m"),
       "4:34: bad-when: 'elapsd' has no meaning in this rule (did you mean 'elapsed'?)"},
      {"a task without when", rule("alert: A, mode: task"), "4:5: missing-key: a rule needs 'when'"},
  };
}

std::string counting(const std::string& keys) {
  return rule("alert: A, mode: task, from: tool.call, value: count(), " + keys);
}
std::string counting_when(const std::string& condition) {
  return counting("when: '" + condition + "'");
}

std::vector<Broken> counts_within_tasks() {
  const std::string needs =
      "missing-key: a rule on running tasks counts where it has 'from' and 'value', such as from: tool.call, value: "
      "count(); 'where', 'per' and 'window' say more of that";
  const std::string reads =
      "4:67: bad-when: a rule that counts within tasks reads `value >= N`, joined by && with `elapsed > X` where "
      "time "
      "counts too";
  return {
      {"window in a rule on tasks", rule("alert: A, mode: task, when: elapsed > 5m, window: 5m"), "4:56: " + needs},
      {"where in a rule on tasks", rule(R"y(alert: A, mode: task, when: elapsed > 5m, where: 'agent == "a"')y"),
       "4:55: " + needs},
      {"per in a rule on tasks", rule("alert: A, mode: task, when: elapsed > 5m, per: [tool]"), "4:53: " + needs},
      {"a value without from", rule("alert: A, mode: task, value: count(), when: value > 5"), "4:35: " + needs},
      {"from without a value", rule("alert: A, mode: task, from: step, when: value > 5"), "4:34: " + needs},
      {"a count of what ends the task",
       rule("alert: A, mode: task, from: task.finished, value: count(), when: value > 5"),
       "4:34: unknown-word: 'from' must be task.started, task.heartbeat, task.paused, task.resumed, step, tool.call "
       "or "
       "spec.gap"},
      {"a misspelt type", rule("alert: A, mode: task, from: tool.cal, value: count(), when: value > 5"),
       "4:34: unknown-word: 'from' must be task.started, task.heartbeat, task.paused, task.resumed, step, tool.call "
       "or "
       "spec.gap (did you mean 'tool.call'?)"},
      {"a ratio within a task",
       rule("alert: A, mode: task, from: tool.call, value: ratio(has(error_type)), when: value > 0.5"),
       "4:52: bad-value: within a task there are count() and sum(FIELD)"},
      {"a rate within a task", rule("alert: A, mode: task, from: tool.call, value: per_hour(cost), when: value > 5"),
       "4:52: bad-value: within a task there are count() and sum(FIELD)"},
      {"a sum of a text", rule("alert: A, mode: task, from: tool.call, value: sum(tool), when: value > 5"),
       "4:56: bad-value: sum() takes the name of a number field"},
      {"a misspelt number", rule("alert: A, mode: task, from: step, value: sum(token_out), when: value > 5"),
       "4:51: bad-value: sum() takes the name of a number field (did you mean 'tokens_out'?)"},
      {"per of a text", counting("when: value > 5, per: tool"),
       "4:83: wrong-type: 'per' must be a list of one to four fields, such as [tool, arguments.hash]"},
      {"per of nothing", counting("when: value > 5, per: []"),
       "4:83: wrong-type: 'per' must be a list of one to four fields, such as [tool, arguments.hash]"},
      {"per of five fields", counting("when: value > 5, per: [tool, model, suite, section, category]"),
       "4:83: wrong-type: 'per' must be a list of one to four fields, such as [tool, arguments.hash]"},
      {"per: a misspelt field", counting("when: value > 5, per: [tol]"),
       "4:84: unknown-field: 'tol' is no field to count by (did you mean 'tool'?)"},
      {"per: arguments themselves", counting("when: value > 5, per: [tool, argument.hash]"),
       "4:90: unknown-field: 'argument.hash' is no field to count by (did you mean 'arguments.hash'?)"},
      {"per: what no two events share", counting("when: value > 5, per: [span_id]"),
       "4:84: unknown-field: 'span_id' is no field to count by"},
      {"per: twice the same", counting("when: value > 5, per: [tool, arguments.hash, arguments.hash]"),
       "4:106: repeated-field: 'arguments.hash' stands twice in 'per'"},
      {"per: a list in it", counting("when: value > 5, per: [[tool]]"),
       "4:84: unknown-field: '' is no field to count by"},
      {"a window that grows", counting("when: value > 5, window: 15m..24h"),
       "4:86: bad-duration: 'window' must be a duration such as 30s, 15m, 1h30m or 7d"},
      {"a window of a second", counting("when: value > 5, window: 1s"),
       "4:86: out-of-range: 'window' must lie between 10s and 1d"},
      {"when of a count: no value", counting_when("elapsed > 5m"),
       "4:67: bad-when: this rule counts, and its 'when' does not ask for 'value'"},
      {"when of a count: a constant", counting_when("2 > 1"),
       "4:67: bad-when: this rule counts, and its 'when' does not ask for 'value'"},
      {"when of a count: silent", counting_when("value >= 8 && silent > 5m"),
       "4:67: bad-when: 'silent' can't stand beside 'value': each event that counts would end it"},
      {"when of a count: samples", counting_when("value >= 8 && samples > 5"),
       "4:67: bad-when: 'samples' exists only in rules with mode: window"},
      {"when of a count: or a time", counting_when("value >= 8 || elapsed > 5m"), reads},
      {"when of a count: a time that the count moves", counting_when("value >= 8 && elapsed > value * 1m"), reads},
      {"when of a count: a time below", counting_when("value >= 8 && elapsed < 5m"), reads},
      {"when of a count: too few", counting_when("value < 3"),
       "4:67: bad-when: this holds although nothing was counted"},
      {"when of a count: nothing is enough", counting_when("value >= 0"),
       "4:67: bad-when: this holds although nothing was counted"},
      {"when of a count: a band", counting_when("value >= 8 && value < 20"),
       "4:67: bad-when: what is counted within a task grows: compare it as `value >= N`"},
      {"when of a count: below a bound",
       rule("alert: A, mode: task, from: step, value: sum(cost), when: value < spec.cost.per_task"),
       "4:64: bad-when: what is counted within a task grows: compare it as `value >= N`"},
      {"when of a count: dollars beside a count", counting_when("value > spec.cost.per_task"),
       "4:74: bad-when: a plain number and dollars can't stand on both sides of '>'"},
      {"when of a count: the limit itself", counting_when("value > threshold"),
       "4:76: bad-when: 'threshold' has no meaning here"},
      {"a text that names no field of per", counting("when: value > 5, annotations: {summary: '{{tool}}'}"),
       "4:104: bad-template: 'tool' has no meaning here"},
      {"a text that shows arguments",
       counting("when: value > 5, per: [arguments.hash], annotations: {summary: '{{arguments.hash}}'}"),
       "4:127: bad-template: 'arguments.hash' has no meaning here"},
      {"nine rules that count",
       [] {
         std::string all = "groups:\n- name: g\n  rules:\n";
         for (int i = 0; i < 9; ++i) {
           all +=
               "  - {alert: T" + std::to_string(i) + ", mode: task, from: step, value: count(), when: value > 5}\n";
         }
         return all;
       }(),
       "12:5: too-many: there are 8 rules that count within tasks already, which is the limit"},
  };
}

std::vector<Broken> event_conditions() {
  return {
      {"where: a misspelt field", window_rule_with(R"y(where: 'agnt == "a"')y"),
       "4:81: bad-where: 'agnt' is no field of an event (did you mean 'agent'?)"},
      {"where: a text without quotes", window_rule_with("where: 'tool == shell'"),
       "4:89: bad-where: a text in quotes is needed here, as 'tool' is text"},
      {"where: a text with an order", window_rule_with(R"y(where: 'tool > "a"')y"),
       "4:86: bad-where: '>' does not compare texts; use ==, != or in"},
      {"where: no closing quote", window_rule_with(R"y(where: 'tool == "shell')y"),
       "4:89: bad-expression: this text has no closing quote"},
      {"where: a field alone", window_rule_with("where: 'agent'"),
       "4:81: bad-where: 'agent' is no condition; compare it, or write has(agent)"},
      {"where: a duration without a unit", window_rule_with("where: 'latency > 2'"),
       "4:91: bad-where: 'latency' is a duration; write its unit, such as 2s or 30m"},
      {"where: dollars with a unit", window_rule_with("where: 'cost > 5s'"),
       "4:88: bad-where: a number without a unit is needed here, as 'cost' is dollars"},
      {"where: a count with a unit", window_rule_with("where: 'tokens_in > 5m'"),
       "4:93: bad-where: a number without a unit is needed here, as 'tokens_in' is a count"},
      {"where: a fraction of a count", window_rule_with("where: 'tokens_in > 1.5'"),
       "4:93: bad-where: 'tokens_in' can't be compared with this number; it holds whole numbers up to 10^15"},
      {"where: a number beyond all bounds", window_rule_with("where: 'cost > 9999999999999'"),
       "4:88: bad-where: 'cost' can't be compared with this number; it holds whole millionths up to 10^15"},
      {"where: a time", window_rule_with("where: 'started_at > 1'"),
       "4:94: bad-where: a time can't be compared in a rule"},
      {"where: numbers in a list", window_rule_with("where: 'tokens_in in [1, 2]'"),
       "4:91: bad-where: 'in' takes texts; compare numbers with ==, < or >"},
      {"where: the number first", window_rule_with("where: '2s < latency'"),
       "4:81: bad-where: the left side of a comparison must be the name of a field"},
      {"where: a word that outcome has not", window_rule_with(R"y(where: 'outcome == "error"')y"),
       "4:92: bad-where: 'error' is no value of outcome (did you mean 'errored'?)"},
      {"where: a word that authz has not", window_rule_with(R"y(where: 'authz in ["refused", "denied"]')y"),
       "4:102: bad-where: 'denied' is no value of authz: passed, refused, refused_with_reason, absent, other"},
      {"where: in without a list", window_rule_with(R"y(where: 'authz in "refused"')y"),
       "4:90: bad-expression: 'in' needs a list such as [\"errored\", \"timed_out\"]"},
      {"where: an open list", window_rule_with(R"y(where: 'authz in ["refused"')y"),
       "4:100: bad-expression: ',' or ']' is missing here"},
      {"where: has of a text", window_rule_with(R"y(where: 'has("agent")')y"),
       "4:81: bad-where: has() takes the name of one field"},
      {"where: has of a misspelt field", window_rule_with("where: 'has(error_typ)'"),
       "4:85: bad-where: 'error_typ' is no field of an event (did you mean 'error_type'?)"},
      {"where: a finding in a window rule", window_rule_with("where: 'has(secret.pattern)'"),
       "4:85: bad-where: 'secret.pattern' exists only in rules with mode: event"},
      {"where: a function that is none", window_rule_with(R"y(where: 'like(tool, "db.%")')y"),
       "4:81: bad-where: 'like' is no function of a condition on events; has(field), starts_with, ends_with, "
       "contains and matches are"},
      {"where: starts_with of a field alone", window_rule_with("where: 'starts_with(tool)'"),
       "4:81: bad-where: starts_with() takes a field and a text, such as starts_with(tool, \"db.\")"},
      {"where: starts_with of a number", window_rule_with(R"y(where: 'starts_with(cost, "1")')y"),
       "4:93: bad-where: starts_with() takes the name of a text field"},
      {"where: contains of a field", window_rule_with("where: 'contains(tool, agent)'"),
       "4:96: bad-where: a text in quotes is needed here"},
      {"where: matches with a bad expression", window_rule_with(R"y(where: 'matches(tool, "(")')y"),
       "4:95: bad-where: no regular expression of RE2: missing ): ("},
      {"where: a method of a misspelt field", window_rule_with(R"y(where: 'tol.startsWith("db.")')y"),
       "4:81: bad-where: starts_with() takes the name of a text field (did you mean 'tool'?)"},
      {"where: sums", window_rule_with("where: 'tokens_in + tokens_out > 5'"),
       "4:91: bad-where: the left side of a comparison must be the name of a field"},
      {"where: a list", window_rule_with("where: [agent]"), "4:80: wrong-type: an expression is needed here"},
      {"where: a finding that has no such field", rule("alert: A, mode: event, where: has(secret.value)"),
       "4:40: bad-where: 'secret.value' is no field of an event"},
      {"an event rule with another word for resolve",
       rule("alert: A, mode: event, where: has(error_type), resolve: never"),
       "4:62: unknown-word: 'resolve' must be manual or auto"},
  };
}

std::vector<Broken> groups_and_texts() {
  return {
      {"group_by: agent", window_rule_with("group_by: agent"),
       "4:83: wrong-type: 'group_by' must be a list such as [env, agent]"},
      {"group_by with a misspelt field", window_rule_with("group_by: [env, agnt]"),
       "4:89: unknown-field: 'agnt' is no field to group by (did you mean 'agent'?)"},
      {"group_by with a number field", window_rule_with("group_by: [cost]"),
       "4:84: unknown-field: 'cost' is no field to group by"},
      {"group_by with a field twice", window_rule_with("group_by: [agent, agent]"),
       "4:91: repeated-field: 'agent' stands twice in 'group_by'"},
      {"group_by with a list in a list", window_rule_with("group_by: [[agent]]"),
       "4:84: wrong-type: the name of a field is needed here"},
      {"group_by one task in a window rule", window_rule_with("group_by: [agent, correlation_id]"),
       "4:83: unbounded-group: a window over one task has no end; use mode: task or mode: event, or group by agent"},
      {"group_by a finding in a window rule", window_rule_with("group_by: [agent, secret.pattern]"),
       "4:91: unknown-field: 'secret.pattern' is no field to group by"},
      {"page_by what is not in group_by", rule("alert: A, mode: task, when: elapsed > 5m, page_by: [env, tool]"),
       "4:57: page-by: 'tool' is not in group_by"},
      {"expire of seconds", rule("alert: A, mode: task, when: elapsed > 5m, expire: 10s"),
       "4:56: out-of-range: 'expire' must lie between 1m and 30d"},
      {"labels is a list", window_rule_with("labels: [critical]"),
       "4:81: wrong-type: 'labels' must be a map of names to texts"},
      {"a label's name with a dash", window_rule_with("labels: {on-call: ann}"),
       "4:81: bad-label: 'on-call' can't be a label's name (letters, digits, '_')"},
      {"a label named alertname", window_rule_with("labels: {alertname: B}"),
       "4:81: bad-label: 'alertname' is what the alert itself is called"},
      {"a label that hides the group's", window_rule_with("labels: {agent: support}"),
       "4:81: shadowed-label: label 'agent' would hide the group's own 'agent'"},
      {"a label without a value", window_rule_with("labels: {team: }"),
       "4:81: wrong-type: 'labels' must be a map of names to texts"},
      {"actions: page", window_rule_with("actions: page"),
       "4:82: wrong-type: 'actions' must be a list such as [page, {halt: task}]"},
      {"a misspelt action", window_rule_with("actions: [page, investigat]"),
       "4:89: unknown-action: 'investigat' is no action (did you mean 'investigate'?)"},
      {"halt without its scope", window_rule_with("actions: [halt]"),
       "4:83: halt-scope: say what to halt: {halt: task} or {halt: agent}"},
      {"halt of everything", window_rule_with("actions: [{halt: all}]"),
       "4:90: unknown-word: 'halt' must be task or agent"},
      {"halt in a window rule", window_rule_with("actions: [{halt: agent}]"),
       "4:82: halt-mode: only a rule with mode: event can halt: its order goes out at the event"},
      {"an action with another key", rule("alert: A, mode: event, where: has(error_type), actions: [{stop: task}]"),
       "4:64: unknown-key: 'stop' is no key of an action"},
      {"an action in a list", window_rule_with("actions: [[page]]"),
       "4:83: wrong-type: an action such as page or {halt: task} is needed here"},
      {"annotations is a text", window_rule_with("annotations: too slow"),
       "4:86: wrong-type: 'annotations' must be a map of names to texts"},
      {"a text with an unknown label", window_rule_with(R"y(annotations: {summary: "{{agnt}} is slow"})y"),
       "4:99: bad-template: 'agnt' has no meaning here (did you mean 'agent'?)"},
      {"a text with a label that the group has not",
       window_rule_with(R"y(annotations: {summary: "{{tool}} is slow"})y"),
       "4:99: bad-template: 'tool' has no meaning here"},
      {"a text with no end", window_rule_with(R"y(annotations: {summary: "{{value of {{agent}}"})y"),
       "4:105: bad-template: an operator is missing before this"},
      {"a text with nothing inside", window_rule_with(R"y(annotations: {summary: "{{}}"})y"),
       "4:99: bad-template: a value is missing at the end"},
      {"a text with a filter that is none", window_rule_with(R"y(annotations: {summary: "{{value|eur}}"})y"),
       "4:97: bad-template: 'eur' is no filter; use usd, x, percent or duration"},
      {"a text with two filters", window_rule_with(R"y(annotations: {summary: "{{value|usd|x}}"})y"),
       "4:104: bad-template: '|' has no meaning here"},
      {"a text with a condition", window_rule_with(R"y(annotations: {summary: "{{value > 1}}"})y"),
       "4:105: bad-template: a number is needed here, not a condition"},
      {"a text with labels as Prometheus has them",
       window_rule_with(R"y(annotations: {summary: "{{ .Labels.agent }}"})y"),
       "4:100: bad-template: '.' has no meaning here"},
      {"a text with a baseline that the rule has not",
       window_rule_with(R"y(annotations: {summary: "{{baseline}}"})y"),
       "4:99: bad-template: this rule has no baseline; add one, such as baseline: {range: 24h}"},
      {"a text with a correlation id", window_rule_with(R"y(annotations: {summary: "{{correlation_id}}"})y"),
       "4:99: bad-template: 'correlation_id' has no meaning here"},
      {"a link with an unknown label", window_rule_with(R"y(links: {trace: "https://traces.example/{{trace_id}}"})y"),
       "4:114: bad-template: 'trace_id' has no meaning here"},
      {"a text with a task's time in an event rule",
       rule(R"y(alert: A, mode: event, where: has(error_type), annotations: {summary: "{{elapsed}}"})y"),
       "4:79: bad-template: 'elapsed' exists only in rules with mode: task"},
  };
}

std::vector<Broken> several_mistakes() {
  return {
      {"a mistake in the defaults, met by two rules", R"y(groups:
- name: g
  defaults: {window: 5s}
  rules:
  - {alert: A, from: step, value: count(), when: value > 1}
  - {alert: B, from: step, value: count(), when: value > 2}
)y",
       "3:22: out-of-range: 'window' must lie between 1m and 1d\n"
       "3:22: out-of-range: 'window' must lie between 1m and 1d"},
      {"a rule with a mistake in every line", R"y(groups:
- name: g
  rules:
  - alert: Slow tool
    from: toolcall
    where: tol == "shell"
    group_by: [env, agnt]
    value: ratio(latancy > 2s)
    window: 15
    min_sample: 20
    when: low(value) > 25%
    for: 5
    label: {severity: warning}
    actions: [pager]
    annotations: {summary: "{{tool}} is slow"}
)y",
       "4:12: bad-name: an alert's name has letters, digits and '_' only\n"
       "5:11: unknown-word: 'from' must be task.started, task.heartbeat, task.paused, task.resumed, task.finished, "
       "step, tool.call, session.started, session.finished, system, review, eval.result or spec.gap (did you mean "
       "'tool.call'?)\n"
       "6:12: bad-where: 'tol' is no field of an event (did you mean 'tool'?)\n"
       "7:21: unknown-field: 'agnt' is no field to group by (did you mean 'agent'?)\n"
       "8:18: bad-value: 'latancy' is no field of an event (did you mean 'latency'?)\n"
       "9:13: bad-duration: 'window' must be a duration such as 30s, 15m, 1h30m or 7d\n"
       "10:5: unknown-key: 'min_sample' is no key of a rule (did you mean 'min_samples'?)\n"
       "12:10: bad-duration: 'for' must be a duration such as 30s, 15m, 1h30m or 7d\n"
       "13:5: unknown-key: 'label' is no key of a rule (did you mean 'labels'?)\n"
       "14:15: unknown-action: 'pager' is no action (did you mean 'page'?)"},
      {"mistakes in two groups", R"y(groups:
- name: one
  rules:
  - {alert: A, mode: task, when: elapsed > 5}
- nam: two
  rules:
  - {alert: B, mode: task, wen: elapsed > 5m}
)y",
       "4:42: bad-when: a duration needs a unit beside it: write 30s, 15m or 2h\n"
       "5:3: missing-key: a group needs 'name'\n"
       "5:3: unknown-key: 'nam' is no key of a group (did you mean 'name'?)\n"
       "7:5: missing-key: a rule needs 'when'\n"
       "7:28: unknown-key: 'wen' is no key of a rule (did you mean 'when'?)"},
      {"with the line ends of Windows",
       "groups:\r\n- name: g\r\n  rules:\r\n  - alert: A\r\n    mode: task\r\n    when: elapsd > 5m\r\n",
       "6:11: bad-when: 'elapsd' has no meaning in this rule (did you mean 'elapsed'?)"},
  };
}

std::vector<Broken> specs_prices_names() {
  return {
      {"specs is a map", "specs: {name: s}\n", "1:8: wrong-type: a list is needed here"},
      {"a spec is a text", R"y(specs:
- support-policy
)y",
       "2:3: wrong-type: spec must be a map of keys and values"},
      {"a spec without a name", R"y(specs:
- {version: 1.4}
)y",
       "2:3: missing-key: a spec needs 'name'"},
      {"a spec twice", R"y(specs:
- {name: s, version: "1"}
- {name: s, version: 1}
)y",
       "3:3: repeated-spec: spec 's' version '1' is declared twice; keep one"},
      {"a band upside down", R"y(specs:
- {name: s, surface_rate: {min: 0.5, max: 0.2}}
)y",
       "2:27: empty-band: 'min' is above 'max'"},
      {"a rate in percent", R"y(specs:
- {name: s, surface_rate: {min: 5, max: 35}}
)y",
       "2:33: out-of-range: 'min' must lie between 0 and 1\n"
       "2:41: out-of-range: 'max' must lie between 0 and 1"},
      {"a band that is a number", R"y(specs:
- {name: s, surface_rate: 0.3}
)y",
       "2:27: wrong-type: surface_rate must be a map of keys and values"},
      {"a wall clock without a unit", R"y(specs:
- {name: s, wall_clock: 600}
)y",
       "2:25: bad-duration: 'wall_clock' must be a duration such as 30s, 15m, 1h30m or 7d"},
      {"a wall clock of nothing", R"y(specs:
- {name: s, wall_clock: 0s}
)y",
       "2:25: out-of-range: 'wall_clock' must lie between 1s and 30d"},
      {"a cost with a sign", R"y(specs:
- {name: s, cost: {per_hour: $12}}
)y",
       "2:30: wrong-type: 'per_hour' must be a number"},
      {"a cost that is a number", R"y(specs:
- {name: s, cost: 12}
)y",
       "2:19: wrong-type: cost must be a map of keys and values"},
      {"a cost of a week", R"y(specs:
- {name: s, cost: {per_week: 100}}
)y",
       "2:20: unknown-key: 'per_week' is no key of a cost"},
      {"a misspelt bound", R"y(specs:
- {name: s, wallclock: 10m}
)y",
       "2:13: unknown-key: 'wallclock' is no key of a spec (did you mean 'wall_clock'?)"},
      {"a price without its output", R"y(prices:
- {model: m, input: 1}
)y",
       "2:3: missing-key: a price needs 'output'"},
      {"a price with two stars", R"y(prices:
- {model: "a*b*", input: 1, output: 1}
)y",
       "2:3: bad-value: a model is named as it is, or by its beginning with one * at its end: \"gpt-4o-mini*\""},
      {"a price from some day", R"y(prices:
- {model: m, input: 1, output: 1, from: yesterday}
)y",
       "2:41: bad-value: 'from' is a day, written as \"2026-01-31\""},
      {"a price twice", R"y(prices:
- {model: m, input: 1, output: 1}
- {model: m, input: 2, output: 2}
)y",
       "3:3: repeated-price: 'm' has a price from the same day on already; keep one"},
      {"names is a list", "names: [agent]\n", "1:8: wrong-type: names must be a map of keys and values"},
      {"a name of an unknown field", "names: {agnt: [acme.bot]}\n",
       "1:9: unknown-key: 'agnt' is no key of a names (did you mean 'agent'?)"},
      {"a name for two fields", "names: {agent: [acme.bot], tool: [acme.bot]}\n",
       "1:34: repeated-name: the attribute 'acme.bot' gives a field already"},
      {"an empty name", R"y(names: {agent: [""]}
)y",
       "1:16: bad-name: a name of an attribute has 1 to 256 bytes"},
      {"names in maps", "names: {agent: {first: acme.bot}}\n", "1:16: wrong-type: 'agent' must be a list of words"},
  };
}

std::vector<Broken> attributes() {
  const std::string how = "write resource[\"NAME\"], attribute[\"NAME\"] or json[\"NAME\"]";
  const std::string bad_name =
      "bad-name: an attribute's name has letters, digits and '_' only, 64 at most, and begins with no digit or '__'; "
      "it becomes a label's name";
  const std::string in_quotes =
      "bad-source: a name in quotes and brackets is needed here, of 1 to 256 bytes without quotes and backslashes: ";
  std::string nine = "attributes:\n";
  for (const char* const name : {"a", "b", "c", "d", "e", "f", "g", "h", "i"}) {
    nine += "  " + std::string(name) + ": json[\"of." + name + "\"]\n";
  }
  return {
      {"attributes as a list", "attributes: [tenant]\n",
       "1:13: wrong-type: attributes must be a map of names and sources"},
      {"attribute without a source", "attributes:\n  tenant:\n", "2:3: wrong-type: a source is needed here: " + how},
      {"attribute with an empty list", "attributes:\n  tenant: []\n",
       "2:11: wrong-type: a source is needed here: " + how},
      {"name of an attribute alone", "attributes:\n  tenant: tenant.id\n",
       "2:11: unknown-source: 'tenant.id' does not say where it is read; " + how},
      {"misspelt source", "attributes:\n  tenant: resorce[\"tenant.id\"]\n",
       "2:11: unknown-source: 'resorce' is no source (did you mean 'resource'?); " + how},
      {"source without quotes", "attributes:\n  tenant: resource[tenant.id]\n",
       "2:19: " + in_quotes + "resource[\"tenant.id\"]"},
      {"source without a name", "attributes:\n  tenant:\n  - json[\"tenant\"]\n  - 'json[\"\"]'\n",
       "4:10: " + in_quotes + "json[\"tenant.id\"]"},
      {"path with an empty key", "attributes:\n  tenant: json[\"labels..tenant\"]\n",
       "2:17: bad-source: a path is keys with a dot between them: json[\"labels.queue\"]"},
      {"path into the arguments", "attributes:\n  customer: json[\"arguments.customer\"]\n",
       "2:19: bad-source: 'arguments' is never kept as it is; say what rules need of it in a key of its own"},
      {"key that is a field", "attributes:\n  deployment: json[\"env\"]\n",
       "2:21: bad-source: 'env' of native JSON is a field of events already, and read as that alone"},
      {"attribute with the name of a field", "attributes:\n  agent: resource[\"agent\"]\n",
       "2:3: taken-name: 'agent' means something else in rules already; write another name"},
      {"attribute with the name of a figure", "attributes:\n  value: resource[\"value\"]\n",
       "2:3: taken-name: 'value' means something else in rules already; write another name"},
      {"attribute with a dot", "attributes:\n  tenant.id: resource[\"tenant.id\"]\n", "2:3: " + bad_name},
      {"attribute that begins with a digit", "attributes:\n  1st: resource[\"x\"]\n", "2:3: " + bad_name},
      {"one source for two attributes",
       "attributes:\n  tenant: resource[\"tenant.id\"]\n  customer: resource[\"tenant.id\"]\n",
       "3:13: repeated-source: resource[\"tenant.id\"] gives the attribute 'tenant' already; use that one"},
      {"source of another's own", "attributes:\n  tenant: resource[\"t\"]\n  customer: json[\"attributes.tenant\"]\n",
       "3:13: repeated-source: json[\"attributes.tenant\"] gives the attribute 'tenant' already; use that one"},
      {"source of one's own for another before",
       "attributes:\n  customer: json[\"attributes.tenant\"]\n  tenant: resource[\"t\"]\n",
       "3:3: repeated-source: json[\"attributes.tenant\"] gives the attribute 'customer', and is where 'tenant' is "
       "read by itself"},
      {"one source twice", "attributes:\n  tenant: ['json[\"t\"]', 'json[\"t\"]']\n",
       "2:26: repeated-source: json[\"t\"] stands here twice"},
      {"nine attributes", nine, "10:3: too-many: there are 8 attributes already, which is the limit"},
      {"seven sources",
       "attributes:\n  t: ['json[\"a\"]', 'json[\"b\"]', 'json[\"c\"]', 'json[\"d\"]', 'json[\"e\"]', 'json[\"f\"]', "
       "'json[\"g\"]']\n",
       "2:6: too-many: an attribute has 6 sources at most"},
      {"attribute that no file defines",
       "attributes: {tenant: 'json[\"t\"]'}\n" + window_rule_with("group_by: [tennant]"),
       "5:84: unknown-field: 'tennant' is no field to group by (did you mean 'tenant'?)"},
  };
}

std::vector<Broken> patterns() {
  return {
      {"patterns without a version", R"y(sanitize:
  patterns: []
)y",
       "2:3: missing-key: version is missing; write version: 1"},
      {"patterns of another version", R"y(sanitize:
  version: 2
  patterns: []
)y",
       "2:12: version: the only version is 1"},
      {"no patterns", R"y(sanitize:
  version: 1
)y",
       "2:3: missing-key: patterns is a list of patterns"},
      {"references that say too little and too much", R"y(sanitize:
  version: 1
  patterns: []
  references:
    retention: 30
    contents: {keep: redacted}
    content: {keep: all}
    arguments: {max_bytes: 100}
    results: {keep: redacted, max_bytes: 1000000}
)y",
       "5:16: retention: a retention is a duration or a name, as 30d, none or legal_hold: 1 to 20 of a-z, 0-9, _ and "
       "-, "
       "and no bare number\n"
       "6:5: unknown-key: unknown key contents (did you mean 'content'?)\n"
       "7:21: unknown-value: all is no way to keep a text; there are redacted, nothing\n"
       "8:28: missing-key: max_bytes is of the text that is kept; write keep: redacted beside it\n"
       "9:42: number: write a whole number from 16 to 65536"},
      {"a misspelt key beside patterns", R"y(sanitize:
  version: 1
  pattern: []
)y",
       "2:3: missing-key: patterns is a list of patterns\n"
       "3:3: unknown-key: unknown key pattern (did you mean 'patterns'?)"},
      {"a pattern that misses its example", R"y(sanitize:
  version: 1
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_[a-z0-9]{8}'
    examples: [acme_short]
)y",
       "9:16: example-misses: acme.token does not hit this example; see keywords, boundary and checks"},
      {"a pattern that hits its near miss", R"y(sanitize:
  version: 1
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_[a-z0-9]{8}'
    examples: [acme_abcd1234]
    near_misses: [acme_wxyz9876]
)y",
       "10:19: near-miss-hits: acme.token hits this near miss; narrow the pattern"},
      {"a pattern without examples", R"y(sanitize:
  version: 1
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_[a-z0-9]{8}'
)y",
       "4:5: missing-key: examples are missing: at least one text that the pattern hits"},
      {"a pattern with nothing", R"y(sanitize:
  version: 1
  patterns:
  - id: acme.token
)y",
       "4:5: missing-key: tier is missing: halt, page, count or pii\n"
       "4:5: missing-key: description is missing: a few words, for the people who are paged\n"
       "4:5: missing-key: write a regex, or a shape\n"
       "4:5: missing-key: keywords are missing: without a literal every byte is tried\n"
       "4:5: missing-key: examples are missing: at least one text that the pattern hits"},
      {"a tier that is none", R"y(sanitize:
  version: 1
  patterns:
  - {id: a.b, tier: warn, description: d, keywords: [acme_], regex: 'acme_[a-z]{8}', examples: [acme_abcdefgh]}
)y",
       "4:21: unknown-value: warn is no tier; there are halt, page, count, pii"},
      {"a keyword of two letters", R"y(sanitize:
  version: 1
  patterns:
  - {id: a.b, tier: page, description: d, keywords: [ac], regex: 'ac[a-z]{8}', examples: [acabcdefgh]}
)y",
       "4:53: keyword: ac is too short: it would stand everywhere; at least 3 characters"},
      {"a regex that RE2 does not take", R"y(sanitize:
  version: 1
  patterns:
  - {id: a.b, tier: page, description: d, keywords: [acme_], regex: 'acme_(?=x)', examples: [acme_x]}
)y",
       "4:69: regex: RE2 does not take this: invalid perl operator: (?="},
      {"an allowance without its end", R"y(sanitize:
  version: 1
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_[a-z0-9]{8}'
    examples: [acme_abcd1234]
  allow:
  - {pattern: acme.token, reason: ours}
)y",
       "11:5: until: until is a day, as 2026-12-31, or a time in UTC; it is required, so that nothing is allowed for "
       "good"},
      {"an allowance of an unknown pattern", R"y(sanitize:
  version: 1
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_[a-z0-9]{8}'
    examples: [acme_abcd1234]
  allow:
  - {pattern: acme.tokn, until: 2027-01-31, reason: ours}
)y",
       "11:15: unknown-pattern: no pattern is named acme.tokn (did you mean 'acme.token'?)"},
      {"a part of a regex that is not there", R"y(sanitize:
  version: 1
  parts: {digits: '[0-9]{8}'}
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_{{digts}}'
    examples: [acme_12345678]
)y",
       "9:12: unknown-part: 'digts' is no part of this file's 'parts' (did you mean 'digits'?)"},
      {"a part without an end", R"y(sanitize:
  version: 1
  parts: {digits: '[0-9]{8}'}
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_{{digits}'
    examples: [acme_12345678]
)y",
       "9:12: unknown-part: '{{' without '}}'; write \\{\\{ for the characters themselves"},
      {"a part that is no regex", R"y(sanitize:
  version: 1
  parts: {digits: '[0-9'}
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_{{digits}}'
    examples: [acme_12345678]
)y",
       "3:19: regex: RE2 does not take this: missing ]: [0-9"},
      {"a part within a part", R"y(sanitize:
  version: 1
  parts: {digit: '[0-9]', digits: '{{digit}}{8}'}
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_{{digit}}{8}'
    examples: [acme_12345678]
)y",
       "3:35: shape: a part is a text that is not empty and holds no {{part}} itself"},
      {"a rule for an unknown field", R"y(sanitize:
  version: 1
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_[a-z0-9]{8}'
    examples: [acme_abcd1234]
  fields:
  - {field: sesion_id, do: hash}
)y",
       "11:13: field: 'sesion_id' is no field of an event (did you mean 'session_id'?)"},
      {"a task's id dropped", R"y(sanitize:
  version: 1
  patterns:
  - id: acme.token
    tier: page
    description: a token
    keywords: [acme_]
    regex: 'acme_[a-z0-9]{8}'
    examples: [acme_abcd1234]
  fields:
  - {field: correlation_id, do: drop}
)y",
       "11:13: field: correlation_id is what events and tasks are known by: it can't be changed"},
      {"an alias bomb of patterns", R"y(sanitize:
  version: 1
  patterns:
  - &a [x, x, x, x, x, x, x, x]
  - &b [*a, *a, *a, *a, *a, *a, *a, *a]
  - &c [*b, *b, *b, *b, *b, *b, *b, *b]
  - &d [*c, *c, *c, *c, *c, *c, *c, *c]
)y",
       "5:9: syntax: aliases are not allowed here; write the value out"},
      {"20,000 nested lists of patterns", "sanitize: " + std::string(20'000, '['),
       "1:43: syntax: the file is nested too deeply"},
  };
}

TEST(BrokenRules, WholeFilesOfAnotherShape) {
  expect_what_is_said(whole_files());
}

TEST(BrokenRules, NamesModesAndKeys) {
  expect_what_is_said(names_and_keys());
}

TEST(BrokenRules, WhatIsMeasured) {
  expect_what_is_said(measures());
}

TEST(BrokenRules, DurationsWindowsAndNumbers) {
  expect_what_is_said(durations());
}

TEST(BrokenRules, Baselines) {
  expect_what_is_said(baselines());
}

TEST(BrokenRules, Conditions) {
  expect_what_is_said(conditions());
}

TEST(BrokenRules, CountsWithinTasks) {
  expect_what_is_said(counts_within_tasks());
}

TEST(BrokenRules, ConditionsOnEvents) {
  expect_what_is_said(event_conditions());
}

TEST(BrokenRules, GroupsLabelsActionsAndTexts) {
  expect_what_is_said(groups_and_texts());
}

TEST(BrokenRules, SeveralMistakesAtOnce) {
  expect_what_is_said(several_mistakes());
}

TEST(BrokenRules, SpecsPricesAndNames) {
  expect_what_is_said(specs_prices_names());
}

TEST(BrokenRules, AttributesOfOnesOwn) {
  expect_what_is_said(attributes());
}

TEST(BrokenRules, TwoFilesThatReadAnAttributeFromElsewhere) {
  const std::vector<NamedText> files{{"a", "attributes:\n  tenant: resource[\"tenant.id\"]\n"},
                                     {"b", "attributes:\n  region: json[\"region\"]\n  tenant: json[\"tenant\"]\n"}};
  Diagnostics diagnostics;
  EXPECT_EQ(load_rules(files, diagnostics), nullptr);
  ASSERT_EQ(diagnostics.all().size(), 1U);
  EXPECT_EQ(
      to_text(diagnostics.all()[0]),
      "b:3:3: repeated-attribute: attribute 'tenant' is read from elsewhere by a:2; keep one, with a list of all "
      "its sources");
}

TEST(BrokenRules, PatternsOfSecrets) {
  expect_what_is_said(patterns());
}

// Expanded, the aliases alone would outlive the time that a suite has.
TEST(BrokenRules, HalfWrittenBinaryAndHostileFilesEnd) {
  expect_what_is_said(hostile_files());
}

TEST(BrokenRules, EachHasANameOfItsOwn) {
  std::set<std::string> names;
  for (const auto& files : {whole_files(), hostile_files(), names_and_keys(), measures(), durations(), baselines(),
                            conditions(), counts_within_tasks(), event_conditions(), groups_and_texts(),
                            several_mistakes(), specs_prices_names(), attributes(), patterns()}) {
    for (const Broken& file : files) EXPECT_TRUE(names.insert(file.name).second) << file.name;
  }
  EXPECT_GE(names.size(), 70U);
}

}  // namespace broken_rules_test
}  // namespace tocsin
