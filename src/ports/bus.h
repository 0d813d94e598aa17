// The bus that joins the stages of several processes, as the workers see it: topics of partitions, groups that share
// the partitions out, and transactions that hold records and positions together.
//
// Implemented by edge/kafka. What is committed in one transaction becomes visible together, or not at all; a commit
// by a member whose partitions have gone to another one fails.

#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ports/log.h"

namespace tocsin {

// Partitions of source topics are numbered through, in the order in which the topics are configured. Those of unkeyed
// ones have numbers by which their topic can be told, with gaps between topics.
struct TopicPartition {
  Topic topic = Topic::source;
  std::int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// Chosen by the hash of the key, as Kafka's own clients do.
inline constexpr std::int32_t by_key = -1;

struct BusRecord {
  TopicPartition from;
  std::int64_t offset = 0;
  std::string_view key;
  std::string_view value;  // empty for a tombstone
  RecordTime time;
};
using OnRecord = std::function<void(const BusRecord&)>;  // the views hold during the call

// A partition that a member was given, and where its group stands there.
struct Assigned {
  TopicPartition of;
  std::optional<std::int64_t> next_offset;  // absent: the group has never committed
  std::string metadata;                     // what was committed with it
  // Records from here up to next_offset are gone, and were never read: retention was faster, or the topic was made
  // anew, where this may lie behind next_offset.
  std::optional<std::int64_t> gone_from = std::nullopt;
};

struct BusPosition {
  TopicPartition of;
  std::int64_t next_offset = 0;
  std::string metadata;  // ASCII, at most 1 KB
};

// One thread's membership in a consumer group, with the transactions that carry its positions.
//
// Thread: its owner's, but for wake().
class Member {
 public:
  virtual ~Member() = default;

  // Waits until there may be something to read, wake() was called, or `timeout` has passed.
  virtual void wait(Duration timeout) = 0;
  virtual void wake() = 0;

  // Takes part in the group: joins, and lets go of what another member gets. Call it at least each second.
  virtual void serve() = 0;
  // Once after each change: all that this member owns now. Whatever was known of its partitions before is void.
  virtual std::optional<std::vector<Assigned>> take_assignment() = 0;
  // A new assignment waits to be taken, or nothing is left.
  virtual bool assignment_changed() const = 0;
  // Fenced, or broken for good: destroy it, and join anew. Why, for people.
  virtual const std::optional<std::string>& lost() const = 0;

  // Called from serve() while what is assigned is still ours, before it goes to another member: the last chance to
  // commit what was done. Not called where it is lost already. The member must stay.
  virtual void before_revoke(std::function<void()> hook) = 0;

  // Hands over up to `most` records that have arrived, in order; does not wait.
  virtual std::size_t read(TopicPartition from, std::size_t most, const OnRecord& on_record) = 0;
  // Everything before this offset was handed over, or is nobody's to see (markers, aborted transactions).
  virtual std::int64_t reached(TopicPartition of) const = 0;

  // Into the open transaction, which the first one begins.
  virtual void send(NewRecord record) = 0;
  // Records sent since the last commit and these positions, together. False: nothing counts, or it is not known;
  // the member is lost. Requires: at least one position.
  virtual bool commit(const std::vector<BusPosition>& positions) = 0;
  // The same without waiting: commit_result() says what came of it, once; nothing while it is under way. Until then
  // nothing may be sent. wait() ends when there is a result.
  virtual void start_commit(const std::vector<BusPosition>& positions) = 0;
  virtual std::optional<bool> commit_result() = 0;

