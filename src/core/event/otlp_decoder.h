// OTLP records to span batches: traces, logs and the metrics of agents, in protobuf as the Collector's Kafka exporter
// and the SDKs write it (TracesData and ExportTraceServiceRequest are the same bytes), and in its JSON form. Which of
// them a record holds is told by what stands in it.
//
// Wire format: opentelemetry-proto v1, https://opentelemetry.io/docs/specs/otlp/. Fields that it does not know are
// passed over. A record is decoded as a whole or refused with a reason, never with an exception and never with a byte
// of it.
//
// Limits: 1 MiB a record unless said, 32 levels of values, 65,536 attributes and parts of values.

#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/event/dialect.h"
#include "core/event/native_decoder.h"
#include "core/event/span_batch.h"

namespace tocsin {

// What a record is, by its first bytes.
enum class RecordForm : std::uint8_t { native, otlp_json, otlp_protobuf };
RecordForm form_of(std::string_view record);

class OtlpDecoder {
 public:
  static constexpr std::size_t most_record_bytes = 1 << 20;

  // Longer ones are refused.
  explicit OtlpDecoder(std::size_t most_bytes = most_record_bytes);
  ~OtlpDecoder();
  OtlpDecoder(const OtlpDecoder&) = delete;
  OtlpDecoder& operator=(const OtlpDecoder&) = delete;

  // Of spans that have no name of these only the place is read.
  void know(std::shared_ptr<const DialectIndex> names);

  // All spans are read whole: for people who look for what nobody knows.
  void read_all_spans();

  // The batch stays valid until the next call, and no longer than `record`.
  [[nodiscard]] Result<const SpanBatch*, DecodeError> decode(std::string_view record, RecordForm form);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
