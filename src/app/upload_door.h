// The doors that SDKs post their telemetry to, so that a team sets one base URL and keeps its SDK: each answers as
// its vendor's server does, once what was posted is on the source topic. What is written there is sanitized.
//
// What can't be taken is not lost: 503 and 429 with Retry-After ask for it again; only what can't be read is refused
// for good. Requests are never logged, nor passed on in any form but by `forward_to`.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/receive_config.h"
#include "core/epoch/epoch_book.h"
#include "core/stage/receive_stage.h"
#include "edge/http/client.h"
#include "edge/http/server.h"
#include "ports/clock.h"
#include "runtime/rule_source.h"

namespace tocsin {

// What the doors did, for metrics. Thread: any.
struct ReceiveFigures {
  std::map<std::pair<std::string, std::string>, std::uint64_t> uploads;  // by door and result
  std::uint64_t events = 0, bytes = 0;
  std::uint64_t forwarded = 0, forward_failed = 0, forward_dropped = 0;
};

class UploadDoor {
 public:
  // Writes records to the source topic and calls `done(true)` once they are there, from any thread, exactly once.
  // False: there is no room, nothing is written, and `done` is not called.
  using Write = std::function<bool(std::vector<ReceivedRecord>, std::function<void(bool)> done)>;

  // Requires: references live longer than this.
  UploadDoor(ReceiveConfig config, const RuleSource& rules, const Fingerprinter& fingerprinter, const Clock& clock,
             Write write, std::unique_ptr<HttpClient> forwarder);
  ~UploadDoor();

  // Whether this is a request of an SDK.
  static bool takes(const HttpRequest& request);
  // Thread: any of the server's. Requires: takes(request).
  void handle(HttpRequest request, Responder responder);

  ReceiveFigures figures() const;

 private:
  bool is_allowed(const HttpRequest& request) const;
  bool is_over_rate();
  void forward(const HttpRequest& request);
  void note(Door door, const std::string& result);

  ReceiveConfig config_;
  const Clock& clock_;
  Write write_;
  std::unique_ptr<HttpClient> forwarder_;

  const RuleSource& rules_;
  std::mutex stage_mutex_;                    // decoding is one at a time
  std::shared_ptr<const RuleEpochs> epochs_;  // whose names and patterns the stage has
  ReceiveStage stage_;

  struct Shared;  // outlives the door where answers are still owed
  std::shared_ptr<Shared> shared_;
};

// With the client that passes uploads on, where that is configured. The error is for people.
Result<std::unique_ptr<UploadDoor>, std::string> make_door(ReceiveConfig config, const RuleSource& rules,
                                                           const Fingerprinter& fingerprinter, const Clock& clock,
                                                           UploadDoor::Write write);

}  // namespace tocsin
