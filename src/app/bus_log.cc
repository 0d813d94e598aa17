#include "app/bus_log.h"

#include <chrono>
#include <utility>

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr Duration acknowledged_within = 5s;

}  // namespace

BusLog::BusLog(Bus& bus, const Clock& clock) : bus_(bus), copy_({}, clock), thread_([this] { follow(); }) {}

BusLog::~BusLog() {
  stop();
}

void BusLog::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

bool BusLog::holds(Topic topic) {
  return topic == Topic::halts || topic == Topic::halt_acks || topic == Topic::silences;
}

bool BusLog::append(std::vector<NewRecord> records) {
  InFlight* in_flight = nullptr;
  {
    const std::lock_guard lock(mutex_);
    // It must outlive what was sent: those without anything on its way are done with.
    std::erase_if(sent_, [](const auto& sent) { return sent->records == 0; });
    sent_.push_back(std::make_unique<InFlight>());
    in_flight = sent_.back().get();
    in_flight->records = 1;  // this call's own hold on it
  }
  for (NewRecord& record : records) {
    record.partition = by_key;
    bus_.send(std::move(record), *in_flight);
  }
  const auto until = std::chrono::steady_clock::now() + acknowledged_within;
  while (in_flight->records > 1 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(1ms);
  const bool done = in_flight->records == 1 && in_flight->failed == 0;
  in_flight->records.fetch_sub(1);
  return done;
}

void BusLog::commit(std::vector<NewRecord> records, const std::vector<Position>&) {
  append(std::move(records));
}

void BusLog::follow() {
  std::unique_ptr<Tail> tail;
  while (!stop_) {
    if (!tail) {
      if (!bus_.reachable()) {
        std::this_thread::sleep_for(100ms);
        continue;
      }
      tail = bus_.tail({Topic::halts, Topic::halt_acks, Topic::silences});
      continue;
    }
    std::vector<NewRecord> batch;
    tail->read(
        [&](const BusRecord& record) {
          batch.push_back({record.from.topic, 0, std::string(record.key), std::string(record.value)});
        },
        100ms);
    if (!batch.empty()) copy_.append(std::move(batch));
  }
}

std::int64_t BusLog::fetch(Topic topic, std::int32_t partition, std::int64_t from, std::size_t most,
                           std::vector<LogRecord>& out) {
  return copy_.fetch(topic, partition, from, most, out);
}
std::int64_t BusLog::end(Topic topic, std::int32_t partition) const {
  return copy_.end(topic, partition);
}
std::int64_t BusLog::position(const std::string& group, Topic topic, std::int32_t partition) const {
  return copy_.position(group, topic, partition);
}
std::uint64_t BusLog::wait(std::uint64_t seen, Duration timeout) {
  return copy_.wait(seen, timeout);
}
void BusLog::wake() {
  copy_.wake();
}

}  // namespace tocsin
