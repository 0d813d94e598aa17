// The deliver stage for one receiver: what to try next, when, and what to do with the answer.
//
// Pure; the receiver and the clock are outside. Pages of one alert go in order: a resolution waits until its
// trigger was taken. Pages of different alerts do not wait for each other. A page that fails is tried again, with
// back-off and jitter, for as long as it takes; one that the receiver will never take is parked, not dropped.
//
// The committed position is the offset of the lowest page that is not settled: after a crash everything from
// there is tried again, under the same page ids.
//
// Thread: the receiver's deliver thread.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/units.h"
#include "core/stage/delivery.h"

namespace tocsin {

struct OutboxPage {
  std::int64_t offset = 0;  // in the outbox
  std::string page_id;
  std::string alert_key;  // what order is kept by: the page's alert, all episodes
  std::string body;
};

struct DeliveryPolicy {
  Duration first_retry = std::chrono::seconds{1};
  Duration longest_retry = std::chrono::seconds{60};
  Duration longest_retry_after = std::chrono::hours{1};
  std::size_t most_pending = 10'000;  // beyond it the outbox waits
  std::size_t most_in_flight = 8;
};

struct DeliveryFigures {
  std::int64_t delivered = 0;
  std::int64_t failed_attempts = 0;
  std::int64_t parked = 0;
  std::int64_t left_to_fallback = 0;  // no longer tried for want of room: the fallback has it
  std::size_t pending = 0;
  bool disabled = false;  // the receiver answered 410: it wants no more

  // Another partition's figures of the same receiver.
  void add(const DeliveryFigures& other);
};

class DeliverStage {
 public:
  explicit DeliverStage(DeliveryPolicy policy) : policy_(policy) {}

  // False when there is no room: offer it again later. A page id that is pending already is taken once.
  bool offer(OutboxPage page, Duration now);

  // The next page to try at `now` (a clock that never goes back), or nothing. The caller owes its result.
  std::optional<Delivery> next(Duration now);
  // Returns the pages that this parked, in the order of the outbox.
  std::vector<OutboxPage> settle(const DeliveryResult& result, Duration now);

  // When next() can have something, if nothing else happens; nothing while all waits for results.
  std::optional<Duration> next_due() const;

  // The lowest outbox offset that is not settled; `end` where everything before it is.
  std::int64_t committed(std::int64_t end) const;

  DeliveryFigures figures() const;

  // For DeliverChain, which hands pages on. A page that is pending, or null: valid until the stage is changed.
  const OutboxPage* find(const std::string& page_id) const;
  bool has_room() const { return alert_of_page_.size() < policy_.most_pending; }
  bool disabled() const { return figures_.disabled; }
  // Tries this page no more, as somebody else has it. False when it is in flight or not here.
  bool leave(const std::string& page_id);

 private:
  struct Pending {
    OutboxPage page;
    int attempts = 0;
    Duration due{};
    bool in_flight = false;
  };
  Duration delay_after(const Pending& pending) const;
  OutboxPage finish(const std::string& alert_key);
  void park_the_rest(std::vector<OutboxPage>& parked);

  DeliveryPolicy policy_;
  std::map<std::string, std::deque<Pending>> by_alert_;
  std::map<std::string, std::string> alert_of_page_;
  std::set<std::int64_t> offsets_;  // of what is pending
  std::size_t in_flight_ = 0;
  DeliveryFigures figures_;
};

}  // namespace tocsin
