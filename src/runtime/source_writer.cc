#include "runtime/source_writer.h"

#include <chrono>
#include <utility>

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_batches = 256;
constexpr std::int64_t most_records = 50'000;
// SDKs wait ten seconds and more for an answer; then they would send it again without being asked to.
constexpr Duration longest_wait = 5s;
constexpr Duration look_every = 250ms;

}  // namespace

struct SourceWriter::Slot {
  InFlight in_flight;
  std::function<void(bool)> done;  // empty once it was called; with mutex_ held
  std::int64_t count = 0;
  Duration since{};
};

SourceWriter::SourceWriter(Bus& bus, const Clock& clock) : bus_(bus), clock_(clock), watch_([this] { watch(); }) {}

SourceWriter::~SourceWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_one();
  watch_.join();
}

bool SourceWriter::write(std::vector<ReceivedRecord> records, std::function<void(bool)> done) {
  const auto count = static_cast<std::int64_t>(records.size());
  // One batch always fits where nothing waits.
  const std::int64_t waits = waiting_.load();
  if (!bus_.reachable() || (waits > 0 && waits + count > most_records)) return false;
  Slot* slot = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      slot = free_.back();
      free_.pop_back();
    } else if (slots_.size() < most_batches) {
      slot = slots_.emplace_back(std::make_unique<Slot>()).get();
      slot->in_flight.on_empty = [this, slot] { finish(*slot); };
    } else {
      return false;
    }
    slot->done = std::move(done);
    slot->count = count;
    slot->since = clock_.monotonic();
  }
  waiting_ += count;
  slot->in_flight.failed = 0;
  // One more than there are, so that it is not done before all are sent.
  slot->in_flight.records = 1;
  for (ReceivedRecord& one : records) {
    bus_.send({Topic::source, by_key, std::move(one.key), std::move(one.value)}, slot->in_flight);
  }
  if (slot->in_flight.records.fetch_sub(1) == 1) finish(*slot);
  return true;
}

void SourceWriter::finish(Slot& slot) {
  const bool is_written = slot.in_flight.failed.load() == 0;
  std::function<void(bool)> done;
  waiting_ -= slot.count;
  {
    const std::lock_guard lock(mutex_);
    done = std::exchange(slot.done, nullptr);
    free_.push_back(&slot);
  }
  if (done) done(is_written);
}

// What takes too long is answered as not written. It may be there after all: then it comes twice, and counts once.
void SourceWriter::watch() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, look_every, [this] { return stop_; })) {
    std::vector<std::function<void(bool)>> late;
    for (const auto& slot : slots_) {
      if (slot->done && clock_.monotonic() - slot->since > longest_wait) {
        late.push_back(std::exchange(slot->done, nullptr));
      }
    }
    lock.unlock();
    for (const auto& done : late) done(false);
    lock.lock();
  }
}

}  // namespace tocsin
