// A record of a source topic to its events, whatever form it has: native JSON is one event; OTLP, in protobuf or
// JSON, and the JSON of vendors are as many as their spans make.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/event/native_decoder.h"
#include "core/event/otlp_decoder.h"
#include "core/event/span_reader.h"
#include "core/event/vendors/vendor_decoder.h"

namespace tocsin {

class RecordDecoder {
 public:
  // By which names spans are read, and which attributes of a deployment's own, from the next record on; null: by
  // those that ship, and none.
  void know(std::shared_ptr<const DialectIndex> names);
  void read_all_spans() { otlp_.read_all_spans(); }
  // Nothing where the record can be read, else why not. `record` and `key` must hold until its last event is read.
  [[nodiscard]] std::optional<DecodeError> begin(std::string_view record, std::string_view key);
  // What was made of the record's spans; null where it is a native event. Valid until the next record.
  const SpanReader* spans() const { return has_spans_ ? &spans_ : nullptr; }
  // The latest time that any of its events has. Requires: next() was not called.
  std::optional<EventTime> latest() const;
  // The next event, valid until the next call; null after the last one. A record of nobody's spans has none.
  const AgentEvent* next();

 private:
  NativeDecoder native_;
  OtlpDecoder otlp_;
  VendorDecoder vendors_;
  SpanReader spans_;
  const AgentEvent* single_ = nullptr;
  bool has_spans_ = false;
};

}  // namespace tocsin
