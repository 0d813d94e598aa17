#include "core/rule/template_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/diagnostic.h"
#include "base/figures.h"

namespace tocsin {

namespace {

constexpr std::size_t longest_text = 1'024;  // PagerDuty's limit of a summary; the strictest of the receivers

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Cuts at a character's beginning, never inside one.
void cut(std::string& text) {
  if (text.size() <= longest_text) return;
  std::size_t end = longest_text;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
}

}  // namespace

bool TemplateText::compile(std::string_view text, const ConditionScope& scope, const std::vector<std::string>& labels,
                           TemplateText& out, ExpressionError& error) {
  TemplateText result;
  const auto fail = [&](std::size_t offset, std::string message) {
    error = {static_cast<std::uint32_t>(offset), std::move(message)};
    return false;
  };
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = text.find("{{", at);
    Part literal;
    literal.text = text.substr(at, open == std::string_view::npos ? open : open - at);
    if (!literal.text.empty()) result.parts_.push_back(std::move(literal));
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find("}}", open);
    if (close == std::string_view::npos) return fail(open, "'{{' has no '}}'");
    std::string_view inner = text.substr(open + 2, close - open - 2);
    at = close + 2;

    Part part;
    const std::size_t bar = inner.rfind('|');
    if (bar != std::string_view::npos && (bar == 0 || inner[bar - 1] != '|')) {
      const std::string_view filter = trimmed(inner.substr(bar + 1));
      const std::vector<std::string_view> filters{"", "usd", "x", "percent", "duration"};
      const auto found = std::find(filters.begin() + 1, filters.end(), filter);
      if (found == filters.end()) {
        return fail(open, "'" + std::string(filter) + "' is no filter; use usd, x, percent or duration");
      }
      part.filter = static_cast<Filter>(found - filters.begin());
      inner = inner.substr(0, bar);
    }
    std::string_view name = trimmed(inner);
    if (name.starts_with("$labels.")) name.remove_prefix(8);
    if (std::find(labels.begin(), labels.end(), name) != labels.end()) {
      part.text = name;
      part.is_label = true;
      result.parts_.push_back(std::move(part));
      continue;
    }
    ExpressionError inner_error;
    const auto expression = parse_expression(inner, inner_error);
    part.is_number = true;
    if (!expression || !Condition::compile(*expression, scope, true, part.number, inner_error)) {
      const std::vector<std::string_view> names(labels.begin(), labels.end());
      return fail(open + 2 + inner_error.offset, inner_error.message + did_you_mean(name, names));
    }
    result.parts_.push_back(std::move(part));
  }
  out = std::move(result);
  return true;
}

bool TemplateText::has_numbers() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.is_number; });
}

std::string TemplateText::format(double number, Filter filter, Unit unit) {
  if (is_unknown(number)) return "unknown";
  if (filter == Filter::none && unit == Unit::money) filter = Filter::usd;
  if (filter == Filter::none && unit == Unit::duration) filter = Filter::duration;
  switch (filter) {
    case Filter::usd:
      return dollar_figure(number);
    case Filter::times:
      return fmt::format("{:.1f}x", number);
    case Filter::percent:
      return fmt::format("{:.1f} %", number * 100);
    case Filter::duration:
      return duration_figure(number);
    case Filter::none:
      break;
  }
  return plain_figure(number);
}

std::string TemplateText::render(const LabelOf& label, const InputOf& input) const {
  std::string text;
  for (const Part& part : parts_) {
    if (part.is_number) {
      std::vector<double> inputs;
      for (const Variable& variable : part.number.variables()) inputs.push_back(input(variable));
      text += format(part.number.number(inputs.data()), part.filter, part.number.unit());
    } else {
      text += part.is_label ? label(part.text) : std::string_view(part.text);
    }
  }
  cut(text);
  return text;
}

}  // namespace tocsin
