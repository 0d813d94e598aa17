#include "app/record_reader.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <sstream>

#include "app/input_stream.h"
#include "core/stage/ingest_stage.h"

namespace tocsin {

namespace {

// OTLP protobuf in a file of lines stands there in hexadecimal. Its first byte is 0x0a, with which no text begins.
bool decode_hex(std::string_view text, std::string& out) {
  if (text.size() < 4 || text.size() % 2 != 0 || (!text.starts_with("0a") && !text.starts_with("0A"))) return false;
  out.clear();
  for (std::size_t i = 0; i < text.size(); i += 2) {
    std::uint8_t byte = 0;
    const char* const end = text.data() + i + 2;
    if (std::from_chars(text.data() + i, end, byte, 16).ptr != end) return false;
    out += static_cast<char>(byte);
  }
  return true;
}

class LineReader final : public RecordReader {
 public:
  LineReader(std::unique_ptr<InputStream> stream, double size) : stream_(std::move(stream)), size_(size) {}

  std::optional<RecordLine> next() override {
    while (std::getline(*stream_, line_)) {
      ++line_number_;
      read_ += static_cast<double>(line_.size() + 1);
      if (!line_.empty() && line_.back() == '\r') line_.pop_back();
      if (line_.empty()) continue;
      // A document over many lines opens with nothing but brackets.
      if (line_number_ == 1 && line_.find_first_not_of("[{ \t") == std::string::npos) {
        std::ostringstream rest;
        rest << stream_->rdbuf();
        line_ += "\n" + rest.str();
        read_ = size_;
        stream_->setstate(std::ios::eofbit);
        RecordLine record;
        record.value = line_;
        record.number = 1;
        return record;
      }
      RecordLine record = split_record(line_, line_number_);
      if (decode_hex(record.value, bytes_)) record.value = bytes_;
      return record;
    }
    return std::nullopt;
  }

  std::optional<double> progress() const override {
    if (size_ <= 0) return std::nullopt;
    return read_ / size_;
  }

 private:
  std::unique_ptr<InputStream> stream_;
  double size_ = 0;
  double read_ = 0;
  std::int64_t line_number_ = 0;
  std::string line_;
  std::string bytes_;
};

}  // namespace

Result<std::unique_ptr<RecordReader>, std::string> RecordReader::open(const std::string& input) {
  std::error_code error;
  if (std::filesystem::is_directory(input, error)) return failure(input + " is a folder; name a file");
  auto stream = std::make_unique<InputStream>(input);
  if (!*stream) return failure(input + " can't be read: no such file, or no right to it");
  double size = 0;
  if (input != "-") size = static_cast<double>(std::filesystem::file_size(input, error));
  return success(std::unique_ptr<RecordReader>(std::make_unique<LineReader>(std::move(stream), error ? 0.0 : size)));
}

std::string how_far(const RecordReader& reader, std::int64_t records) {
  const auto part = reader.progress();
  return (part ? fmt::format("{:3.0f} %", *part * 100) : std::string{}) + fmt::format("  {} records", records);
}

RawRecord raw_record(const RecordLine& line) {
  RawRecord record;
  record.key = line.key;
  record.value = line.value;
  record.offset = line.number;
  record.time = line.time;
  record.time_is_ahead = line.time_is_ahead;
  return record;
}

RecordLine split_record(std::string_view line, std::int64_t number) {
  RecordLine record;
  record.value = line;
  record.number = number;
  const std::size_t tab = line.find('\t');
  const bool is_json = !line.empty() && (line.front() == '{' || line.front() == '[');
  if (is_json || tab == std::string_view::npos) return record;
  record.key = line.substr(0, tab);
  record.value = line.substr(tab + 1);
  return record;
}

}  // namespace tocsin
