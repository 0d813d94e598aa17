#include "app/import/figures.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "base/diagnostic.h"
#include "base/quotes.h"

namespace tocsin::prometheus {

namespace {

using Kind = Promql::Kind;

bool is_comparison(std::string_view op) {
  return op == "<" || op == "<=" || op == ">" || op == ">=" || op == "==" || op == "!=";
}

// The words of `a|b|c`, also in parentheses; nothing where the pattern is more than that.
std::optional<std::vector<std::string>> words_of_pattern(std::string_view pattern) {
  if (pattern.starts_with('(') && pattern.ends_with(')')) {
    pattern.remove_prefix(pattern.starts_with("(?:") ? 3 : 1);
    pattern.remove_suffix(1);
  }
  std::set<std::string> words;
  for (;;) {
    const std::size_t bar = pattern.find('|');
    const std::string_view word = pattern.substr(0, bar);
    const bool is_plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
      return is_letter(c) || is_digit(c) || std::string_view("- :/@").find(c) != std::string_view::npos;
    });
    if (!is_plain) return std::nullopt;
    words.emplace(word);
    if (bar == std::string_view::npos) break;
    pattern.remove_prefix(bar + 1);
  }
  return std::vector<std::string>(words.begin(), words.end());
}

constexpr std::string_view token_kinds[] = {"input_cached", "input_uncached", "output"};

bool is_label_of_scrapes(std::string_view label) {
  return label == "instance" || label == "job";
}

class FigureReader {
 public:
  // The comparisons that must all hold; nothing, and the reason, where the tree is more than a threshold.
  std::optional<std::vector<Comparison>> read(const Promql& node, std::string& reason) {
    std::vector<Comparison> comparisons;
    reason_ = refusal_of_metrics(node);
    if (reason_.empty()) condition(node, comparisons);
    reason = reason_;
    if (!reason_.empty()) return std::nullopt;
    return comparisons;
  }

  const std::set<std::string>& notes() const { return notes_; }

 private:
  using Maybe = std::optional<Figure>;

  std::nullopt_t refuse(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    return std::nullopt;
  }

  void condition(const Promql& node, std::vector<Comparison>& out) {
    const bool is_binary = node.kind == Kind::binary;
    if (is_binary && (node.name == "or" || node.name == "unless")) {
      refuse("'" + node.name + "' takes series from both sides; write " +
             (node.name == "or" ? "a rule for each side" : "the rule in Tocsin's language by hand"));
    } else if (is_binary && !node.modifier.empty()) {
      refuse(refusal_of_modifier(node.modifier));
    } else if (is_binary && node.name == "and") {
      condition(node.children[0], out);
      condition(node.children[1], out);
    } else if (!is_binary || !is_comparison(node.name)) {
      if (figure(node))
        refuse("it compares with no number, so it would fire always; write a threshold such as > 0.1");
    } else if (node.name == "==" || node.name == "!=") {
      refuse("'" + node.name + "' does not compare what is measured; write <, <=, > or >= (for == 0: < 1)");
    } else {
      auto left = figure(node.children[0]);
      auto right = left ? figure(node.children[1]) : std::nullopt;
      if (!right) return;
      if (left->kind == Figure::Kind::number && right->kind == Figure::Kind::number) {
        refuse("it compares two numbers; compare a metric of an agent's with a number");
      } else if (left->kind == Figure::Kind::number) {
        std::string op = node.name;
        op[0] = op[0] == '<' ? '>' : '<';
        out.push_back({std::move(*right), op, std::move(*left)});
      } else {
        out.push_back({std::move(*left), node.name, std::move(*right)});
      }
    }
  }

  static std::string refusal_of_modifier(const std::string& modifier) {
    if (modifier == "bool") return "'bool' makes a number of a comparison; leave it out";
    return "'" + modifier + "' matches series by some of their labels; sum both sides by the same labels instead";
  }

  Maybe figure(const Promql& node) {
    switch (node.kind) {
      case Kind::number: {
        Figure number;
        number.number = node.number;
        return number;
      }
      case Kind::negate: {
        Maybe inner = figure(node.children[0]);
        if (inner && inner->kind != Figure::Kind::number)
          return refuse("a '-' stands before what is measured; compare with the opposite number");
        if (inner) inner->number = -inner->number;
        return inner;
      }
      case Kind::selector:
        if (node.range)
          return refuse("a range of " + node.name + " stands alone; write rate(...) or increase(...) around it");
        return refuse("'" + node.name + "' has counted since the process began, whenever that was; write increase(" +
                      node.name + "[1h])");
      case Kind::subquery:
        return refuse(
            "a subquery looks at a figure's past, which Tocsin does as baseline: {range: 24h}; write the rule by "
            "hand");
      case Kind::call:
        return call(node);
      case Kind::aggregation:
        return sum(node);
      case Kind::binary:
        return binary(node);
      case Kind::text:
        break;
    }
    return refuse("a text stands where a number is needed; see promtool check rules");
  }

