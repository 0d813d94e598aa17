#include "app/kafka_input.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/time_text.h"
#include "edge/kafka/topic_reader.h"

namespace tocsin {

namespace {

constexpr std::string_view scheme = "kafka://";

bool is_host_and_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view port = text.substr(colon + 1);
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  return error == std::errc{} && end == port.data() + port.size() && number > 0;
}

class TopicInput final : public RecordReader {
 public:
  explicit TopicInput(std::unique_ptr<TopicReader> reader) : reader_(std::move(reader)) {}

  std::optional<RecordLine> next() override {
    const auto record = reader_->next();
    if (!record) return std::nullopt;
    RecordLine line;
    line.key = record->key;
    line.value = record->value;
    line.number = ++count_;
    line.time = record->time;
    line.time_is_ahead = record->time_is_ahead;
    line.place = RecordPlace{record->partition, record->offset};
    return line;
  }
  std::optional<std::string> error() const override { return reader_->error(); }
  std::optional<double> progress() const override { return reader_->progress(); }

 private:
  std::unique_ptr<TopicReader> reader_;
  std::int64_t count_ = 0;
};

std::string bad_moment(const char* option, const std::string& text) {
  return std::string(option) + ": '" + text +
         "' is no time; write one such as 2026-01-07T12:00:00Z, or -24h for a day before now";
}

}  // namespace

bool is_topic(const std::string& input) {
  return input.starts_with(scheme);
}

Result<TopicAddress, std::string> parse_topic_address(const std::string& input) {
  const std::string form = "write kafka://HOST:PORT/TOPIC, with commas between several HOST:PORT";
  const std::string rest = input.substr(scheme.size());
  // It is not repeated: a password may stand there.
  if (rest.find('@') != std::string::npos) {
    return failure(
        "a user and a password do not belong into a topic's address: write them under 'kafka' in a configuration, "
        "and name that with --config");
  }
  const std::size_t slash = rest.find('/');
  if (slash == std::string::npos) return failure(input + " names no topic; " + form);
  TopicAddress address{rest.substr(0, slash), rest.substr(slash + 1)};
  for (std::size_t begin = 0; begin <= address.brokers.size();) {
    const std::size_t end = std::min(address.brokers.find(',', begin), address.brokers.size());
    const std::string broker = address.brokers.substr(begin, end - begin);
    if (!is_host_and_port(broker)) return failure("'" + broker + "' is no HOST:PORT of a broker; " + form);
    begin = end + 1;
  }
  if (!is_topic_name(address.topic)) return failure("'" + address.topic + "' is no name of a topic; " + form);
  return success(std::move(address));
}

std::optional<RecordTime> parse_moment(const std::string& text, RecordTime now) {
  if (text.starts_with('-')) {
    const auto before = parse_duration(std::string_view(text).substr(1));
    if (!before) return std::nullopt;
    return now - *before;
  }
  const auto time = parse_rfc3339(text);
  if (!time) return std::nullopt;
  return as_record_time(*time);
}

Result<std::unique_ptr<RecordReader>, std::string> open_input(const InputOptions& options,
                                                              const std::optional<KafkaSettings>& kafka) {
  if (!is_topic(options.input)) {
    if (!options.from.empty() || !options.to.empty()) {
      return failure("--from and --to are for topics (kafka://HOST:PORT/TOPIC); a file is read whole");
    }
    return RecordReader::open(options.input);
  }
  auto address = parse_topic_address(options.input);
  if (!address) return failure(address.error());
  const RecordTime now = as_record_time(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()));
  TopicRange range;
  range.topic = address.value().topic;
  if (!options.from.empty() && !(range.from = parse_moment(options.from, now))) {
    return failure(bad_moment("--from", options.from));
  }
  if (!options.to.empty() && !(range.to = parse_moment(options.to, now))) {
    return failure(bad_moment("--to", options.to));
  }
  if (range.from && range.to && *range.from >= *range.to) {
    return failure("--from (" + to_rfc3339(*range.from) + ") does not lie before --to (" + to_rfc3339(*range.to) +
                   ")");
  }
  KafkaSettings settings = kafka.value_or(KafkaSettings{});
  settings.properties["bootstrap.servers"] = address.value().brokers;
  auto reader = TopicReader::open(std::move(settings), std::move(range));
  if (!reader) return failure(reader.error());
  return success(std::unique_ptr<RecordReader>(std::make_unique<TopicInput>(std::move(reader.value()))));
}

}  // namespace tocsin
