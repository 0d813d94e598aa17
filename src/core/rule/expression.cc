#include "core/rule/expression.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/time_text.h"

namespace tocsin {

namespace {

using Kind = Expression::Kind;
using Operator = Expression::Operator;

constexpr std::size_t most_bytes = 4'096;
constexpr int most_levels = 64;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct Token {
  enum class Kind : std::uint8_t { end, number, duration, text, name, symbol, bad };
  Kind kind = Kind::end;
  std::uint32_t offset = 0;
  std::string text;  // of a symbol, name or text; of a bad token what is wrong with it
  double number = 0;
};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Token next() {
    while (at_ < source_.size() && (source_[at_] == ' ' || source_[at_] == '\n' || source_[at_] == '\t')) ++at_;
    Token token;
    token.offset = static_cast<std::uint32_t>(at_);
    if (at_ >= source_.size()) return token;
    const char c = source_[at_];
    if (is_digit(c)) return read_number(token);
    if (is_letter(c)) return read_name(token);
    if (c == '"' || c == '\'') return read_text(token, c);
    return read_symbol(token);
  }

 private:
  Token read_number(Token token) {
    const char* begin = source_.data() + at_;
    const char* end = source_.data() + source_.size();
    // Without exponents: "1m" must be a duration, and "1e3" nothing.
    const auto [stop, code] = std::from_chars(begin, end, token.number, std::chars_format::fixed);
    if (code != std::errc{} || !std::isfinite(token.number)) return bad(token, "this is not a number");
    at_ += static_cast<std::size_t>(stop - begin);
    if (at_ < source_.size() && is_letter(source_[at_])) {
      std::size_t last = at_;
      while (last < source_.size() && (is_letter(source_[last]) || is_digit(source_[last]))) ++last;
      const std::string_view whole(begin, static_cast<std::size_t>(source_.data() + last - begin));
      const auto duration = parse_duration(whole);
      at_ = last;
      if (!duration) {
        const bool has_exponent = source_[at_ - whole.size() + static_cast<std::size_t>(stop - begin)] == 'e';
        return bad(token, "'" + std::string(whole) + "' is neither a number nor a duration such as 30m" +
                              (has_exponent ? "; numbers have no exponent: write 1000" : ""));
      }
      token.kind = Token::Kind::duration;
      token.number = static_cast<double>(duration->count()) / 1'000;
      return token;
    }
    token.kind = Token::Kind::number;
    return token;
  }

  Token read_name(Token token) {
    const std::size_t begin = at_;
    while (at_ < source_.size() &&
           (is_letter(source_[at_]) || is_digit(source_[at_]) ||
            (source_[at_] == '.' && at_ + 1 < source_.size() && is_letter(source_[at_ + 1])))) {
      ++at_;
    }
    token.text = source_.substr(begin, at_ - begin);
    token.kind = Token::Kind::name;
    if (token.text == "and" || token.text == "or" || token.text == "not" || token.text == "in") {
      token.kind = Token::Kind::symbol;
      if (token.text == "and") token.text = "&&";
      if (token.text == "or") token.text = "||";
      if (token.text == "not") token.text = "!";
    }
    return token;
  }

  Token read_text(Token token, char quote) {
    ++at_;
    while (at_ < source_.size() && source_[at_] != quote) {
      if (source_[at_] == '\\' && at_ + 1 < source_.size()) ++at_;
      token.text += source_[at_++];
    }
    if (at_ >= source_.size()) return bad(token, "this text has no closing quote");
    ++at_;
    token.kind = Token::Kind::text;
    return token;
  }

  Token read_symbol(Token token) {
    for (const std::string_view symbol : {"&&", "||", "==", "!=", "<=", ">="}) {
      if (source_.substr(at_, 2) == symbol) {
        at_ += 2;
        token.kind = Token::Kind::symbol;
        token.text = symbol;
        return token;
      }
    }
    const char c = source_[at_];
    if (source_.substr(at_).starts_with("!~")) return bad(token, "write !matches(FIELD, \"...\") for '!~'");
    if (std::string_view("+-*/<>!()[],:").find(c) == std::string_view::npos) {
      if (source_.substr(at_).starts_with("=~")) return bad(token, "write matches(FIELD, \"...\") for '=~'");
      if (c == '=') return bad(token, "write '==' to compare");
      if (c == '%') return bad(token, "'%' has no meaning here; write 0.25 for 25 %");
      for (const auto& [sign, meant] :
           {std::pair("\u2265", ">="), std::pair("\u2264", "<="), std::pair("\u2260", "!="), std::pair("\u00d7", "*"),
            std::pair("\u2212", "-")}) {
        if (source_.substr(at_).starts_with(sign))
          return bad(token, "write '" + std::string(meant) + "' for this sign");
      }
      return bad(token,
                 c > ' ' && c < 127 ? "'" + std::string(1, c) + "' has no meaning here" : "unexpected character");
    }
    ++at_;
    token.kind = Token::Kind::symbol;
    token.text = std::string(1, c);
    return token;
  }