  Maybe call(const Promql& node) {
    if (node.name != "rate" && node.name != "increase") return refuse(refusal_of_function(node.name));
    if (node.children.size() != 1) return refuse(node.name + "() takes one range; see promtool check rules");
    const Promql& selector = node.children[0];
    if (selector.kind == Kind::subquery) return figure(selector);
    if (!selector.modifier.empty()) {
      return refuse("'" + selector.modifier +
                    "' looks at another time; compare with it: baseline: {same_time: yesterday} or last_week");
    }
    if (selector.kind != Kind::selector || !selector.range) {
      return refuse(node.name + "() needs a metric and a range, such as " + node.name +
                    "(tocsin_agent_tool_calls_total[1h])");
    }
    Figure figure;
    figure.kind = Figure::Kind::counted;
    Counted& counted = figure.counted;
    counted.metric = &*std::find_if(agent_metrics().begin(), agent_metrics().end(),
                                    [&](const AgentMetric& known) { return known.name == selector.name; });
    counted.window = *selector.range;
    counted.is_rate = node.name == "rate";
    counted.labels = {"env", "agent", "instance", "job"};
    if (!counted.metric->label.empty()) counted.labels.emplace(counted.metric->label);
    for (const std::string_view condition : counted.metric->where) {
      if (!condition.empty()) counted.where.insert({std::string(condition), {}});
    }
    if (counted.metric->measure == Measure::tokens) counted.kinds = {std::begin(token_kinds), std::end(token_kinds)};
    for (const Matcher& matcher : selector.matchers) {
      if (!select(matcher, counted)) return std::nullopt;
    }
    if (counted.kinds.size() == 1) counted.fixed["kind"] = *counted.kinds.begin();
    if (counted.metric->measure == Measure::tokens && counted.kinds.empty()) {
      return refuse(
          "no kind of tokens meets all its matchers, so it never fires; kinds are input_cached, input_uncached and "
          "output");
    }
    return figure;
  }

  bool select(const Matcher& matcher, Counted& counted) {
    const std::string& label = matcher.label;
    const bool is_own = label == counted.metric->label;
    const bool is_pattern = matcher.comparison.ends_with('~');
    const bool is_negative = matcher.comparison.starts_with('!');
    if (label == "job") {
      notes_.insert(
          "the matcher of job is gone: a rule sees the events of this Tocsin, whatever the scrape is called");
      return true;
    }
    if (label == "instance") {
      return refuse(
                 "it looks at one process by its instance, and which agents that has changes; leave the matcher out"),
             false;
    }
    if (label != "env" && label != "agent" && !is_own) {
      std::string known = "env, agent";
      if (!counted.metric->label.empty()) known += ", " + std::string(counted.metric->label);
      return refuse("'" + label + "' is no label of " + std::string(counted.metric->name) + "; it has " + known),
             false;
    }
    std::vector<std::string> words{matcher.value};
    if (is_pattern) {
      const auto plain = words_of_pattern(matcher.value);
      if (!plain) {
        return refuse("the pattern " + in_plain_quotes(matcher.value) + " of '" + label +
                      "' is more than words with | between them; list the values"),
               false;
      }
      words = *plain;
    } else if (matcher.value.empty()) {
      return select_absent(label, is_negative, counted);
    }
    if (!are_known(*counted.metric, label, words)) return false;
    if (label == "kind") {
      std::erase_if(counted.kinds, [&](const std::string& kind) {
        return (std::find(words.begin(), words.end(), kind) != words.end()) == is_negative;
      });
      return true;
    }
    const bool is_one = words.size() == 1;
    if (is_one && !is_negative) counted.fixed[label] = words[0];
    Conjunct conjunct{label, {}};
    if (label != "env") conjunct.field = label == "agent" ? "agent" : "outcome";
    if (is_one) {
      conjunct.text += (is_negative ? " != " : " == ") + in_plain_quotes(words[0]);
    } else {
      conjunct.text += " in [";
      for (const std::string& word : words) conjunct.text += (word == words[0] ? "" : ", ") + in_plain_quotes(word);
      conjunct.text += ']';
      if (is_negative) conjunct.text = "!(" + conjunct.text + ")";
    }
    // To PromQL an absent label is another value than this; to `where` it is unknown.
    if (is_negative && label == "env") conjunct.text += " || !has(env)";
    counted.where.insert(std::move(conjunct));
    return true;
  }

  bool select_absent(const std::string& label, bool is_negative, Counted& counted) {
    if (label == "env") {
      counted.where.insert({is_negative ? "has(env)" : "!has(env)", {}});
      return true;
    }
    if (is_negative) return true;
    return refuse("every series of " + std::string(counted.metric->name) + " has the label '" + label +
                  "', so it never fires; name a value"),
           false;
  }

  bool are_known(const AgentMetric& metric, const std::string& label, const std::vector<std::string>& words) {
    if (label != metric.label) return true;
    std::vector<std::string_view> known(std::begin(token_kinds), std::end(token_kinds));
    if (label == "outcome") {
      known.clear();
      for (std::uint8_t i = 1; !enum_word(EnumField::outcome, i).empty(); ++i) {
        known.push_back(enum_word(EnumField::outcome, i));
      }
    }
    for (const std::string& word : words) {
      if (std::find(known.begin(), known.end(), word) != known.end()) continue;
      return refuse("'" + word + "' is no " + label + " that " + std::string(metric.name) + " has" +
                    did_you_mean(word, known) + "; name one of those"),
             false;
    }
    return true;
  }

