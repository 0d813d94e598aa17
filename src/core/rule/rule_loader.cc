#include "core/rule/rule_loader.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/time_text.h"
#include "core/rule/presets.h"
#include "core/rule/rule_values.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

// The keys of a rule and the modes that have them. A default that a rule's mode does not have is left out, so
// that one `defaults` serves rules of all modes.
struct RuleKey {
  std::string_view name;
  bool window = true, event = true, task = true, absence = true;
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
    {"from"},
    {"where"},
    {"per", false, false, true, false},
    {"value", true, false, true, false},
    {"values", true, false, false, false},
    {"window", true, false, true, false},
    {"min_samples", true, false, false, false},
    {"baseline", true, false, false, false},
    {"compare", true, false, false, false},
    {"when", true, false, true, false},
    {"for", true, false, false, false},
    {"keep_firing_while", true, false, false, false},
    {"confidence", true, false, false, false},
    {"interval", true, false, false, false},
    {"learn_after", true, false, false, false},
    {"no_data", true, false, false, false},
    {"no_data_after", true, false, false, false},
    {"inhibited_by", true, false, false},
    {"after", false, false, false},
    {"known", false, false, false},
    {"active", false, false, false},
    {"resolve", false, true, false, false},
    {"page_by", false, false, true, false},
    {"expire", false, false, true, false},
};

bool has_key(const RuleKey& key, RuleMode mode) {
  switch (mode) {
    case RuleMode::window:
      return key.window;
    case RuleMode::event:
      return key.event;
    case RuleMode::task:
      return key.task;
    case RuleMode::absence:
      return key.absence;
  }
  return false;
}

// The lengths that a window given as a range grows through.
constexpr std::array<Duration, 7> growing_windows{15min, 30min, 1h, 3h, 6h, 12h, 24h};
constexpr Duration longest_window = 24h;  // minutes and quarters; further back there are only two-hour cells
constexpr Duration longest_range = 168h;

