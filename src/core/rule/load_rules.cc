#include <algorithm>
#include <map>

#include "base/hash.h"
#include "base/time_text.h"
#include "core/rule/load_attributes.h"
#include "core/rule/load_names.h"
#include "core/rule/rule_loader.h"
#include "core/rule/rule_set.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

void load_spec(const YamlNode& node, const std::string& file, SpecBook& specs, Diagnostics& diagnostics) {
  YamlReader reader(node, file, "spec", diagnostics);
  if (!reader.is_map()) return;
  Spec spec;
  reader.require("name");
  spec.name = reader.text("name").value_or("");
  spec.version = reader.text("version").value_or("");
  const auto set = [&](SpecBound bound, std::optional<double> value) {
    if (value) spec.bounds[static_cast<std::size_t>(bound)] = value;
  };
  if (const YamlNode* rate = reader.find("surface_rate")) {
    YamlReader band(*rate, file, "surface_rate", diagnostics);
    const auto least = band.number("min", 0, 1);
    const auto most = band.number("max", 0, 1);
    set(SpecBound::surface_rate_min, least);
    set(SpecBound::surface_rate_max, most);
    if (least && most && *least > *most) band.error_here("empty-band", "'min' is above 'max'");
  }
  if (const auto wall_clock = reader.duration("wall_clock", 1s, 720h)) {
    set(SpecBound::wall_clock, static_cast<double>(wall_clock->count()) / 1'000);
  }
  if (const YamlNode* cost = reader.find("cost")) {
    YamlReader bounds(*cost, file, "cost", diagnostics);
    constexpr double most_dollars = 1e9;
    set(SpecBound::cost_per_hour, bounds.number("per_hour", 0, most_dollars));
    set(SpecBound::cost_per_day, bounds.number("per_day", 0, most_dollars));
    set(SpecBound::cost_per_task, bounds.number("per_task", 0, most_dollars));
    set(SpecBound::cost_per_month, bounds.number("per_month", 0, most_dollars));
  }
  if (spec.name.empty()) return;
  if (!specs.add(spec)) {
    diagnostics.error(file, node.at, "repeated-spec",
                      "spec '" + spec.name + "' version '" + spec.version + "' is declared twice; keep one");
  }
}

void load_group(const YamlNode& node, const std::string& file, RuleSet& set,
                std::map<std::string, std::pair<std::string, SourcePosition>>& names, Diagnostics& diagnostics) {
  YamlReader reader(node, file, "group", diagnostics);
  if (!reader.is_map()) return;
  reader.require("name");
  reader.text("name");
  reader.require("rules");
  const YamlNode* defaults = reader.find("defaults");
  if (defaults != nullptr && !defaults->is_map()) {
    reader.error(*defaults, "wrong-type", "'defaults' must be a map of keys and values");
    defaults = nullptr;
  }
  const YamlNode* rules = reader.find("rules");
  if (rules == nullptr) return;
  if (!rules->is_list()) {
    reader.error(*rules, "wrong-type", "'rules' must be a list");
    return;
  }
  if (defaults != nullptr) check_defaults(*defaults, file, diagnostics);
  for (const YamlNode& rule_node : rules->items) {
    auto rule = load_rule(rule_node, defaults, file, set, diagnostics);
    if (!rule) continue;
    const auto [entry, is_new] = names.try_emplace(rule->name, file, rule->at);
    if (!is_new) {
      diagnostics.error(file, rule->at, "repeated-name",
                        "alert '" + rule->name + "' exists already (" + entry->second.first + ":" +
                            std::to_string(entry->second.second.line) + "); names are unique over all files");
      continue;
    }
    const auto task_rules =
        std::count_if(set.rules.begin(), set.rules.end(), [](const Rule& r) { return r.mode == RuleMode::task; });
    if (rule->mode == RuleMode::task && task_rules >= static_cast<std::ptrdiff_t>(most_task_rules)) {
      diagnostics.error(file, rule->at, "too-many", "there are 32 rules with mode: task already, which is the limit");
      continue;
    }
    const auto counting =
        std::count_if(set.rules.begin(), set.rules.end(), [](const Rule& r) { return r.count.has_value(); });
    if (rule->count && counting >= static_cast<std::ptrdiff_t>(most_counting_rules)) {
      diagnostics.error(file, rule->at, "too-many",
                        "there are 8 rules that count within tasks already, which is the limit");
      continue;
    }
    set.rules.push_back(std::move(*rule));
  }
}

constexpr std::string_view what_files_hold =
    "a file has 'groups' (rules), 'specs', 'prices', 'names' or 'attributes'";

// Whatever inhibits a rule is looked at before it.
void check_inhibitions(const RuleSet& set, Diagnostics& diagnostics) {
  for (const Rule& rule : set.rules) {
    std::vector<std::string_view> names;
    for (const Rule& other : set.rules) {
      if (&other != &rule) names.push_back(other.name);
    }
    const auto report = [&](std::string message) {
      diagnostics.error(rule.file, rule.at, "bad-inhibition", "'" + rule.name + "' " + std::move(message));
    };
    for (const std::string& name : rule.inhibited_by) {
      const Rule* const other = set.find(name);
      if (other == nullptr) {
        report("is inhibited by '" + name + "', which is no alert" + did_you_mean(name, names));
      } else if (other->mode != RuleMode::window) {
        report("is inhibited by '" + name + "', which is no rule over a window or on absence: only those inhibit");
      } else if (!other->inhibited_by.empty() || other == &rule) {
        report("is inhibited by '" + name + "', which is inhibited itself: name what inhibits that one");
      } else if (std::find(other->group_by.begin(), other->group_by.end(), GroupField{StringField::agent}) ==
                 other->group_by.end()) {
        report("is inhibited by '" + name + "', which does not group by agent: it says nothing of this one");
      }
    }
  }
}

// By what telemetry is read; null where no file says anything of that.
std::shared_ptr<const DialectIndex> load_index(std::span<const YamlFile> files, Diagnostics& diagnostics) {
  OwnNames names;
  AttributeBook attributes;
  for (const YamlFile& file : files) {
    if (file.find("sanitize") != nullptr) continue;
    const YamlNode* const own_names = file.find("names");
    const YamlNode* const own_attributes = file.find("attributes");
    if (own_names != nullptr) load_names(*own_names, file.source->file, names, diagnostics);
    if (own_attributes != nullptr) load_attributes(*own_attributes, file.source->file, attributes, diagnostics);
  }
  if (names.fields.empty() && names.hand_over_tools.empty() && attributes.all.empty()) return nullptr;
  std::shared_ptr<const OwnAttributes> own;
  if (!attributes.all.empty()) own = std::make_shared<OwnAttributes>(std::move(attributes.all));
  return std::make_shared<DialectIndex>(std::move(names), std::move(own));
}

// What the identity of a rule set is made of: every text, whatever its file is called, in order.
std::string hash_of(std::span<const YamlFile> files) {
  std::string all;
  for (const YamlFile& file : files) all += std::to_string(file.source->text.size()) + ":" + file.source->text;
  return to_hex(hash128(all)).substr(0, 16);
}

}  // namespace

