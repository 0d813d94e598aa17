#include "app/import_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iostream>
#include <limits>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "app/files.h"
#include "base/ascii.h"
#include "base/time_text.h"
#include "base/yaml_text.h"
#include "base/yaml_tree.h"
#include "core/event/event_fields.h"
#include "core/rule/rule_set.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

// ---- PromQL as a tree: https://prometheus.io/docs/prometheus/latest/querying/basics/
//
//   expression := unary (operator modifiers expression)*, by precedence
//   unary      := ('-' | '+') unary | primary ('[' range ']' | 'offset' duration | '@' time)*
//   primary    := number | "text" | '(' expression ')' | metric? '{' matchers '}' | metric
//               | function '(' arguments ')' | aggregation grouping? '(' arguments ')' grouping?

struct Matcher {
  std::string label, comparison, value;
};

struct Promql {
  enum class Kind : std::uint8_t { number, text, selector, subquery, call, aggregation, binary, negate };
  enum class Grouping : std::uint8_t { none, by, without };
  Kind kind = Kind::number;
  std::string name;  // of a metric, a function, an aggregation or an operator
  double number = 0;
  std::vector<Matcher> matchers;
  std::optional<Duration> range;
  std::string modifier;  // of a selector: offset or @; of an operator: bool, on, ignoring, group_left or group_right
  Grouping grouping = Grouping::none;
  std::vector<std::string> labels;  // of the grouping
  std::vector<Promql> children;
};

using Kind = Promql::Kind;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr std::array<std::string_view, 13> aggregations{"sum",    "avg",    "min",         "max",     "count",
                                                        "stddev", "stdvar", "topk",        "bottomk", "quantile",
                                                        "group",  "limitk", "count_values"};

class PromqlParser {
 public:
  explicit PromqlParser(std::string_view source) : source_(source) {}

  // Nothing, and the reason, where the text is no PromQL that is read here.
  std::optional<Promql> parse(std::string& reason) {
    // A tree of so long a text is never deep enough to be a danger to the stack.
    constexpr std::size_t most_bytes = 4'096;
    if (source_.size() > most_bytes) {
      reason = "its expression is longer than 4 KiB; split it into several rules";
      return std::nullopt;
    }
    advance();
    Maybe expression = binary(lowest);
    if (expression && token_.kind != Token::Kind::end) expression = unexpected();
    if (!expression) reason = reason_;
    return expression;
  }

 private:
  using Maybe = std::optional<Promql>;

  struct Token {
    enum class Kind : std::uint8_t { end, number, name, text, range, symbol, bad };
    Kind kind = Kind::end;
    std::string text;  // of a range what stands between its brackets; of a bad token what is wrong
  };

  std::nullopt_t refuse(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    return std::nullopt;
  }

  std::nullopt_t unexpected() {
    if (token_.kind == Token::Kind::bad) return refuse(token_.text);
    if (token_.kind == Token::Kind::end) return refuse("its expression ends in the middle; see promtool check rules");
    return refuse("its expression can't be read at '" + token_.text + "'; see promtool check rules");
  }

  void advance() {
    while (at_ < source_.size() && (std::string_view(" \t\r\n#").find(source_[at_]) != std::string_view::npos)) {
      if (source_[at_] == '#') at_ = std::min(source_.find('\n', at_), source_.size() - 1);
      ++at_;
    }
    token_ = {};
    if (at_ >= source_.size()) return;
    const char c = source_[at_];
    if (is_letter(c) || c == ':')
      return take_while(Token::Kind::name, [](char d) { return is_letter(d) || is_digit(d) || d == ':'; });
    if (is_digit(c) || c == '.') return take_number();
    if (c == '"' || c == '\'' || c == '`') return take_text(c);
    if (c == '[') return take_range();
    for (const std::string_view symbol : {"==", "!=", "<=", ">=", "=~", "!~"}) {
      if (source_.substr(at_, 2) == symbol) return take(Token::Kind::symbol, 2);
    }
    if (std::string_view("+-*/%^<>=(){},@").find(c) != std::string_view::npos) return take(Token::Kind::symbol, 1);
    token_ = {Token::Kind::bad, "its expression holds a character that PromQL does not know"};
  }

  void take(Token::Kind kind, std::size_t length) {
    token_ = {kind, std::string(source_.substr(at_, length))};
    at_ += length;
  }

