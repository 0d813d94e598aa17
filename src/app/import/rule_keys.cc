#include "app/import/rule_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <string_view>

#include "base/time_text.h"

namespace tocsin::prometheus {

namespace {

using namespace std::chrono_literals;

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

}  // namespace

std::optional<RuleKeys> keys_of(const std::vector<Comparison>& comparisons, std::string& reason) {
  return KeysMaker(comparisons).make(reason);
}

}  // namespace tocsin::prometheus