  Token bad(Token token, std::string message) {
    token.kind = Token::Kind::bad;
    token.text = std::move(message);
    return token;
  }

  std::string_view source_;
  std::size_t at_ = 0;
};

class Parser {
 public:
  explicit Parser(std::string_view source) : lexer_(source) { advance(); }

  std::optional<Expression> parse(ExpressionError& error) {
    auto expression = or_();
    if (expression && token_.kind != Token::Kind::end) {
      fail("an operator is missing before this");
      expression.reset();
    }
    if (!expression) error = error_;
    return expression;
  }

 private:
  using Maybe = std::optional<Expression>;

  void advance() { token_ = lexer_.next(); }
  bool is_symbol(std::string_view symbol) const {
    return token_.kind == Token::Kind::symbol && token_.text == symbol;
  }
  bool take(std::string_view symbol) {
    if (!is_symbol(symbol)) return false;
    advance();
    return true;
  }

  std::nullopt_t fail(std::string message) {
    if (error_.message.empty()) {
      if (token_.kind == Token::Kind::bad) message = token_.text;
      if (is_symbol(":")) message = "':' has no meaning here";
      error_ = {token_.offset, std::move(message)};
    }
    return std::nullopt;
  }

  static Expression binary(Operator op, std::uint32_t offset, Expression left, Expression right) {
    Expression node;
    node.kind = Kind::binary;
    node.op = op;
    node.offset = offset;
    node.children.push_back(std::move(left));
    node.children.push_back(std::move(right));
    return node;
  }

  static Maybe around(Kind kind, std::uint32_t offset, Maybe inner) {
    if (!inner) return std::nullopt;
    Expression node;
    node.kind = kind;
    node.offset = offset;
    node.children.push_back(std::move(*inner));
    return node;
  }

  // One level of left-associative operators.
  template <class Next>
  Maybe chain(Next next, std::initializer_list<std::pair<std::string_view, Operator>> operators) {
    Maybe left = next();
    for (bool more = true; left && more;) {
      more = false;
      for (const auto& [symbol, op] : operators) {
        const std::uint32_t offset = token_.offset;
        if (!take(symbol)) continue;
        Maybe right = next();
        if (!right) return std::nullopt;
        left = binary(op, offset, std::move(*left), std::move(*right));
        more = true;
        break;
      }
    }
    return left;
  }

  Maybe or_() {
    return chain([this] { return and_(); }, {{"||", Operator::or_}});
  }
  Maybe and_() {
    return chain([this] { return not_(); }, {{"&&", Operator::and_}});
  }

  Maybe not_() {
    const std::uint32_t offset = token_.offset;
    if (!take("!")) return compare();
    if (++level_ > most_levels) return fail("this expression is nested too deeply");
    Maybe inner = not_();
    --level_;
    return around(Kind::not_, offset, std::move(inner));
  }

  Maybe compare() {
    Maybe left = sum();
    if (!left) return std::nullopt;
    const std::uint32_t offset = token_.offset;
    for (const auto& [symbol, op] :
         std::initializer_list<std::pair<std::string_view, Operator>>{{"==", Operator::equal},
                                                                      {"!=", Operator::unequal},
                                                                      {"<=", Operator::less_equal},
                                                                      {">=", Operator::greater_equal},
                                                                      {"<", Operator::less},
                                                                      {">", Operator::greater},
                                                                      {"in", Operator::in}}) {
      if (!take(symbol)) continue;
      Maybe right = op == Operator::in ? list("'in' needs a list such as [\"errored\", \"timed_out\"]") : sum();
      if (!right) return std::nullopt;
      return binary(op, offset, std::move(*left), std::move(*right));
    }
    if (left->kind != Kind::name) return left;
    if (take("!")) return not_behind(std::move(*left), offset);
    return is_text_test() ? text_test(std::move(*left)) : left;
  }

  bool is_text_test() const {
    return token_.kind == Token::Kind::name &&
           std::find(text_tests.begin(), text_tests.end(), token_.text) != text_tests.end();
  }

  // tool starts_with "db.": the same as starts_with(tool, "db.").
  Maybe text_test(Expression field) {
    Expression node;
    node.kind = Kind::call;
    node.offset = token_.offset;
    node.text = token_.text;
    advance();
    Maybe text = sum();
    if (!text) return std::nullopt;
    node.children.push_back(std::move(field));
    node.children.push_back(std::move(*text));
    return node;
  }