  template <class Belongs>
  void take_while(Token::Kind kind, Belongs belongs) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && belongs(source_[end])) ++end;
    take(kind, end - at_);
  }

  // Also durations, and with the sign of an exponent.
  void take_number() {
    const bool is_hexadecimal = source_.substr(at_, 2) == "0x" || source_.substr(at_, 2) == "0X";
    std::size_t end = at_ + 1;
    for (; end < source_.size(); ++end) {
      const char c = source_[end];
      const bool is_sign = (c == '+' || c == '-') && to_lower(source_[end - 1]) == 'e' && !is_hexadecimal;
      if (!is_letter(c) && !is_digit(c) && c != '.' && !is_sign) break;
    }
    take(Token::Kind::number, end - at_);
  }

  void take_text(char quote) {
    token_.kind = Token::Kind::text;
    for (++at_; at_ < source_.size() && source_[at_] != quote; ++at_) {
      char c = source_[at_];
      if (c == '\\' && quote != '`') {
        c = ++at_ < source_.size() ? source_[at_] : '\0';
        if (c == 'n') {
          c = '\n';
        } else if (c == 't') {
          c = '\t';
        } else if (c != '\\' && c != '"' && c != '\'') {
          token_ = {Token::Kind::bad, "a text in its expression holds an escape other than \\\\, \\\", \\n and \\t"};
          return;
        }
      }
      token_.text += c;
    }
    if (at_++ >= source_.size()) token_ = {Token::Kind::bad, "a text in its expression has no closing quote"};
  }

  void take_range() {
    const std::size_t end = source_.find(']', at_);
    if (end == std::string_view::npos) {
      token_ = {Token::Kind::bad, "'[' has no ']' in its expression"};
      return;
    }
    token_ = {Token::Kind::range, {}};
    for (const char c : source_.substr(at_ + 1, end - at_ - 1)) {
      if (c != ' ') token_.text += c;
    }
    at_ = end + 1;
  }

  bool is_symbol(std::string_view symbol) const {
    return token_.kind == Token::Kind::symbol && token_.text == symbol;
  }
  bool take_symbol(std::string_view symbol) {
    if (!is_symbol(symbol)) return false;
    advance();
    return true;
  }
  bool is_word(std::initializer_list<std::string_view> words) const {
    return token_.kind == Token::Kind::name &&
           std::find(words.begin(), words.end(), in_lower_case(token_.text)) != words.end();
  }

  static constexpr int lowest = 1, of_sign = 6;

  // How tightly the operator here binds; 0 where there is none.
  int precedence() const {
    if (is_word({"or"})) return lowest;
    if (is_word({"and", "unless"})) return 2;
    if (token_.kind != Token::Kind::symbol && !is_word({"atan2"})) return 0;
    const std::string& text = token_.text;
    if (text == "==" || text == "!=" || text == "<" || text == ">" || text == "<=" || text == ">=") return 3;
    if (text == "+" || text == "-") return 4;
    if (text == "*" || text == "/" || text == "%" || is_word({"atan2"})) return 5;
    return text == "^" ? of_sign : 0;
  }

  Maybe binary(int least) {
    constexpr int most_levels = 100;
    if (++level_ > most_levels) return refuse("its expression is nested too deeply; split it into several rules");
    Maybe left = unary();
    for (int binds = precedence(); left && binds >= least; binds = precedence()) {
      Promql node;
      node.kind = Kind::binary;
      node.name = in_lower_case(token_.text);
      advance();
      if (!modifiers(node)) return std::nullopt;
      Maybe right = binary(binds == of_sign ? binds : binds + 1);
      if (!right) return std::nullopt;
      node.children.push_back(std::move(*left));
      node.children.push_back(std::move(*right));
      left = std::move(node);
    }
    --level_;
    return left;
  }

  bool modifiers(Promql& node) {
    while (is_word({"bool", "on", "ignoring", "group_left", "group_right"})) {
      const std::string word = in_lower_case(token_.text);
      if (node.modifier.empty()) node.modifier = word;
      advance();
      std::vector<std::string> labels;
      if (is_symbol("(") && word != "bool" && !label_list(labels)) return false;
    }
    return true;
  }

  Maybe unary() {
    if (is_symbol("+")) {
      advance();
      return binary(of_sign);
    }
    if (!is_symbol("-")) return postfix(primary());
    advance();
    Maybe inner = binary(of_sign);
    if (!inner) return std::nullopt;
    Promql node;
    node.kind = Kind::negate;
    node.children.push_back(std::move(*inner));
    return node;
  }

  Maybe postfix(Maybe node) {
    while (node) {
      if (token_.kind == Token::Kind::range) {
        const auto range = parse_duration(token_.text);
        if (node->kind == Kind::selector && range) {
          node->range = range;
        } else if (token_.text.find(':') != std::string::npos) {
          Promql outer;
          outer.kind = Kind::subquery;
          outer.children.push_back(std::move(*node));
          node = std::move(outer);
        } else {
          return refuse("'[" + token_.text + "]' is no range of time such as [5m]; see promtool check rules");
        }
        advance();
      } else if (is_word({"offset"}) || is_symbol("@")) {
        if (node->modifier.empty()) node->modifier = in_lower_case(token_.text);
        advance();
        while (is_symbol("-") || is_symbol("+")) advance();
        const bool is_function = is_word({"start", "end"});
        if (token_.kind != Token::Kind::number && !is_function) return unexpected();
        advance();
        if (is_function && !(take_symbol("(") && take_symbol(")"))) return unexpected();
      } else {
        break;
      }
    }
    return node;
  }

  Maybe primary() {
    Promql node;
    if (token_.kind == Token::Kind::number) return number();
    if (token_.kind == Token::Kind::text) {
      node.kind = Kind::text;
      advance();
      return node;
    }
    if (take_symbol("(")) {
      Maybe inner = binary(lowest);
      if (inner && !take_symbol(")")) return unexpected();
      return inner;
    }
    node.kind = Kind::selector;
    if (token_.kind == Token::Kind::name) {
      node.name = token_.text;
      advance();
      const std::string lower = in_lower_case(node.name);
      const bool aggregates = std::find(aggregations.begin(), aggregations.end(), lower) != aggregations.end();
      if (aggregates && (is_symbol("(") || is_word({"by", "without"}))) {
        node.kind = Kind::aggregation;
        node.name = lower;
        return aggregation(std::move(node));
      }
      if (is_symbol("(")) {
        node.kind = Kind::call;
        if (!arguments(node)) return std::nullopt;
        return node;
      }
      if (lower == "inf" || lower == "nan") return refuse("it compares with " + node.name + "; write a number");
    } else if (!is_symbol("{")) {
      return unexpected();
    }
    if (is_symbol("{") && !matchers(node)) return std::nullopt;
    return node;
  }

  Maybe number() {
    Promql node;
    const char* begin = token_.text.data();
    const char* end = begin + token_.text.size();
    const auto [stop, code] = std::from_chars(begin, end, node.number);
    if (code != std::errc{} || stop != end || !std::isfinite(node.number)) {
      const auto duration = parse_duration(token_.text);  // stands for its seconds
      if (!duration)
        return refuse("'" + token_.text + "' is no number that is read here; write it in decimal digits");
      node.number = static_cast<double>(duration->count()) / 1'000;
    }
    advance();
    return node;
  }

  bool label_list(std::vector<std::string>& labels) {
    if (!take_symbol("(")) return unexpected(), false;
    while (!is_symbol(")")) {
      if (token_.kind != Token::Kind::name) return unexpected(), false;
      labels.push_back(token_.text);
      advance();
      if (!take_symbol(",") && !is_symbol(")")) return unexpected(), false;
    }
    advance();
    return true;
  }

  bool grouping(Promql& node) {
    if (!is_word({"by", "without"})) return true;
    node.grouping = is_word({"by"}) ? Promql::Grouping::by : Promql::Grouping::without;
    advance();
    return label_list(node.labels);
  }

  bool arguments(Promql& node) {
    if (!take_symbol("(")) return unexpected(), false;
    while (!is_symbol(")")) {
      Maybe argument = binary(lowest);
      if (!argument) return false;
      node.children.push_back(std::move(*argument));
      if (!take_symbol(",") && !is_symbol(")")) return unexpected(), false;
    }
    advance();
    return true;
  }

  // The grouping stands before or behind.
  Maybe aggregation(Promql node) {
    if (!grouping(node) || !arguments(node) || !grouping(node)) return std::nullopt;
    return node;
  }

  bool matchers(Promql& node) {
    advance();
    while (!is_symbol("}")) {
      Matcher matcher;
      matcher.label = token_.text;
      if (token_.kind != Token::Kind::name) return unexpected(), false;
      advance();
      matcher.comparison = token_.text;
      if (!is_symbol("=") && !is_symbol("!=") && !is_symbol("=~") && !is_symbol("!~")) return unexpected(), false;
      advance();
      matcher.value = token_.text;
      if (token_.kind != Token::Kind::text) return unexpected(), false;
      advance();
      node.matchers.push_back(std::move(matcher));
      if (!take_symbol(",") && !is_symbol("}")) return unexpected(), false;
    }
    advance();
    return true;
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int level_ = 0;
  Token token_;
  std::string reason_;
};

