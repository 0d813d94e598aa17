// Native JSON records: bytes -> AgentEvent, in one pass with simdjson's on-demand parser.
//
// Accepts numbers written as strings, times as RFC 3339 or as a number in s, ms, us or ns, and fields that it
// does not know (their strings are still scanned). Refuses a record with a reason, never with an exception and
// never with a byte of the payload.
//
// Limits, checked before anything is built: 1 MiB a record, 100 levels, 4,096 keys and list items.

#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "core/event/agent_event.h"

namespace tocsin {

enum class DecodeError : std::uint8_t {
  empty,
  too_large,
  too_deep,
  too_many_keys,
  not_json,
  not_utf8,
  not_an_object,
  no_type,
  unknown_type,
  bad_time,
  no_correlation_id,  // neither in the record nor as its key
  wrong_type,         // a known field holds a value of another type
  out_of_range,       // a number that its unit cannot hold, or a negative count
  trailing_data,      // bytes after the object
  gave_up,            // each attempt to read it ended the process
  not_protobuf,       // it begins as a protobuf message and goes on as none
  unknown_form,       // of none of the forms that come to its door
  not_multipart,
  not_msgpack,
  compression,  // it is not compressed in the way that it says, or in one that is not known
};
inline constexpr std::size_t decode_error_count = 20;

// Stable and short, as metric labels and dead letters carry them: "not_json".
std::string_view name_of(DecodeError error);

class NativeDecoder {
 public:
  static constexpr std::size_t max_record_bytes = 1 << 20;
  static constexpr int max_depth = 100;
  static constexpr int max_keys = 4'096;

  NativeDecoder();
  ~NativeDecoder();
  NativeDecoder(const NativeDecoder&) = delete;
  NativeDecoder& operator=(const NativeDecoder&) = delete;

  // Which attributes of a deployment's own are read from the next record on; null: none.
  void know(std::shared_ptr<const OwnAttributes> own);
  // Whether a record's member of this name is a field of ours.
  static bool has_field(std::string_view name);
  static std::vector<std::string_view> field_names();

  // The event and its views stay valid until the next call. Allocates only while its buffers still grow.
  // `key`: the record's, which is the correlation id where the record itself has none.
  [[nodiscard]] Result<const AgentEvent*, DecodeError> decode(std::string_view payload, std::string_view key = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
