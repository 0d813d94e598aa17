#include "simulation/sim_cluster.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace tocsin::sim {

namespace {

using namespace std::chrono_literals;

constexpr Duration transaction_timeout = 15s;
constexpr Duration abort_scan = 10s;
constexpr Duration rebalance_timeout = 300s;

int broker_of(TopicPartition of) {
  return (static_cast<int>(of.topic) * 7 + of.partition) % 3;
}

}  // namespace

SimCluster::SimCluster(Scheduler& scheduler, Layout layout, Duration session_timeout)
    : scheduler_(scheduler), layout_(layout), session_timeout_(session_timeout) {
  for (std::size_t topic = 0; topic < topic_count; ++topic) {
    for (std::int32_t p = 0; p < partitions(static_cast<Topic>(topic)); ++p) logs_[{static_cast<Topic>(topic), p}];
  }
}

std::int32_t SimCluster::partitions(Topic topic) const {
  switch (topic) {
    case Topic::source:
    case Topic::tasks:
      return layout_.source;
    case Topic::blocks:
    case Topic::findings:
    case Topic::states:
      return layout_.blocks;
    case Topic::outbox:
    case Topic::page_status:
      return layout_.outbox;
    default:
      return 1;
  }
}

PartitionLog& SimCluster::log(TopicPartition of) {
  return logs_.at(of);
}

std::int32_t SimCluster::place_of(const NewRecord& record) {
  if (record.partition != by_key) return record.partition;
  const auto count = static_cast<std::uint64_t>(partitions(record.topic));
  return static_cast<std::int32_t>((record.key.empty() ? scheduler_.random().bits() : hash64(record.key)) % count);
}

// ---- faults ----

void SimCluster::take_broker_down(int broker, Duration for_so_long) {
  auto& back = broker_back_[static_cast<std::size_t>(broker)];
  back = std::max(back, scheduler_.now() + for_so_long);
}

void SimCluster::take_coordinator_down(Duration for_so_long) {
  coordinator_back_ = std::max(coordinator_back_, scheduler_.now() + for_so_long);
  if (for_so_long < session_timeout_) return;
  // A client that hears nothing for so long takes its partitions for lost by itself.
  scheduler_.after(session_timeout_, [this, back = coordinator_back_] {
    if (coordinator_back_ < back) return;
    for (auto& [name, group] : groups_) {
      for (auto& [id, client] : group.members) {
        tell(
            client, [](GroupClient& told) { told.assignment_lost = true; }, 200ms);
      }
    }
  });
}

void SimCluster::heal() {
  broker_back_.fill(scheduler_.now());
  coordinator_back_ = scheduler_.now();
  commit_delay = 0s;
  trouble = 0;
}

bool SimCluster::reachable() const {
  // Two of three: the client asks any of them.
  return std::count_if(broker_back_.begin(), broker_back_.end(),
                       [&](Duration back) { return back <= scheduler_.now(); }) > 0;
}

Duration SimCluster::back_at(std::optional<TopicPartition> to) const {
  return to ? broker_back_[static_cast<std::size_t>(broker_of(*to))] : coordinator_back_;
}

// ---- the network ----