  Maybe sum(const Promql& node) {
    if (node.name != "sum" || node.children.size() != 1) {
      return refuse("a group's figure is a sum, and this is " + node.name +
                    "; sum by (env, agent) compares each agent");
    }
    Maybe inner = figure(node.children[0]);
    if (!inner) return std::nullopt;
    if (inner->kind != Figure::Kind::counted || inner->counted.hits) {
      return refuse(
          "sum() holds more than one rate or increase; put the sums inside: sum by (...) (...) / sum by (...) (...)");
    }
    Counted& counted = inner->counted;
    std::set<std::string> kept;
    for (const std::string& label : node.labels) {
      if (node.grouping != Promql::Grouping::by) break;
      if (counted.labels.contains(label)) {
        kept.insert(label);
      } else if (label != "env" && label != "agent" && label != counted.metric->label &&
                 !is_label_of_scrapes(label)) {
        return refuse("it sums by '" + label + "', which is no label of " + std::string(counted.metric->name) +
                      "; sum by (env, agent)");
      }
    }
    if (node.grouping == Promql::Grouping::without) {
      kept = counted.labels;
      for (const std::string& label : node.labels) kept.erase(label);
    }
    counted.labels = std::move(kept);
    return inner;
  }

  Maybe binary(const Promql& node) {
    if (!node.modifier.empty()) return refuse(refusal_of_modifier(node.modifier));
    if (is_comparison(node.name)) {
      return refuse("a comparison stands within another figure; join comparisons with 'and'");
    }
    if (node.name == "and" || node.name == "or" || node.name == "unless") {
      return refuse("'" + node.name + "' stands within a figure; compare each side with a number");
    }
    if (node.name.size() != 1 || std::string_view("+-*/").find(node.name[0]) == std::string_view::npos) {
      return refuse("Tocsin does not calculate with '" + node.name + "'; write it with + - * /");
    }
    Maybe left = figure(node.children[0]);
    Maybe right = left ? figure(node.children[1]) : std::nullopt;
    if (!right) return std::nullopt;
    return put_together(std::move(*left), node.name[0], std::move(*right));
  }

  Maybe put_together(Figure left, char op, Figure right) {
    const bool left_is_number = left.kind == Figure::Kind::number;
    const bool right_is_number = right.kind == Figure::Kind::number;
    if (right_is_number && right.number == 0 && op == '/') return refuse("it divides by 0; see promtool check rules");
    if (left_is_number && right_is_number) {
      left.number = arithmetic(left.number, op, right.number);
      if (!std::isfinite(left.number)) return refuse("its threshold is no number; write it in decimal digits");
      return left;
    }
    if (left.kind == Figure::Kind::counted && right_is_number && (op == '*' || op == '/')) {
      left.counted.scale = arithmetic(left.counted.scale, op, right.number);
      return left;
    }
    if (left_is_number && right.kind == Figure::Kind::counted && op == '*') {
      right.counted.scale *= left.number;
      return right;
    }
    if (left.kind == Figure::Kind::counted && right.kind == Figure::Kind::counted && op == '/') {
      if (auto share = ratio(left.counted, right.counted)) return share;
      if (!reason_.empty()) return std::nullopt;
    }
    Figure both;
    both.kind = Figure::Kind::binary;
    both.op = op;
    both.children.push_back(std::move(left));
    both.children.push_back(std::move(right));
    return both;
  }

  // Some of the events divided by all of them.
  Maybe ratio(const Counted& some, const Counted& all) {
    const bool fits = some.metric->measure == Measure::count && all.metric->measure == Measure::count &&
                      some.metric->from == all.metric->from && some.window == all.window &&
                      some.is_rate == all.is_rate && some.labels == all.labels && !some.hits && !all.hits &&
                      std::includes(some.where.begin(), some.where.end(), all.where.begin(), all.where.end());
    if (!fits) return std::nullopt;
    Figure figure;
    figure.kind = Figure::Kind::counted;
    figure.counted = all;
    figure.counted.scale = some.scale / all.scale;
    figure.counted.hits.emplace();
    std::set_difference(some.where.begin(), some.where.end(), all.where.begin(), all.where.end(),
                        std::inserter(*figure.counted.hits, figure.counted.hits->end()));
    if (figure.counted.hits->empty()) {
      return refuse(
          "it divides a figure by itself; the side above the line needs a matcher more, such as "
          "{outcome=\"errored\"}");
    }
    return figure;
  }

  std::set<std::string> notes_;
  std::string reason_;
};

}  // namespace

std::optional<std::vector<Comparison>> read_figures(const Promql& node, std::set<std::string>& notes,
                                                    std::string& reason) {
  FigureReader reader;
  auto comparisons = reader.read(node, reason);
  notes = reader.notes();
  return comparisons;
}

}  // namespace tocsin::prometheus