  // Whether something outside may be done for the partitions that are assigned: nobody else can own them yet, as the
  // group has heard of us lately. Time counts while the machine is suspended, too.
  virtual bool may_act() const = 0;
};

// What was sent outside of transactions and is not acknowledged yet. Must live as long as the bus.
struct InFlight {
  std::atomic<std::int64_t> records{0};
  std::atomic<std::int64_t> failed{0};  // those that the broker refused for good
  std::function<void()> on_empty;       // called from the bus's own thread; set before the first send
};

// Reads a topic without joining a group, from its beginning, as it grows. Thread: its owner's.
class Tail {
 public:
  virtual ~Tail() = default;
  virtual std::size_t read(const OnRecord& on_record, Duration timeout) = 0;
  // It has been to where the topic ended when the tail was made.
  virtual bool caught_up() const = 0;
};

// Reads a stretch of one partition once more, without joining a group. Thread: its owner's.
class Again {
 public:
  virtual ~Again() = default;
  // Hands over up to `most` records that have arrived, in order; does not wait.
  virtual std::size_t read(std::size_t most, const OnRecord& on_record) = 0;
  virtual bool at_end() const = 0;
  // It begins with the oldest record that is left, and there were older ones.
  virtual bool is_cut_off() const = 0;
};

enum class ReadOutcome : std::uint8_t {
  complete,
  stopped,  // `keep_going` said no
  stuck,    // no progress for too long: somebody's transaction is open, or the broker is away
};

// What went through, for metrics. Thread: any.
struct BusFigures {
  std::int64_t transactions = 0;
  std::int64_t transactions_failed = 0;
  std::int64_t rebalances = 0;
  std::int64_t fetched_bytes = 0;
  bool reachable = false;
};

// Thread: every method may be called from any thread.
class Bus {
 public:
  virtual ~Bus() = default;

  // Joins `group` for these topics. `name` tells the members of one process apart.
  virtual Result<std::unique_ptr<Member>, std::string> join(const std::string& group,
                                                            const std::vector<Topic>& topics,
                                                            const std::string& name) = 0;

  // At least once, never behind a transaction. Waits while there is no room.
  virtual void send(NewRecord record, InFlight& in_flight) = 0;        // at once
  virtual void send_later(NewRecord record, InFlight& in_flight) = 0;  // in batches

  // Everything from `from` to the end as it is now, open transactions waited for.
  virtual ReadOutcome read_to_end(TopicPartition of, std::int64_t from, const OnRecord& on_record,
                                  const std::function<bool()>& keep_going) = 0;
  // The same up to `until`.
  virtual ReadOutcome read_range(TopicPartition of, std::int64_t from, std::int64_t until, const OnRecord& on_record,
                                 const std::function<bool()>& keep_going) = 0;

  // From the first record that is stamped `from` or later up to `until`. Null while the cluster can't be reached.
  virtual std::unique_ptr<Again> read_again(TopicPartition of, RecordTime from, std::int64_t until) = 0;

  // Where partitions end, asked of the broker now. Nothing while it can't be reached.
  virtual std::optional<std::vector<std::int64_t>> ends(std::span<const TopicPartition> of) = 0;

  // A time before which all that unkeyed topics got was read by this group, and committed: asked again and again, it
  // follows `now` by a few seconds where the group keeps up. Nothing where it has not come on, or while the cluster
  // can't be reached. Thread: one at a time.
  virtual std::optional<RecordTime> unkeyed_read_until(const std::string& /*group*/, RecordTime now) { return now; }

  // Null while the cluster can't be reached.
  virtual std::unique_ptr<Tail> tail(const std::vector<Topic>& topics) = 0;

  // Requires: the topics were checked.
  virtual std::int32_t partitions(Topic topic) const = 0;
  // What a partition's topic is called in the cluster, and its number there. Empty where a source's is there no more.
  virtual std::pair<std::string, std::int32_t> name_of(TopicPartition of) const = 0;
  virtual bool reachable() const = 0;

  // Source topics may get more partitions while they are read. How many the topic of this source partition has by
  // now; zero: not known.
  virtual std::int32_t partitions_seen(TopicPartition /*of*/) const { return 0; }
  // How many of them this process may read.
  virtual std::int32_t partitions_read(TopicPartition /*of*/) const { return 0; }
  // It was added to a topic that was read before.
  virtual bool is_added(TopicPartition /*of*/) const { return false; }
  // Source topics, each with how many of its partitions nobody of this process reads, as they were added since.
  virtual std::vector<std::pair<std::string, std::int32_t>> unread_partitions() const { return {}; }

  virtual BusFigures figures() const = 0;
};

}  // namespace tocsin