// ---- Which events each metric counts, as src/core/stage/ingest_stage.cc does.

struct AgentMetric {
  enum class Measure : std::uint8_t { count, cost, tokens };
  std::string_view name;
  EventType from;
  std::array<std::string_view, 2> where{};  // of those events; all of it must hold
  std::string_view label{};                 // besides env and agent
  Measure measure = Measure::count;
};

using Measure = AgentMetric::Measure;

constexpr std::string_view model_call = "has(tokens_in) || has(tokens_out) || has(cost) || has(generation)";
constexpr std::string_view has_outcome = "has(outcome)";
constexpr std::string_view refused = R"(authz in ["refused", "refused_with_reason"])";

constexpr AgentMetric agent_metrics[] = {
    {"tocsin_agent_tasks_total", EventType::task_finished, {has_outcome}, "outcome"},
    {"tocsin_agent_model_calls_total", EventType::step, {model_call}},
    {"tocsin_agent_tokens_total", EventType::step, {model_call}, "kind", Measure::tokens},
    {"tocsin_agent_cost_dollars_total", EventType::step, {model_call}, "", Measure::cost},
    {"tocsin_agent_tool_calls_total", EventType::tool_call},
    {"tocsin_agent_tool_errors_total", EventType::tool_call, {"has(error_type)"}},
    {"tocsin_agent_tool_refusals_total", EventType::tool_call, {refused}},
    {"tocsin_agent_reviews_total", EventType::review, {"has(accepted)"}},
    {"tocsin_agent_reviews_accepted_total", EventType::review, {"has(accepted)", "accepted"}},
};

