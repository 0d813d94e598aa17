#include "simulation/sim_bus.h"

#include <algorithm>
#include <utility>

#include "simulation/sim_member.h"

namespace tocsin::sim {

namespace {

using namespace std::chrono_literals;

constexpr Duration no_progress = 30s;

// Hands over up to `most` committed records of [from, until), and moves `from` behind what was looked at.
std::size_t hand_over(const PartitionLog& log, TopicPartition of, std::int64_t& from, std::int64_t until,
                      std::size_t most, const OnRecord& on_record) {
  std::size_t count = 0;
  for (std::size_t i = log.find(from); i < log.entries().size() && count < most; i = log.find(from)) {
    const Entry& entry = log.entries()[i];
    if (entry.offset >= until) break;
    from = entry.offset + 1;
    if (entry.state != Entry::State::committed) continue;
    const std::string key = entry.key, value = entry.value;
    on_record({of, entry.offset, key, value, entry.time});
    ++count;
  }
  if (count < most) from = std::max(from, until);
  return count;
}

class SimTail final : public Tail {
 public:
  struct Part {
    TopicPartition of;
    std::int64_t end = 0;
    std::int64_t reached = 0;
  };

  SimTail(SimCluster& cluster, Process& process, std::vector<Part> parts)
      : cluster_(cluster), process_(process), parts_(std::move(parts)) {}

  std::size_t read(const OnRecord& on_record, Duration timeout) override {
    std::size_t count = read_now(on_record);
    if (count == 0 && timeout > 0ms) {
      // A loop that looks again late is as right as one that does not.
      process_.park(timeout + Duration{process_.scheduler.random().below(2'000)});
      count = read_now(on_record);
    }
    return count;
  }

  bool caught_up() const override {
    return std::all_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.reached >= part.end; });
  }

 private:
  std::size_t read_now(const OnRecord& on_record) {
    std::size_t count = 0;
    for (Part& part : parts_) {
      if (cluster_.back_at(part.of) > process_.scheduler.now()) continue;
      const PartitionLog& log = cluster_.log(part.of);
      const std::int64_t stable = log.stable_end();
      if (part.reached >= stable) continue;
      count += hand_over(log, part.of, part.reached, stable, SIZE_MAX, on_record);
    }
    return count;
  }

  SimCluster& cluster_;
  Process& process_;
  std::vector<Part> parts_;
};

class SimAgain final : public Again {
 public:
  SimAgain(SimCluster& cluster, Process& process, TopicPartition of, std::int64_t from, std::int64_t until)
      : cluster_(cluster), process_(process), of_(of), from_(from), until_(until) {
    is_cut_off_ = cluster_.log(of).begin() > 0 && from <= cluster_.log(of).begin();
  }

  std::size_t read(std::size_t most, const OnRecord& on_record) override {
    process_.point("past");
    if (cluster_.back_at(of_) > process_.scheduler.now()) return 0;
    if (process_.scheduler.random().chance(cluster_.trouble)) most = 1 + process_.scheduler.random().below(7);
    return hand_over(cluster_.log(of_), of_, from_, until_, most, on_record);
  }
  bool at_end() const override { return from_ >= until_; }
  bool is_cut_off() const override { return is_cut_off_; }

