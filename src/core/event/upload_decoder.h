// What is posted to a door, to its events: uncompressed, told apart by the path, and decoded.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/event/agent_event.h"
#include "core/event/native_decoder.h"
#include "core/event/span_reader.h"
#include "core/event/upload.h"

namespace tocsin {

class UploadDecoder {
 public:
  // `most_bytes`: of an uncompressed body.
  explicit UploadDecoder(std::size_t most_bytes);
  ~UploadDecoder();
  UploadDecoder(const UploadDecoder&) = delete;
  UploadDecoder& operator=(const UploadDecoder&) = delete;

  // By which names spans are read, and which attributes of a deployment's own, from the next upload on; null: by
  // those that ship, and none.
  void know(std::shared_ptr<const DialectIndex> names);
  void read_all_spans();
  // Nothing where it can be read, else why not. `upload` must hold until its last event is read.
  [[nodiscard]] std::optional<DecodeError> begin(const Upload& upload);
  // The next event, valid until the next call; null after the last one.
  const AgentEvent* next();
  // What was made of the upload's spans; null where there are none. Valid until the next upload.
  const SpanReader* spans() const;
  // See VendorDecoder.
  std::vector<std::string> ids_of_batch() const;
  // Of native events, one a line, those that were passed over so far; and why the last of them was.
  std::uint64_t refused() const;
  std::optional<DecodeError> refused_for() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
