// The deliver thread of one receiver on a bus of several processes: reads its partitions of the outbox, and does not
// stop until the receiver, or its fallback, has each page.
//
// What became of a page is written to the topic `page-status` in the transaction that moves the position: after a
// crash only pages whose attempt was under way are sent again, under the same ids. A full chain leaves its
// partition's queue unread, and nothing else waits for it.

#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/alert/alert_change.h"
#include "core/stage/deliver_chain.h"
#include "ports/bus.h"
#include "ports/clock.h"
#include "ports/receiver.h"
#include "runtime/deliver_loop.h"
#include "runtime/mailbox.h"
#include "runtime/membership.h"
#include "runtime/views.h"

namespace tocsin {

class DeliverWorker {
 public:
  struct Options {
    std::vector<DeliverLane> lanes;    // the receiver, then its fallbacks
    std::vector<Receiver*> receivers;  // of the lanes
    DeliveryPolicy policy;
    std::function<void()>
        on_heartbeat;  // a record of Tocsin's own has come through all stages; not for every receiver
  };

  // Requires: references and receivers live longer than this, and a receiver calls nothing back after run() has
  // returned and it was destroyed.
  DeliverWorker(Options options, Bus& bus, const Clock& clock, DeliverLoop::OnResult on_result, SayLine say);

  // Runs until `stop` is set. Thread: the worker's.
  void run(const std::atomic<bool>& stop);
  // After run() threw: drops everything, so that run() begins anew. Thread: the worker's.
  void give_up(const std::string& why) {
    membership_.leave(why);
    drop_all();
  }
  // Thread: any.
  void wake() { membership_.wake(); }
  // One for each lane.
  std::shared_ptr<const std::vector<ReceiverView>> view() const { return view_.get(); }
  bool is_working() const { return membership_.has_assignment(); }

 private:
  struct Owned {
    std::int32_t number = 0;
    std::int64_t next = 0;       // behind the last page that the chain took
    std::int64_t committed = 0;  // as the group knows it
    std::unique_ptr<DeliverChain> chain;
    std::deque<OutboxPage> refused;  // there was no room for them yet
    struct UnderWay {
      RecordTime decided;
      std::int64_t offset = 0;
    };
    std::map<std::string, UnderWay> under_way;    // pages that the chain has
    std::map<std::string, std::int64_t> settled;  // page ids from `committed` on that a former owner has settled
  };
  struct Result {
    std::int32_t partition = 0;
    std::uint64_t assignment = 0;  // results of partitions that were lost are nobody's
    std::size_t lane = 0;
    DeliveryResult result;
  };
  // Attempts end on the receivers' threads. A mutex and no queue of its own: a page a second is much.
  struct Results {
    std::mutex mutex;
    std::vector<Result> list;
    DeliverWorker* owner = nullptr;  // null once it is gone
  };

  bool adopt(const std::vector<Assigned>& assigned, const std::atomic<bool>& stop);
  bool take_results();
  bool read_some(Owned& owned);
  bool start_attempts(Owned& owned);
  bool commit();
  bool try_commit();
  // Partitions go to another process: attempts that are on the wire end first, or it would make them once more.
  void settle_what_is_under_way();
  void drop_all();
  void publish();
  bool read_statuses(Owned& owned, const std::atomic<bool>& stop);

  Options options_;
  Bus& bus_;
  const Clock& clock_;
  DeliverLoop::OnResult on_result_;
  SayLine say_;
  Membership membership_;
  std::vector<Owned> owned_;
  std::uint64_t assignment_ = 0;
  std::vector<NewRecord> statuses_;              // of the next transaction
  std::vector<DeliveryFigures> figures_before_;  // of partitions that are gone, by lane
  Duration delay_sum_{0};
  std::size_t under_way_ = 0;  // attempts of this assignment
  bool may_act_ = false;
  Mailbox<std::vector<ReceiverView>> view_;
  std::shared_ptr<Results> results_ = std::make_shared<Results>();
};

}  // namespace tocsin
