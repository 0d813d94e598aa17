// Records from a file or a stream of lines: `value`, or `key TAB value`, protobuf in hexadecimal; a file that is one
// JSON document is one record. What else records are read from (app/kafka_input.h) is read the same way.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace tocsin {

struct RawRecord;

// Where a record stands in its topic.
struct RecordPlace {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

struct RecordLine {
  std::string_view key;
  std::string_view value;
  std::int64_t number = 0;         // of the line, from 1; of a topic's records as they come
  std::optional<RecordTime> time;  // the log's; files have none
  bool time_is_ahead = false;      // as in RawRecord
  std::optional<RecordPlace> place;
};

class RecordReader {
 public:
  // `input`: a path, or "-" for standard input. The error is for people.
  static Result<std::unique_ptr<RecordReader>, std::string> open(const std::string& input);
  virtual ~RecordReader() = default;

  // The next record; its views are valid until the next call. Blank lines are passed over.
  virtual std::optional<RecordLine> next() = 0;

  // Why there is no next record, where that is not the end; for people.
  virtual std::optional<std::string> error() const { return std::nullopt; }

  // How much has been read, from 0 to 1; nothing where it is not known how much there is.
  virtual std::optional<double> progress() const = 0;
};

// How much of it has been read, for people: " 42 %  1024 records".
std::string how_far(const RecordReader& reader, std::int64_t records);

// The same as ingest takes it; its views are the line's.
RawRecord raw_record(const RecordLine& line);

// Splits a line into key and value: what stands before a tab is the key, unless the line begins as JSON.
RecordLine split_record(std::string_view line, std::int64_t number);

}  // namespace tocsin
