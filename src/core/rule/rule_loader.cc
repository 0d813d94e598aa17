#include "core/rule/rule_loader.h"

#include <algorithm>
#include <array>

#include "base/time_text.h"
#include "core/rule/presets.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

// The keys of a rule and the modes that have them. A default that a rule's mode does not have is left out, so
// that one `defaults` serves rules of all modes.
struct RuleKey {
  std::string_view name;
  bool window = true, event = true, task = true;
};
constexpr RuleKey rule_keys[] = {
    {"alert"},
    {"preset"},
    {"mode"},
    {"group_by"},
    {"labels"},
    {"annotations"},
    {"links"},
    {"actions"},
    {"keep_firing_for", true, false, true},
    {"max_series"},
    {"from", true, true, false},
    {"where", true, true, false},
    {"value", true, false, false},
    {"values", true, false, false},
    {"window", true, false, false},
    {"min_samples", true, false, false},
    {"baseline", true, false, false},
    {"when", true, false, true},
    {"for", true, false, false},
    {"confidence", true, false, false},
    {"learn_after", true, false, false},
    {"no_data", true, false, false},
    {"no_data_after", true, false, false},
    {"resolve", false, true, false},
    {"page_by", false, false, true},
    {"expire", false, false, true},
};

bool has_key(const RuleKey& key, RuleMode mode) {
  switch (mode) {
    case RuleMode::window:
      return key.window;
    case RuleMode::event:
      return key.event;
    case RuleMode::task:
      return key.task;
  }
  return false;
}

// The lengths that a window given as a range grows through.
constexpr std::array<Duration, 7> growing_windows{15min, 30min, 1h, 3h, 6h, 12h, 24h};
constexpr Duration longest_window = 24h;  // minutes and quarters; further back there are only two-hour cells
constexpr Duration longest_range = 168h;

const RuleKey* rule_key_named(std::string_view name) {
  const auto known = std::find_if(std::begin(rule_keys), std::end(rule_keys),
                                  [&](const RuleKey& candidate) { return candidate.name == name; });
  return known == std::end(rule_keys) ? nullptr : known;
}

// Adds to `map` the entries of `more` that it has not.
void add_missing(YamlNode& map, const YamlNode& more) {
  for (std::size_t i = 0; i < more.keys.size(); ++i) {
    if (map.find(more.keys[i].scalar) != nullptr) continue;
    map.keys.push_back(more.keys[i]);
    map.items.push_back(more.items[i]);
  }
}

// Takes over the keys of `from` that a rule of this mode may have and has not; the entries of maps one by one where
// their key is in `shared`.
void inherit(YamlNode& rule, const YamlNode& from, RuleMode mode, const std::vector<std::string_view>& shared) {
  for (std::size_t i = 0; i < from.keys.size(); ++i) {
    const std::string& key = from.keys[i].scalar;
    const RuleKey* const known = rule_key_named(key);
    if (known == nullptr || !has_key(*known, mode)) continue;
    YamlNode* const own = rule.find(key);
    if (own == nullptr) {
      rule.keys.push_back(from.keys[i]);
      rule.items.push_back(from.items[i]);
    } else if (std::find(shared.begin(), shared.end(), key) != shared.end() && own->is_map() &&
               from.items[i].is_map()) {
      add_missing(*own, from.items[i]);
    }
  }
}

void place_at(YamlNode& node, SourcePosition at) {
  node.at = at;
  for (YamlNode& key : node.keys) place_at(key, at);
  for (YamlNode& item : node.items) place_at(item, at);
}

