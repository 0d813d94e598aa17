// Records from a file or a stream of lines: `value`, or `key TAB value`, protobuf in hexadecimal; a file that is one
// JSON document is one record.

#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tocsin {

struct RecordLine {
  std::string_view key;
  std::string_view value;
  std::int64_t number = 0;  // of the line, from 1
};

class RecordReader {
 public:
  // `input`: a path, or "-" for standard input. The error is for people.
  static Result<std::unique_ptr<RecordReader>, std::string> open(const std::string& input);

  // The next record; its views are valid until the next call. Blank lines are passed over.
  std::optional<RecordLine> next();

  // How much of the file has been read, from 0 to 1; nothing where its size is not known.
  std::optional<double> progress() const;

 private:
  explicit RecordReader(std::unique_ptr<std::istream> owned, std::istream& stream, double size);

  std::unique_ptr<std::istream> owned_;
  std::istream& stream_;
  double size_ = 0;
  double read_ = 0;
  std::int64_t line_number_ = 0;
  std::string line_;
  std::string bytes_;
};

// Splits a line into key and value: what stands before a tab is the key, unless the line begins as JSON.
RecordLine split_record(std::string_view line, std::int64_t number);

}  // namespace tocsin
