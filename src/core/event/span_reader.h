// The spans of a record to events: what each span is by its dialect's names, which fields it fills, and which events
// it makes.
//
// A model call makes a step, a tool call a tool.call; the root of a trace makes the beginning and the end of its
// task; agents and workflows below it are signs of life, whose figures repeat those of the calls and are not counted.
// A root that no dialect knows ends the task that the spans below it have opened. Spans of nobody's are passed over.
//
// The events of a record come with beginnings first and ends last, in between in the order in which they ended.

#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "core/event/agent_event.h"
#include "core/event/span_batch.h"

namespace tocsin {

class SpanReader {
 public:
  SpanReader();
  ~SpanReader();
  SpanReader(const SpanReader&) = delete;
  SpanReader& operator=(const SpanReader&) = delete;

  // Begins with the spans of a record. `batch` and `key` (the record's) must hold until its last event is read.
  void begin(const SpanBatch& batch, std::string_view key, std::size_t record_bytes);
  // The latest time that any of its events has.
  std::optional<EventTime> latest() const;
  // The next event, valid until the next call; null after the last one. Allocates only while its buffers still grow.
  const AgentEvent* next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
