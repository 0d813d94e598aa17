// Requests that wait for the next record of a topic: agents learn of a halt within milliseconds, without asking
// in a loop.

#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "edge/http/server.h"
#include "ports/clock.h"
#include "ports/log.h"

namespace tocsin {

class LongPoll {
 public:
  // Requires: `log` and `clock` live longer than this.
  LongPoll(Log& log, const Clock& clock);
  ~LongPoll();

  // Answers with the records of `topic` from `from` on: at once where there are some, else when one comes, or
  // with none after `wait`.
  void answer(Topic topic, std::int64_t from, std::size_t most, Duration wait, Responder responder);

  void stop();

 private:
  struct Waiting {
    Topic topic;
    std::int64_t from;
    std::size_t most;
    Duration until;
    Responder responder;
  };
  bool try_answer(const Waiting& waiting, bool give_up);
  void run();

  Log& log_;
  const Clock& clock_;
  std::mutex mutex_;  // requests come from the server's threads
  std::vector<Waiting> waiting_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace tocsin
