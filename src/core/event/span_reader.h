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
#include <vector>

#include "core/event/agent_event.h"
#include "core/event/dialect.h"
#include "core/event/span_batch.h"

namespace tocsin {

// What was made of a span, for people.
struct SpanExplanation {
  const Span* span = nullptr;
  SpanKind kind = SpanKind::other;
  std::string_view dialect;  // that says so; empty where none does
  struct Given {
    Meaning meaning = Meaning::content;
    std::string_view attribute, dialect;
    std::string_view own = {};  // what an attribute of a deployment's own is called
  };
  std::vector<Given> given;  // what each meaning was taken from, a line for each; content once an attribute
  std::vector<std::string_view> unknown;  // names of attributes that no dialect has
};

class SpanReader {
 public:
  SpanReader();
  ~SpanReader();
  SpanReader(const SpanReader&) = delete;
  SpanReader& operator=(const SpanReader&) = delete;

  // By which names spans are read from the next begin() on; those that ship, until it is called.
  void know(std::shared_ptr<const DialectIndex> names);
  // Begins with the spans of a record. `batch` and `key` (the record's) must hold until its last event is read.
  void begin(const SpanBatch& batch, std::string_view key, std::size_t record_bytes);
  // The latest time that any of its events has.
  std::optional<EventTime> latest() const;
  // Of each span of the record. Not for the hot path.
  std::vector<SpanExplanation> explain() const;
  // The next event, valid until the next call; null after the last one. Allocates only while its buffers still grow.
  const AgentEvent* next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