const Rule* RuleSet::find(std::string_view name) const {
  for (const Rule& rule : rules) {
    if (rule.name == name) return &rule;
  }
  return nullptr;
}

std::optional<std::uint32_t> RuleSet::aggregate_named(const std::string& canonical) const {
  const auto found = aggregate_numbers_.find(canonical);
  return found == aggregate_numbers_.end() ? std::nullopt : std::optional(found->second);
}

std::uint32_t RuleSet::share(const Aggregate& aggregate) {
  const auto next = static_cast<std::uint32_t>(aggregates.size());
  const auto [found, is_new] = aggregate_numbers_.try_emplace(aggregate.canonical(), next);
  if (is_new) aggregates.push_back(aggregate);
  return found->second;
}

std::shared_ptr<const RuleSet> load_rules(std::span<const NamedText> files, Diagnostics& diagnostics) {
  const std::size_t errors_before = diagnostics.error_count();
  auto rules = load_rules(parse_yaml(files, diagnostics), diagnostics);
  return diagnostics.error_count() == errors_before ? rules : nullptr;
}

std::shared_ptr<const RuleSet> load_rules(std::span<const YamlFile> files, Diagnostics& diagnostics) {
  auto set = std::make_shared<RuleSet>();
  const std::size_t errors_before = diagnostics.error_count();
  auto book = std::make_shared<PriceBook>();
  std::map<std::string, std::pair<std::string, SourcePosition>> names;
  set->names = load_index(files, diagnostics);  // first: rules may name attributes of any file
  for (const YamlFile& each : files) {
    const NamedText& file = *each.source;
    const auto& root = each.root;
    if (!root || root->find("sanitize") != nullptr) continue;
    if (root->kind == YamlNode::Kind::null) {
      diagnostics.error(file.file, root->at, "empty-file",
                        std::string("this file is empty; ").append(what_files_hold));
      continue;
    }
    YamlReader reader(*root, file.file, "rule file", diagnostics);
    if (!reader.is_map()) continue;
    const YamlNode* groups = reader.find("groups");
    for (const YamlNode& key : root->keys) {
      if (key.scalar != "rules" && key.scalar != "alert") continue;
      reader.find(key.scalar == "rules" ? "rules" : "alert");
      reader.error(key, "no-group",
                   "'" + key.scalar + "' stands in a group: write groups: [{name: NAME, rules: [...]}]");
    }
    const YamlNode* specs = reader.find("specs");
    const YamlNode* prices = reader.find("prices");
    reader.find("names");
    reader.find("attributes");
    const YamlNode* tests = reader.find("tests");  // of these rules; `tocsin test` reads them
    if (groups == nullptr && specs == nullptr && prices == nullptr && tests == nullptr && root->keys.empty()) {
      diagnostics.error(file.file, {1, 1}, "empty-file",
                        "this file has neither 'groups' (rules) nor 'specs', 'prices', 'names' or 'attributes'");
    }
    for (const YamlNode* list : {groups, specs, prices}) {
      if (list == nullptr) continue;
      if (!list->is_list()) {
        reader.error(*list, "wrong-type", "a list is needed here");
        continue;
      }
      if (list == prices) book->read(*prices, file.file, diagnostics);
      for (const YamlNode& item : list->items) {
        if (list == groups) load_group(item, file.file, *set, names, diagnostics);
        if (list == specs) load_spec(item, file.file, set->specs, diagnostics);
      }
    }
  }
  const bool are_parsed =
      std::all_of(files.begin(), files.end(), [](const YamlFile& file) { return file.root.has_value(); });
  if (are_parsed && !diagnostics.has_errors()) check_inhibitions(*set, diagnostics);
  if (!are_parsed || diagnostics.error_count() > errors_before) return nullptr;
  if (book->size() > 0) set->prices = std::move(book);
  set->hash = hash_of(files);
  return set;
}

}  // namespace tocsin
