// The rules of this process and those of all: folds the topic `control`, proposes this process's files where they are
// new, and drops proposals that not every partition answers.
//
// What the topic says is in force, whatever files a process has. At its start a process proposes its files only where
// nobody has ever proposed these: so a rolling update brings new rules in, and a process that comes back with old
// files does not bring the old ones back. A reload proposes in any case.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/epoch/epoch_book.h"
#include "ports/clock.h"
#include "runtime/control_log.h"
#include "runtime/membership.h"
#include "runtime/rule_source.h"

namespace tocsin {

// How this process's files and the rules in force stand to each other, for metrics and people.
struct RuleStatus {
  std::int64_t epoch = 0;
  RecordTime from;  // of the epoch
  std::string hash;
  std::string own_hash;       // of this process's files, as they were loaded last
  bool is_waiting = false;    // these files are proposed, and not in force yet
  bool files_differ = false;  // what is in force, or proposed, is not what this process's files say
  std::int64_t reloads = 0;   // attempts, and those of them whose files had a mistake
  std::int64_t reloads_failed = 0;
  std::string trouble;  // why the files could not be loaded last; empty where they were
  std::string fatal;    // this version can't read what is in force: it must stop
};

class RuleControl final : public RuleSource {
 public:
  struct Options {
    std::string process;  // what it is called among all
    Duration drop_after = std::chrono::seconds{30};
    EpochBook::Load load = {};  // of its EpochBook
  };

  // `files`: this process's own, without mistakes, as `own_hash` names them. Requires: references live longer.
  RuleControl(Options options, std::unique_ptr<ControlLog> log, const Clock& clock, std::vector<NamedText> files,
              std::string own_hash, SayLine say);

  // Folds until the first rules are known, proposing this process's where there are none. False where `stop` came
  // first. Thread: the one that calls run() later.
  bool wait_for_first(const std::function<bool()>& stop);
  // Runs until `stop` is set. Thread: its own.
  void run(const std::atomic<bool>& stop);
  // One turn of it, which waits for records so long.
  void turn(Duration timeout);
  // Called from run() after each change. Set it before.
  void on_change(std::function<void()> hook) { on_change_ = std::move(hook); }

  std::shared_ptr<const RuleEpochs> epochs() const override;
  void decide(std::int64_t number, RecordTime from) override;

  // These files, without mistakes, are to come into force. Thread: any.
  void reload(std::vector<NamedText> files, std::string hash);
  // This process's files have a mistake: what is in force stays. Thread: any.
  void note_trouble(std::string summary);

  RuleStatus status() const;

 private:
  struct Wanted {
    std::vector<NamedText> files;
    std::string hash;
    Duration not_before{0};
    bool is_start = false;
  };

  void fold(std::string_view key, std::string_view value);
  void pursue();
  void drop_what_nobody_answers();
  void write_decisions();
  void write_trouble();
  void publish();
  std::string new_writer();

  Options options_;
  std::unique_ptr<ControlLog> log_;
  const Clock& clock_;
  SayLine say_;
  std::function<void()> on_change_;
  std::string writer_;
  std::int64_t written_ = 0;

  EpochBook book_;
  bool changed_ = false;
  std::optional<std::int64_t> open_number_;
  Duration open_since_{0};
  Duration decided_at_{0};                       // by this process
  std::optional<std::int64_t> proposed_number_;  // by this process; and when
  Duration proposed_at_{0};
  int dropped_ = 0;  // proposals in a row
  std::string said_differ_;

  mutable std::mutex mutex_;  // of what follows; held for moments
  std::shared_ptr<const RuleEpochs> epochs_;
  std::optional<Wanted> wanted_;
  std::optional<RuleDecision> decision_;
  std::optional<std::string> new_trouble_;
  RuleStatus status_;
};

}  // namespace tocsin
