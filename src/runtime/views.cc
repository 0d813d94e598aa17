#include "runtime/views.h"

#include <algorithm>

namespace tocsin {

void add_sight(std::vector<RuleSight>& all, const std::vector<RuleSight>& more) {
  if (all.empty()) {
    all = more;
    return;
  }
  for (std::size_t i = 0; i < all.size() && i < more.size(); ++i) {
    all[i].live += more[i].live;
    all[i].warming += more[i].warming;
    all[i].blind += more[i].blind;
    all[i].undeclared += more[i].undeclared;
    all[i].pending += more[i].pending;
    all[i].firing += more[i].firing;
  }
}

void add_receiver(std::vector<ReceiverView>& all, const ReceiverView& more) {
  auto known = std::find_if(all.begin(), all.end(),
                            [&](const ReceiverView& other) { return other.receiver == more.receiver; });
  if (known == all.end()) known = all.insert(known, {more.receiver, {}, {}});
  known->figures.add(more.figures);
  known->delay_sum += more.delay_sum;
}

void RekeyView::add(const RekeyView& more) {
  records += more.records;
  events += more.events;
  for (std::size_t i = 0; i < dead_letters.size(); ++i) dead_letters[i] += more.dead_letters[i];
  partitions.insert(partitions.end(), more.partitions.begin(), more.partitions.end());
  next_offsets.insert(next_offsets.end(), more.next_offsets.begin(), more.next_offsets.end());
  waiting += more.waiting;
}

}  // namespace tocsin
