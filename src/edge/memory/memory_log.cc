#include "edge/memory/memory_log.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace tocsin {

namespace {

struct Partition {
  std::deque<LogRecord> records;
  std::int64_t next_offset = 0;
  std::size_t bytes = 0;
  std::unordered_map<std::string, std::int64_t> last_of_key;  // of a compacted topic
};

struct TopicState {
  std::vector<Partition> partitions;
  std::vector<std::string> readers;  // whose positions hold records back from being dropped
};

bool is_compacted(Topic topic) {
  return topic == Topic::halts || topic == Topic::silences || topic == Topic::control;
}

std::deque<LogRecord>::const_iterator find_from(const std::deque<LogRecord>& records, std::int64_t offset) {
  return std::lower_bound(records.begin(), records.end(), offset,
                          [](const LogRecord& known, std::int64_t wanted) { return known.offset < wanted; });
}

std::size_t bytes_of(const LogRecord& record) {
  return record.key.size() + record.value.size() + sizeof(LogRecord);
}

}  // namespace

// A mutex, and no queue: the readers are several and each reads at its own pace, over HTTP as well.
struct MemoryLog::State {
  Options options;
  const Clock& clock;
  mutable std::mutex mutex;
  std::condition_variable appended;
  std::uint64_t changes = 0;
  std::array<TopicState, topic_count> topics;
  std::map<std::tuple<std::string, Topic, std::int32_t>, std::int64_t> positions;

  State(Options given, const Clock& given_clock) : options(std::move(given)), clock(given_clock) {
    for (auto& topic : topics) topic.partitions.resize(1);
    topic(Topic::source).partitions.resize(static_cast<std::size_t>(options.partitions));
    topic(Topic::source).readers.push_back(options.source_reader);
    topic(Topic::blocks).readers.push_back("evaluate");
    topic(Topic::findings).readers.push_back("evaluate");
  }

  TopicState& topic(Topic name) { return topics[static_cast<std::size_t>(name)]; }
  const TopicState& topic(Topic name) const { return topics[static_cast<std::size_t>(name)]; }
  Partition& partition(Topic name, std::int32_t number) {
    return topic(name).partitions[static_cast<std::size_t>(number)];
  }

  std::int64_t position(const std::string& group, Topic name, std::int32_t number) const {
    const auto found = positions.find({group, name, number});
    return found == positions.end() ? 0 : found->second;
  }

  void add(NewRecord record) {
    Partition& target = partition(record.topic, record.partition);
    LogRecord entry{target.next_offset++, std::move(record.key), std::move(record.value), std::nullopt};
    if (options.stamps_records || record.topic != Topic::source) entry.time = clock.now();
    if (is_compacted(record.topic)) {
      const auto [last, is_new] = target.last_of_key.try_emplace(entry.key, entry.offset);
      if (!is_new) {
        const auto older = find_from(target.records, last->second);
        target.bytes -= bytes_of(*older);
        target.records.erase(older);
        last->second = entry.offset;
      }
    }
    target.bytes += bytes_of(entry);
    target.records.push_back(std::move(entry));
    trim(record.topic, record.partition);
  }

  // Drops what every reader has read, and of topics without one all but the last records.
  void trim(Topic name, std::int32_t number) {
    if (is_compacted(name)) return;
    Partition& target = partition(name, number);
    const auto& readers = topic(name).readers;
    std::int64_t needed_from = target.next_offset;
    for (const std::string& reader : readers) needed_from = std::min(needed_from, position(reader, name, number));
    const std::size_t kept = name == Topic::source || name == Topic::blocks ? 0 : options.kept_records;
    while (!target.records.empty() && target.records.size() > kept && target.records.front().offset < needed_from) {
      target.bytes -= bytes_of(target.records.front());
      target.records.pop_front();
    }
  }

  void announce() {
    ++changes;
    appended.notify_all();
  }
};

MemoryLog::MemoryLog(Options options, const Clock& clock)
    : state_(std::make_unique<State>(std::move(options), clock)) {}

MemoryLog::~MemoryLog() = default;

bool MemoryLog::append(std::vector<NewRecord> records) {
  const std::lock_guard lock(state_->mutex);
  std::size_t source_bytes = 0;
  for (const NewRecord& record : records) {
    if (record.topic == Topic::source) source_bytes += record.key.size() + record.value.size() + sizeof(LogRecord);
  }
  if (source_bytes > 0) {
    std::size_t waiting = 0;
    for (const Partition& partition : state_->topic(Topic::source).partitions) waiting += partition.bytes;
    // One batch always fits into an empty log, whatever its size.
    if (waiting > 0 && waiting + source_bytes > state_->options.most_source_bytes) return false;
  }
  for (NewRecord& record : records) state_->add(std::move(record));
  state_->announce();
  return true;
}

void MemoryLog::commit(std::vector<NewRecord> records, const std::vector<Position>& positions) {
  const std::lock_guard lock(state_->mutex);
  for (NewRecord& record : records) state_->add(std::move(record));
  for (const Position& position : positions) {
    state_->positions[{position.group, position.topic, position.partition}] = position.next_offset;
    state_->trim(position.topic, position.partition);
  }
  state_->announce();
}

std::int64_t MemoryLog::fetch(Topic topic, std::int32_t partition, std::int64_t from, std::size_t most,
                              std::vector<LogRecord>& out) {
  const std::lock_guard lock(state_->mutex);
  const Partition& source = state_->partition(topic, partition);
  if (from > source.next_offset) return 0;  // of a log before this one: begin anew
  auto record = find_from(source.records, from);
  std::int64_t next = std::max(from, std::int64_t{0});
  for (; record != source.records.end() && out.size() < most; ++record) {
    out.push_back(*record);
    next = record->offset + 1;
  }
  return record == source.records.end() ? std::max(next, std::min(from, source.next_offset)) : next;
}

std::int64_t MemoryLog::end(Topic topic, std::int32_t partition) const {
  const std::lock_guard lock(state_->mutex);
  return state_->partition(topic, partition).next_offset;
}

std::int64_t MemoryLog::position(const std::string& group, Topic topic, std::int32_t partition) const {
  const std::lock_guard lock(state_->mutex);
  return state_->position(group, topic, partition);
}

std::uint64_t MemoryLog::wait(std::uint64_t seen, Duration timeout) {
  std::unique_lock lock(state_->mutex);
  state_->appended.wait_for(lock, timeout, [&] { return state_->changes != seen; });
  return state_->changes;
}

void MemoryLog::wake() {
  const std::lock_guard lock(state_->mutex);
  state_->announce();
}

void MemoryLog::keep_for(Topic topic, const std::string& group) {
  const std::lock_guard lock(state_->mutex);
  state_->topic(topic).readers.push_back(group);
}

}  // namespace tocsin
