#include "app/import/rule_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "app/import/promql.h"
#include "base/time_text.h"
#include "base/yaml_text.h"

namespace tocsin::prometheus {

namespace {

using namespace std::chrono_literals;

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// `printf "%.2f"`, which four significant digits stand for.
bool is_printf(std::string_view text) {
  if (!text.starts_with("printf")) return false;
  text = trimmed(text.substr(6));
  return text.size() >= 4 && text.starts_with("\"%") && text.ends_with('"') &&
         std::string_view("fgev").find(text[text.size() - 2]) != std::string_view::npos &&
         std::all_of(text.begin() + 2, text.end() - 2, [](char c) { return is_digit(c) || c == '.'; });
}

// The filter of Tocsin's that a template's pipeline on `$value` stands for; nothing where it is another template.
std::optional<std::string> filter_of(std::string_view inner) {
  if (inner.ends_with("$value") && is_printf(trimmed(inner.substr(0, inner.size() - 6)))) return "";
  const std::size_t bar = inner.find('|');
  if (trimmed(inner.substr(0, bar)) != "$value") return std::nullopt;
  if (bar == std::string_view::npos) return "";
  const std::string_view filter = trimmed(inner.substr(bar + 1));
  if (filter == "humanize" || is_printf(filter)) return "";
  if (filter == "humanizePercentage") return "|percent";
  if (filter == "humanizeDuration") return "|duration";
  return std::nullopt;
}

// An annotation with Tocsin's placeholders; nothing, and the reason, where it has a template that Tocsin has not.
std::optional<std::string> annotation(std::string_view text, const RuleKeys& keys, std::string& reason) {
  std::string out;
  for (;;) {
    const std::size_t open = text.find("{{");
    out += text.substr(0, open);
    if (open == std::string_view::npos) return out;
    const std::size_t close = text.find("}}", open);
    if (close == std::string_view::npos) {
      reason = "'{{' has no '}}'";
      return std::nullopt;
    }
    const std::string_view inner = trimmed(text.substr(open + 2, close - open - 2));
    text.remove_prefix(close + 2);
    if (inner.starts_with("$labels.")) {
      const std::string label(inner.substr(8));
      const bool is_there = keys.labels.contains(label) ||
                            std::find(keys.group_by.begin(), keys.group_by.end(), label) != keys.group_by.end();
      if (!is_there) {
        reason = "'" + label + "' is no label of its alert in Tocsin";
        return std::nullopt;
      }
      out += "{{" + label + "}}";
    } else if (const auto filter = filter_of(inner)) {
      // Money is written with its sign.
      if (filter->empty() && keys.value_is_money && out.ends_with('$')) out.pop_back();
      out += "{{" + keys.value + *filter + "}}";
    } else {
      reason = "'" + std::string(inner) + "' is no template of Tocsin's, which has labels and {{value|percent}}";
      return std::nullopt;
    }
  }
}

bool add_labels(const YamlNode* own, const YamlNode* of_group, const RuleKeys& keys, std::string& text,
                std::string& reason) {
  std::map<std::string, std::string> labels = keys.labels;
  for (const YamlNode* map : {of_group, own}) {
    if (map == nullptr || !map->is_map()) continue;
    for (std::size_t i = 0; i < map->items.size(); ++i) {
      const std::string& name = map->keys[i].scalar;
      const std::string& value = map->items[i].scalar;
      if (value.find("{{") != std::string::npos) {
        reason = "the label '" + name +
                 "' holds a template; labels of Tocsin's rules are fixed, so write it into an annotation";
        return false;
      }
      labels[name] = value;
    }
  }
  std::string all;
  for (const auto& [name, value] : labels) {
    if (!value.empty()) all += (all.empty() ? "" : ", ") + yaml(name) + ": " + yaml(value);
  }
  if (!all.empty()) text += "    labels: {" + all + "}\n";
  return true;
}

bool add_annotations(const YamlNode* node, const RuleKeys& keys, std::string& text, std::string& reason) {
  if (node == nullptr || !node->is_map() || node->items.empty()) return true;
  text += "    annotations:\n";
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    std::string why;
    const auto converted = annotation(node->items[i].scalar, keys, why);
    if (!converted) {
      reason = "its annotation '" + node->keys[i].scalar + "': " + why + "; change it, or leave it out";
      return false;
    }
    text += "      " + yaml(node->keys[i].scalar) + ": " + in_double_quotes(*converted) + '\n';
  }
  return true;
}

}  // namespace

std::string yaml(std::string_view text) {
  const bool is_word =
      !text.empty() && (is_letter(text[0]) || is_digit(text[0]) || text[0] == '(') && text.back() != ' ' &&
      text != "null" && std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || std::string_view(" .-+*/()<>=|&\"!").find(c) != std::string_view::npos;
      });
  if (is_word) return std::string(text);
  const bool is_printable = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != '\'' && c != '\x7f';
  });
  const bool has_quotes = text.find('"') != std::string_view::npos;
  return has_quotes && is_printable ? "'" + std::string(text) + "'" : in_double_quotes(text);
}

std::optional<std::string> rule_text(const YamlNode& node, const YamlNode* group_labels, const RuleKeys& keys,
                                     std::string& reason) {
  std::string text;
  for (const std::string& note : keys.notes) text += "  # " + note + '\n';
  const auto add = [&](const char* key, const std::string& value) {
    text += fmt::format("    {}: {}\n", key, value);
  };
  text += "  - alert: " + yaml(node.find("alert")->scalar) + '\n';
  add("from", std::string(name_of(keys.from)));
  if (keys.group_by.size() == 1) add("group_by", "[" + keys.group_by[0] + "]");
  if (!keys.where.empty()) add("where", yaml(keys.where));
  if (keys.values.size() == 1) {
    add("value", yaml(keys.values[0].second));
  } else {
    std::string all;
    for (const auto& [name, measure] : keys.values) all += (all.empty() ? "" : ", ") + name + ": " + yaml(measure);
    add("values", "{" + all + "}");
  }
  add("window", to_text(keys.window));
  add("when", yaml(keys.when));
  if (keys.holds_without_traffic) add("no_data", "hold");
  for (const char* key : {"for", "keep_firing_for"}) {
    const YamlNode* time = node.find(key);
    if (time == nullptr) continue;
    const auto duration = parse_duration(time->scalar);
    if (!duration) {
      reason = "'" + time->scalar + "' is no duration that is read here; write " + key + ": 15m";
      return std::nullopt;
    }
    if (*duration > 0s) add(key, to_text(*duration));
  }
  if (!add_labels(node.find("labels"), group_labels, keys, text, reason)) return std::nullopt;
  if (!add_annotations(node.find("annotations"), keys, text, reason)) return std::nullopt;
  return text;
}

}  // namespace tocsin::prometheus