// Those by which a rule of mode task counts.
constexpr std::array<std::string_view, 5> count_keys{"from", "where", "per", "value", "window"};

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
void inherit(YamlNode& rule, const YamlNode& from, RuleMode mode, const std::vector<std::string_view>& shared,
             std::span<const std::string_view> left_out = {}) {
  for (std::size_t i = 0; i < from.keys.size(); ++i) {
    const std::string& key = from.keys[i].scalar;
    const RuleKey* const known = rule_key_named(key);
    if (known == nullptr || !has_key(*known, mode)) continue;
    if (std::find(left_out.begin(), left_out.end(), key) != left_out.end()) continue;
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
        own_(set.own_attributes()),
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
      case RuleMode::absence:
        load_absence_rule();
        rule_.mode = RuleMode::window;
        break;
    }
    load_texts("annotations", rule_.annotations);
    load_texts("links", rule_.links);
    return std::move(rule_);
  }

 private:
  void report(const YamlNode& scalar, const ExpressionError& error, std::string_view code) {
    diagnostics_.error(file_, position_in(scalar, error.offset), code, error.message);
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
      std::vector<std::string_view> modes;
      for (const auto& [has, name] : {std::pair(known->window, "window"), std::pair(known->event, "event"),
                                      std::pair(known->task, "task"), std::pair(known->absence, "absence")}) {
        if (has) modes.emplace_back(name);
      }
      std::string list(modes[0]);
      for (std::size_t i = 1; i < modes.size(); ++i) {
        list += std::string(i + 1 == modes.size() ? " and " : ", ") + std::string(modes[i]);
      }
      reader_.find(key.scalar);
      reader_.error(key, "other-mode", "'" + key.scalar + "' exists only in rules with mode: " + list);
    }
  }

  void check_name() {
    const bool fits = !rule_.name.empty() && rule_.name.size() <= 100 &&
                      std::all_of(rule_.name.begin(), rule_.name.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
                      });
    if (!fits && node_.find("alert") != nullptr) {
      reader_.error(*node_.find("alert"), "bad-name",
                    rule_.name.size() > 100 ? "an alert's name has 100 letters at most"
                                            : "an alert's name has letters, digits and '_' only");
    }
  }

  // Of an event, by its name or that of an attribute of one's own; without a field where there is none.
  GroupField field_named(const std::string& name) const {
    GroupField field{string_field_named(name, own_.get())};
    if (field.field && is_own(*field.field)) field.attribute = name;
    return field;
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
      } else if (field = field_named(item.scalar); !field.field) {
        reader_.error(item, "unknown-field",
                      "'" + item.scalar + "' is no field to group by" +
                          did_you_mean(item.scalar, string_field_names(own_.get())));
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
    if ((rule_.mode == RuleMode::window || rule_.mode == RuleMode::absence) &&
        groups_by(StringField::correlation_id)) {
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
    std::vector<std::string> group_labels;
    for (const GroupField& field : rule_.group_by) group_labels.push_back(label_name(field));
    for (std::size_t i = 0; i < labels->size(); ++i) {
      const auto& [name, value] = (*labels)[i];
      const bool fits =
          !name.empty() && (name[0] < '0' || name[0] > '9') && !name.starts_with("__") &&
          std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
          });
      if (!fits || name == "alertname") {
        reader_.error(node, "bad-label",
                      fits ? "'alertname' is what the alert itself is called"
                           : "'" + name + "' can't be a label's name (letters, digits, '_')");
      }
      if (std::find(group_labels.begin(), group_labels.end(), name) != group_labels.end()) {
        reader_.error(node, "shadowed-label", "label '" + name + "' would hide the group's own '" + name + "'");
      }
      TemplateText text;
      ExpressionError error;
      const bool is_text = TemplateText::compile(value, {}, group_labels, text, error);
      if (!is_text || text.has_numbers()) {
        error.message += std::string(is_text ? "" : "; ") + "a label holds labels of the group, and no numbers";
        report(node.items[i], error, "bad-template");
        continue;
      }
      rule_.labels.emplace_back(name, std::move(text));
    }
  }

  std::vector<std::string> label_names() const {
    std::vector<std::string> names;
    for (const GroupField& field : rule_.group_by) names.push_back(label_name(field));
    for (const auto& label : rule_.labels) names.push_back(label.first);
    if (rule_.count) {
      for (const GroupField& field : rule_.count->per) names.push_back(label_name(field));
    }
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
    if (parsed && !Predicate::compile(*parsed, rule_.mode == RuleMode::event, where, error, own_)) {
      report(*node, error, "bad-where");
    }
    return where;
  }

  // Where no value could be read, every use of it would be reported as a mistake of its own.
  bool scope_is_known() const {
    const bool is_known = rule_.mode == RuleMode::task ? !counts_nothing_ : !measured_.empty();
    return is_known || rule_.mode == RuleMode::event;
  }

  void load_when() {
    reader_.require("when");
    if (auto when = load_condition("when")) rule_.when = std::move(*when);
    if (const YamlNode* node = reader_.find("when")) rule_.when_text = node->scalar;
  }

  // Nothing where the key is not there, or says what is no condition.
  std::optional<Condition> load_condition(const char* key) {
    const YamlNode* node = reader_.find(key);
    if (node == nullptr || !scope_is_known()) return std::nullopt;
    const auto parsed = expression(*node);
    ExpressionError error;
    Condition condition;
    if (!parsed) return std::nullopt;
    if (Condition::compile(*parsed, scope_, false, condition, error)) return condition;
    report(*node, error, "bad-when");
    return std::nullopt;
  }

  void load_window_rule() {
    load_from(true);
    where_ = load_where();
    load_compare();
    load_values();
    add_previous_values();
    load_windows();
    rule_.min_samples = reader_.integer("min_samples", 0, 1'000'000'000).value_or(0);
    load_baseline();
    check_every_window();
    check_calendar();
    load_inhibited_by();
    load_scope();
    load_when();
    rule_.keep = load_condition("keep_firing_while");
    rule_.hold_for = reader_.duration("for", 0s, 720h).value_or(0s);
    rule_.keep_firing_for = reader_.duration("keep_firing_for", 0s, 720h).value_or(0s);
    rule_.learn_after = reader_.duration("learn_after", 1min, 720h).value_or(24h);
    rule_.confidence = reader_.number("confidence", 0.5, 0.999999).value_or(0.99);
    rule_.z = z_of_confidence(rule_.confidence);
    rule_.has_exact_intervals = reader_.choice("interval", {"wilson", "exact"}).value_or(0) == 1;
    rule_.no_data =
        static_cast<NoData>(reader_.choice("no_data", {"hold", "resolve", "fire"}).value_or(rule_.calendar ? 0 : 1));
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
    RuleValues values = load_rule_values(one, many, rule_.group_by, own_, file_, diagnostics_);
    measured_ = std::move(values.list);
    rule_.named_values = values.named;
  }

  void load_windows() {
    reader_.require("window");
    const YamlNode* node = reader_.find("window");
    if (node == nullptr) return;
    if (node->is_list()) return load_every_window(*node);
    if (node->is_map() && node->find("any") != nullptr) return load_any_window(*node);
    if (node->is_map()) return load_calendar(*node);
    if (node->scalar.find("..") == std::string::npos) {
      const auto window = reader_.duration("window", 1min, longest_window);
      if (!window) return;
      if (!is_window(*window)) {
        reader_.error(*node, "bad-window", "a window is a number of whole minutes, above 1h of whole quarters");
      }
      rule_.windows = {*window};
      return;
    }
    load_growing_windows(*node);
  }

  void load_growing_windows(const YamlNode& node) {
    const std::size_t dots = std::min(node.scalar.find(".."), node.scalar.size());
    const std::string_view text = node.scalar;
    const auto least = parse_duration(text.substr(0, dots));
    const auto most = parse_duration(text.substr(std::min(dots + 2, text.size())));
    for (const Duration window : growing_windows) {
      if (least && most && window >= *least && window <= *most) rule_.windows.push_back(window);
    }
    if (rule_.windows.size() < 2 || rule_.windows.front() != least || rule_.windows.back() != most) {
      reader_.error(node, "bad-window", "a growing window runs between two of 15m 30m 1h 3h 6h 12h 24h, as 15m..24h");
    }
  }

  // window: {any: 15m..24h}: what is sudden is seen in the shorter windows, what is slight in the longer ones.
  void load_any_window(const YamlNode& node) {
    YamlReader reader(node, file_, "window", diagnostics_);
    reader.text("any");
    rule_.holds_in_any_window = true;
    load_growing_windows(*node.find("any"));
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

  // window: {calendar: month, tz: Europe/Berlin}
  void load_calendar(const YamlNode& node) {
    YamlReader reader(node, file_, "window", diagnostics_);
    reader.require("calendar");
    const auto unit = reader.choice("calendar", {"day", "week", "month", "quarter", "year"});
    CalendarWindow calendar;
    calendar.zone = *time_zone_named("UTC");
    if (unit) calendar.unit = static_cast<CalendarUnit>(*unit);
    if (const auto name = reader.text("tz")) {
      if (const TimeZone* const zone = time_zone_named(*name)) {
        calendar.zone = *zone;
      } else {
        reader.error(*reader.find("tz"), "unknown-zone",
                     "there is no time zone '" + *name + "'" + did_you_mean_time_zone(*name));
      }
    }
    rule_.calendar = calendar;
  }

  void check_calendar() {
    if (!rule_.calendar) return;
    if (rule_.baseline) {
      reader_.error(*reader_.find("baseline"), "bad-baseline",
                    "a calendar window has no baseline: compare with a bound, or with forecast(value)");
    }
    for (const Measured& measured : measured_) {
      const bool adds_up =
          measured.value.view == NamedValue::View::derived || measured.aggregate.kind == Aggregate::Kind::count ||
          measured.aggregate.kind == Aggregate::Kind::sum || measured.aggregate.kind == Aggregate::Kind::hits;
      if (adds_up && !rule_.compare) continue;
      reader_.error(*reader_.find("window"), "bad-window",
                    "a calendar window is for what adds up: count(), sum(...), rates, ratio(...) and avg(...)");
      return;
    }
  }

  // compare: {by: model_version, with: previous, over: 24h}
  void load_compare() {
    const YamlNode* node = reader_.find("compare");
    if (node == nullptr) return;
    YamlReader reader(*node, file_, "compare", diagnostics_);
    if (!reader.is_map()) return;
    Comparison compare;
    reader.require("by");
    const std::vector<std::string_view> versions{"agent_version", "spec", "spec_version", "model", "model_version"};
    if (const auto by = reader.choice("by", versions)) compare.by = *string_field_named(versions[*by]);
    reader.choice("with", {"previous"});
    compare.over = reader.duration("over", 1min, longest_window).value_or(24h);
    if (!is_window(compare.over)) {
      reader.error(*reader.find("over"), "bad-window",
                   "a window is a number of whole minutes, above 1h of whole quarters");
    }
    if (!groups_by(StringField::agent)) {
      reader.error_here("bad-compare", "versions are those of an agent: group by agent");
    }
    if (!groups_by(compare.by)) rule_.group_by.push_back({compare.by});
    compare.label = static_cast<std::uint32_t>(
        std::find(rule_.group_by.begin(), rule_.group_by.end(), GroupField{compare.by}) - rule_.group_by.begin());
    rule_.compare = compare;
  }

  // `previous` is the first value as the version before has it, `previous.NAME` another one.
  void add_previous_values() {
    if (!rule_.compare) return;
    const std::size_t count = rule_.named_values;
    std::vector<Measured> twins;
    for (std::size_t i = 0; i < count; ++i) {
      if (measured_[i].value.view == NamedValue::View::derived) {
        reader_.error_here("bad-compare",
                           "compare: looks at measures; '" + measured_[i].value.name + "' is made of them");
        return;
      }
      Measured twin = measured_[i];
      twin.value.name = i == 0 ? "previous" : "previous." + measured_[i].value.name;
      twin.value.is_previous = true;
      twins.push_back(std::move(twin));
    }
    measured_.insert(measured_.end(), twins.begin(), twins.end());
    rule_.named_values += twins.size();
  }

  void load_inhibited_by() {
    const auto names = reader_.texts("inhibited_by");
    if (!names) return;
    if (!groups_by(StringField::agent)) {
      reader_.error(*reader_.find("inhibited_by"), "bad-inhibition",
                    "alerts inhibit those of the same agent: group by agent");
    }
    rule_.inhibited_by = *names;
  }

  void load_absence_rule() {
    load_from(false);
    where_ = load_where();
    Absence absence;
    reader_.require("after");
    absence.after = reader_.duration("after", 1min, 168h).value_or(10min);
    absence.seen = 168h;
    if (const YamlNode* const known = reader_.find("known")) {
      YamlReader reader(*known, file_, "known", diagnostics_);
      if (reader.is_map()) load_known(reader, absence);
    }
    if (const auto text = reader_.text("active")) {
      std::string error;
      absence.active = parse_weekly_hours(*text, error);
      if (!absence.active) reader_.error(*reader_.find("active"), "bad-hours", error);
    }
    rule_.keep_firing_for = reader_.duration("keep_firing_for", 0s, 720h).value_or(0s);
    load_inhibited_by();
    Measured measured;
    measured.value.name = "value";
    measured.value.unit = Unit::duration;
    measured.aggregate.from_any = rule_.from_any;
    measured_.push_back(std::move(measured));
    rule_.named_values = 1;
    load_scope();
    rule_.when_text = "nothing for " + to_text(absence.after);
    rule_.learn_after = 720h;
    rule_.no_data = NoData::hold;
    rule_.absence = std::move(absence);
    finish_aggregates();
    for (const NamedValue& value : rule_.values) set_.aggregates[value.aggregate].reach = HistoryReach::week;
  }

  // known: {seen: 7d, always: [{env: prod, agent: billing}]}
  void load_known(YamlReader& reader, Absence& absence) {
    absence.seen = reader.duration("seen", 10min, 192h).value_or(168h);
    if (absence.seen <= absence.after && reader.find("seen") != nullptr) {
      reader.error(*reader.find("seen"), "bad-absence",
                   "'seen' must be longer than 'after', or nothing is ever missed");
    }
    const YamlNode* const always = reader.find("always");
    if (always == nullptr) return;
    if (!always->is_list()) {
      return reader.error(*always, "wrong-type", "'always' must be a list of groups: [{env: prod, agent: billing}]");
    }
    for (const YamlNode& item : always->items) {
      YamlReader labels(item, file_, "group", diagnostics_);
      if (!labels.is_map()) continue;
      std::string key;
      for (std::size_t i = 0; i < rule_.group_by.size(); ++i) {
        const std::string_view name = name_of(*rule_.group_by[i].field, own_.get());
        if (rule_.group_by[i].field != StringField::env) labels.require(name);
        if (i > 0) key += '\0';
        key += labels.text(name).value_or("");
      }
      absence.always.push_back(std::move(key));
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
    const YamlNode* const same_time = reader.find("same_time");
    if (const auto then = reader.choice("same_time", {"yesterday", "last_week"})) {
      baseline.same_time = *then == 0 ? Baseline::SameTime::yesterday : Baseline::SameTime::last_week;
    }
    if (same_time == nullptr) reader.require("range");
    for (const std::string_view key : {"range", "block", "reset_on", "min_blocks"}) {
      const YamlNode* const other = reader.find(key);
      if (same_time == nullptr || other == nullptr) continue;
      reader.error(*other, "bad-baseline",
                   "'" + std::string(key) + "' is of a range; same_time is one window, as it was then");
    }
    baseline.range = reader.duration("range", 1h, longest_range).value_or(24h);
    if (baseline.range % 15min != 0s)
      reader.error(*reader.find("range"), "bad-range", "a range is whole quarters of an hour");
    baseline.block = reader.duration("block", 15min, 24h).value_or(0s);
    if (baseline.block % 15min != 0s || (baseline.block > 0s && baseline.range % baseline.block != 0s)) {
      reader.error(*reader.find("block"), "bad-block", "a block is whole quarters of an hour, and divides the range");
      baseline.block = 0s;
    }
    baseline.peak = reader.duration("peak", baseline.range, longest_range).value_or(baseline.range);
    if (baseline.peak % 2h != 0s && baseline.peak != baseline.range)
      reader.error(*reader.find("peak"), "bad-range", "'peak' is whole numbers of two hours, such as 7d");
    if (const auto stat = reader.choice("stat", {"mean", "median"})) {
      baseline.stat = *stat == 0 ? Baseline::Stat::mean : Baseline::Stat::median;
    }
    if (baseline.stat == Baseline::Stat::median && baseline.block == 0s) {
      reader.error(*reader.find("stat"), "bad-baseline", "a median is one of blocks: add block: 1h");
    }
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

  static bool is_of_sets(const Measured& measured) { return measured.aggregate.kind == Aggregate::Kind::distinct; }

  // Sets are kept for an hour; their baselines are made only where the condition looks at them.
  bool is_made_of_sets(const Measured& measured) const {
    if (measured.value.view != NamedValue::View::derived) return is_of_sets(measured);
    const auto& variables = measured.value.formula.variables();
    return std::any_of(variables.begin(), variables.end(), [&](const Variable& one) {
      return one.index < measured_.size() && is_made_of_sets(measured_[one.index]);
    });
  }

  void load_scope() {
    for (std::size_t i = 0; i < measured_.size(); ++i) {
      const Measured& measured = measured_[i];
      ConditionScope::Value value;
      value.name = i < rule_.named_values ? measured.value.name : "$";
      value.unit = measured.value.unit;
      value.is_ratio = measured.value.view == NamedValue::View::ratio;
      value.has_baseline = rule_.baseline.has_value();
      value.has_deviation = value.has_baseline && rule_.baseline->block > 0s;
      value.has_peak = value.has_deviation && measured.value.view != NamedValue::View::derived &&
                       measured.value.view != NamedValue::View::quantile && !is_of_sets(measured);
      value.has_forecast = rule_.calendar && measured.value.view == NamedValue::View::total;
      value.is_hidden = i >= rule_.named_values;
      scope_.values.push_back(std::move(value));
    }
  }

  // Which values have a baseline, and what it takes to keep it.
  void plan_baselines() {
    if (!rule_.baseline) return;
    const auto is_asked = [&](std::size_t index) {
      const auto asks = [&](const Condition& condition) {
        const auto& variables = condition.variables();
        return std::any_of(variables.begin(), variables.end(),
                           [&](const Variable& one) { return one.index == index && is_of_baseline(one.kind); });
      };
      return asks(rule_.when) || (rule_.keep && asks(*rule_.keep));
    };
    for (std::size_t i = 0; i < rule_.named_values && i < measured_.size(); ++i) {
      Measured& measured = measured_[i];
      measured.value.has_baseline = !is_made_of_sets(measured) || is_asked(i);
      if (!measured.value.has_baseline || !is_made_of_sets(measured)) continue;
      keep_sets_of(measured);
      if (!rule_.windows.empty() && rule_.windows.front() < 15min) {
        reader_.error(*reader_.find("window"), "short-distinct",
                      "a baseline of distinct(...) is made of quarters of an hour: use a window of 15m or more");
      }
    }
  }

  void keep_sets_of(Measured& measured) {
    if (measured.value.view != NamedValue::View::derived) {
      measured.aggregate.keeps_quarters = is_of_sets(measured);
      return;
    }
    for (const Variable& one : measured.value.formula.variables()) {
      if (one.index < measured_.size()) keep_sets_of(measured_[one.index]);
    }
  }

  Duration baseline_reach() const {
    if (!rule_.baseline) return 0s;
    switch (rule_.baseline->same_time) {
      case Baseline::SameTime::yesterday:
        return 24h;
      case Baseline::SameTime::last_week:
        return 168h;
      case Baseline::SameTime::no:
        break;
    }
    return std::max(rule_.baseline->range, rule_.baseline->peak);
  }

  // Puts what is measured into the rule set, shared with rules that add up the same.
  void finish_aggregates() {
    plan_baselines();
    const Duration over = rule_.compare ? rule_.compare->over : Duration{};
    const Duration longest = std::max(over, rule_.windows.empty() ? Duration{} : rule_.windows.back());
    const HistoryReach reach = reach_of(longest, baseline_reach());
    for (Measured& measured : measured_) {
      if (measured.value.view == NamedValue::View::derived) continue;
      Aggregate& aggregate = measured.aggregate;
      aggregate.from = rule_.from;
      aggregate.where = where_;
      aggregate.own = own_;
      aggregate.calendar = rule_.calendar;
      if (measured.value.labels) {
        aggregate.group_by = measured.of;
      } else {
        for (const GroupField& field : rule_.group_by) {
          if (field.field) aggregate.group_by.push_back(*field.field);
        }
      }
      if (is_of_sets(measured) && !rule_.windows.empty() && rule_.windows.back() > 1h)
        aggregate.keeps_quarters = true;
      const std::uint32_t index = set_.share(aggregate);
      Aggregate& shared = set_.aggregates[index];
      shared.max_series = std::max(shared.max_series, rule_.max_series);
      shared.reach = std::max(shared.reach, reach);
      shared.minutes = std::max(shared.minutes, minutes_for(longest));
      measured.value.aggregate = index;
    }
    for (Measured& measured : measured_) {
      if (measured.value.view == NamedValue::View::derived) {
        measured.value.aggregate = measured_[measured.first_measure].value.aggregate;
      }
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
    load_task_count();
    load_when();
    rule_.page_by = fields("page_by");
    for (const GroupField& field : rule_.page_by) {
      if (std::find(rule_.group_by.begin(), rule_.group_by.end(), field) == rule_.group_by.end()) {
        reader_.error(*reader_.find("page_by"), "page-by", "'" + label_name(field) + "' is not in group_by");
      }
    }
    rule_.expire = reader_.duration("expire", 1min, 720h).value_or(24h);
    rule_.keep_firing_for = reader_.duration("keep_firing_for", 0s, 720h).value_or(0s);
    if (rule_.count) return check_counting_condition();
    std::vector<Condition::Threshold> thresholds;
    const std::vector<double> inputs(rule_.when.variables().size(), 1.0);
    if (!rule_.when_text.empty() && !rule_.when.variables().empty() &&
        !rule_.when.thresholds(inputs.data(), thresholds)) {
      reader_.error(*reader_.find("when"), "bad-when",
                    "a rule on running tasks reads `elapsed > X` or `silent > X`, joined by && where there are two");
    }
  }

  // What a rule of mode task counts, where it has one of the keys for that.
  void load_task_count() {
    const YamlNode* first = nullptr;
    for (const std::string_view key : count_keys) {
      if (first == nullptr) first = node_.find(key);
    }
    if (first == nullptr) return;
    counts_nothing_ = true;
    const YamlNode* const value = reader_.find("value");
    if (value == nullptr || node_.find("from") == nullptr) {
      for (const std::string_view key : count_keys) reader_.find(key);
      return reader_.error(*first, "missing-key",
                           "a rule on running tasks counts where it has 'from' and 'value', such as from: tool.call, "
                           "value: count(); 'where', 'per' and 'window' say more of that");
    }
    TaskCount count;
    load_task_from();
    rule_.where = load_where();
    load_per(count);
    count.window = reader_.duration("window", slice_length, longest_window);
    const RuleValues values = load_rule_values(value, nullptr, rule_.group_by, own_, file_, diagnostics_);
    if (values.list.empty()) return;
    const Measured& measured = values.list.front();
    const bool adds_up =
        measured.value.view == NamedValue::View::total &&
        (measured.aggregate.kind == Aggregate::Kind::count || measured.aggregate.kind == Aggregate::Kind::sum);
    if (!adds_up) {
      return reader_.error(*value, "bad-value", "within a task there are count() and sum(FIELD)");
    }
    if (measured.aggregate.kind == Aggregate::Kind::sum) count.sum = measured.aggregate.number;
    count.unit = measured.value.unit;
    count.in_millionths = measured.value.in_millionths || count.unit != Unit::plain;
    scope_.values.push_back({"value", count.unit, false, false, false});
    counts_nothing_ = false;
    rule_.count = std::move(count);
  }

  // What a task sends while it runs.
  void load_task_from() {
    constexpr std::array inside{EventType::task_started, EventType::task_heartbeat, EventType::task_paused,
                                EventType::task_resumed, EventType::step,           EventType::tool_call,
                                EventType::spec_gap};
    std::vector<std::string_view> types;
    for (const EventType type : inside) types.push_back(name_of(type));
    if (const auto type = reader_.choice("from", types)) rule_.from = inside[*type];
    rule_.from_any = false;
  }

  // per: [tool, arguments.hash]
  void load_per(TaskCount& count) {
    constexpr std::size_t most = 4;
    constexpr std::string_view arguments = "arguments.hash";
    const YamlNode* const node = reader_.find("per");
    if (node == nullptr) return;
    if (!node->is_list() || node->items.empty() || node->items.size() > most) {
      return reader_.error(*node, "wrong-type",
                           "'per' must be a list of one to four fields, such as [tool, arguments.hash]");
    }
    std::vector<std::string_view> names = string_field_names(own_.get());
    names.push_back(arguments);
    // What has another value in each event repeats nothing, and what is the same in all of a task's tells nothing
    // apart.
    std::erase_if(names, [](std::string_view name) {
      return name == "event_id" || name == "span_id" || name == "call_id" || name == "correlation_id";
    });
    for (const YamlNode& item : node->items) {
      if (!item.is_scalar() || std::find(names.begin(), names.end(), item.scalar) == names.end()) {
        reader_.error(item, "unknown-field",
                      "'" + item.scalar + "' is no field to count by" + did_you_mean(item.scalar, names));
        continue;
      }
      const GroupField field = field_named(item.scalar);
      const bool is_known =
          field.field ? std::find(count.per.begin(), count.per.end(), field) != count.per.end() : count.per_arguments;
      if (is_known) reader_.error(item, "repeated-field", "'" + item.scalar + "' stands twice in 'per'");
      if (field.field) {
        count.per.push_back(field);
      } else {
        count.per_arguments = true;
      }
    }
  }

  // Whether it can be told when such a condition becomes true: at an event, or when the task reaches an age. What
  // was counted grows until then, so the condition must hold for much where it holds for little.
  void check_counting_condition() {
    const auto& variables = rule_.when.variables();
    const auto report = [&](std::string message) {
      reader_.error(*reader_.find("when"), "bad-when", std::move(message));
    };
    scope_.values.push_back({"threshold", rule_.count->unit, false, false, false});  // in texts alone
    const bool is_compiled = !rule_.when.text(std::vector<double>(variables.size(), 1.0).data()).empty();
    if (!is_compiled) return;
    if (!rule_.when.uses(Variable::Kind::value))
      return report("this rule counts, and its 'when' does not ask for 'value'");
    if (rule_.when.uses(Variable::Kind::samples)) return report("'samples' exists only in rules with mode: window");
    if (rule_.when.uses(Variable::Kind::silent)) {
      return report("'silent' can't stand beside 'value': each event that counts would end it");
    }
    const auto inputs = [&](double value, double elapsed, double bound) {
      std::vector<double> numbers;
      for (const Variable& one : variables) {
        numbers.push_back(one.kind == Variable::Kind::value     ? value
                          : one.kind == Variable::Kind::elapsed ? elapsed
                                                                : bound);
      }
      return numbers;
    };
    std::vector<Condition::Threshold> thresholds;
    const bool waits = rule_.when.uses(Variable::Kind::elapsed);
    const bool is_timed = rule_.when.thresholds(inputs(unknown_number, 1, 1).data(), thresholds);
    const bool is_clear = std::none_of(thresholds.begin(), thresholds.end(),
                                       [](const Condition::Threshold& one) { return is_unknown(one.seconds); });
    if (waits && (!is_timed || !is_clear)) {
      return report(
          "a rule that counts within tasks reads `value >= N`, joined by && with `elapsed > X` where time counts "
          "too");
    }
    constexpr double much = 1e15;
    const auto holds = [&](double value, double bound) {
      return rule_.when.holds(inputs(value, much, bound).data());
    };
    if (holds(0, unknown_number) == Truth::yes) return report("this holds although nothing was counted");
    const bool falls =
        holds(much, unknown_number) == Truth::no || (holds(0, 1) == Truth::yes && holds(much, 1) == Truth::no);
    if (falls) return report("what is counted within a task grows: compare it as `value >= N`");
  }

  const YamlNode& node_;
  bool own_group_by_;
  const std::string& file_;
  RuleSet& set_;
  std::shared_ptr<const OwnAttributes> own_;
  Diagnostics& diagnostics_;
  YamlReader reader_;
  Rule rule_;
  ConditionScope scope_;
  Predicate where_;
  std::vector<Measured> measured_;
  bool counts_nothing_ = false;  // of mode task: what it was to count can't be read
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
    } else if (word->scalar == "absence") {
      rule.mode = RuleMode::absence;
    } else if (word->scalar != "window") {
      diagnostics.error(file, word->at, "unknown-word",
                        "'mode' must be window, event, task or absence" +
                            did_you_mean(word->scalar, {"window", "event", "task", "absence"}));
      return std::nullopt;
    }
  }
  if (preset) inherit(rule.node, *preset, rule.mode, {"labels", "annotations"});
  rule.has_group_by = rule.node.find("group_by") != nullptr;
  // A default of theirs is for rules that count, and makes none count.
  const bool counts = std::any_of(count_keys.begin(), count_keys.end(),
                                  [&](std::string_view key) { return rule.node.find(key) != nullptr; });
  const bool takes_counts = rule.mode != RuleMode::task || counts;
  const std::span<const std::string_view> left_out = takes_counts ? std::span<const std::string_view>{} : count_keys;
  if (defaults != nullptr) inherit(rule.node, *defaults, rule.mode, {"labels"}, left_out);
  return rule;
}

void check_defaults(const YamlNode& defaults, const std::string& file, Diagnostics& diagnostics) {
  std::vector<std::string_view> names;
  for (const RuleKey& key : rule_keys) names.push_back(key.name);
  for (const YamlNode& key : defaults.keys) {
    if (key.scalar == "alert" || key.scalar == "mode" || key.scalar == "preset") {
      diagnostics.error(file, key.at, "own-key", "'" + key.scalar + "' is each rule's own; write it there");
      continue;
    }
    if (std::find(names.begin(), names.end(), key.scalar) != names.end()) continue;
    diagnostics.error(file, key.at, "unknown-key",
                      "'" + key.scalar + "' is no key of a rule" + did_you_mean(key.scalar, names));
  }
}

}  // namespace tocsin
