// What an expression measures: figures, each over the events of one type, and how they are put together.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "app/import/agent_metrics.h"
#include "app/import/promql.h"

namespace tocsin::prometheus {

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

// The comparisons that must all hold; nothing, and the reason, where the tree is more than a threshold. `notes`: what
// is not quite the same.
std::optional<std::vector<Comparison>> read_figures(const Promql& node, std::set<std::string>& notes,
                                                    std::string& reason);

inline bool holds(double left, std::string_view op, double right) {
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return left > right;
  return left >= right;
}

inline double arithmetic(double left, char op, double right) {
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

}  // namespace tocsin::prometheus
