#include "edge/kafka/topic_plan.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace tocsin {

namespace {

using namespace std::chrono_literals;

constexpr Duration day = 24h;
// The longest window reaches 24 h back, and the slice at its far end two more.
constexpr Duration longest_window = 26h;

constexpr std::array<TopicSpec, topic_count - 2> table{{
    {Topic::blocks, "source partition", PartitionRule::evaluate, Cleanup::remove, 3 * day, longest_window,
     "30 to 7,900", "evaluate", "ingest"},
    {Topic::findings, "finding id", PartitionRule::evaluate, Cleanup::remove, 3 * day, longest_window, "4",
     "evaluate", "ingest"},
    {Topic::halts, "`halt/SCOPE/ID`, `release/SCOPE/ID`", PartitionRule::one, Cleanup::compact, 0s, 0s, "4",
     "agents, ingest, evaluate, `/v1/halts`", "ingest; the doors of release and drill"},
    {Topic::halt_acks, "halt id", PartitionRule::one, Cleanup::remove, 7 * day, 0s, "under 1", "evaluate, people",
     "agents, `POST /v1/halt-acks`"},
    {Topic::outbox, "alert id", PartitionRule::outbox, Cleanup::remove, 7 * day, day, "under 10", "deliver",
     "evaluate"},
    {Topic::events, "correlation id", PartitionRule::like_source, Cleanup::remove, day, 0s, "40,000",
     "whoever wants sanitized events", "ingest, if `publish_events`"},
    {Topic::dead_letters, "none", PartitionRule::one, Cleanup::remove, 7 * day, 0s, "9", "people", "ingest"},
    {Topic::investigations, "alert id", PartitionRule::one, Cleanup::remove, 30 * day, 0s, "under 1", "red team",
     "evaluate: action `investigate`"},
    {Topic::spec_gaps, "alert id", PartitionRule::one, Cleanup::remove, 30 * day, 0s, "under 1", "spec owners",
     "evaluate: action `spec_gap`"},
    {Topic::eval_candidates, "alert id", PartitionRule::one, Cleanup::remove, 30 * day, 0s, "under 1",
     "the eval suite", "evaluate: action `eval_candidate`"},
    {Topic::tasks, "`task/ID`, `halt/ID`, `identities/PLACE`", PartitionRule::covers_source, Cleanup::compact, 0s, 0s,
     "1,400 to 4,100", "ingest, when it gets a partition", "ingest"},
    {Topic::states, "what the state is of", PartitionRule::evaluate, Cleanup::compact, 0s, 0s,
     "50 for each 1,000 series", "evaluate, when it gets a partition", "evaluate"},
    {Topic::page_status, "receiver and page id", PartitionRule::outbox, Cleanup::compact_and_remove, 14 * day,
     7 * day, "under 1", "deliver, when it gets a partition", "deliver"},
    {Topic::silences, "`silence/ID`, `accept/ID`", PartitionRule::one, Cleanup::compact, 0s, 0s, "under 1",
     "evaluate, `/v1/silences`", "the doors of silences and baselines"},
    {Topic::control, "`file/1/HASH`, `propose/N/ID`, `decide/N/ID`, `trouble/PROCESS`", PartitionRule::one,
     Cleanup::compact, 0s, 0s, "under 1", "every process", "every process"},
    {Topic::heartbeat, "none", PartitionRule::one, Cleanup::remove, 1h, 0s, "under 1", "ingest, as a source",
     "ingest"},
    {Topic::keyed, "correlation id", PartitionRule::like_source, Cleanup::remove, 3 * day, longest_window, "37,000",
     "ingest, as its source", "rekey, doors: with `keyed_by: none`"},
    {Topic::spans, "correlation id", PartitionRule::like_source, Cleanup::remove, day, 0s, "49,000",
     "whoever wants spans", "ingest, if `publish_spans`"},
}};

std::string milliseconds(Duration duration) {
  return std::to_string(duration.count());
}

}  // namespace

std::string_view name_of(Cleanup cleanup) {
  constexpr std::array<std::string_view, 3> names{"delete", "compact", "compact,delete"};
  return names[static_cast<std::size_t>(cleanup)];
}

std::span<const TopicSpec> topic_table() {
  return table;
}

const TopicSpec& spec_of(Topic topic) {
  return *std::find_if(table.begin(), table.end(), [&](const TopicSpec& spec) { return spec.topic == topic; });
}

std::int32_t PartitionCounts::of(PartitionRule rule) const {
  switch (rule) {
    case PartitionRule::one:
      return 1;
    case PartitionRule::like_source:
      return source;
    case PartitionRule::covers_source:
      return source + 1;
    case PartitionRule::evaluate:
      return evaluate;
    case PartitionRule::outbox:
      return outbox;
  }
  return 1;
}

PlannedTopic plan_topic(const TopicSpec& spec, const std::string& name, const PartitionCounts& counts,
                        std::int32_t replication_factor) {
  PlannedTopic topic{name, counts.of(spec.partitions), replication_factor, {}};
  topic.settings.emplace_back("cleanup.policy", name_of(spec.cleanup));
  if (spec.cleanup != Cleanup::compact) topic.settings.emplace_back("retention.ms", milliseconds(spec.retention));
  if (spec.cleanup != Cleanup::remove) {
    // A restart reads the whole topic, and the newest segment is never compacted: it must not grow old or big.
    topic.settings.emplace_back("segment.ms", milliseconds(1h));
    topic.settings.emplace_back("segment.bytes", std::to_string(64 << 20));
    topic.settings.emplace_back("min.cleanable.dirty.ratio", "0.1");
  }
  // Its records bear the times of those that they were made of.
  if (spec.topic == Topic::keyed) topic.settings.emplace_back("message.timestamp.type", "CreateTime");
  // Kafka's default, said in case a cluster has a smaller one.
  topic.settings.emplace_back("max.message.bytes", "1048588");
  topic.settings.emplace_back("min.insync.replicas", replication_factor >= 3 ? "2" : "1");
  return topic;
}

std::int32_t replication_factor(const KafkaSettings& settings, std::int32_t brokers) {
  return settings.replication_factor > 0 ? settings.replication_factor : std::clamp(brokers, 1, 3);
}

bool is_used(const TopicSpec& spec, const KafkaSettings& settings) {
  if (spec.topic == Topic::heartbeat) return settings.heartbeat;
  if (spec.topic == Topic::keyed) return !settings.unkeyed.empty();
  if (spec.topic == Topic::spans) return settings.publishes_spans;
  return true;
}

}  // namespace tocsin
