// The topic `control`, as its readers fold it: which rules were proposed, which of them came into force, and when.
//
// A proposal has the number after the last one that is settled; others with that number come too late. It is decided
// once every source partition has promised to close nothing beyond some grid time until then: the decision is a grid
// time that no partition has passed, so all switch there. The very first one needs no decision.
//
// Thread: its owner's.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.h"
#include "base/named_text.h"
#include "base/yaml_tree.h"
#include "core/epoch/control_record.h"
#include "core/epoch/rule_epochs.h"

namespace tocsin {

// Rules, specs and patterns out of the same list of files, told apart by their keys. Null after a mistake.
struct RulesAndPatterns {
  std::shared_ptr<const RuleSet> rules;
  std::shared_ptr<const PatternLibrary> patterns;
};
RulesAndPatterns load_rules_and_patterns(std::span<const NamedText> files, Diagnostics& diagnostics,
                                         std::span<const NamedText> proven = {});
// Of files that have been parsed. `proven`: as for load_patterns().
RulesAndPatterns load_rules_and_patterns(std::vector<YamlFile> files, Diagnostics& diagnostics,
                                         std::span<const NamedText> proven = {});

class EpochBook {
 public:
  // Compiles the files of one proposal. Null members after a mistake.
  using Load = std::function<RulesAndPatterns(std::span<const NamedText> files, Diagnostics& diagnostics)>;
  // None: load_rules_and_patterns().
  explicit EpochBook(Load load = {}) : load_texts_(std::move(load)) {}

  // Folds one record. True where it changed what epochs() gives.
  bool apply(std::string_view key, std::string_view value);

  // Null before the first proposal is known.
  std::shared_ptr<const RuleEpochs> epochs() const { return epochs_; }

  // The number that the next proposal has; nothing while one is open.
  std::optional<std::int64_t> next_number() const;
  const std::optional<RuleProposal>& open() const { return open_; }
  // Rules of this hash have been in force, or were proposed.
  bool has_seen(const std::string& hash) const { return seen_.contains(hash); }
  // What became of the latest decision; empty where it was taken.
  const std::string& last_dropped() const { return last_dropped_; }
  // A text that need not be written again.
  bool has_file(const std::string& hash) const { return files_.contains(hash); }

  // Why rules that are in force can't be read by this version: it must not go on. Empty where they can.
  const std::string& unreadable() const { return unreadable_; }

 private:
  void take(const RuleProposal& proposal, RecordTime from);
  void publish();
  std::optional<RulesAndPatterns> load(const RuleProposal& proposal) const;

  Load load_texts_;
  std::map<std::string, std::string, std::less<>> files_;
  std::vector<RuleEpoch> list_;
  std::optional<RuleProposal> open_;
  std::optional<RulesAndPatterns> open_loaded_;
  std::int64_t settled_ = -1;
  std::set<std::string> seen_;
  std::string last_dropped_;
  std::string unreadable_;
  std::shared_ptr<const RuleEpochs> epochs_;
};

}  // namespace tocsin
