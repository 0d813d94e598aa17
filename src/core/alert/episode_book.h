// How often alerts have fired that nothing else is known of any more: so that one which comes back after a long
// silence counts on, and its pages do not bear the ids of earlier ones.
//
// Bounded: of more than `most` alerts the one that was put away longest ago is forgotten. It then counts from one
// again; receivers that remember pages for so long take its next page for an old one.
//
// Thread: the evaluate partition's.

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/units.h"

namespace tocsin {

class EpisodeBook {
 public:
  static constexpr std::size_t default_most = 100'000;

  explicit EpisodeBook(std::size_t most = default_most) : most_(most) {}

  // Puts away how often the alert of `key` has fired. `now`: when; it never goes back.
  void put_away(const std::string& key, std::int64_t episode, RecordTime now);
  // How often it had fired; zero where that is not known. From here on its alert knows it.
  std::int64_t take_out(const std::string& key);

  std::size_t size() const { return entries_.size(); }

  // Calls visit(key, value) for each entry that changed since the last call; the value of one that is gone is empty.
  template <class Visit>
  void take_changes(Visit visit) {
    for (const std::string& key : changed_) visit(key, value_of(key));
    changed_.clear();
  }
  void drop_changes() { changed_.clear(); }
  // The next take_changes() visits every entry.
  void take_all();
  // False where the value can't be read.
  bool restore(std::string_view key, std::string_view value);

 private:
  struct Entry {
    std::int64_t episode = 0;
    RecordTime at;
  };

  std::string value_of(const std::string& key) const;
  void remove(std::map<std::string, Entry, std::less<>>::iterator entry);

  std::size_t most_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::set<std::pair<RecordTime, std::string>> by_time_;
  std::set<std::string> changed_;
};

}  // namespace tocsin