Duration SimCluster::latency() {
  Random& random = scheduler_.random();
  if (random.chance(trouble)) return Duration{random.below(random.chance(0.2) ? 3'000 : 200)};
  return Duration{1 + random.below(4)};
}

void SimCluster::request(const ProcessPointer& from, std::optional<TopicPartition> to, std::function<void()> handle,
                         std::function<void()> then) {
  const Duration arrives = scheduler_.now() + latency();
  scheduler_.at(arrives, [this, from, to, arrives, handle = std::move(handle), then = std::move(then)]() mutable {
    deliver(from, to, arrives, std::move(handle), std::move(then));
  });
}

void SimCluster::deliver(const ProcessPointer& from, std::optional<TopicPartition> to, Duration arrives,
                         std::function<void()> handle, std::function<void()> then) {
  if (!from->gets_out(arrives)) {
    from->post([this, from, to, handle = std::move(handle), then = std::move(then)]() mutable {
      request(from, to, std::move(handle), std::move(then));
    });
    return;
  }
  if (const Duration back = back_at(to); back > scheduler_.now()) {
    // Either it waits in a buffer on the way, and comes whatever happens, or the client sends it once more.
    const bool waits = scheduler_.random().chance(0.5);
    const Duration again = back + Duration{scheduler_.random().below(300)};
    scheduler_.at(
        again, [this, from, to, again, waits, arrives, handle = std::move(handle), then = std::move(then)]() mutable {
          deliver(from, to, waits ? arrives : again, std::move(handle), std::move(then));
        });
    return;
  }
  handle();
  scheduler_.after(latency(), [from, then = std::move(then)]() mutable { from->post(std::move(then)); });
}

// ---- records ----

void SimCluster::append(TopicPartition of, std::string key, std::string value, RecordTime time) {
  PartitionLog& target = log(of);
  target.append(std::move(key), std::move(value), time, no_producer, scheduler_.now());
  if (watcher_ != nullptr) watcher_->on_append(of, target.entries().back());
  note_growth(of);
}

void SimCluster::note_growth(TopicPartition of) {
  for (auto& [name, group] : groups_) {
    for (auto& [id, client] : group.members) {
      const auto& own = client->assigned;
      if (client->on_data && std::find(own.begin(), own.end(), of) != own.end()) client->on_data(of);
    }
  }
}

// ---- transactions ----

std::optional<int> SimCluster::init_producer(const std::string& transactional_id) {
  Producer& producer = producers_[transactional_id];
  if (producer.id == 0) producer.id = next_producer_++;
  if (producer.state == Producer::State::ending) return std::nullopt;
  ++producer.epoch;
  if (producer.state == Producer::State::empty) return producer.epoch;
  ++fenced;
  begin_end(transactional_id, producer, false);
  return std::nullopt;
}

void SimCluster::begin_transaction(const std::string& transactional_id, Producer& producer) {
  producer.state = Producer::State::ongoing;
  const std::uint64_t number = ++producer.transaction;
  scheduler_.after(transaction_timeout + Duration{scheduler_.random().below(abort_scan.count())},
                   [this, transactional_id, number] {
                     Producer& late = producers_[transactional_id];
                     if (late.transaction != number || late.state != Producer::State::ongoing) return;
                     ++late.epoch;
                     begin_end(transactional_id, late, false);
                   });
}

SimCluster::Reply SimCluster::produce(const std::string& transactional_id, int epoch, TopicPartition to,
                                      std::vector<NewRecord> records) {
  Producer& producer = producers_[transactional_id];
  if (producer.epoch != epoch) return Reply::fenced;
  if (producer.state == Producer::State::ending) return Reply::again;
  if (producer.state == Producer::State::empty) begin_transaction(transactional_id, producer);
  producer.partitions.insert(to);
  PartitionLog& target = log(to);
  for (NewRecord& record : records) {
    target.append(std::move(record.key), std::move(record.value), {scheduler_.now()}, producer.id, scheduler_.now());
    if (watcher_ != nullptr) watcher_->on_append(to, target.entries().back());
  }
  return Reply::done;
}

bool SimCluster::is_current(const Credentials& client) const {
  if (!keeps(Promise::fences_by_generation)) return true;
  const auto group = groups_.find(client.group);
  if (group == groups_.end()) return false;
  const auto member = group->second.members.find(client.member_id);
  return member != group->second.members.end() && group->second.generation == client.generation;
}

SimCluster::Reply SimCluster::add_positions(const Credentials& client, const std::vector<BusPosition>& positions) {
  Producer& producer = producers_[client.transactional_id];
  if (producer.epoch != client.epoch) return Reply::fenced;
  if (producer.state == Producer::State::ending) return Reply::again;
  if (!is_current(client)) return Reply::refused;
  if (producer.state == Producer::State::empty) begin_transaction(client.transactional_id, producer);
  for (const BusPosition& position : positions) {
    ++offsets_[client.group][position.of].undecided;
    producer.pending.push_back({client.group, position});
  }
  return Reply::done;
}

SimCluster::Reply SimCluster::commit_positions(const Credentials& client, const std::vector<BusPosition>& positions) {
  if (!is_current(client)) return Reply::refused;
  for (const BusPosition& position : positions) put_position(client.group, position);
  return Reply::done;
}

SimCluster::Reply SimCluster::end_transaction(const std::string& transactional_id, int epoch, bool commit) {
  Producer& producer = producers_[transactional_id];
  if (producer.epoch != epoch) return Reply::fenced;
  if (producer.state == Producer::State::ending) {
    return producer.commits == commit ? Reply::done : Reply::refused;
  }
  if (producer.state == Producer::State::empty) return producer.commits == commit ? Reply::done : Reply::refused;
  begin_end(transactional_id, producer, commit);
  return Reply::done;
}

void SimCluster::begin_end(const std::string& transactional_id, Producer& producer, bool commit) {
  producer.state = Producer::State::ending;
  producer.commits = commit;
  ++(commit ? transactions_committed : transactions_aborted);
  producer.markers = static_cast<int>(producer.partitions.size()) + 1;
  const auto at = [&](std::optional<TopicPartition> part) {
    Random& random = scheduler_.random();
    const bool slow = random.chance(trouble);
    const Duration delay = slow ? Duration{random.below(5'000)} : Duration{1 + random.below(8)};
    scheduler_.at(std::max(back_at(part), scheduler_.now() + delay),
                  [this, transactional_id, part] { end_part(transactional_id, part); });
  };
  for (const TopicPartition& part : producer.partitions) at(part);
  at(std::nullopt);
}

// Each partition gets its marker in its own time, and so do the positions.
void SimCluster::end_part(const std::string& transactional_id, std::optional<TopicPartition> part) {
  Producer& producer = producers_[transactional_id];
  if (part) {
    log(*part).settle(producer.id, producer.commits, scheduler_.now());
    note_growth(*part);
  } else {
    for (const Pending& pending : producer.pending) {
      --offsets_[pending.group][pending.position.of].undecided;
      if (producer.commits) put_position(pending.group, pending.position);
    }
    producer.pending.clear();
  }
  if (--producer.markers > 0) return;
  producer.partitions.clear();
  producer.state = Producer::State::empty;
}

void SimCluster::put_position(const std::string& group, const BusPosition& position) {
  Stored& stored = offsets_[group][position.of];
  if (watcher_ != nullptr) watcher_->on_position(group, stored.position ? &*stored.position : nullptr, position);
  stored.position = position;
}

std::optional<std::vector<std::optional<BusPosition>>> SimCluster::positions(
    const std::string& group, const std::vector<TopicPartition>& of) const {
  std::vector<std::optional<BusPosition>> list(of.size());
  const auto known = offsets_.find(group);
  if (known == offsets_.end()) return list;
  for (std::size_t i = 0; i < of.size(); ++i) {
    const auto stored = known->second.find(of[i]);
    if (stored == known->second.end()) continue;
    if (stored->second.undecided > 0) return std::nullopt;
    list[i] = stored->second.position;
  }
  return list;
}

std::optional<BusPosition> SimCluster::position(const std::string& group, TopicPartition of) const {
  const auto known = offsets_.find(group);
  if (known == offsets_.end()) return std::nullopt;
  const auto stored = known->second.find(of);
  return stored == known->second.end() ? std::nullopt : stored->second.position;
}

// ---- groups ----

void SimCluster::tell(const ClientPointer& client, std::function<void(GroupClient&)> news, Duration within) {
  scheduler_.after(Duration{1 + scheduler_.random().below(within.count())}, [client, news = std::move(news)] {
    client->process->post([client, news] {
      if (client->closed) return;
      news(*client);
      if (client->on_news) client->on_news();
    });
  });
}

void SimCluster::join(const ClientPointer& client) {
  if (client->closed && client->process->is_alive()) return;
  Group& group = groups_[client->group];
  if (!client->instance.empty()) {
    for (auto& [id, known] : group.members) {
      if (known->instance != client->instance || known == client) continue;
      // A static member that comes again takes its own place; who had it is out.
      tell(
          known, [](GroupClient& told) { told.fatal = "fenced: another process has this instance name"; }, 2'500ms);
      client->member_id = std::to_string(next_member_++) + "-" + client->instance;
      client->assigned = std::move(known->assigned);
      known->assigned.clear();
      group.joined.erase(id);
      group.members.erase(id);
      group.members[client->member_id] = client;
      if (group.state == Group::State::stable) {
        client->assigned_at = scheduler_.now();
        offer(client, group.generation);
      } else {
        group.joined.insert(client->member_id);
        complete_if_all_joined(client->group, group);
      }
      return;
    }
  }
  if (client->member_id.empty() || !group.members.contains(client->member_id)) {
    // Ids are random: who gets which partitions is, too.
    client->member_id = std::to_string(scheduler_.random().bits() % 1'000'000) + "-" + std::to_string(next_member_++);
    group.members[client->member_id] = client;
  }
  if (group.state == Group::State::stable) prepare(client->group, group);
  group.joined.insert(client->member_id);
  complete_if_all_joined(client->group, group);
}

void SimCluster::prepare(const std::string& name, Group& group) {
  group.state = Group::State::preparing;
  group.joined.clear();
  const std::uint64_t round = ++group.round;
  ++rebalances;
  for (auto& [id, client] : group.members) {
    tell(
        client,
        [this, name, round](GroupClient& told) {
          const Group& asking = groups_[name];
          const bool waits = asking.round == round && asking.state == Group::State::preparing &&
                             asking.members.contains(told.member_id) && !asking.joined.contains(told.member_id);
          if (waits) told.rebalance_asked = true;
        },
        session_timeout_ / 4);
  }
  scheduler_.after(rebalance_timeout, [this, name, round] {
    Group& late = groups_[name];
    if (late.round != round || late.state != Group::State::preparing) return;
    std::erase_if(late.members, [&](const auto& member) { return !late.joined.contains(member.first); });
    if (!late.members.empty()) complete(late);
  });
}

void SimCluster::complete_if_all_joined(const std::string& name, Group& group) {
  if (group.state != Group::State::preparing || group.members.empty()) return;
  const auto all_joined = [](const Group& one) {
    return std::all_of(one.members.begin(), one.members.end(),
                       [&](const auto& member) { return one.joined.contains(member.first); });
  };
  if (!all_joined(group)) return;
  scheduler_.at(std::max(coordinator_back_, scheduler_.now() + Duration{1 + scheduler_.random().below(200)}),
                [this, name, round = group.round, all_joined] {
                  Group& ready = groups_[name];
                  if (ready.round != round || ready.state != Group::State::preparing || !all_joined(ready)) return;
                  complete(ready);
                });
}

// The range assignor: of each topic, neighbouring partitions to each member in the order of their ids.
void SimCluster::complete(Group& group) {
  group.state = Group::State::stable;
  ++group.generation;
  for (auto& [id, client] : group.members) {
    client->assigned.clear();
    client->assigned_at = scheduler_.now();
  }
  if (group.members.empty()) return;
  for (const Topic topic : group.members.begin()->second->topics) {
    const auto count = static_cast<std::size_t>(partitions(topic));
    const std::size_t members = group.members.size();
    std::size_t number = 0, first = 0;
    for (auto& [id, client] : group.members) {
      const std::size_t own = count / members + (number < count % members ? 1 : 0);
      for (std::size_t p = first; p < first + own; ++p) {
        client->assigned.push_back({topic, static_cast<std::int32_t>(p)});
      }
      first += own;
      ++number;
    }
  }
  for (auto& [id, client] : group.members) {
    offer(client, group.generation);
  }
}

void SimCluster::offer(const ClientPointer& client, int generation) {
  tell(
      client,
      [list = client->assigned, member_id = client->member_id, generation](GroupClient& told) {
        if (told.member_id != member_id) return;
        told.offered = list;
        told.generation = generation;
        told.rebalance_asked = false;
      },
      20ms);
}

void SimCluster::remove(const std::string& name, const std::string& member_id) {
  Group& group = groups_[name];
  const auto member = group.members.find(member_id);
  if (member == group.members.end()) return;
  member->second->assigned.clear();
  group.members.erase(member);
  group.joined.erase(member_id);
  if (group.members.empty()) {
    group.state = Group::State::stable;
    ++group.round;
    ++group.generation;
  } else if (group.state == Group::State::stable) {
    prepare(name, group);
  } else {
    complete_if_all_joined(name, group);
  }
}

void SimCluster::leave(const ClientPointer& client) {
  const auto group = groups_.find(client->group);
  if (group == groups_.end() || client->member_id.empty()) return;
  const auto member = group->second.members.find(client->member_id);
  if (member == group->second.members.end() || member->second != client) return;
  // A static one stays a member until its session times out.
  if (!client->instance.empty()) {
    scheduler_.after(session_timeout_, [this, client] {
      const auto known = groups_[client->group].members.find(client->member_id);
      if (known != groups_[client->group].members.end() && known->second == client) {
        remove(client->group, client->member_id);
      }
    });
    return;
  }
  remove(client->group, client->member_id);
}

void SimCluster::note_silence(const ProcessPointer& process) {
  const Duration since = process->silent_since();
  scheduler_.at(since + session_timeout_, [this, process, since] { expire(process, since); });
}

void SimCluster::expire(const ProcessPointer& process, Duration silent_since) {
  if (process->is_running() || process->silent_since() != silent_since) return;
  if (coordinator_back_ > scheduler_.now()) {
    // A new coordinator gives everybody a whole session.
    scheduler_.at(coordinator_back_ + session_timeout_,
                  [this, process, silent_since] { expire(process, silent_since); });
    return;
  }
  std::vector<std::pair<std::string, std::string>> gone;
  for (auto& [name, group] : groups_) {
    for (auto& [id, client] : group.members) {
      if (client->process == process) gone.emplace_back(name, id);
    }
  }
  for (const auto& [name, id] : gone) remove(name, id);
}

bool SimCluster::is_member(const ClientPointer& client) const {
  const auto group = groups_.find(client->group);
  if (group == groups_.end()) return false;
  const auto member = group->second.members.find(client->member_id);
  return member != group->second.members.end() && member->second == client;
}

ClientPointer SimCluster::owner(const std::string& group, TopicPartition of) const {
  const auto known = groups_.find(group);
  if (known == groups_.end() || known->second.state != Group::State::stable) return nullptr;
  for (const auto& [id, client] : known->second.members) {
    if (std::find(client->assigned.begin(), client->assigned.end(), of) != client->assigned.end()) return client;
  }
  return nullptr;
}

}  // namespace tocsin::sim