// Those that no window adds up, and what to do instead.
constexpr std::pair<std::string_view, std::string_view> other_agent_metrics[] = {
    {"tocsin_agent_findings_total",
     "no window adds findings up; write a rule with mode: event and where: has(secret.pattern), which pages at the "
     "first one, as SecretLeak of rules/agents.yaml does"},
    {"tocsin_agent_redactions_total", "no window adds up what was redacted; leave the rule in Prometheus"},
    {"tocsin_agent_surface_ratio",
     "it is a share since the process began, whenever that was; write from: task.finished, "
     "value: ratio(outcome == \"surfaced\") and a window"},
    {"tocsin_agent_open_tasks",
     "no window counts tasks that have not ended; write a rule with mode: task and when: elapsed > 2 * "
     "spec.wall_clock, which looks at each of them"},
    {"tocsin_agent_reported_concurrent_tasks",
     "a window adds events up and has no last value; write from: system, where: concurrent_tasks > N, value: "
     "count(), "
     "when: value > 0"},
    {"tocsin_agent_reported_queue_depth",
     "a window adds events up and has no last value; write from: system, where: queue_depth > N, value: count(), "
     "when: value > 0"},
    {"tocsin_agent_version_info",
     "a version is no number to compare; pages say in `versions` and `changed_in_last_hour` what ran"},
    {"tocsin_agent_alerts_firing",
     "it shows alerts of Tocsin's, which have paged already; leave the rule in Prometheus"},
};

// Why no rule on this metric can be carried over; empty where one can.
std::string refusal_of(const std::string& metric) {
  if (metric.empty()) return "it selects metrics without a name; write the name before '{'";
  std::vector<std::string_view> names;
  for (const AgentMetric& known : agent_metrics) names.push_back(known.name);
  if (std::find(names.begin(), names.end(), metric) != names.end()) return "";
  for (const auto& [name, instead] : other_agent_metrics) {
    if (name == metric) return metric + ": " + std::string(instead);
    names.push_back(name);
  }
  if (metric.starts_with("tocsin_agent_")) {
    return "'" + metric + "' is no metric that Tocsin has" + did_you_mean(metric, names) +
           "; deploy/README.md lists them";
  }
  if (metric.starts_with("tocsin_") || metric == "up") {
    std::string why =
        "'" + metric + "' is Tocsin's own health, which stays in Prometheus: Tocsin can't page about its own pager";
    if (metric == "tocsin_unscanned_events_total") {
      why += "; of events there can be a rule with mode: event, where: scan == \"cut\"";
    } else if (metric == "tocsin_findings_total") {
      why += "; of secrets there can be a rule with mode: event, where: has(secret.pattern)";
    }
    return why;
  }
  if (metric.find(':') != std::string::npos) {
    return "'" + metric + "' comes from a recording rule; write that rule's expression in its place";
  }
  return "'" + metric + "' is no metric of Tocsin's; leave the rule in Prometheus";
}

std::string refusal_of_metrics(const Promql& node) {
  std::string why = node.kind == Kind::selector ? refusal_of(node.name) : "";
  for (const Promql& child : node.children) {
    if (why.empty()) why = refusal_of_metrics(child);
  }
  return why;
}

std::string refusal_of_function(const std::string& name) {
  if (name == "histogram_quantile") {
    return "Tocsin has no quantiles; write a share such as value: ratio(latency > 2s), when: value > 0.05";
  }
  if (name == "predict_linear" || name == "deriv" || name == "holt_winters" ||
      name == "double_exponential_smoothing") {
    return name + "() looks at a trend, which Tocsin does not; compare with the past: baseline: {range: 24h}";
  }
  if (name == "absent" || name == "absent_over_time") {
    return name +
           "() is about what nobody has counted; a rule with no_data: fire pages when a group that was there "
           "falls silent";
  }
  if (name == "irate" || name == "idelta") {
    return name + "() looks at two scrapes, and Tocsin scrapes nothing; write rate() or increase() over some minutes";
  }
  return "Tocsin has no " + name + "(); write rate() or increase(), or leave the rule in Prometheus";
}

// ---- What an expression measures: figures, each over the events of one type, and how they are put together.

// One condition of `where`, and the field that is there wherever it holds.
struct Conjunct {
  std::string text;
  std::string_view field;
  friend bool operator<(const Conjunct& a, const Conjunct& b) { return a.text < b.text; }
  friend bool operator==(const Conjunct& a, const Conjunct& b) { return a.text == b.text; }
};

using Conjuncts = std::set<Conjunct>;

struct Counted {
  const AgentMetric* metric = nullptr;
  Conjuncts where;
  std::optional<Conjuncts> hits;  // of a ratio: what holds of the events that count, besides `where`
  std::set<std::string> kinds;    // of tokens
  Duration window{};
  bool is_rate = false;
  double scale = 1;
  std::set<std::string> labels;              // that tell its series apart
  std::map<std::string, std::string> fixed;  // the labels of which there is one value only
};

struct Figure {
  enum class Kind : std::uint8_t { number, counted, binary };
  Kind kind = Kind::number;
  double number = 0;
  Counted counted;
  char op = '+';
  std::vector<Figure> children;
};

struct Comparison {
  Figure left;
  std::string op;
  Figure right;
};

bool is_comparison(std::string_view op) {
  return op == "<" || op == "<=" || op == ">" || op == ">=" || op == "==" || op == "!=";
}

