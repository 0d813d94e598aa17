#include "edge/kafka/kafka_settings.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

namespace tocsin {

namespace {

// Where exactness hangs on the value, nobody else sets it.
constexpr std::array<std::string_view, 8> our_own{"enable.auto.commit", "enable.auto.offset.store",
                                                  "isolation.level",    "transactional.id",
                                                  "enable.idempotence", "acks",
                                                  "group.instance.id",  "partition.assignment.strategy"};

}  // namespace

bool is_secret_property(std::string_view name) {
  constexpr std::array<std::string_view, 6> secrets{"sasl.password",
                                                    "ssl.key.password",
                                                    "ssl.key.pem",
                                                    "ssl.keystore.password",
                                                    "sasl.oauthbearer.client.secret",
                                                    "sasl.oauthbearer.config"};
  return std::find(secrets.begin(), secrets.end(), name) != secrets.end();
}

std::vector<std::string> check_properties(const std::map<std::string, std::string>& properties) {
  std::vector<std::string> problems;
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : properties) {
    if (std::find(our_own.begin(), our_own.end(), name) != our_own.end()) {
      problems.push_back("'" + name + "' is set by tocsin itself; leave it out");
      continue;
    }
    std::array<char, 512> text{};
    const auto result = rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size());
    if (result == RD_KAFKA_CONF_UNKNOWN) {
      problems.push_back("'" + name + "' is no property of librdkafka (see its CONFIGURATION.md)");
    } else if (result != RD_KAFKA_CONF_OK) {
      problems.push_back(is_secret_property(name) ? "'" + name + "' has a value that librdkafka refuses"
                                                  : std::string(text.data()));
    }
  }
  rd_kafka_conf_destroy(conf);
  return problems;
}

TopicNames::TopicNames(const KafkaSettings& settings) {
  for (const std::string& source : settings.sources) sources_.push_back({source, 0, 0});
  for (std::size_t i = 0; i < topic_count; ++i) {
    names_[i] = settings.topic_prefix + std::string(name_of(static_cast<Topic>(i)));
  }
  // Last, so that no other partition changes its number when the heartbeat is turned on.
  if (settings.heartbeat) sources_.push_back({name(Topic::heartbeat), 0, 0});
}

std::int32_t TopicNames::partitions(Topic topic) const {
  if (topic != Topic::source) return counts_[static_cast<std::size_t>(topic)];
  return sources_.empty() ? 0 : sources_.back().first + sources_.back().partitions;
}

void TopicNames::set_source_partitions(std::size_t source, std::int32_t count) {
  sources_[source].partitions = count;
  std::int32_t first = 0;
  for (Source& each : sources_) {
    each.first = first;
    first += each.partitions;
  }
}

std::vector<std::string> TopicNames::names_of(const std::vector<Topic>& topics) const {
  std::vector<std::string> list;
  for (const Topic topic : topics) {
    if (topic != Topic::source) {
      list.push_back(name(topic));
      continue;
    }
    for (const Source& source : sources_) list.push_back(source.name);
  }
  return list;
}

std::pair<const std::string*, std::int32_t> TopicNames::native(TopicPartition of) const {
  if (of.topic != Topic::source) return {&name(of.topic), of.partition};
  auto source = sources_.rbegin();
  while (source->first > of.partition) ++source;
  return {&source->name, of.partition - source->first};
}

std::optional<TopicPartition> TopicNames::known(std::string_view wanted, std::int32_t partition) const {
  for (const Source& source : sources_) {
    if (source.name != wanted) continue;
    if (partition >= source.partitions) return std::nullopt;
    return TopicPartition{Topic::source, source.first + partition};
  }
  for (std::size_t i = 0; i < topic_count; ++i) {
    if (names_[i] == wanted && i != static_cast<std::size_t>(Topic::source)) {
      return TopicPartition{static_cast<Topic>(i), partition};
    }
  }
  return std::nullopt;
}

}  // namespace tocsin
