#include "app/rule_files.h"

#include <chrono>
#include <utility>

#include "base/hash.h"

namespace tocsin {

namespace {

constexpr int polls_a_second = 5;
constexpr int look_every = 2 * polls_a_second;

}  // namespace

RuleFiles::RuleFiles(std::vector<std::string> paths, RuleControl& control, SayLine say)
    : paths_(std::move(paths)), control_(control), say_(std::move(say)) {}

RuleFiles::~RuleFiles() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

RuleFiles::Outcome RuleFiles::reload(const std::string& why) {
  const std::lock_guard lock(mutex_);
  Diagnostics diagnostics;
  OwnRules own = load_own_rules(paths_, diagnostics);
  Outcome outcome;
  if (diagnostics.has_errors()) {
    for (const Diagnostic& diagnostic : diagnostics.sorted()) outcome.problems.push_back(to_text(diagnostic));
    say_(true, "the rules in force stay (" + why + "): " + outcome.problems.front());
    control_.note_trouble(outcome.problems.front());
    return outcome;
  }
  outcome.hash = own.loaded.rules->hash;
  outcome.is_new = outcome.hash != control_.status().hash;
  say_(false, "rules " + outcome.hash + " were read (" + why + ")" + (outcome.is_new ? "" : "; they are in force"));
  control_.reload(std::move(own.files), outcome.hash);
  return outcome;
}

void RuleFiles::watch() {
  if (!paths_.empty()) thread_ = std::thread([this] { watch_until_stopped(); });
}

std::string RuleFiles::fingerprint() const {
  Diagnostics diagnostics;
  std::string all;
  for (const NamedText& file : read_yaml_files(paths_, diagnostics)) {
    all += file.file + '\0' + std::to_string(file.text.size()) + '\0' + file.text;
  }
  for (const Diagnostic& diagnostic : diagnostics.sorted()) all += to_text(diagnostic);
  return to_hex(hash128(all));
}

void RuleFiles::watch_until_stopped() {
  std::string loaded = fingerprint();
  std::string before = loaded;
  for (int turn = 1; !stop_; ++turn) {
    std::this_thread::sleep_for(std::chrono::milliseconds{1'000 / polls_a_second});
    if (turn % look_every != 0) continue;
    const std::string now = fingerprint();
    const bool is_stable = now == std::exchange(before, now);
    if (!is_stable || now == loaded) continue;
    loaded = now;
    reload("the files have changed");
  }
}

}  // namespace tocsin
