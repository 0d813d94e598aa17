// Which rules are in force, as the workers ask for it; and where they say from when on proposed ones can be.
//
// Thread: every method may be called from any thread.

#pragma once

#include <memory>
#include <utility>

#include "core/epoch/rule_epochs.h"

namespace tocsin {

class RuleSource {
 public:
  virtual ~RuleSource() = default;

  // Never null. What is decided never changes; later ones only add to it.
  virtual std::shared_ptr<const RuleEpochs> epochs() const = 0;

  // Every partition has promised to close nothing later than `from` before proposal `number` is decided. May be said
  // more than once.
  virtual void decide(std::int64_t number, RecordTime from) = 0;
};

// One rule set that never changes.
class FixedRules final : public RuleSource {
 public:
  FixedRules(std::shared_ptr<const RuleSet> rules, std::shared_ptr<const PatternLibrary> patterns)
      : epochs_(RuleEpochs::only(std::move(rules), std::move(patterns))) {}

  std::shared_ptr<const RuleEpochs> epochs() const override { return epochs_; }
  void decide(std::int64_t, RecordTime) override {}

 private:
  std::shared_ptr<const RuleEpochs> epochs_;
};

}  // namespace tocsin
