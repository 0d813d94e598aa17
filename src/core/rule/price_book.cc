#include "core/rule/price_book.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/time_text.h"

namespace tocsin {

namespace {

constexpr double most_dollars = 100'000;  // for a million tokens
constexpr std::size_t longest_model = 200;
constexpr std::size_t most_models = 20'000;
constexpr std::int64_t per = 1'000'000;

// "gpt-4o-2024-08-06" and "claude-sonnet-4-20250514" without their days; the name itself where it ends otherwise.
std::string_view without_day(std::string_view name) {
  const auto is_digits = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  for (const char separator : {'-', '@'}) {
    const std::size_t at = name.rfind(separator);
    if (at != std::string_view::npos && at > 0 && name.size() - at == 9 && is_digits(name.substr(at + 1))) {
      return name.substr(0, at);
    }
  }
  if (name.size() > 11) {
    const std::string_view day = name.substr(name.size() - 11);
    if (day[0] == '-' && day[5] == '-' && day[8] == '-' && is_digits(day.substr(1, 4)) &&
        is_digits(day.substr(6, 2)) && is_digits(day.substr(9, 2))) {
      return name.substr(0, name.size() - 11);
    }
  }
  return name;
}

// Where nobody says more: by what a million tokens of output cost.
std::string_view tier_of(const Price& price) {
  constexpr std::int64_t dollar = 1'000'000;
  return price.output <= dollar ? "economy" : price.output <= 12 * dollar ? "standard" : "premium";
}

}  // namespace

CallCost CallCost::of(std::int64_t other_total) const {
  const double scale = total > 0 ? static_cast<double>(other_total) / static_cast<double>(total) : 0;
  const auto share = [&](std::int64_t part) { return static_cast<std::int64_t>(static_cast<double>(part) * scale); };
  CallCost scaled{other_total, std::min(share(cached), other_total), 0};
  scaled.output = std::min(share(output), other_total - scaled.cached);
  return scaled;
}

std::optional<CallCost> cost_of(const TokenCounts& tokens, const Price& price) {
  // A call has at most 10^9 tokens, a token costs at most 10^5 micro-dollars: the sum fits.
  constexpr std::int64_t most_tokens = 1'000'000'000;
  for (const std::int64_t count : {tokens.in, tokens.cached, tokens.written, tokens.out}) {
    if (count < 0 || count > most_tokens) return std::nullopt;
  }
  // Where the input is less than what it should hold, it was written without it.
  const std::int64_t apart = tokens.cached + tokens.written;
  const std::int64_t plain = apart > tokens.in ? tokens.in : tokens.in - apart;
  const double cached = static_cast<double>(tokens.cached) * static_cast<double>(price.cached_input);
  const double output = static_cast<double>(tokens.out) * static_cast<double>(price.output);
  const double total = static_cast<double>(plain) * static_cast<double>(price.input) + cached +
                       static_cast<double>(tokens.written) * static_cast<double>(price.cache_write) + output;
  constexpr double exact = 9e15;  // integers up to here are exact in a double
  if (total > exact) return std::nullopt;
  const auto rounded = [](double sum) { return (static_cast<std::int64_t>(sum) + per / 2) / per; };
  // The parts are rounded down, so that they are never more than the whole.
  const auto down = [](double sum) { return static_cast<std::int64_t>(sum) / per; };
  return CallCost{rounded(total), down(cached), down(output)};
}

void PriceBook::read(const YamlNode& list, const std::string& file, Diagnostics& diagnostics) {
  for (const YamlNode& node : list.items) {
    YamlReader reader(node, file, "price", diagnostics);
    if (!reader.is_map()) continue;
    for (const char* key : {"model", "input", "output"}) reader.require(key);
    const auto names = reader.texts("model");
    const auto money = [&](const char* key) -> std::optional<std::int64_t> {
      const auto dollars = reader.number(key, 0, most_dollars);
      return dollars ? std::optional(std::llround(*dollars * 1e6)) : std::nullopt;
    };
    Price price;
    price.input = money("input").value_or(0);
    price.cached_input = money("cached_input").value_or(price.input);
    price.cache_write = money("cache_write").value_or(price.input);
    price.output = money("output").value_or(0);
    price.tier = reader.text("tier").value_or(std::string(tier_of(price)));
    if (const auto day = reader.text("from")) {
      const auto time = parse_rfc3339(*day + "T00:00:00Z");
      if (!time) reader.error(*node.find("from"), "bad-value", "'from' is a day, written as \"2026-01-31\"");
      if (time) price.from = *time;
    }
    for (const std::string& name : names.value_or(std::vector<std::string>{}))
      add(name, price, node, file, diagnostics);
  }
}

void PriceBook::add(std::string name, const Price& price, const YamlNode& node, const std::string& file,
                    Diagnostics& diagnostics) {
  const bool is_beginning = name.ends_with('*');
  if (is_beginning) name.pop_back();
  if (name.empty() || name.size() > longest_model || name.find('*') != std::string::npos) {
    diagnostics.error(file, node.at, "bad-value",
                      "a model is named as it is, or by its beginning with one * at its end: \"gpt-4o-mini*\"");
    return;
  }
  if (count_ >= most_models) {
    diagnostics.error(file, node.at, "too-many", "there are 20000 names with prices already, which is the limit");
    return;
  }
  Prices& prices = (is_beginning ? beginnings_ : exact_)[name];
  if (std::any_of(prices.begin(), prices.end(), [&](const Price& known) { return known.from == price.from; })) {
    diagnostics.error(
        file, node.at, "repeated-price",
        "'" + name + (is_beginning ? "*" : "") + "' has a price from the same day on already; keep one");
    return;
  }
  ++count_;
  prices.push_back(price);
  std::sort(prices.begin(), prices.end(), [](const Price& a, const Price& b) { return a.from < b.from; });
  if (is_beginning) longest_beginning_ = std::max(longest_beginning_, name.size());
}

const PriceBook::Prices* PriceBook::prices_of(std::string_view model) const {
  if (const auto found = exact_.find(model); found != exact_.end()) return &found->second;
  for (std::size_t size = std::min(model.size(), longest_beginning_); size > 0; --size) {
    const auto found = beginnings_.find(model.substr(0, size));
    if (found != beginnings_.end()) return &found->second;
  }
  return nullptr;
}

const Price* PriceBook::find(std::string_view model, EventTime at) const {
  if (model.empty() || model.size() > longest_model) return nullptr;
  const Prices* prices = nullptr;
  for (std::string_view name = model; prices == nullptr;) {
    prices = prices_of(name);
    if (prices == nullptr) prices = prices_of(without_day(name));
    const std::size_t slash = name.find('/');
    if (prices != nullptr || slash == std::string_view::npos) break;
    name.remove_prefix(slash + 1);
  }
  if (prices == nullptr) return nullptr;
  const Price* latest = nullptr;
  for (const Price& price : *prices) {
    if (price.from <= at) latest = &price;
  }
  return latest;
}

}  // namespace tocsin
