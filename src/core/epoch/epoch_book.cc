#include "core/epoch/epoch_book.h"

#include <utility>

#include "base/yaml_tree.h"

namespace tocsin {

RulesAndPatterns load_rules_and_patterns(std::vector<YamlFile> files, Diagnostics& diagnostics,
                                         std::span<const NamedText> proven) {
  const std::size_t errors_before = diagnostics.error_count();
  RulesAndPatterns loaded;
  loaded.rules = load_rules(files, diagnostics);
  std::erase_if(files, [](const YamlFile& file) { return file.find("sanitize") == nullptr; });
  loaded.patterns = load_patterns(files, diagnostics, proven);
  if (diagnostics.error_count() > errors_before || !loaded.rules || !loaded.patterns) return {};
  return loaded;
}

RulesAndPatterns load_rules_and_patterns(std::span<const NamedText> files, Diagnostics& diagnostics,
                                         std::span<const NamedText> proven) {
  return load_rules_and_patterns(parse_yaml(files, diagnostics), diagnostics, proven);
}

std::optional<RulesAndPatterns> EpochBook::load(const RuleProposal& proposal) const {
  std::vector<NamedText> texts;
  for (const ControlFile& file : proposal.files) {
    const auto known = files_.find(file.hash);
    if (known == files_.end()) return std::nullopt;
    texts.push_back({file.name, known->second});
  }
  Diagnostics diagnostics;
  RulesAndPatterns loaded =
      load_texts_ ? load_texts_(texts, diagnostics) : load_rules_and_patterns(texts, diagnostics);
  if (!loaded.rules || loaded.rules->hash != proposal.hash) return std::nullopt;
  return loaded;
}

bool EpochBook::apply(std::string_view key, std::string_view value) {
  if (key.starts_with(control_file_prefix)) {
    const std::string_view hash = key.substr(control_file_prefix.size());
    // What is not as its name says was not written by Tocsin.
    if (hash_of_file(value) == hash) files_.emplace(hash, value);
    return false;
  }
  if (key.starts_with(control_propose_prefix)) {
    auto proposal = proposal_from_json(value);
    if (!proposal || open_ || proposal->number != settled_ + 1) return false;
    seen_.insert(proposal->hash);
    if (proposal->number == 0) {
      take(*proposal, beginning_of_time);
    } else {
      open_ = std::move(proposal);
      open_loaded_ = load(*open_);
    }
    publish();
    return true;
  }
  if (!key.starts_with(control_decide_prefix)) return false;
  const auto decision = decision_from_json(value);
  if (!decision || !open_ || decision->number != open_->number) return false;
  const RuleProposal proposal = *std::exchange(open_, std::nullopt);
  last_dropped_ = decision->dropped;
  if (decision->dropped.empty()) {
    take(proposal, decision->from);
  } else {
    settled_ = decision->number;
  }
  open_loaded_.reset();
  publish();
  return true;
}

void EpochBook::take(const RuleProposal& proposal, RecordTime from) {
  settled_ = proposal.number;
  auto loaded = open_loaded_ ? std::move(open_loaded_) : load(proposal);
  if (!loaded) {
    unreadable_ = "the rules in force (epoch " + std::to_string(proposal.number) + ", by " + proposal.by +
                  ") can't be read by this version of Tocsin";
    return;
  }
  list_.push_back({proposal.number, from, std::move(loaded->rules), std::move(loaded->patterns)});
}

void EpochBook::publish() {
  if (list_.empty()) return;
  std::optional<std::int64_t> open;
  if (open_ && open_loaded_) open = open_->number;
  epochs_ = std::make_shared<const RuleEpochs>(list_, settled_, open);
}

std::optional<std::int64_t> EpochBook::next_number() const {
  if (open_) return std::nullopt;
  return settled_ + 1;
}

}  // namespace tocsin
