#include "simulation/sim_pager.h"

#include <utility>

namespace tocsin::sim {

using namespace std::chrono_literals;

void SimPager::attempt(const std::shared_ptr<Process>& from, const std::string& page_id, bool was_frozen,
                       std::function<void(DeliveryResult)> done) {
  ++attempts;
  const Duration arrives = scheduler_.now() + Duration{1 + scheduler_.random().below(60)};
  scheduler_.at(arrives, [this, from, page_id, was_frozen, arrives, done = std::move(done)] {
    if (!from->gets_out(arrives)) {
      // It stays in a process that stands still, whose client gives it up once it goes on.
      const DeliveryResult given_up{page_id, DeliveryOutcome::retry, 0, {}, "time-out"};
      scheduler_.after(10s, [from, done, given_up] { from->post([done, given_up] { done(given_up); }); });
      return;
    }
    Random& random = scheduler_.random();
    DeliveryResult result{page_id, DeliveryOutcome::delivered, 200, {}, {}};
    Duration answers_after{1 + random.below(100)};
    if (mood.is_down) {
      result = {page_id, DeliveryOutcome::retry, 0, {}, "refused"};
    } else if (random.chance(mood.fails)) {
      result = {page_id, DeliveryOutcome::retry, 500, {}, "status 500"};
    } else if (random.chance(mood.is_busy)) {
      result = {page_id, DeliveryOutcome::retry, 429, random.between(1s, 5s), "status 429"};
    } else {
      journal.push_back({scheduler_.now(), page_id, from->number, was_frozen});
      if (random.chance(mood.loses_answer)) {
        ++answers_lost;
        result = {page_id, DeliveryOutcome::retry, 0, {}, "time-out"};
        answers_after = 5s;
      }
    }
    if (result.outcome != DeliveryOutcome::delivered) ++refused;
    from->point("page_answered");
    scheduler_.after(answers_after, [from, done, result] { from->post([done, result] { done(result); }); });
  });
}

void SimReceiver::attempt(Delivery delivery, std::function<void(DeliveryResult)> done) {
  on_attempt_(*process_, delivery.page_id);
  const Duration decided = process_->scheduler.now();
  process_->point("attempt");
  // Nobody can take it back any more: a process that stands still between its decision and its sending.
  const bool was_frozen = process_->scheduler.now() - decided > 1s;
  pager_.attempt(process_, delivery.page_id, was_frozen, std::move(done));
}

}  // namespace tocsin::sim
