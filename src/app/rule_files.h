// The rule, spec and pattern files of this process: read at the start, and again whenever somebody says so or they
// have changed. What has a mistake changes nothing.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "app/files.h"
#include "runtime/rule_control.h"

namespace tocsin {

class RuleFiles {
 public:
  // What a reload came to, for people.
  struct Outcome {
    std::vector<std::string> problems;  // "FILE:LINE:COLUMN: ..."; empty where the files are good
    std::string hash;
    bool is_new = false;  // not what is in force already
  };

  // Requires: `control` lives longer than this.
  RuleFiles(std::vector<std::string> paths, RuleControl& control, SayLine say);
  ~RuleFiles();

  // Reads all, and proposes them where they have no mistake. `why` is said to people. Thread: any.
  Outcome reload(const std::string& why);

  // Looks from now on, on a thread of its own, whether the files have changed, every two seconds: by their content,
  // as a mounted configuration changes by a link. What is half written is seen twice before it is believed.
  void watch();

 private:
  void watch_until_stopped();
  std::string fingerprint() const;

  std::vector<std::string> paths_;
  RuleControl& control_;
  SayLine say_;
  std::mutex mutex_;  // one reload at a time
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace tocsin
