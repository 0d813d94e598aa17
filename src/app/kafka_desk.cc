#include "app/kafka_desk.h"

#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "app/config.h"
#include "edge/kafka/kafka_bus.h"
#include "edge/kafka/partition_counts.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr Duration reached_within = 8s;
constexpr Duration read_within = 10s;
constexpr Duration written_within = 10s;

// What librdkafka said last, for the one line that a person reads. Its threads write it.
class LastWords {
 public:
  LogLine line() {
    return [this](LogLevel level, const std::string& text) {
      if (level < LogLevel::warning) return;
      const std::lock_guard lock(mutex_);
      text_ = text;
    };
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

// What a topic holds for its readers: the last value of each key.
using Folded = std::map<std::string, std::string>;

Result<Folded, std::string> read_topic(Bus& bus, Topic topic, const std::string& name) {
  Folded folded;
  const auto until = Steady::now() + read_within;
  for (std::int32_t p = 0; p < bus.partitions(topic); ++p) {
    const auto outcome = bus.read_to_end(
        {topic, p}, 0, [&](const BusRecord& record) { folded[std::string(record.key)] = record.value; },
        [&] { return Steady::now() < until; });
    if (outcome != ReadOutcome::complete) {
      return failure(name + " could not be read to its end within 10 s: no right to read it, or the broker is away");
    }
  }
  return success(std::move(folded));
}

bool is_about_silences(const DeskRequest& request) {
  return request.path.size() > 1 && request.path[1] == "silences";
}

bool is_drill(const DeskRequest& request) {
  return request.path.size() == 3 && request.path[2] == "drill" && request.method == "POST";
}

Result<Config, std::string> config_for(const std::string& path, const DeskRequest& request) {
  Diagnostics diagnostics;
  Config config = load_config_file(path, diagnostics);
  if (diagnostics.has_errors()) {
    std::string text = path + " has mistakes:";
    for (const Diagnostic& one : diagnostics.all()) text += "\n  " + to_text(one);
    return failure(std::move(text));
  }
  if (!config.kafka) return failure(path + " has no 'kafka:', which says how the cluster is reached");
  if (is_drill(request) && !config.has_halt_mode) {
    return failure(path + " has no 'halts: {mode: dry_run}' or 'enforce', which says what a drill does");
  }
  return success(std::move(config));
}

Result<DeskAnswer, std::string> write(Bus& bus, InFlight& in_flight, DeskAnswer answer, Topic topic,
                                      const std::string& name) {
  for (const NewRecord& record : answer.records)
    bus.send({record.topic, by_key, record.key, record.value}, in_flight);
  for (const auto until = Steady::now() + written_within; in_flight.records > 0;) {
    if (Steady::now() > until) {
      return failure(name + ": the broker did not confirm within 10 s; it may have been written, so look again");
    }
    std::this_thread::sleep_for(5ms);
  }
  // What a broker refuses for good counts as settled too, so only what can be read was written.
  const auto folded = read_topic(bus, topic, name);
  if (!folded) return failure(folded.error());
  for (const NewRecord& record : answer.records) {
    const auto found = folded.value().find(record.key);
    if (found == folded.value().end() || found->second != record.value) {
      return failure(name + ": the broker did not take it; does this user have the right to write there?");
    }
  }
  return success(std::move(answer));
}

}  // namespace

Result<DeskAnswer, std::string> ask_kafka(const std::string& config_path, const DeskRequest& request) {
  auto loaded = config_for(config_path, request);
  if (!loaded) return failure(loaded.error());
  const Config& config = loaded.value();
  const Topic topic = is_about_silences(request) ? Topic::silences : Topic::halts;
  TopicNames names(*config.kafka);
  const std::string name = names.name(topic);

  LastWords last_words;
  const auto counts = partition_counts(*config.kafka, {name}, reached_within, last_words.line());
  if (!counts) {
    const std::string heard = last_words.text();
    return failure("Kafka at " + config.kafka->properties.at("bootstrap.servers") +
                   " can't be reached: " + counts.error() + (heard.empty() ? "" : " (" + heard + ")"));
  }
  const auto count = counts.value().find(name);
  if (count == counts.value().end()) {
    return failure("there is no topic " + name + " in the cluster, or no right to see it");
  }
  names.set_partitions(topic, count->second);

  InFlight in_flight;  // outlives the bus
  auto bus = KafkaBus::start(*config.kafka, names, last_words.line());
  if (!bus) return failure(bus.error());
  const auto folded = read_topic(*bus.value(), topic, name);
  if (!folded) return failure(folded.error());
  OrderDesk desk({config.deployment(), config.halts.enforce});
  for (const auto& [key, value] : folded.value()) desk.apply(topic, key, value);
  const EventTime now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  auto answer = desk.handle(request, now, now);
  if (!answer) return failure(std::string("this can't be asked of Kafka, only of a running service"));
  if (answer->records.empty()) return success(std::move(*answer));
  return write(*bus.value(), in_flight, std::move(*answer), topic, name);
}

}  // namespace tocsin
