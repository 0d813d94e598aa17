// Uploads of SDKs to records of a source topic: decoded, sanitized, each event keyed by its correlation id, so that
// nothing that a person or an agent wrote is on the bus, and a task's events meet in one partition.
//
// A record says what was found in the text that is no longer there; ingest halts and pages by it.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/event/upload_decoder.h"
#include "core/sanitize/event_sanitizer.h"

namespace tocsin {

struct ReceivedRecord {
  std::string key;  // empty: of no task
  std::string value;
};

// What the source topic gets of an event. Requires: `clean` is what `sanitizer` made of it last.
ReceivedRecord source_record(const EventSanitizer& sanitizer, const SanitizedEvent& clean, const AgentEvent& event);

struct Received {
  std::vector<ReceivedRecord> records;
  std::vector<std::string> ids;      // of the events of a batch of Langfuse's, whose SDKs ask for them
  std::optional<DecodeError> error;  // of the whole upload; then there is no record
  std::uint64_t refused = 0;         // native events that can't be read
  std::optional<DecodeError> refused_for;
};

// Thread: one at a time.
class ReceiveStage {
 public:
  ReceiveStage(std::shared_ptr<const PatternLibrary> library, Fingerprinter fingerprinter, std::size_t most_bytes);

  // Names of a deployment's own (null: those that ship) and patterns, from the next upload on.
  void know(std::shared_ptr<const DialectIndex> names, std::shared_ptr<const PatternLibrary> library);
  // Valid until the next call.
  const Received& apply(const Upload& upload);

 private:
  UploadDecoder decoder_;
  EventSanitizer sanitizer_;
  Received received_;
};

}  // namespace tocsin
