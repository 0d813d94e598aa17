// The topic of silences as its readers see it: which alerts nobody wants to be paged for now.
//
// Built by folding the topic's records in any order in which a key's own records keep theirs. Holds at most 10,000.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/alert/silence.h"

namespace tocsin {

class SilenceBook {
 public:
  // One record of the topic; an empty value is a tombstone. False where it is no record of ours, or the book is full.
  bool apply(std::string_view key, std::string_view value);

  // The silence that covers this alert at `at`, of several the one that ends last; null where none does. Valid until
  // the next apply() or expire().
  const Silence* covers(std::string_view alert, const Labels& labels, EventTime at) const;

  // Newest first.
  std::vector<Silence> items() const;
  // Null where there is none.
  const Silence* find(std::string_view id) const;

  // Drops what ended five days before `now` or earlier; returns the keys for which tombstones are due.
  std::vector<std::string> expire(EventTime now);

  bool is_full() const;

  // Changes with every change of the book.
  std::uint64_t version() const { return version_; }

 private:
  std::map<std::string, Silence, std::less<>> silences_;  // by id
  std::uint64_t version_ = 1;
};

}  // namespace tocsin
