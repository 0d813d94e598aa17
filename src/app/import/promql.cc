#include "app/import/promql.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <utility>

#include "base/ascii.h"
#include "base/time_text.h"

namespace tocsin::prometheus {

namespace {

using Kind = Promql::Kind;

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

}  // namespace

std::optional<Promql> parse_promql(std::string_view text, std::string& reason) {
  return PromqlParser(text).parse(reason);
}

}  // namespace tocsin::prometheus
