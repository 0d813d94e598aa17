// Records of topics that are not keyed by correlation id to records of a source topic: decoded, sanitized, each event
// under its task's key, so that a task's events meet in one partition whatever record they came in.
//
// The same record gives the same events again. What has no identity of its own gets one from its record's place, so
// that an event which is written twice, as its writer was killed, counts once.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/record_decoder.h"
#include "core/sanitize/event_sanitizer.h"
#include "core/stage/receive_stage.h"

namespace tocsin {

struct Rekeyed {
  std::vector<ReceivedRecord> records;
  std::optional<DecodeError> error;  // of the whole record; then it gave none
  bool was_keyed = false;            // each of its events had its key already
};

// Thread: one at a time.
class RekeyStage {
 public:
  RekeyStage(std::shared_ptr<const PatternLibrary> library, Fingerprinter fingerprinter);

  // Names of a deployment's own (null: those that ship) and patterns, from the next record on.
  void know(std::shared_ptr<const DialectIndex> names, std::shared_ptr<const PatternLibrary> library);
  // `place`: of the record, the same whenever it is read. Valid until the next call.
  const Rekeyed& apply(std::string_view key, std::string_view value, std::string_view place);

 private:
  RecordDecoder decoder_;
  EventSanitizer sanitizer_;
  Rekeyed rekeyed_;
};

}  // namespace tocsin
