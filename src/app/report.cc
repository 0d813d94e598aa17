#include "app/report.h"

#include <fmt/format.h>

#include "base/figures.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

// "01-07 14:20:10": days and seconds are what people compare in a timeline.
std::string short_time(RecordTime time) {
  return to_rfc3339(time).substr(5, 14).replace(5, 1, " ");
}

std::string annotation(const AlertChange& change, const std::string& name) {
  for (const auto& [known, value] : change.annotations) {
    if (known == name) return value;
  }
  return {};
}

}  // namespace

std::string figure_text(double value, const std::string& unit, bool is_ratio) {
  if (is_unknown(value)) return "-";
  if (unit == "usd") return dollar_figure(value);
  if (unit == "seconds") return duration_figure(value);
  if (is_ratio) return fmt::format("{:.1f} %", value * 100);
  return plain_figure(value);
}

std::string line_of(const AlertChange& change) {
  std::string summary = annotation(change, "summary");
  if (!change.firing) summary = "(" + change.reason + ")";
  if (!change.halt.empty() && change.firing) summary = change.halt + ": " + summary;
  Labels group;
  for (const auto& label : change.labels) {
    if (label.first != "severity") group.push_back(label);
  }
  return fmt::format("{}  {:<8}  {:<25}  {}\n{:>27}{}\n", short_time(change.at),
                     change.firing ? "FIRING" : "resolved", change.alert, to_text(group), "", summary);
}

void ReplayReport::add(const AlertChange& change) {
  if (change.firing) {
    ++alerts_;
    if (change.sends_page) ++pages_;
  }
  text_ += line_of(change);
}

void ReplayReport::add(const HaltRecord& halt) {
  ++halts_;
  text_ += fmt::format("{}  {:<8}  {:<25}  {}\n{:>27}{}\n", short_time(as_record_time(halt.last_at)), "HALT",
                       halt.rule, halt.scope, "", halt.reason);
}

void ReplayReport::add(const DeadLetter& letter) {
  const auto [entry, is_new] = dead_letters_.try_emplace(std::string(name_of(letter.reason)));
  if (is_new) entry->second.first = letter.offset;
  ++entry->second.count;
}

void ReplayReport::finish(const StreamTotals& totals, const std::vector<RuleSight>& sight) {
  if (text_.empty()) text_ = "No alert and no halt.\n";
  text_ += fmt::format("\n{} alerts, {} pages, {} halts\n", alerts_, pages_, halts_);
  text_ += fmt::format(
      "{} records, {} events, {} tasks ({} handed to people), {} model calls, {} tool calls ({} failed)\n",
      totals.records, totals.events, totals.tasks, totals.surfaces, totals.model_calls, totals.tool_calls,
      totals.tool_errors);
  text_ += fmt::format(
      "{} tokens in ({} cached), {} out, cost {}\n", totals.tokens_in, totals.tokens_cached, totals.tokens_out,
      totals.cost_known ? fmt::format("${:.2f}", static_cast<double>(totals.cost) / 1e6) : std::string("unknown"));
  for (const auto& [reason, letters] : dead_letters_) {
    text_ += fmt::format("{} records not read: {}, the first is number {}\n", letters.count, reason, letters.first);
  }
  for (const auto& [model, count] : totals.unpriced) {
    text_ +=
        fmt::format("{} calls of {} without a cost: no price of it is known (see rules/prices.yaml)\n", count, model);
  }
  for (const auto& [pattern, count] : totals.findings) text_ += fmt::format("found {} times: {}\n", count, pattern);
  for (const RuleSight& rule : sight) {
    if (rule.warming + rule.blind + rule.undeclared == 0) continue;
    text_ += fmt::format(
        "{} could not see all of its groups: {} live, {} warming, {} with too few samples, {} without a "
        "declared bound\n",
        rule.alert, rule.live, rule.warming, rule.blind, rule.undeclared);
  }
}

}  // namespace tocsin
