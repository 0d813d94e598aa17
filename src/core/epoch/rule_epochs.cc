#include "core/epoch/rule_epochs.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace tocsin {

RuleEpochs::RuleEpochs(std::vector<RuleEpoch> epochs, std::int64_t settled, std::optional<std::int64_t> open)
    : epochs_(std::move(epochs)), settled_(settled), open_(open) {}

std::shared_ptr<const RuleEpochs> RuleEpochs::only(std::shared_ptr<const RuleSet> rules,
                                                   std::shared_ptr<const PatternLibrary> patterns) {
  std::vector<RuleEpoch> epochs{{0, beginning_of_time, std::move(rules), std::move(patterns)}};
  return std::make_shared<const RuleEpochs>(std::move(epochs), 0, std::nullopt);
}

const RuleEpoch& RuleEpochs::at(RecordTime grid) const {
  // Newest first: few epochs, and nearly always the last one.
  const auto found =
      std::find_if(epochs_.rbegin(), epochs_.rend(), [&](const RuleEpoch& epoch) { return epoch.from < grid; });
  return found == epochs_.rend() ? epochs_.front() : *found;
}

const RuleEpoch* RuleEpochs::numbered(std::int64_t number) const {
  const auto found =
      std::find_if(epochs_.begin(), epochs_.end(), [&](const RuleEpoch& epoch) { return epoch.number == number; });
  return found == epochs_.end() ? nullptr : &*found;
}

std::vector<std::uint32_t> RuleEpochs::new_aggregates(std::int64_t number) const {
  std::vector<std::uint32_t> list;
  const RuleEpoch* const epoch = numbered(number);
  if (epoch == nullptr || epoch == &epochs_.front()) return list;
  std::set<std::string> before;
  for (const Aggregate& one : std::prev(epoch)->rules->aggregates) before.insert(one.canonical());
  const auto& all = epoch->rules->aggregates;
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    if (!before.contains(all[i].canonical())) list.push_back(i);
  }
  return list;
}

std::optional<RecordTime> RuleEpochs::counted_since(const std::string& aggregate, std::int64_t number) const {
  std::optional<RecordTime> since;
  for (const RuleEpoch& epoch : epochs_) {
    if (epoch.number > number) break;
    if (!epoch.rules->aggregate_named(aggregate)) {
      since.reset();
    } else if (!since) {
      since = epoch.from;
    }
  }
  return since;
}

}  // namespace tocsin
