#include "runtime/control_log.h"

#include <utility>
#include <vector>

namespace tocsin {

namespace {

class BusControlLog final : public ControlLog {
 public:
  explicit BusControlLog(Bus& bus) : bus_(bus) {}

  void read(const OnControl& on_record, Duration timeout) override {
    if (!tail_) tail_ = bus_.tail({Topic::control});
    if (!tail_) return;  // the cluster is away; whoever asks waits
    tail_->read([&](const BusRecord& record) { on_record(record.key, record.value); }, timeout);
  }
  bool caught_up() const override { return tail_ && tail_->caught_up(); }
  void write(std::string key, std::string value) override {
    bus_.send({Topic::control, 0, std::move(key), std::move(value)}, in_flight_);
  }

 private:
  Bus& bus_;
  std::unique_ptr<Tail> tail_;
  InFlight in_flight_;
};

class MemoryControlLog final : public ControlLog {
 public:
  explicit MemoryControlLog(Log& log) : log_(log) {}

  void read(const OnControl& on_record, Duration timeout) override {
    records_.clear();
    constexpr std::size_t most = 1'000;
    next_ = log_.fetch(Topic::control, 0, next_, most, records_);
    for (const LogRecord& record : records_) on_record(record.key, record.value);
    if (records_.empty()) seen_ = log_.wait(seen_, timeout);
  }
  bool caught_up() const override { return true; }
  void write(std::string key, std::string value) override {
    log_.append({{Topic::control, 0, std::move(key), std::move(value)}});
  }

 private:
  Log& log_;
  std::int64_t next_ = 0;
  std::uint64_t seen_ = 0;
  std::vector<LogRecord> records_;
};

}  // namespace

std::unique_ptr<ControlLog> control_log_of(Bus& bus) {
  return std::make_unique<BusControlLog>(bus);
}

std::unique_ptr<ControlLog> control_log_of(Log& log) {
  return std::make_unique<MemoryControlLog>(log);
}

}  // namespace tocsin