// The rule's own preset, standing where the rule names it; nothing (with a report) where there is none of that name.
std::optional<YamlNode> preset_of(const YamlNode& rule, const std::string& file, Diagnostics& diagnostics) {
  const YamlNode& name = *rule.find("preset");
  const YamlNode* const known = preset_named(name.scalar);
  if (known == nullptr) {
    diagnostics.error(file, name.at, "unknown-preset",
                      "there is no preset '" + name.scalar + "'" + did_you_mean(name.scalar, preset_names()) +
                          "; `tocsin expand --presets` prints them all");
    return std::nullopt;
  }
  YamlNode preset = *known;
  place_at(preset, name.at);
  // Of two ways to say the same, the rule's own counts.
  if (rule.find("value") != nullptr) preset.erase("values");
  if (rule.find("values") != nullptr) preset.erase("value");
  return preset;
}

class RuleLoader {
 public:
  RuleLoader(const YamlNode& node, bool own_group_by, const std::string& file, RuleSet& set, Diagnostics& diagnostics)
      : node_(node),
        own_group_by_(own_group_by),
        file_(file),
        set_(set),
        diagnostics_(diagnostics),
        reader_(node, file, "rule", diagnostics) {}

  Rule load(RuleMode mode) {
    rule_.mode = mode;
    rule_.file = file_;
    rule_.at = node_.at;
    reader_.find("mode");
    reader_.find("preset");
    report_keys_of_other_modes();
    reader_.require("alert");
    rule_.name = reader_.text("alert").value_or("");
    check_name();
    load_group_by();
    load_actions();
    load_labels();
    rule_.max_series = static_cast<std::uint32_t>(reader_.integer("max_series", 1, 1'000'000).value_or(10'000));
    switch (mode) {
      case RuleMode::window:
        load_window_rule();
        break;
      case RuleMode::event:
        load_event_rule();
        break;
      case RuleMode::task:
        load_task_rule();
        break;
    }
    load_texts("annotations", rule_.annotations);
    load_texts("links", rule_.links);
    return std::move(rule_);
  }

 private:
  // Where in the file byte `offset` of this scalar stands. Exact for what is written on one line.
  static SourcePosition position(const YamlNode& scalar, std::uint32_t offset) {
    return {scalar.at.line, scalar.at.column + offset + (scalar.quoted ? 1 : 0)};
  }

  void report(const YamlNode& scalar, const ExpressionError& error, std::string_view code) {
    diagnostics_.error(file_, position(scalar, error.offset), code, error.message);
  }

  std::optional<Expression> expression(const YamlNode& scalar) {
    if (!scalar.is_scalar()) {
      reader_.error(scalar, "wrong-type", "an expression is needed here");
      return std::nullopt;
    }
    ExpressionError error;
    auto parsed = parse_expression(scalar.scalar, error);
    if (!parsed) report(scalar, error, "bad-expression");
    return parsed;
  }

  void report_keys_of_other_modes() {
    for (const YamlNode& key : node_.keys) {
      const RuleKey* const known = rule_key_named(key.scalar);
      if (known == nullptr || has_key(*known, rule_.mode)) continue;
      std::string modes;
      for (const auto& [has, name] :
           {std::pair(known->window, "window"), std::pair(known->event, "event"), std::pair(known->task, "task")}) {
        if (has) modes += std::string(modes.empty() ? "" : " and ") + name;
      }
      reader_.find(key.scalar);
      reader_.error(key, "other-mode", "'" + key.scalar + "' exists only in rules with mode: " + modes);
    }
  }

  void check_name() {
    const bool fits = !rule_.name.empty() && rule_.name.size() <= 100 &&
                      std::all_of(rule_.name.begin(), rule_.name.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
                      });
    if (!fits && node_.find("alert") != nullptr) {
      reader_.error(*node_.find("alert"), "bad-name", "an alert's name has letters, digits and '_' only");
    }
  }

  std::vector<GroupField> fields(std::string_view key) {
    std::vector<GroupField> list;
    const YamlNode* node = reader_.find(key);
    if (node == nullptr) return list;
    if (!node->is_list()) {
      reader_.error(*node, "wrong-type", "'" + std::string(key) + "' must be a list such as [env, agent]");
      return list;
    }
    for (const YamlNode& item : node->items) {
      if (!item.is_scalar()) {
        reader_.error(item, "wrong-type", "the name of a field is needed here");
        continue;
      }
      GroupField field;
      if (item.scalar == "secret.pattern" && rule_.mode == RuleMode::event) {
        // no field of the event
      } else if (const auto known = string_field_named(item.scalar)) {
        field.field = known;
      } else {
        reader_.error(
            item, "unknown-field",
            "'" + item.scalar + "' is no field to group by" + did_you_mean(item.scalar, string_field_names()));
        continue;
      }
      if (std::find(list.begin(), list.end(), field) != list.end()) {
        reader_.error(item, "repeated-field", "'" + item.scalar + "' stands twice in '" + std::string(key) + "'");
        continue;
      }
      list.push_back(field);
    }
    return list;
  }

  bool groups_by(StringField field) const {
    return std::find(rule_.group_by.begin(), rule_.group_by.end(), GroupField{field}) != rule_.group_by.end();
  }

  void load_group_by() {
    rule_.group_by = fields("group_by");
    if (rule_.group_by.empty()) rule_.group_by = {{StringField::env}, {StringField::agent}};
    // One task is the unit of both; a rule of mode task can't do without it.
    const bool adds_task = rule_.mode == RuleMode::task || (rule_.mode == RuleMode::event && !own_group_by_);
    if (adds_task && !groups_by(StringField::correlation_id)) {
      rule_.group_by.push_back({StringField::correlation_id});
    }
    if (rule_.mode == RuleMode::window && groups_by(StringField::correlation_id)) {
      reader_.error(*reader_.find("group_by"), "unbounded-group",
                    "a window over one task has no end; use mode: task or mode: event, or group by agent");
    }
  }

  void load_actions() {
    const YamlNode* node = reader_.find("actions");
    if (node == nullptr) {
      rule_.actions.page = true;
      return;
    }
    if (!node->is_list()) {
      reader_.error(*node, "wrong-type", "'actions' must be a list such as [page, {halt: task}]");
      return;
    }
    const std::vector<std::string_view> known{"page", "investigate", "spec_gap", "eval_candidate", "halt"};
    for (const YamlNode& item : node->items) {
      if (item.is_map()) {
        YamlReader halt(item, file_, "action", diagnostics_);
        const auto scope = halt.choice("halt", {"task", "agent"});
        if (scope) rule_.actions.halt = *scope == 0 ? HaltScope::task : HaltScope::agent;
      } else if (!item.is_scalar()) {
        reader_.error(item, "wrong-type", "an action such as page or {halt: task} is needed here");
      } else if (item.scalar == "page") {
        rule_.actions.page = true;
      } else if (item.scalar == "investigate") {
        rule_.actions.investigate = true;
      } else if (item.scalar == "spec_gap") {
        rule_.actions.spec_gap = true;
      } else if (item.scalar == "eval_candidate") {
        rule_.actions.eval_candidate = true;
      } else if (item.scalar == "halt") {
        reader_.error(item, "halt-scope", "say what to halt: {halt: task} or {halt: agent}");
      } else {
        reader_.error(item, "unknown-action",
                      "'" + item.scalar + "' is no action" + did_you_mean(item.scalar, known));
      }
    }
    if (rule_.actions.halt != HaltScope::none && rule_.mode != RuleMode::event) {
      reader_.error(*node, "halt-mode", "only a rule with mode: event can halt: its order goes out at the event");
    }
  }

  void load_labels() {
    const auto labels = reader_.text_map("labels");
    if (!labels) return;
    const YamlNode& node = *reader_.find("labels");
    for (const auto& [name, value] : *labels) {
      const bool fits =
          !name.empty() && (name[0] < '0' || name[0] > '9') && !name.starts_with("__") &&
          std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
          });
      if (!fits || name == "alertname") {
        reader_.error(node, "bad-label", "'" + name + "' can't be a label's name (letters, digits, '_')");
      }
      for (const GroupField& field : rule_.group_by) {
        if (label_name(field) == name) {
          reader_.error(node, "shadowed-label", "label '" + name + "' would hide the group's own '" + name + "'");
        }
      }
      rule_.labels.emplace_back(name, value);
    }
  }

  std::vector<std::string> label_names() const {
    std::vector<std::string> names;
    for (const GroupField& field : rule_.group_by) names.push_back(label_name(field));
    for (const auto& label : rule_.labels) names.push_back(label.first);
    return names;
  }

  void load_texts(std::string_view key, std::vector<std::pair<std::string, TemplateText>>& out) {
    const auto texts = reader_.text_map(key);
    if (!texts || !scope_is_known()) return;
    const YamlNode& node = *reader_.find(key);
    auto labels = label_names();
    // Links lead to a trace: they are made for each example's correlation id.
    if (key == "links") labels.push_back("correlation_id");
    for (std::size_t i = 0; i < texts->size(); ++i) {
      TemplateText compiled;
      ExpressionError error;
      if (!TemplateText::compile((*texts)[i].second, scope_, labels, compiled, error)) {
        report(node.items[i], error, "bad-template");
        continue;
      }
      out.emplace_back((*texts)[i].first, std::move(compiled));
    }
  }

  void load_from(bool required) {
    std::vector<std::string_view> types;
    for (std::size_t i = 0; i < event_type_count; ++i) types.push_back(name_of(static_cast<EventType>(i)));
    if (required) reader_.require("from");
    if (const auto type = reader_.choice("from", types)) {
      rule_.from = static_cast<EventType>(*type);
      rule_.from_any = false;
    }
  }

  Predicate load_where() {
    Predicate where;
    const YamlNode* node = reader_.find("where");
    if (node == nullptr) return where;
    const auto parsed = expression(*node);
    ExpressionError error;
    if (parsed && !Predicate::compile(*parsed, rule_.mode == RuleMode::event, where, error)) {
      report(*node, error, "bad-where");
    }
    return where;
  }

  // Where no value could be read, every use of it would be reported as a mistake of its own.
  bool scope_is_known() const { return scope_.of_task || !measured_.empty() || rule_.mode == RuleMode::event; }

  void load_when(bool required) {
    if (required) reader_.require("when");
    const YamlNode* node = reader_.find("when");
    if (node == nullptr || !scope_is_known()) return;
    const auto parsed = expression(*node);
    ExpressionError error;
    if (parsed && !Condition::compile(*parsed, scope_, false, rule_.when, error)) report(*node, error, "bad-when");
    rule_.when_text = node->scalar;
  }

  void load_window_rule() {
    load_from(true);
    where_ = load_where();
    load_values();
    load_windows();
    rule_.min_samples = reader_.integer("min_samples", 0, 1'000'000'000).value_or(0);
    load_baseline();
    check_every_window();
    load_scope();
    load_when(true);
    rule_.hold_for = reader_.duration("for", 0s, 720h).value_or(0s);
    rule_.keep_firing_for = reader_.duration("keep_firing_for", 0s, 720h).value_or(0s);
    rule_.learn_after = reader_.duration("learn_after", 1min, 720h).value_or(24h);
    rule_.z = z_of_confidence(reader_.number("confidence", 0.5, 0.999999).value_or(0.99));
    rule_.no_data = static_cast<NoData>(reader_.choice("no_data", {"hold", "resolve", "fire"}).value_or(1));
    rule_.no_data_after = reader_.duration("no_data_after", 1min, 720h).value_or(1h);
    finish_aggregates();
  }

  void load_values() {
    const YamlNode* one = reader_.find("value");
    const YamlNode* many = reader_.find("values");
    if (one == nullptr && many == nullptr) {
      return reader_.error_here("missing-key", "a rule needs one of 'value' and 'values'");
    }
    if (one != nullptr && many != nullptr) {
      return reader_.error(*many, "repeated-key", "a rule has 'value' or 'values'; keep one");
    }
    if (one != nullptr) {
      load_value("value", *one);
      return;
    }
    if (!many->is_map() || many->items.empty() || many->items.size() > 8) {
      reader_.error(*many, "wrong-type", "'values' must be a map of one to eight names to what they measure");
      return;
    }
    for (std::size_t i = 0; i < many->items.size(); ++i) load_value(many->keys[i].scalar, many->items[i]);
  }

  void load_value(const std::string& name, const YamlNode& node) {
    const auto parsed = expression(node);
    if (!parsed) return;
    static const std::vector<std::string_view> functions{"count",   "sum",   "rate",     "per_minute", "per_hour",
                                                         "per_day", "ratio", "distinct", "avg"};
    const auto fail = [&](std::uint32_t offset, std::string message) {
      report(node, {offset, std::move(message)}, "bad-value");
    };
    if (parsed->kind != Expression::Kind::call) {
      return fail(parsed->offset, "a measure is needed here, such as count(), per_hour(cost) or ratio(...)");
    }
    const std::string& function = parsed->text;
    if (std::find(functions.begin(), functions.end(), function) == functions.end()) {
      return fail(parsed->offset, "'" + function + "' measures nothing" + did_you_mean(function, functions));
    }
    Measured measured;
    measured.value.name = name;
    const auto& arguments = parsed->children;
    if (function == "count") {
      if (!arguments.empty()) return fail(parsed->offset, "count() takes nothing; use where: to select events");
    } else if (arguments.size() != 1) {
      return fail(parsed->offset, function + "() takes one argument");
    } else if (function == "ratio") {
      measured.aggregate.kind = Aggregate::Kind::hits;
      measured.value.view = NamedValue::View::ratio;
      ExpressionError error;
      if (!Predicate::compile(arguments[0], false, measured.aggregate.hit, error)) {
        return report(node, error, "bad-value");
      }
    } else if (function == "distinct") {
      const auto field = string_field_named(arguments[0].text);
      if (arguments[0].kind != Expression::Kind::name || !field) {
        return fail(arguments[0].offset, "distinct() takes the name of a text field" +
                                             did_you_mean(arguments[0].text, string_field_names()));
      }
      measured.aggregate.kind = Aggregate::Kind::distinct;
      measured.aggregate.string = *field;
      measured.value.view = NamedValue::View::distinct;
    } else if (!load_sum(function, arguments[0], node, measured)) {
      return;
    }
    measured_.push_back(std::move(measured));
  }

  struct Measured {
    NamedValue value;
    Aggregate aggregate;
  };

  bool load_sum(const std::string& function, const Expression& argument, const YamlNode& node, Measured& measured) {
    const bool counts =
        argument.kind == Expression::Kind::call && argument.text == "count" && argument.children.empty();
    std::optional<NumberField> field;
    if (argument.kind == Expression::Kind::name) field = number_field_named(argument.text);
    if (!counts && !field) {
      std::vector<std::string_view> names;
      for (std::size_t i = 0; i < number_field_count; ++i) names.push_back(name_of(static_cast<NumberField>(i)));
      report(node,
             {argument.offset, function + "() takes the name of a number field" + did_you_mean(argument.text, names)},
             "bad-value");
      return false;
    }
    if (!counts) {
      measured.aggregate.kind = Aggregate::Kind::sum;
      measured.aggregate.number = *field;
      if (name_of(*field).starts_with("cost")) measured.value.unit = Unit::money;
      measured.value.in_millionths = *field == NumberField::score;
      if (*field == NumberField::latency || *field == NumberField::ttft || *field == NumberField::generation) {
        measured.value.unit = Unit::duration;
      }
    }
    if (function == "sum") return true;
    if (function == "avg") {
      measured.value.view = NamedValue::View::mean;
      return !counts || report_mean_of_count(argument, node);
    }
    measured.value.view = NamedValue::View::rate;
    measured.value.per = 1s;
    if (function == "per_minute") measured.value.per = 1min;
    if (function == "per_hour") measured.value.per = 1h;
    if (function == "per_day") measured.value.per = 24h;
    return true;
  }

  bool report_mean_of_count(const Expression& argument, const YamlNode& node) {
    report(node,
           {argument.offset, "avg() takes the name of a number field; of how many per time, use per_minute(count())"},
           "bad-value");
    return false;
  }

  void load_windows() {
    reader_.require("window");
    const YamlNode* node = reader_.find("window");
    if (node == nullptr) return;
    if (node->is_list()) return load_every_window(*node);
    const std::size_t dots = node->scalar.find("..");
    if (dots == std::string::npos) {
      const auto window = reader_.duration("window", 1min, longest_window);
      if (!window) return;
      if (!is_window(*window)) {
        reader_.error(*node, "bad-window", "a window is a number of whole minutes, above 1h of whole quarters");
      }
      rule_.windows = {*window};
      return;
    }
    const auto least = parse_duration(std::string_view(node->scalar).substr(0, dots));
    const auto most = parse_duration(std::string_view(node->scalar).substr(dots + 2));
    for (const Duration window : growing_windows) {
      if (least && most && window >= *least && window <= *most) rule_.windows.push_back(window);
    }
    if (rule_.windows.size() < 2 || rule_.windows.front() != least || rule_.windows.back() != most) {
      reader_.error(*node, "bad-window",
                    "a growing window runs between two of 15m 30m 1h 3h 6h 12h 24h, as 15m..24h");
    }
  }

  static bool is_window(Duration window) {
    return window >= 1min && window <= longest_window && window % 1min == 0s &&
           (window <= 1h || window % 15min == 0s);
  }

  // window: [5m, 1h]: the condition must hold in both, so that a page begins soon and ends soon.
  void load_every_window(const YamlNode& node) {
    constexpr std::size_t most = 4;
    rule_.holds_in_every_window = true;
    for (const YamlNode& item : node.items) {
      const auto window = item.is_scalar() ? parse_duration(item.scalar) : std::nullopt;
      if (!window || !is_window(*window) || (!rule_.windows.empty() && *window <= rule_.windows.back())) {
        reader_.error(
            item, "bad-window",
            "several windows are rising numbers of whole minutes, above 1h of whole quarters, up to 24h: [5m, 1h]");
        return;
      }
      rule_.windows.push_back(*window);
    }
    if (rule_.windows.size() < 2 || rule_.windows.size() > most) {
      reader_.error(node, "bad-window",
                    "two to four windows are needed here, such as [5m, 1h]; one is written as 5m");
    }
  }

  // Totals grow with the window, and so would the baseline that they are compared with.
  void check_every_window() {
    if (!rule_.holds_in_every_window || !rule_.baseline) return;
    for (const Measured& measured : measured_) {
      const bool is_total =
          measured.value.view == NamedValue::View::total || measured.value.view == NamedValue::View::distinct;
      if (!is_total) continue;
      reader_.error(*reader_.find("window"), "bad-window",
                    "with several windows and a baseline, measure a rate: per_hour(...), ratio(...) or avg(...)");
      return;
    }
  }

  void load_baseline() {
    const YamlNode* node = reader_.find("baseline");
    if (node == nullptr) return;
    YamlReader reader(*node, file_, "baseline", diagnostics_);
    if (!reader.is_map()) return;
    Baseline baseline;
    reader.require("range");
    baseline.range = reader.duration("range", 1h, longest_range).value_or(24h);
    if (baseline.range % 15min != 0s)
      reader.error(*reader.find("range"), "bad-range", "a range is whole quarters of an hour");
    baseline.block = reader.duration("block", 15min, 24h).value_or(0s);
    if (baseline.block % 15min != 0s || (baseline.block > 0s && baseline.range % baseline.block != 0s)) {
      reader.error(*reader.find("block"), "bad-block", "a block is whole quarters of an hour, and divides the range");
      baseline.block = 0s;
    }
    reader.choice("stat", {"mean"});
    baseline.empty =
        reader.choice("empty", {"skip", "zero"}).value_or(0) == 0 ? Baseline::Empty::skip : Baseline::Empty::zero;
    baseline.min_blocks = reader.integer("min_blocks", 1, 1'000).value_or(1);
    baseline.min_samples = reader.integer("min_samples", 0, 1'000'000'000).value_or(0);
    baseline.floor = reader.number("floor", 0, 1e12);
    if (const auto declared = reader.text("declared")) {
      const std::string path = declared->starts_with("spec.") ? declared->substr(5) : *declared;
      baseline.declared = spec_bound_named(path);
      if (!baseline.declared) {
        reader.error(*reader.find("declared"), "unknown-bound",
                     "'" + *declared + "' is no bound of a spec" + did_you_mean(path, spec_bound_names()));
      }
    }
    if (const auto list = reader.texts("reset_on")) {
      for (const std::string& name : *list) {
        const auto field = string_field_named(name);
        const bool known = field == StringField::agent_version || field == StringField::spec_version ||
                           field == StringField::model || field == StringField::model_version ||
                           field == StringField::spec;
        if (!known) {
          reader.error(
              *reader.find("reset_on"), "unknown-field",
              "'" + name + "' can't reset a baseline; use agent_version, spec, spec_version, model or model_version");
          continue;
        }
        baseline.reset_on.push_back(*field);
      }
    }
    rule_.baseline = baseline;
  }

  void load_scope() {
    for (const Measured& measured : measured_) {
      const bool has_baseline = rule_.baseline.has_value() && measured.value.view != NamedValue::View::distinct;
      const bool has_blocks = has_baseline && rule_.baseline->block > 0s;
      scope_.values.push_back({measured.value.name, measured.value.unit,
                               measured.value.view == NamedValue::View::ratio, has_baseline, has_blocks});
    }
  }

  // Puts what is measured into the rule set, shared with rules that add up the same.
  void finish_aggregates() {
    const auto reach =
        reach_of(rule_.windows.empty() ? 0s : rule_.windows.back(), rule_.baseline ? rule_.baseline->range : 0s);
    if (!reach) {
      reader_.error_here("too-far-back", "the window and the baseline's range reach back more than a week together");
      return;
    }
    for (Measured& measured : measured_) {
      Aggregate& aggregate = measured.aggregate;
      aggregate.from = rule_.from;
      aggregate.where = where_;
      for (const GroupField& field : rule_.group_by) {
        if (field.field) aggregate.group_by.push_back(*field.field);
      }
      if (aggregate.kind == Aggregate::Kind::distinct && !rule_.windows.empty() && rule_.windows.back() > 1h) {
        reader_.error_here("long-distinct", "distinct(...) is kept for an hour; this rule's window is longer");
      }
      const std::uint32_t index = set_.share(aggregate);
      Aggregate& shared = set_.aggregates[index];
      shared.max_series = std::max(shared.max_series, rule_.max_series);
      shared.reach = std::max(shared.reach, *reach);
      measured.value.aggregate = index;
      rule_.values.push_back(measured.value);
    }
  }

  void load_event_rule() {
    load_from(false);
    rule_.where = load_where();
    if (const auto resolve = reader_.choice("resolve", {"manual", "auto"})) rule_.resolve_manually = *resolve == 0;
    // An event is an instant: without a person's word the alert ends when it has been quiet for this long.
    rule_.keep_firing_for = 1h;
  }

  void load_task_rule() {
    scope_.of_task = true;
    load_when(true);
    rule_.page_by = fields("page_by");
    for (const GroupField& field : rule_.page_by) {
      if (std::find(rule_.group_by.begin(), rule_.group_by.end(), field) == rule_.group_by.end()) {
        reader_.error(*reader_.find("page_by"), "page-by", "'" + label_name(field) + "' is not in group_by");
      }
    }
    rule_.expire = reader_.duration("expire", 1min, 720h).value_or(24h);
    rule_.keep_firing_for = reader_.duration("keep_firing_for", 0s, 720h).value_or(0s);
    std::vector<Condition::Threshold> thresholds;
    const std::vector<double> inputs(rule_.when.variables().size(), 1.0);
    if (!rule_.when_text.empty() && !rule_.when.variables().empty() &&
        !rule_.when.thresholds(inputs.data(), thresholds)) {
      reader_.error(*reader_.find("when"), "bad-when",
                    "a rule on running tasks reads `elapsed > X` or `silent > X`, joined by && where there are two");
    }
  }

  const YamlNode& node_;
  bool own_group_by_;
  const std::string& file_;
  RuleSet& set_;
  Diagnostics& diagnostics_;
  YamlReader reader_;
  Rule rule_;
  ConditionScope scope_;
  Predicate where_;
  std::vector<Measured> measured_;
};

}  // namespace

std::optional<Rule> load_rule(const YamlNode& node, const YamlNode* defaults, const std::string& file, RuleSet& set,
                              Diagnostics& diagnostics) {
  if (!node.is_map()) {
    diagnostics.error(file, node.at, "wrong-type", "a rule must be a map of keys and values");
    return std::nullopt;
  }
  const std::size_t errors_before = diagnostics.error_count();
  const auto expanded = expanded_rule(node, defaults, file, diagnostics);
  if (!expanded) return std::nullopt;
  std::optional<Rule> rule =
      RuleLoader(expanded->node, expanded->has_group_by, file, set, diagnostics).load(expanded->mode);
  if (diagnostics.error_count() > errors_before) rule.reset();
  return rule;
}

std::optional<ExpandedRule> expanded_rule(const YamlNode& node, const YamlNode* defaults, const std::string& file,
                                          Diagnostics& diagnostics) {
  ExpandedRule rule{node, RuleMode::window, true};
  std::optional<YamlNode> preset;
  if (node.find("preset") != nullptr) {
    preset = preset_of(node, file, diagnostics);
    if (!preset) return std::nullopt;
  }
  const YamlNode* word = node.find("mode");
  if (word == nullptr && preset) word = preset->find("mode");
  if (word != nullptr) {
    if (word->scalar == "event") {
      rule.mode = RuleMode::event;
    } else if (word->scalar == "task") {
      rule.mode = RuleMode::task;
    } else if (word->scalar != "window") {
      diagnostics.error(
          file, word->at, "unknown-word",
          "'mode' must be window, event or task" + did_you_mean(word->scalar, {"window", "event", "task"}));
      return std::nullopt;
    }
  }
  if (preset) inherit(rule.node, *preset, rule.mode, {"labels", "annotations"});
  rule.has_group_by = rule.node.find("group_by") != nullptr;
  if (defaults != nullptr) inherit(rule.node, *defaults, rule.mode, {"labels"});
  return rule;
}

void check_defaults(const YamlNode& defaults, const std::string& file, Diagnostics& diagnostics) {
  std::vector<std::string_view> names;
  for (const RuleKey& key : rule_keys) names.push_back(key.name);
  for (const YamlNode& key : defaults.keys) {
    if (std::find(names.begin(), names.end(), key.scalar) != names.end()) continue;
    diagnostics.error(file, key.at, "unknown-key",
                      "'" + key.scalar + "' is no key of a rule" + did_you_mean(key.scalar, names));
  }
}

}  // namespace tocsin