bool holds(double left, std::string_view op, double right) {
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return left > right;
  return left >= right;
}

double arithmetic(double left, char op, double right) {
  switch (op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    default:
      return left / right;
  }
}

// As a text of the rule language.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
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
                    "' looks at another time; compare with the past: baseline: {range: 24h}");
    }
    if (selector.kind != Kind::selector || !selector.range) {
      return refuse(node.name + "() needs a metric and a range, such as " + node.name +
                    "(tocsin_agent_tool_calls_total[1h])");
    }
    Figure figure;
    figure.kind = Figure::Kind::counted;
    Counted& counted = figure.counted;
    counted.metric = std::find_if(std::begin(agent_metrics), std::end(agent_metrics),
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
        return refuse("the pattern " + quoted(matcher.value) + " of '" + label +
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
      conjunct.text += (is_negative ? " != " : " == ") + quoted(words[0]);
    } else {
      conjunct.text += " in [";
      for (const std::string& word : words) conjunct.text += (word == words[0] ? "" : ", ") + quoted(word);
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

// ---- From figures to the keys of a rule.

struct RuleKeys {
  EventType from = EventType::step;
  std::vector<std::string> group_by;
  std::string where;
  std::vector<std::pair<std::string, std::string>> values;  // the first is called `value`
  Duration window{};
  std::string when;
  std::string value;  // what `$value` stands for
  bool value_is_money = false;
  bool holds_without_traffic = false;
  std::map<std::string, std::string> labels;  // of its series, where each has one value only
  std::set<std::string> notes;
};

// In decimal digits, as many as tell the number apart: the rule language has no exponents.
std::string text_of(double number) {
  std::array<char, 400> digits{};  // the largest double has 309, and a sign
  const auto [end, code] =
      std::to_chars(digits.data(), digits.data() + digits.size(), number, std::chars_format::fixed);
  return code == std::errc{} ? std::string(digits.data(), end) : std::string("0");
}

std::string times(const std::string& text, double scale) {
  if (std::fabs(scale - 1) < 1e-12) return text;
  const double inverse = 1 / scale;
  if (std::fabs(scale) < 1 && std::fabs(inverse - std::round(inverse)) < 1e-9 * std::fabs(inverse)) {
    return text + " / " + text_of(std::round(inverse));
  }
  return text + " * " + text_of(scale);
}

std::string in_parentheses(const std::string& text) {
  return text.find(' ') != std::string::npos ? "(" + text + ")" : text;
}

std::string joined(const Conjuncts& conjuncts) {
  std::string text;
  for (const Conjunct& conjunct : conjuncts) {
    if (!text.empty()) text += " && ";
    const bool needs = conjuncts.size() > 1 && conjunct.text.find(" || ") != std::string::npos;
    text += needs ? "(" + conjunct.text + ")" : conjunct.text;
  }
  return text;
}

// Above an hour whole quarters, below it whole minutes.
Duration rounded_up(Duration window) {
  const Duration minutes = std::chrono::ceil<std::chrono::minutes>(window);
  return minutes > 1h ? (minutes + 15min - 1ms) / Duration(15min) * Duration(15min) : minutes;
}

class KeysMaker {
 public:
  explicit KeysMaker(const std::vector<Comparison>& comparisons) : comparisons_(comparisons) {}

  std::optional<RuleKeys> make(std::string& reason) {
    for (const Comparison& comparison : comparisons_) {
      collect(comparison.left);
      collect(comparison.right);
    }
    if (have_one_group() && have_one_window() && have_one_where()) {
      keys_.from = base_->metric->from;
      make_where();
      make_when();
    }
    reason = reason_;
    if (!reason_.empty()) return std::nullopt;
    return std::move(keys_);
  }

 private:
  bool refuse(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    return false;
  }

  // A ratio comes first, where there is one: `samples` and `hits` belong to the first value.
  void collect(const Figure& figure) {
    if (figure.kind == Figure::Kind::counted) {
      all_.push_back(&figure.counted);
      if (base_ == nullptr || (figure.counted.hits && !base_->hits)) base_ = &figure.counted;
    }
    for (const Figure& child : figure.children) collect(child);
  }

  static std::map<std::string, std::string> fixed_and_kept(const Counted& counted) {
    std::map<std::string, std::string> labels;
    for (const auto& [label, value] : counted.fixed) {
      if (label == counted.metric->label && counted.labels.contains(label)) labels.emplace(label, value);
    }
    return labels;
  }

  bool have_one_group() {
    for (const Counted* counted : all_) {
      if (counted->metric->from != base_->metric->from) {
        return refuse("it puts " + std::string(name_of(base_->metric->from)) + " and " +
                      std::string(name_of(counted->metric->from)) +
                      " together, and a rule counts events of one type; write a rule for each");
      }
      if (counted->labels != base_->labels || fixed_and_kept(*counted) != fixed_and_kept(*base_)) {
        return refuse("its figures have different labels; sum each of them by the same ones, such as (env, agent)");
      }
    }
    const std::string own(base_->metric->label);
    if (base_->labels.contains(own) && !base_->fixed.contains(own)) {
      return refuse("it compares each " + own +
                    " on its own, by which Tocsin does not group; sum by (env, agent), or name one " + own);
    }
    keys_.labels = fixed_and_kept(*base_);
    for (const char* label : {"env", "agent"}) {
      if (base_->labels.contains(label)) keys_.group_by.emplace_back(label);
    }
    if (base_->labels.contains("instance") || base_->labels.contains("job")) {
      keys_.notes.insert("of all processes together; the Prometheus rule compared those of each scrape");
    }
    for (const char* label : {"env", "agent"}) {
      if (base_->labels.empty() && base_->fixed.contains(label)) keys_.group_by.emplace_back(label);
    }
    if (!keys_.group_by.empty()) return true;
    return refuse(
        "it adds all agents up into one number, and a group of Tocsin's has a label; sum by (env) or (env, agent)");
  }

  bool have_one_window() {
    const Duration window = base_->window;
    keys_.window = rounded_up(window);
    if (window <= 0s) return refuse("its range is empty; write one such as [5m]");
    if (window > 24h) {
      return refuse("its window of " + to_text(window) +
                    " is longer than 24h; shorten it, or compare with the past: baseline: {range: 7d}");
    }
    for (const Counted* counted : all_) {
      if (counted->window != window) {
        return refuse(
            "it looks at " + to_text(window) + " and " + to_text(counted->window) +
            ", and a rule has one window; write a rule for each, or compare with the past: baseline: {range: 24h}");
      }
      if (keys_.window != window && !counted->is_rate && !counted->hits) {
        return refuse("its window of " + to_text(window) + " would become " + to_text(keys_.window) +
                      ", in which more is counted; write [" + to_text(keys_.window) + "] and a threshold for it");
      }
    }
    if (keys_.window != window) {
      keys_.notes.insert(
          fmt::format("the window of {} became {}: whole minutes up to 1h, above whole quarters of an hour",
                      to_text(window), to_text(keys_.window)));
    }
    return true;
  }

  bool is_of_hits(const Counted& counted) const {
    if (!base_->hits || counted.hits || counted.metric->measure != Measure::count) return false;
    Conjuncts both = base_->where;
    both.insert(base_->hits->begin(), base_->hits->end());
    return counted.where == both;
  }

  bool have_one_where() {
    for (const Counted* counted : all_) {
      if (!std::isfinite(counted->scale)) return refuse("a factor in it is no number; write it in decimal digits");
      if (counted->where != base_->where && !is_of_hits(*counted)) {
        return refuse(
            "its figures count different events, and a rule has one where:; write a rule for each, or a share: some "
            "events / all of them");
      }
    }
    return true;
  }

  static std::vector<std::pair<char, std::string_view>> fields_of(const Counted& counted) {
    if (counted.metric->measure == Measure::cost) return {{'+', "cost"}};
    if (counted.metric->measure != Measure::tokens) return {};
    std::vector<std::pair<char, std::string_view>> fields;
    const bool cached = counted.kinds.contains("input_cached");
    if (counted.kinds.contains("input_uncached")) {
      fields.emplace_back('+', "tokens_in");
      if (!cached) fields.emplace_back('-', "tokens_cached");
    } else if (cached) {
      fields.emplace_back('+', "tokens_cached");
    }
    if (counted.kinds.contains("output")) fields.emplace_back('+', "tokens_out");
    return fields;
  }

  // A step that has one of these is a model call.
  static bool tells_model_calls(const Counted& counted) {
    const auto fields = fields_of(counted);
    return !fields.empty() && std::all_of(fields.begin(), fields.end(), [](const auto& field) {
      return field.second == "cost" || field.second == "tokens_in" || field.second == "tokens_out";
    });
  }

  void make_where() {
    Conjuncts where = base_->where;
    const auto has = [&](std::string_view field) {
      return std::any_of(where.begin(), where.end(), [&](const Conjunct& one) { return one.field == field; });
    };
    // Metrics count no events without an agent.
    const bool by_agent = std::find(keys_.group_by.begin(), keys_.group_by.end(), "agent") != keys_.group_by.end();
    if (!by_agent && !has("agent")) where.insert({"has(agent)", {}});
    if (has("outcome")) where.erase({std::string(has_outcome), {}});
    const bool is_told =
        std::all_of(all_.begin(), all_.end(), [](const Counted* c) { return tells_model_calls(*c); });
    if (is_told) where.erase({std::string(model_call), {}});
    keys_.where = joined(where);
  }

  // The name of what is measured so; a new one where nothing is yet.
  std::string name_of_value(const std::string& measure, const std::string& hint) {
    for (const auto& [name, known] : keys_.values) {
      if (known == measure) return name;
    }
    std::string name = keys_.values.empty() ? "value" : hint;
    const auto is_taken = [&] {
      return std::any_of(keys_.values.begin(), keys_.values.end(),
                         [&](const auto& value) { return value.first == name; });
    };
    for (int number = 2; is_taken(); ++number) name = hint + std::to_string(number);
    keys_.values.emplace_back(name, measure);
    return name;
  }

  // The function of a measure, and what is left of the scale.
  static std::pair<std::string, double> rate_of(double scale) {
    for (const auto& [per, function] : {std::pair(1.0, "rate"), std::pair(60.0, "per_minute"),
                                        std::pair(3'600.0, "per_hour"), std::pair(86'400.0, "per_day")}) {
      if (std::fabs(scale - per) < 1e-9 * per) return {function, 1};
    }
    return {"rate", scale};
  }

  std::string text(const Counted& counted) {
    if (counted.hits) return times(name_of_value("ratio(" + joined(*counted.hits) + ")", "share"), counted.scale);
    const double seconds = std::chrono::duration<double>(keys_.window).count();
    if (base_->hits) {  // the first value has counted them already
      return times(is_of_hits(counted) ? "hits" : "samples",
                   counted.is_rate ? counted.scale / seconds : counted.scale);
    }
    const auto [rate, rest] = rate_of(counted.scale);
    const double scale = counted.is_rate ? rest : counted.scale;
    if (counted.metric->measure == Measure::count) {
      return times(name_of_value(counted.is_rate ? rate + "(count())" : "count()", "count"), scale);
    }
    std::string sum;
    const auto fields = fields_of(counted);
    for (const auto& [sign, field] : fields) {
      if (!sum.empty()) sum += std::string(" ") + sign + ' ';
      sum += name_of_value((counted.is_rate ? rate : "sum") + "(" + std::string(field) + ")", std::string(field));
    }
    return fields.size() == 1 || scale == 1 ? times(sum, scale) : times(in_parentheses(sum), scale);
  }

  std::string text(const Figure& figure) {
    if (figure.kind == Figure::Kind::number) return text_of(figure.number);
    if (figure.kind == Figure::Kind::counted) return text(figure.counted);
    if (figure.op == '/' && figure.children[1].kind != Figure::Kind::number) {
      keys_.notes.insert("divided by 0 it is unknown, and neither fires nor resolves; in PromQL it is infinite");
    }
    const std::string left = text(figure.children[0]);
    return in_parentheses(left) + ' ' + figure.op + ' ' + in_parentheses(text(figure.children[1]));
  }

  static bool is_money(const Figure& figure) {
    if (figure.kind == Figure::Kind::counted) return figure.counted.metric->measure == Measure::cost;
    if (figure.kind == Figure::Kind::number) return false;
    const bool left = is_money(figure.children[0]), right = is_money(figure.children[1]);
    return figure.op == '/' ? left && !right : left || right;
  }

  // As it is when nothing happens.
  static double quiet(const Figure& figure) {
    if (figure.kind == Figure::Kind::number) return figure.number;
    if (figure.kind == Figure::Kind::counted) {
      return figure.counted.hits ? std::numeric_limits<double>::quiet_NaN() : 0;
    }
    return arithmetic(quiet(figure.children[0]), figure.op, quiet(figure.children[1]));
  }

  void make_when() {
    if (base_->hits) text(*base_);
    keys_.holds_without_traffic = true;
    for (const Comparison& comparison : comparisons_) {
      const std::string left = text(comparison.left);
      if (keys_.when.empty()) {
        keys_.value = left;
        keys_.value_is_money = is_money(comparison.left);
      } else {
        keys_.when += " && ";
      }
      keys_.when += left + ' ' + comparison.op + ' ' + text(comparison.right);
      keys_.holds_without_traffic =
          keys_.holds_without_traffic && holds(quiet(comparison.left), comparison.op, quiet(comparison.right));
    }
  }

  const std::vector<Comparison>& comparisons_;
  std::vector<const Counted*> all_;
  const Counted* base_ = nullptr;
  RuleKeys keys_;
  std::string reason_;
};

// ---- Texts.

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

// A scalar as it stands in YAML, also within {} and []: without quotes where it needs none.
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

// ---- Files.

class Import {
 public:
  Import(const NamedText& file, std::ostream& err) : file_(file.file), err_(err) {}

  void group(const YamlNode& node) {
    const YamlNode* name = node.find("name");
    const YamlNode* rules = node.find("rules");
    if (rules == nullptr || !rules->is_list())
      return refuse(node.at, name != nullptr ? name->scalar : "(no name)",
                    "this group has no list of rules; see promtool check rules");
    std::string texts;
    for (const YamlNode& one : rules->items) {
      std::string reason;
      const auto text = rule(one, node.find("labels"), reason);
      if (text) {
        texts += *text;
        ++carried_;
      } else {
        refuse(one.at, name_of_rule(one), reason);
      }
    }
    if (texts.empty()) return;
    for (const YamlNode& key : node.keys) {
      if (key.scalar == "name" || key.scalar == "rules" || key.scalar == "labels") continue;
      text_ += "# " + key_text(key.scalar) + " did not come over" +
               (key.scalar == "interval" ? ": rules are looked at every 10 s\n" : "\n");
    }
    text_ += "- name: " + yaml(name != nullptr ? name->scalar : "imported") + "\n  rules:\n" + texts;
  }

  std::string text() const {
    if (text_.empty()) return "groups: []\n";
    return "# Written by tocsin import. Each of these alerts is a page; say actions: [investigate] where it should "
           "not be.\ngroups:\n" +
           text_;
  }

  int finish() {
    err_ << carried_ << " rules carried over, " << refused_ << " not\n";
    return refused_ > 0 ? 1 : 0;
  }

 private:
  void refuse(SourcePosition at, const std::string& name, const std::string& reason) {
    ++refused_;
    err_ << file_ << ':' << at.line << ": " << name << ": " << reason << '\n';
  }

  // A key that somebody wrote, in a comment of one line.
  static std::string key_text(const std::string& key) {
    return std::all_of(key.begin(), key.end(), [](char c) { return is_letter(c); }) ? key : "another key";
  }

  static std::string name_of_rule(const YamlNode& node) {
    for (const char* key : {"alert", "record"}) {
      if (const YamlNode* name = node.find(key)) return name->scalar;
    }
    return "(no name)";
  }

  std::optional<std::string> rule(const YamlNode& node, const YamlNode* group_labels, std::string& reason) {
    const auto refuse_it = [&](std::string why) {
      reason = std::move(why);
      return std::nullopt;
    };
    if (!node.is_map()) return refuse_it("this is no rule; see promtool check rules");
    if (node.find("record") != nullptr) {
      return refuse_it(
          "a recording rule makes a series of Prometheus'; a rule of Tocsin's adds events up itself, so leave it "
          "there");
    }
    const YamlNode* alert = node.find("alert");
    const YamlNode* expression = node.find("expr");
    if (alert == nullptr || expression == nullptr || !alert->is_scalar() || !expression->is_scalar()) {
      return refuse_it("it has no alert or no expr; see promtool check rules");
    }
    constexpr std::string_view known[] = {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"};
    for (const YamlNode& key : node.keys) {
      if (std::find(std::begin(known), std::end(known), key.scalar) == std::end(known)) {
        return refuse_it("'" + key.scalar + "' is no key of a Prometheus rule; see promtool check rules");
      }
    }
    const auto tree = PromqlParser(expression->scalar).parse(reason);
    if (!tree) return std::nullopt;
    FigureReader reader;
    const auto comparisons = reader.read(*tree, reason);
    if (!comparisons) return std::nullopt;
    auto keys = KeysMaker(*comparisons).make(reason);
    if (!keys) return std::nullopt;
    keys->notes.insert(reader.notes().begin(), reader.notes().end());
    const auto text = rule_text(node, group_labels, *keys, reason);
    if (!text || !loads(*text, reason)) return std::nullopt;
    const auto [first, is_new] = names_.try_emplace(alert->scalar, node.at.line);
    if (!is_new) {
      return refuse_it(fmt::format(
          "line {} has an alert of that name already; names are unique in Tocsin, so rename one", first->second));
    }
    return text;
  }

  static std::optional<std::string> rule_text(const YamlNode& node, const YamlNode* group_labels,
                                              const RuleKeys& keys, std::string& reason) {
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

  static bool add_labels(const YamlNode* own, const YamlNode* of_group, const RuleKeys& keys, std::string& text,
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

  static bool add_annotations(const YamlNode* node, const RuleKeys& keys, std::string& text, std::string& reason) {
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

  // Whatever was overlooked here, nothing leaves that `tocsin check` would refuse.
  static bool loads(const std::string& text, std::string& reason) {
    const NamedText file{"imported", "groups:\n- name: imported\n  rules:\n" + text};
    Diagnostics diagnostics;
    if (load_rules(std::span(&file, 1), diagnostics) != nullptr) return true;
    for (const Diagnostic& one : diagnostics.all()) {
      if (one.severity != Severity::error) continue;
      reason = "as a rule of Tocsin's it would have a mistake: " + one.message;
      break;
    }
    return false;
  }

  std::string file_;
  std::ostream& err_;
  std::string text_;
  std::map<std::string, std::uint32_t> names_;  // of the alerts that came over, with their lines
  int carried_ = 0, refused_ = 0;
};

int unreadable(const Diagnostics& diagnostics, std::ostream& err) {
  for (const Diagnostic& one : diagnostics.sorted()) err << to_text(one) << '\n';
  return 2;
}

}  // namespace

int run_import(const NamedText& file, std::ostream& out, std::ostream& err) {
  Diagnostics diagnostics;
  const auto root = parse_yaml(file, diagnostics);
  if (!root || diagnostics.has_errors()) return unreadable(diagnostics, err);
  const YamlNode* groups = root->find("groups");
  if (groups == nullptr || !groups->is_list()) {
    diagnostics.error(file.file, root->at, "wrong-type",
                      "a file of Prometheus' rules has a list 'groups' of names and rules");
    return unreadable(diagnostics, err);
  }
  Import import(file, err);
  for (const YamlNode& group : groups->items) import.group(group);
  out << import.text();
  return import.finish();
}

int run_import(const ImportOptions& options) {
  Diagnostics diagnostics;
  const auto files = read_yaml_files({options.prometheus}, diagnostics);
  if (files.size() > 1) diagnostics.error(options.prometheus, {}, "unreadable", "this is a folder; name one file");
  if (diagnostics.has_errors()) return unreadable(diagnostics, std::cerr);
  return run_import(files.front(), std::cout, std::cerr);
}

}  // namespace tocsin
