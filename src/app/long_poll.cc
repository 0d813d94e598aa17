#include "app/long_poll.h"

#include <utility>

#include "base/json.h"
#include "base/time_text.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_waiting = 1'000;

Json json_of(const LogRecord& record) {
  Json value = nullptr;
  if (!record.value.empty()) value = parse_json(record.value);
  if (value.is_discarded()) value = nullptr;
  return {{"offset", record.offset},
          {"key", record.key},
          {"time", record.time ? Json(to_rfc3339(*record.time)) : Json(nullptr)},
          {"value", std::move(value)}};
}

}  // namespace

LongPoll::LongPoll(Log& log, const Clock& clock) : log_(log), clock_(clock), thread_([this] { run(); }) {}

LongPoll::~LongPoll() {
  stop();
}

void LongPoll::stop() {
  stop_ = true;
  log_.wake();
  if (thread_.joinable()) thread_.join();
}

bool LongPoll::try_answer(const Waiting& waiting, bool give_up) {
  std::vector<LogRecord> records;
  const std::int64_t next = log_.fetch(waiting.topic, 0, waiting.from, waiting.most, records);
  if (records.empty() && !give_up) return false;
  Json list = Json::array();
  for (const LogRecord& record : records) list.push_back(json_of(record));
  HttpResponse response;
  response.body = dump({{"next", next}, {"records", std::move(list)}});
  waiting.responder.send(std::move(response));
  return true;
}

void LongPoll::answer(Topic topic, std::int64_t from, std::size_t most, Duration wait, Responder responder) {
  Waiting waiting{topic, from, most, clock_.monotonic() + wait, std::move(responder)};
  if (try_answer(waiting, wait <= 0ms)) return;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < most_waiting) {
      waiting_.push_back(std::move(waiting));
      return;
    }
  }
  try_answer(waiting, true);
}

void LongPoll::run() {
  std::uint64_t seen = 0;
  while (!stop_) {
    seen = log_.wait(seen, 100ms);
    const Duration now = clock_.monotonic();
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const Waiting& waiting) {
      return waiting.responder.abandoned() || try_answer(waiting, now >= waiting.until);
    });
  }
  const std::lock_guard lock(mutex_);
  for (const Waiting& waiting : waiting_) try_answer(waiting, true);
  waiting_.clear();
}

}  // namespace tocsin
