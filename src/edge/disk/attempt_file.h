// Attempts in a small file that is mapped into memory: a store to it costs what any store costs, and is there after
// the process was killed. (Not after the machine was: it does not die of a record.)
//
// Several processes may share the folder: each has the first file that no living process holds, `attempts.0` and so
// on, with all that the one before it left there.

#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "ports/attempts.h"

namespace tocsin {

class AttemptFile final : public Attempts {
 public:
  // Takes a file, and counts what its last process left undone as a death. Fails with the reason: no such folder, no
  // right to write there, or a disk that is full.
  static Result<std::unique_ptr<AttemptFile>, std::string> open(const std::string& folder);
  ~AttemptFile() override;

  AttemptMark* mark_of(const std::string& topic, std::int32_t partition) override;

 private:
  struct Layout;
  AttemptFile(int file, Layout* layout) : file_(file), layout_(layout) {}

  int file_;
  Layout* layout_;
  std::mutex mutex_;  // two workers may get their partitions at once
};

}  // namespace tocsin
