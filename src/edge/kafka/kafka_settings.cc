#include "edge/kafka/kafka_settings.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace tocsin {

namespace {

// Where exactness hangs on the value, nobody else sets it.
constexpr std::array<std::string_view, 8> our_own{"enable.auto.commit", "enable.auto.offset.store",
                                                  "isolation.level",    "transactional.id",
                                                  "enable.idempotence", "acks",
                                                  "group.instance.id",  "partition.assignment.strategy"};

// A partition's number among those of all unkeyed topics: its topic's place in the upper bits.
constexpr std::int32_t most_partitions = 1 << 20;  // of a topic

}  // namespace

bool is_topic_name(std::string_view name, std::size_t longest) {
  return !name.empty() && name.size() <= longest && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; });
}

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
  for (const std::string& source : settings.sources) sources_.push_back({source, 0});
  for (const std::string& topic : settings.unkeyed) unkeyed_.push_back({topic, 0});
  for (std::size_t i = 0; i < topic_count; ++i) {
    names_[i] = settings.topic_prefix + std::string(name_of(static_cast<Topic>(i)));
  }
  // Last, so that no other partition changes its number when the heartbeat is turned on.
  if (settings.heartbeat) sources_.push_back({name(Topic::heartbeat), 0});
}

std::int32_t TopicNames::partitions(Topic topic) const {
  if (topic == Topic::unkeyed) {
    std::int32_t all = 0;
    for (const Source& one : unkeyed_) all += one.partitions;
    return all;
  }
  if (topic != Topic::source) return counts_[static_cast<std::size_t>(topic)];
  return static_cast<std::int32_t>(places_.size());
}

void TopicNames::set_source_partitions(std::size_t source, std::int32_t count) {
  sources_[source].partitions = count;
  number_sources({});
}

void TopicNames::number_sources(const Known& known) {
  places_.clear();
  numbers_.clear();
  added_.clear();
  std::map<std::string, std::int32_t> had;  // partitions, by topic
  const auto give = [&](Place place, std::int32_t number) {
    if (static_cast<std::size_t>(number) >= places_.size()) places_.resize(static_cast<std::size_t>(number) + 1);
    places_[static_cast<std::size_t>(number)] = place;
    numbers_[place] = number;
  };
  const auto for_each = [&](auto visit) {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      for (std::int32_t p = 0; p < sources_[i].partitions; ++p) visit(Place{i, p});
    }
  };
  for_each([&](Place place) {
    const std::string& topic = sources_[place.source].name;
    const auto found = known.find({topic, place.partition});
    if (found == known.end()) return;
    give(place, found->second.number);
    had[topic] = std::max(had[topic], found->second.partitions);
  });
  std::int32_t next = 0;
  const std::int32_t most = known.empty() ? INT32_MAX : partitions(Topic::tasks);
  // What was there before it was ever committed had its number too: those of added ones come behind.
  for (const bool is_added : {false, true}) {
    for_each([&](Place place) {
      const auto before = had.find(sources_[place.source].name);
      if (numbers_.contains(place) || (before != had.end() && place.partition >= before->second) != is_added) return;
      while (static_cast<std::size_t>(next) < places_.size() && places_[static_cast<std::size_t>(next)]) ++next;
      if (next >= most) return;
      give(place, next);
      if (is_added) added_.insert(next);
    });
  }
}

std::int32_t TopicNames::numbered(const std::string& source) const {
  return static_cast<std::int32_t>(std::count_if(numbers_.begin(), numbers_.end(), [&](const auto& entry) {
    return sources_[entry.first.source].name == source;
  }));
}

bool TopicNames::is_added(TopicPartition of) const {
  if (of.topic != Topic::unkeyed) return added_.contains(of.partition);
  return of.partition % most_partitions >=
         unkeyed_[static_cast<std::size_t>(of.partition / most_partitions)].partitions;
}

std::vector<std::string> TopicNames::names_of(const std::vector<Topic>& topics) const {
  std::vector<std::string> list;
  for (const Topic topic : topics) {
    if (topic != Topic::source && topic != Topic::unkeyed) {
      list.push_back(name(topic));
      continue;
    }
    for (const Source& source : topic == Topic::source ? sources_ : unkeyed_) list.push_back(source.name);
  }
  return list;
}

std::pair<const std::string*, std::int32_t> TopicNames::native(TopicPartition of) const {
  if (of.topic == Topic::unkeyed) {
    return {&unkeyed_[static_cast<std::size_t>(of.partition / most_partitions)].name, of.partition % most_partitions};
  }
  if (of.topic != Topic::source) return {&name(of.topic), of.partition};
  const auto& place = places_[static_cast<std::size_t>(of.partition)];
  static const std::string nowhere;
  if (!place) return {&nowhere, -1};
  return {&sources_[place->source].name, place->partition};
}

std::optional<TopicPartition> TopicNames::known(std::string_view wanted, std::int32_t partition) const {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].name != wanted) continue;
    const auto number = numbers_.find({i, partition});
    if (number == numbers_.end()) return std::nullopt;
    return TopicPartition{Topic::source, number->second};
  }
  for (std::size_t i = 0; i < unkeyed_.size(); ++i) {
    if (unkeyed_[i].name == wanted && partition < most_partitions) {
      return TopicPartition{Topic::unkeyed, static_cast<std::int32_t>(i) * most_partitions + partition};
    }
  }
  for (std::size_t i = 0; i < topic_count; ++i) {
    if (names_[i] == wanted && i != static_cast<std::size_t>(Topic::source)) {
      return TopicPartition{static_cast<Topic>(i), partition};
    }
  }
  return std::nullopt;
}

}  // namespace tocsin