  // tool not in ["a", "b"], tool not contains "x".
  Maybe not_behind(Expression field, std::uint32_t offset) {
    Maybe test;
    if (take("in")) {
      Maybe items = list("'not in' needs a list such as [\"errored\", \"timed_out\"]");
      if (items) test = binary(Operator::in, offset, std::move(field), std::move(*items));
    } else if (is_text_test()) {
      test = text_test(std::move(field));
    } else {
      return fail("an operator is missing before this");
    }
    return around(Kind::not_, offset, std::move(test));
  }

  Maybe sum() {
    return chain([this] { return term(); }, {{"+", Operator::add}, {"-", Operator::subtract}});
  }
  Maybe term() {
    return chain([this] { return unary(); }, {{"*", Operator::multiply}, {"/", Operator::divide}});
  }

  Maybe unary() {
    const std::uint32_t offset = token_.offset;
    if (!take("-")) return primary();
    if (++level_ > most_levels) return fail("this expression is nested too deeply");
    Maybe inner = unary();
    --level_;
    return around(Kind::negate, offset, std::move(inner));
  }

  Maybe list(std::string missing) {
    Expression node;
    node.kind = Kind::list;
    node.offset = token_.offset;
    if (!take("[")) return fail(missing);
    while (!is_symbol("]")) {
      Maybe item = primary();
      if (!item) return std::nullopt;
      node.children.push_back(std::move(*item));
      if (!take(",") && !is_symbol("]")) return fail("',' or ']' is missing here");
    }
    advance();
    return node;
  }

  Maybe primary() {
    Expression node;
    node.offset = token_.offset;
    node.text = token_.text;
    node.number = token_.number;
    switch (token_.kind) {
      case Token::Kind::number:
        node.kind = Kind::number;
        advance();
        return node;
      case Token::Kind::duration:
        node.kind = Kind::duration;
        advance();
        return node;
      case Token::Kind::text:
        node.kind = Kind::text;
        advance();
        return node;
      case Token::Kind::name:
        advance();
        if (node.text == "true" || node.text == "false") {
          node.kind = Kind::boolean;
          node.number = node.text == "true" ? 1 : 0;
          return node;
        }
        node.kind = Kind::name;
        return is_symbol("(") ? call(std::move(node)) : Maybe(std::move(node));
      case Token::Kind::symbol:
        if (is_symbol("(")) return parenthesized();
        return fail("a value is missing before '" + token_.text + "'");
      case Token::Kind::end:
        return fail("a value is missing at the end");
      case Token::Kind::bad:
        break;
    }
    return fail("unexpected character");
  }

  Maybe parenthesized() {
    if (++level_ > most_levels) return fail("this expression is nested too deeply");
    advance();
    Maybe inner = or_();
    --level_;
    if (!inner) return std::nullopt;
    if (!take(")")) return fail("')' is missing here");
    return inner;
  }

  Maybe call(Expression node) {
    node.kind = Kind::call;
    if (++level_ > most_levels) return fail("this expression is nested too deeply");
    advance();
    while (!is_symbol(")")) {
      Maybe argument = or_();
      if (argument && argument->kind == Kind::name && is_symbol(":")) argument = named(std::move(*argument));
      if (!argument) return std::nullopt;
      node.children.push_back(std::move(*argument));
      if (!take(",") && !is_symbol(")")) return fail("',' or ')' is missing here");
    }
    --level_;
    advance();
    return node;
  }

  // of: [env, agent]
  Maybe named(Expression name) {
    advance();
    Maybe value = list("a list of labels is needed here, such as [env]");
    if (!value) return std::nullopt;
    name.kind = Kind::named;
    name.children.push_back(std::move(*value));
    return name;
  }

  Lexer lexer_;
  Token token_;
  ExpressionError error_;
  int level_ = 0;
};

}  // namespace

std::optional<Expression> parse_expression(std::string_view text, ExpressionError& error) {
  if (text.size() > most_bytes) {
    error = {0, "this expression is longer than 4 KiB"};
    return std::nullopt;
  }
  return Parser(text).parse(error);
}

std::string_view symbol_of(Operator op) {
  switch (op) {
    case Operator::or_:
      return "||";
    case Operator::and_:
      return "&&";
    case Operator::equal:
      return "==";
    case Operator::unequal:
      return "!=";
    case Operator::less:
      return "<";
    case Operator::less_equal:
      return "<=";
    case Operator::greater:
      return ">";
    case Operator::greater_equal:
      return ">=";
    case Operator::in:
      return "in";
    case Operator::add:
      return "+";
    case Operator::subtract:
      return "-";
    case Operator::multiply:
      return "*";
    case Operator::divide:
      return "/";
    case Operator::none:
      break;
  }
  return "";
}

}  // namespace tocsin
