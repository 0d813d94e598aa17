// The deliver stage of a receiver with its fallback: a DeliverStage for each, and when a page goes on to the next.
//
// Lane 0 is the receiver that the pages are for, lane 1 its fallback, lane 2 the fallback's own, and so on; a
// receiver without a fallback is one lane. A page goes to the next lane too, under the same id,
//   - when its lane has not taken it for `fallback_after` since it came there,
//   - at once when its lane parks it,
//   - at once when it resolves a page that went there before.
// The lane before goes on trying. In each lane the pages of one alert keep their order. After a crash, as ever,
// everything from the committed offset on comes again, to lane 0 first.
//
// Bounds: each lane holds `most_pending` pages. A full lane lets go of the oldest page that a later lane has
// delivered; where there is none, offer() refuses and the outbox waits. Which incidents went on is remembered for the
// last 10,000 of a lane and as long as the chain lives: a resolution after that goes to lane 0 alone.
//
// Use:
//   if (!chain.offer(page, now)) keep it, and offer it again after the next settle()
//   while (auto attempt = chain.next(now)) receiver_named(chain.receiver(attempt->lane)).attempt(...)
//   chain.settle(lane, result, now)  with the lane of the attempt
//   commit chain.committed(offset behind the last page that offer() took)
//
// Thread: the deliver thread of the receiver in lane 0.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/stage/deliver_stage.h"

namespace tocsin {

struct DeliverLane {
  std::string receiver;                               // its name
  Duration fallback_after = std::chrono::minutes{5};  // then the next lane gets a page too; unused in the last
};

struct DeliveryAttempt {
  std::size_t lane = 0;
  Delivery delivery;
};

class DeliverChain {
 public:
  // Requires: one lane at least.
  DeliverChain(std::vector<DeliverLane> lanes, DeliveryPolicy policy);

  // As DeliverStage has it: false when there is no room. Requires: pages in the order of the outbox, and a `now` that
  // never goes back, here and below.
  bool offer(OutboxPage page, Duration now);

  // The next page to try, and in which lane; the caller owes its result.
  std::optional<DeliveryAttempt> next(Duration now);
  void settle(std::size_t lane, const DeliveryResult& result, Duration now);

  // When next() can have something, if nothing else happens; nothing while all waits for results.
  std::optional<Duration> next_due() const;

  // The lowest outbox offset that is not settled in every lane that it went to; `end` where everything before it is.
  std::int64_t committed(std::int64_t end) const;

  std::size_t lanes() const { return lanes_.size(); }
  const std::string& receiver(std::size_t lane) const { return lanes_[lane].receiver; }
  DeliveryFigures figures(std::size_t lane) const;

 private:
  struct Lane {
    Lane(DeliverLane lane, DeliveryPolicy policy)
        : receiver(std::move(lane.receiver)), fallback_after(lane.fallback_after), stage(policy) {}

    std::string receiver;
    Duration fallback_after;
    DeliverStage stage;
    // Pending here and not handed on yet, by when they will be; offsets keep the order of what is due together.
    std::map<std::pair<Duration, std::int64_t>, std::string> deadlines;
    std::map<std::string, std::pair<Duration, std::int64_t>> deadline_of;
    std::deque<OutboxPage> held;                    // parked here, and the next lane had no room yet
    std::map<std::string, std::int64_t> handed_on;  // incidents that the next lane knows of, by their offset
    std::set<std::pair<std::int64_t, std::string>> taken_later;  // pending here, delivered by a later lane
    bool next_is_full = false;                                   // until something is settled
  };

  bool has_next(std::size_t lane) const { return lane + 1 < lanes_.size(); }
  bool offer_to(std::size_t lane, OutboxPage page, Duration now);
  bool hand_on(std::size_t lane, OutboxPage page, Duration now);
  bool hand_on_what_is_due(std::size_t lane, Duration now);
  void make_room(Lane& lane);
  static void set_deadline(Lane& lane, const std::string& page_id, std::int64_t offset, Duration deadline);
  static bool clear_deadline(Lane& lane, const std::string& page_id);

  DeliveryPolicy policy_;
  std::vector<Lane> lanes_;
};

}  // namespace tocsin
