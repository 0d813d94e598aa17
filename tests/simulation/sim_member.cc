#include "simulation/sim_member.h"

#include <algorithm>
#include <utility>

namespace tocsin::sim {

namespace {

using namespace std::chrono_literals;

constexpr Duration request_timeout = 10s;
constexpr int heartbeats_in_session = 8;

}  // namespace

SimMember::SimMember(SimCluster& cluster, ClientPointer client)
    : cluster_(cluster), client_(std::move(client)), process_(*client_->process), task_(process_.current()) {
  client_->on_news = [this] { wake(); };
  client_->on_data = [this](TopicPartition of) { fetch(of); };
  join();
  if (client_->group.starts_with("deliver")) beat();  // the others ask may_act() of nobody
}

// As its client library does in the background.
void SimMember::beat() {
  process_.scheduler.after(
      cluster_.session_timeout() / heartbeats_in_session, [this, process = client_->process, lives = lives_] {
        process->post([this, lives] {
          if (!*lives) return;
          auto is_member = std::make_shared<bool>(false);
          const Duration asked_at = process_.scheduler.now();
          cluster_.request(
              client_->process, std::nullopt,
              [cluster = &cluster_, client = client_, is_member] { *is_member = cluster->is_member(client); },
              [this, lives, is_member, asked_at] {
                if (!*lives) return;
                if (*is_member) known_alive_at_ = asked_at;
                beat();
              });
        });
      });
}

SimMember::~SimMember() {
  *lives_ = false;
  client_->on_news = nullptr;
  client_->on_data = nullptr;
  client_->closed = true;
  if (!process_.is_alive()) return;
  if (committing_ || !unsent_.empty()) abort();
  cluster_.request(
      client_->process, std::nullopt, [cluster = &cluster_, client = client_] { cluster->leave(client); }, [] {});
}

void SimMember::join() {
  cluster_.request(
      client_->process, std::nullopt,
      [cluster = &cluster_, client = client_] {
        if (!client->closed) cluster->join(client);
      },
      [] {});
}

void SimMember::wait(Duration timeout) {
  process_.point("wait");
  // A loop that looks again late is as right as one that does not; and hours pass in few steps.
  Random& random = process_.scheduler.random();
  const Duration stretched = timeout > 20ms ? timeout + Duration{random.below(2'000)} : timeout;
  if (!woken_) {
    process_.park(std::max(stretched, Duration{1}));
  } else {
    process_.park(Duration{random.below(2)});
  }
  woken_ = false;
}

void SimMember::wake() {
  woken_ = true;
  process_.wake(task_);
}

void SimMember::lose(const std::string& why) {
  if (!lost_) lost_ = why;
}

void SimMember::serve() {
  process_.point("serve");
  // Nothing takes no time for ever.
  if (last_serve_ != process_.scheduler.now()) serves_ = 0;
  if (last_serve_ > 0ms && process_.scheduler.now() - last_serve_ > cluster_.session_timeout()) {
    lose("away for longer than its session");
  }
  last_serve_ = process_.scheduler.now();
  if (++serves_ > 20) process_.park(Duration{1});
  if (client_->fatal) return lose(*client_->fatal);
  if (client_->assignment_lost || client_->rebalance_asked) {
    const bool is_lost = std::exchange(client_->assignment_lost, false);
    client_->rebalance_asked = false;
    client_->offered.reset();  // of the round before
    if (!is_lost && !lost_ && before_revoke_) before_revoke_();
    revoke();
    join();
  }
  if (client_->offered) {
    const auto list = *std::exchange(client_->offered, std::nullopt);
    if (!owned_.empty() && !lost_ && before_revoke_) before_revoke_();
    assign(list);
  }
}

void SimMember::assign(const std::vector<TopicPartition>& list) {
  revoke();
  std::optional<std::vector<std::optional<BusPosition>>> found;
  const Duration until = process_.scheduler.now() + 15s;
  // Shared with answers that come when nobody waits for them any more.
  auto answers = std::make_shared<std::optional<std::vector<std::optional<BusPosition>>>>();
  auto asked = std::make_shared<bool>(false);
  while (!found && process_.scheduler.now() < until) {
    if (!*asked) {
      *asked = true;
      cluster_.request(
          client_->process, std::nullopt,
          [cluster = &cluster_, group = client_->group, list, answers] {
            *answers = cluster->positions(group, list);
          },
          [asked, process = client_->process, task = task_] {
            *asked = false;
            process->wake(task);
          });
      process_.park_until([&] { return !*asked; }, until - process_.scheduler.now());
    }
    if (!*asked && *answers) found = *answers;
    if (!found) process_.park(100ms);
  }
  process_.point("assign");
  if (!found) return lose("the group's positions can't be read");
  for (std::size_t i = 0; i < list.size(); ++i) {
    Assigned assigned{list[i], std::nullopt, {}};
    Owned owned;
    if (const auto& position = (*found)[i]) {
      assigned.next_offset = owned.reached = owned.fetched = position->next_offset;
      assigned.metadata = position->metadata;
    }
    assigned_.push_back(std::move(assigned));
    owned_.emplace(list[i], owned);
  }
  for (const TopicPartition& of : list) fetch(of);
}

void SimMember::revoke() {
  if (committing_) end_commit();
  if (!unsent_.empty()) abort();
  owned_.clear();
  assigned_.clear();
  changed_ = true;
}

std::optional<std::vector<Assigned>> SimMember::take_assignment() {
  if (!changed_) return std::nullopt;
  changed_ = false;
  return assigned_;
}

void SimMember::fetch(TopicPartition of) {
  const auto found = owned_.find(of);
  if (found == owned_.end() || found->second.is_fetching) return;
  found->second.is_fetching = true;
  Scheduler& scheduler = process_.scheduler;
  const Duration slow =
      scheduler.random().chance(cluster_.trouble * 0.3) ? Duration{scheduler.random().below(4'000)} : 0ms;
  const Duration at =
      std::max(scheduler.now() + slow + Duration{1 + scheduler.random().below(15)}, cluster_.back_at(of));
  scheduler.at(at, [this, process = client_->process, lives = lives_, of] {
    process->post([this, lives, of] {
      if (!*lives) return;
      const auto owned = owned_.find(of);
      if (owned == owned_.end()) return;
      owned->second.is_fetching = false;
      if (cluster_.back_at(of) > process_.scheduler.now()) return fetch(of);
      const std::int64_t stable = cluster_.log(of).stable_end();
      if (stable <= owned->second.fetched) return;
      owned->second.fetched = stable;
      wake();
    });
  });
}

std::size_t SimMember::read(TopicPartition from, std::size_t most, const OnRecord& on_record) {
  const auto found = owned_.find(from);
  if (found == owned_.end()) return 0;
  if (process_.scheduler.random().chance(cluster_.trouble)) most = 1 + most % 3;
  const PartitionLog& log = cluster_.log(from);
  std::size_t count = 0;
  if (found->second.reached < log.begin()) found->second.reached = log.begin();
  for (std::size_t i = log.find(found->second.reached); i < log.entries().size() && count < most;) {
    const Entry& entry = log.entries()[i];
    if (entry.offset >= found->second.fetched) break;
    ++i;
    if (entry.state != Entry::State::committed) continue;
    // The log may grow during the call, and lose its beginning.
    const std::string key = entry.key, value = entry.value;
    const BusRecord record{from, entry.offset, key, value, entry.time};
    found->second.reached = entry.offset + 1;
    ++count;
    on_record(record);
    i = log.find(found->second.reached);
  }
  if (count < most) found->second.reached = std::max(found->second.reached, found->second.fetched);
  return count;
}

std::int64_t SimMember::reached(TopicPartition of) const {
  const auto found = owned_.find(of);
  return found == owned_.end() ? -1 : found->second.reached;
}

void SimMember::send(NewRecord record) {
  if (lost_) return;
  process_.point("send");
  record.partition = cluster_.place_of(record);
  const TopicPartition to{record.topic, record.partition};
  unsent_[to].push_back(std::move(record));
}

void SimMember::start_commit(const std::vector<BusPosition>& positions) {
  if (lost_) return;
  process_.point("start_commit");
  committing_ = std::make_shared<Transaction>();
  committing_->by = credentials_of(*client_);
  committing_->records = std::exchange(unsent_, {});
  committing_->positions = positions;
  committing_->unwritten = committing_->records.size();
  std::vector<TopicPartition> parts;
  for (const auto& [to, records] : committing_->records) parts.push_back(to);
  for (const TopicPartition& to : parts) write(committing_, to);
  if (parts.empty()) add_positions(committing_);
  // What takes longer is given up; whether it happens all the same, nobody knows then.
  process_.scheduler.after(request_timeout,
                           [process = client_->process, transaction = committing_, this, lives = lives_] {
                             process->post([transaction, this, lives] {
                               if (*lives && !transaction->ends_asked) finish(transaction, false);
                             });
                           });
}

void SimMember::write(const TransactionPointer& transaction, TopicPartition to) {
  auto reply = std::make_shared<SimCluster::Reply>();
  cluster_.request(
      client_->process, to,
      [cluster = &cluster_, transaction, to, reply] {
        *reply =
            cluster->produce(transaction->by.transactional_id, transaction->by.epoch, to, transaction->records[to]);
        cluster->note_growth(to);
      },
      [this, lives = lives_, transaction, to, reply] {
        if (!*lives || transaction->result) return;
        if (*reply == SimCluster::Reply::again) {
          process_.scheduler.after(20ms, [process = client_->process, this, lives, transaction, to] {
            process->post([this, lives, transaction, to] {
              if (*lives && !transaction->result) write(transaction, to);
            });
          });
          return;
        }
        if (*reply != SimCluster::Reply::done) return finish(transaction, false);
        if (--transaction->unwritten == 0) add_positions(transaction);
      });
}

void SimMember::add_positions(const TransactionPointer& transaction) {
  if (!cluster_.keeps(Promise::positions_in_transaction)) return end(transaction);
  auto reply = std::make_shared<SimCluster::Reply>();
  cluster_.request(
      client_->process, std::nullopt,
      [cluster = &cluster_, transaction, reply] {
        *reply = cluster->add_positions(transaction->by, transaction->positions);
      },
      [this, lives = lives_, transaction, reply] {
        if (!*lives || transaction->result) return;
        if (*reply == SimCluster::Reply::again) {
          process_.scheduler.after(20ms, [process = client_->process, this, lives, transaction] {
            process->post([this, lives, transaction] {
              if (*lives && !transaction->result) add_positions(transaction);
            });
          });
          return;
        }
        if (*reply != SimCluster::Reply::done) return finish(transaction, false);
        process_.point("positions_added");
        if (process_.is_alive()) end(transaction);
      });
}

void SimMember::end(const TransactionPointer& transaction) {
  if (transaction->result) return;
  transaction->ends_asked = true;
  auto reply = std::make_shared<SimCluster::Reply>();
  const auto ask = [this, transaction, reply] {
    cluster_.request(
        client_->process, std::nullopt,
        [cluster = &cluster_, transaction, reply] {
          if (transaction->result) ++cluster->late_ends;
          *reply = cluster->end_transaction(transaction->by.transactional_id, transaction->by.epoch, true);
        },
        [this, lives = lives_, transaction, reply] {
          if (!*lives || transaction->result) return;
          process_.point("committed");
          if (!process_.is_alive()) return;
          const bool done = *reply == SimCluster::Reply::done;
          if (done && !cluster_.keeps(Promise::positions_in_transaction)) {
            cluster_.request(
                client_->process, std::nullopt,
                [cluster = &cluster_, transaction] {
                  cluster->commit_positions(transaction->by, transaction->positions);
                },
                [this, lives, transaction] {
                  if (*lives) finish(transaction, true);
                });
            return;
          }
          finish(transaction, done);
        });
  };
  if (cluster_.commit_delay > 0ms) {
    // On its way already: it comes whatever happens here.
    process_.scheduler.after(cluster_.commit_delay, [cluster = &cluster_, transaction] {
      if (transaction->result) ++cluster->late_ends;
      cluster->end_transaction(transaction->by.transactional_id, transaction->by.epoch, true);
    });
  } else {
    ask();
  }
  process_.scheduler.after(request_timeout, [process = client_->process, this, lives = lives_, transaction] {
    process->post([this, lives, transaction] {
      if (!*lives || transaction->result) return;
      finish(transaction, false);
    });
  });
}

void SimMember::finish(const TransactionPointer& transaction, bool result) {
  if (transaction->result) return;
  transaction->result = result;
  wake();
}

std::optional<bool> SimMember::commit_result() {
  if (!committing_) return false;
  if (!committing_->result) return std::nullopt;
  return end_commit();
}

bool SimMember::end_commit() {
  if (!committing_) return false;
  process_.park_until([&] { return committing_->result.has_value(); }, 60s);
  const bool result = committing_->result.value_or(false);
  if (!result) {
    lose("a transaction failed, or nobody knows");
    committing_->result = false;
    // Where its end was asked for, nobody knows what became of it: the next producer of this name finds out.
    const bool is_unknown = committing_->ends_asked;
    committing_.reset();
    if (!is_unknown) abort();
    return false;
  }
  committing_.reset();
  return true;
}

bool SimMember::commit(const std::vector<BusPosition>& positions) {
  start_commit(positions);
  return end_commit();
}

// Waits for its end: a next transaction of this producer must not meet it.
void SimMember::abort() {
  unsent_.clear();
  if (committing_) committing_->result = false;
  committing_.reset();
  auto reply = std::make_shared<std::optional<SimCluster::Reply>>();
  auto handled = std::make_shared<SimCluster::Reply>();
  cluster_.request(
      client_->process, std::nullopt,
      [cluster = &cluster_, by = credentials_of(*client_), handled] {
        *handled = cluster->end_transaction(by.transactional_id, by.epoch, false);
      },
      [reply, handled, process = client_->process, task = task_] {
        *reply = *handled;
        process->wake(task);
      });
  if (!*lives_) return;  // on its way out it waits for nothing: the next producer of this name fences it
  const bool done = process_.park_until([&] { return reply->has_value(); }, request_timeout);
  if (!done) lose("a transaction could not be aborted");
}

bool SimMember::may_act() const {
  if (lost_ || changed_ || client_->assignment_lost) return false;
  const Duration now = process_.scheduler.now();
  return std::max(now - known_alive_at_, now - last_serve_) < cluster_.session_timeout() / 2;
}

}  // namespace tocsin::sim