 private:
  SimCluster& cluster_;
  Process& process_;
  TopicPartition of_;
  std::int64_t from_ = 0;
  std::int64_t until_ = 0;
  bool is_cut_off_ = false;
};

}  // namespace

std::unique_ptr<Again> SimBus::read_again(TopicPartition of, RecordTime from, std::int64_t until) {
  const TopicPartition list[] = {of};
  if (!ends(list)) return nullptr;
  const PartitionLog& log = cluster_.log(of);
  std::int64_t begin = until;
  for (const Entry& entry : log.entries()) {
    if (entry.state == Entry::State::marker || entry.time < from) continue;
    begin = std::min(until, entry.offset);
    break;
  }
  return std::make_unique<SimAgain>(cluster_, *process_, of, begin, until);
}

Result<std::unique_ptr<Member>, std::string> SimBus::join(const std::string& group, const std::vector<Topic>& topics,
                                                          const std::string& name) {
  process_->point("join");
  auto client = std::make_shared<GroupClient>();
  client->process = process_;
  client->group = group;
  client->topics = topics;
  const std::string who = process_->instance.empty() ? process_->identity : process_->instance;
  client->transactional_id = group + "-" + who + "-" + name;
  if (!process_->instance.empty()) client->instance = process_->instance + "-" + name;
  // Fences an earlier producer of this name, and waits until its open transaction is settled.
  auto epoch = std::make_shared<std::optional<int>>();
  auto asked = std::make_shared<bool>(false);
  const Duration until = process_->scheduler.now() + 10s;
  while (!*epoch && process_->scheduler.now() < until) {
    *asked = true;
    cluster_.request(
        process_, std::nullopt,
        [cluster = &cluster_, id = client->transactional_id, epoch] { *epoch = cluster->init_producer(id); },
        [asked, process = process_, task = process_->current()] {
          *asked = false;
          process->wake(task);
        });
    if (!process_->park_until([&] { return !*asked; }, until - process_->scheduler.now())) break;
    if (!*epoch) process_->park(100ms);
  }
  if (!*epoch || *asked) return failure(std::string("the coordinator does not answer"));
  client->epoch = **epoch;
  std::erase_if(clients_, [](const auto& known) { return known.expired(); });
  clients_.push_back(client);
  return success(std::unique_ptr<Member>(std::make_unique<SimMember>(cluster_, std::move(client))));
}

void SimBus::note_return() {
  for (const auto& known : clients_) {
    const ClientPointer client = known.lock();
    if (!client || client->closed) continue;
    process_->scheduler.after(Duration{process_->scheduler.random().below(500)}, [this, client] {
      auto is_member = std::make_shared<bool>(false);
      cluster_.request(
          process_, std::nullopt,
          [cluster = &cluster_, client, is_member] { *is_member = cluster->is_member(client); },
          [client, is_member] {
            if (*is_member || client->closed || client->generation < 0) return;
            client->assignment_lost = true;
            if (client->on_news) client->on_news();
          });
    });
  }
}

void SimBus::send(NewRecord record, InFlight& in_flight) {
  append_later(std::move(record), in_flight, 8ms);
}
void SimBus::send_later(NewRecord record, InFlight& in_flight) {
  append_later(std::move(record), in_flight, 60ms);
}

// In order for each partition; a producer that is killed leaves a beginning of what it sent.
void SimBus::append_later(NewRecord record, InFlight& in_flight, Duration within) {
  if (!process_->is_alive()) return;
  process_->point("send_outside");
  in_flight.records.fetch_add(1);
  record.partition = cluster_.place_of(record);
  const TopicPartition to{record.topic, record.partition};
  Scheduler& scheduler = process_->scheduler;
  Duration& last = last_append_[to];
  const Duration slow = scheduler.random().chance(cluster_.trouble) ? Duration{scheduler.random().below(2'000)} : 0ms;
  last = std::max(
      {last, cluster_.back_at(to), scheduler.now() + slow + Duration{1 + scheduler.random().below(within.count())}});
  unsent_[to].push_back({std::move(record), last, &in_flight});
  // One event for each record; each takes the first one, as those of one time may come in any order.
  auto attempt = std::make_shared<std::function<void()>>();
  // Weak inside itself: it holds itself only in events.
  *attempt = [this, to, weak = std::weak_ptr<std::function<void()>>(attempt)] {
    const auto again = weak.lock();
    const auto wait = [this, to, again](Duration until) {
      Unsent& first = unsent_[to].front();
      first.at = last_append_[to] = std::max(last_append_[to], until);
      process_->scheduler.at(first.at, [again] { (*again)(); });
    };
    Unsent& first = unsent_[to].front();
    if (!process_->gets_out(first.at)) {
      process_->post([this, wait] { wait(process_->scheduler.now()); });
      return;
    }
    if (cluster_.back_at(to) > process_->scheduler.now()) return wait(cluster_.back_at(to));
    const Unsent sent = std::move(first);
    unsent_[to].pop_front();
    cluster_.append(to, sent.record.key, sent.record.value, {process_->scheduler.now()});
    process_->scheduler.after(cluster_.latency(), [process = process_, in_flight = sent.in_flight] {
      process->post([in_flight] {
        if (in_flight->records.fetch_sub(1) == 1 && in_flight->on_empty) in_flight->on_empty();
      });
    });
  };
  scheduler.at(last, [attempt] { (*attempt)(); });
}

ReadOutcome SimBus::read_to_end(TopicPartition of, std::int64_t from, const OnRecord& on_record,
                                const std::function<bool()>& keep_going) {
  std::optional<std::vector<std::int64_t>> end;
  const TopicPartition list[] = {of};
  for (const Duration begin = process_->scheduler.now();;) {
    end = ends(list);
    if (end) break;
    if (!keep_going()) return ReadOutcome::stopped;
    if (process_->scheduler.now() - begin > no_progress) return ReadOutcome::stuck;
  }
  std::int64_t until = end->front();
  if (!cluster_.keeps(Promise::reads_to_high_watermark)) until = std::min(until, cluster_.log(of).stable_end());
  return read_range(of, from, until, on_record, keep_going);
}

ReadOutcome SimBus::read_range(TopicPartition of, std::int64_t from, std::int64_t until, const OnRecord& on_record,
                               const std::function<bool()>& keep_going) {
  if (from >= until) return ReadOutcome::complete;
  Scheduler& scheduler = process_->scheduler;
  for (Duration last = scheduler.now(); scheduler.now() - last < no_progress;) {
    process_->point("restore");
    if (!keep_going()) return ReadOutcome::stopped;
    const std::size_t most = scheduler.random().chance(cluster_.trouble) ? 7 : 1'000;
    if (cluster_.back_at(of) <= scheduler.now()) {
      const PartitionLog& log = cluster_.log(of);
      const std::int64_t stable = std::min(until, log.stable_end());
      if (hand_over(log, of, from, stable, most, on_record) > 0) last = scheduler.now();
      if (from >= until) return ReadOutcome::complete;
    }
    process_->park(Duration{1 + scheduler.random().below(20)});
  }
  return ReadOutcome::stuck;
}

std::optional<std::vector<std::int64_t>> SimBus::ends(std::span<const TopicPartition> of) {
  process_->point("ends");
  auto answer = std::make_shared<std::optional<std::vector<std::int64_t>>>();
  auto is_back = std::make_shared<bool>(false);
  const std::vector<TopicPartition> list(of.begin(), of.end());
  cluster_.request(
      process_, list.front(),
      [cluster = &cluster_, list, answer] {
        std::vector<std::int64_t> ends;
        for (const TopicPartition& each : list) {
          if (cluster->back_at(each) > cluster->scheduler().now()) return;
          ends.push_back(cluster->log(each).end());
        }
        *answer = std::move(ends);
      },
      [is_back, process = process_, task = process_->current()] {
        *is_back = true;
        process->wake(task);
      });
  if (!process_->park_until([&] { return *is_back; }, 1s)) return std::nullopt;
  return *answer;
}

std::unique_ptr<Tail> SimBus::tail(const std::vector<Topic>& topics) {
  std::vector<SimTail::Part> parts;
  for (const Topic topic : topics) {
    for (std::int32_t p = 0; p < partitions(topic); ++p) {
      const TopicPartition one[] = {{topic, p}};
      const auto end = ends(one);
      if (!end) return nullptr;
      parts.push_back({one[0], end->front(), 0});
    }
  }
  return std::make_unique<SimTail>(cluster_, *process_, std::move(parts));
}

}  // namespace tocsin::sim
