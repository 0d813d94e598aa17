// How to reach a Kafka cluster, and what things are called there.

#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ports/bus.h"

namespace tocsin {

struct KafkaSettings {
  std::map<std::string, std::string> properties;  // librdkafka's own names; `bootstrap.servers` among them
  std::vector<std::string> sources;               // topics of telemetry, keyed by correlation id
  // Topics of telemetry under any key, or none. Where there are some, their records are sanitized and rekeyed into a
  // topic of Tocsin's own, which is the only source then.
  std::vector<std::string> unkeyed;
  // The topics of a deployment's own.
  const std::vector<std::string>& telemetry() const { return unkeyed.empty() ? sources : unkeyed; }
  std::string topic_prefix = "tocsin.";
  std::string group_prefix = "tocsin.";
  std::string instance;       // a name that is the same after a restart: its partitions wait for it
  bool start_at_end = false;  // where no position was ever committed; else the source is read from its beginning
  Duration session_timeout = std::chrono::seconds{10};
  bool idle_close = true;    // a source that is silent closes its slices by the clock; not while the past is loaded
  std::int32_t threads = 0;  // of ingest, and of evaluate; 0: one a core
  std::int32_t evaluate_partitions = 0;  // of topics that are created; 0: the plan's own count
  std::int32_t replication_factor = 0;  // of topics that are created; 0: three, or one a broker where there are fewer
  bool heartbeat = false;               // Tocsin's own records pass through all stages: ingest reads their topic too
  bool has_doors = false;               // uploads are written to the first source
  bool publishes_spans = false;         // sanitized events go out as spans, too
};

// What Kafka takes as one; 249 bytes are the most.
bool is_topic_name(std::string_view name, std::size_t longest = 249);

// Properties that must not stand in a file that people share.
bool is_secret_property(std::string_view name);

// What is wrong with properties of a person's own, each by name; never a value of a secret one.
std::vector<std::string> check_properties(const std::map<std::string, std::string>& properties);

// Which partition of which topic a TopicPartition is in the cluster. With a heartbeat its topic is the last source:
// ingest reads it as one, and Topic::heartbeat still is its name to write to.
class TopicNames {
 public:
  struct Source {
    std::string name;
    std::int32_t partitions = 0;  // in the cluster
  };
  // Of a partition of a topic: its number, and how many of its topic had one when that was written.
  struct Numbered {
    std::int32_t number = 0;
    std::int32_t partitions = 0;
  };
  using Known = std::map<std::pair<std::string, std::int32_t>, Numbered>;

  TopicNames() = default;
  TopicNames(const KafkaSettings& settings);

  // Requires: not of Topic::source.
  const std::string& name(Topic topic) const { return names_[static_cast<std::size_t>(topic)]; }
  std::int32_t partitions(Topic topic) const;
  void set_partitions(Topic topic, std::int32_t count) { counts_[static_cast<std::size_t>(topic)] = count; }
  // Numbers all anew, through the sources in their order.
  void set_source_partitions(std::size_t source, std::int32_t count);
  // Known partitions keep their numbers; the others get what is free, in order, so that added ones come behind all
  // others. Requires: the counts are set. A number that the topic of tasks has no partition for is given to none.
  void number_sources(const Known& known);
  const std::vector<Source>& sources() const { return sources_; }  // the heartbeat's among them
  // Of a topic of Topic::unkeyed, by its place among them. Its partitions are known whether they were there or not.
  void set_unkeyed_partitions(std::size_t index, std::int32_t count) { unkeyed_[index].partitions = count; }
  const std::vector<Source>& unkeyed() const { return unkeyed_; }

  std::vector<std::string> names_of(const std::vector<Topic>& topics) const;
  std::pair<const std::string*, std::int32_t> native(TopicPartition of) const;
  // Nothing where it is no partition that was there at the start.
  std::optional<TopicPartition> known(std::string_view name, std::int32_t partition) const;
  // The source had fewer partitions when others of it were read already.
  bool is_added(TopicPartition of) const;
  // How many partitions of a source have a number.
  std::int32_t numbered(const std::string& source) const;

 private:
  struct Place {
    std::size_t source = 0;
    std::int32_t partition = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  std::vector<Source> sources_;
  std::vector<Source> unkeyed_;
  std::vector<std::optional<Place>> places_;  // by number
  std::map<Place, std::int32_t> numbers_;
  std::set<std::int32_t> added_;
  std::array<std::string, topic_count> names_;
  std::array<std::int32_t, topic_count> counts_{};
};

enum class LogLevel : std::uint8_t { debug, info, warning, error };
// Thread: any.
using LogLine = std::function<void(LogLevel, const std::string&)>;

}  // namespace tocsin
