// The pages that a silence holds back, and what becomes of them.
//
//   an alert fires and is covered         its page is withheld
//   it resolves while its page is         neither page is sent
//   it resolves and its page went out     the resolution is sent, silenced or not: it closes the incident
//   the silence ends while it fires       the page is sent now, under its own page id
//
// An alert that one page covers together with others (page_by) is withheld with that page; one of them that no
// silence covers sends it.
//
// Pure. State leaves as changes of records (key, value) for a compacted topic, and comes back by restore().
//
// Thread: the evaluate partition's.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/alert/alert_change.h"
#include "core/alert/silence_book.h"

namespace tocsin {

// What goes into the outbox.
struct Page {
  std::string order_key;  // pages with the same one keep their order
  std::string page_id;
  std::string body;
};

class WithheldPages {
 public:
  // The page to send for this change now, if there is one. Takes every change, in order, those without a page too.
  std::optional<Page> apply(const AlertChange& change, const SilenceBook& book);

  // The pages whose silence has ended at `now`, and not only begun after it, while their alert still fires, in the
  // order of their keys.
  std::vector<Page> advance(RecordTime now, const SilenceBook& book);

  // Calls visit(key, value) for each page that is withheld, or no longer is (an empty value), since the last call.
  template <class Visit>
  void take_changes(Visit visit) {
    for (const std::string& key : changed_) {
      const auto page = pages_.find(key);
      if (page != pages_.end()) page->second.is_stored = true;
      visit(key, page == pages_.end() ? std::string_view{} : std::string_view(page->second.body));
    }
    changed_.clear();
  }

  // Takes back a record of take_changes(). False where it is none.
  bool restore(std::string_view key, std::string_view value);

  bool holds(std::string_view dedup_key) const { return pages_.contains(dedup_key); }
  std::size_t size() const { return pages_.size(); }

 private:
  struct Withheld {
    std::string page_id;
    std::string body;  // says the alert and its labels as well
    std::string alert;
    Labels labels;
    EventTime at;  // when it was decided: ahead of the grid time, where one event decides
    bool is_stored = false;
  };
  using Pages = std::map<std::string, Withheld, std::less<>>;

  void withhold(const AlertChange& change, const Silence& silence);
  Pages::iterator drop(Pages::iterator page);

  Pages pages_;  // by dedup key
  std::size_t bytes_ = 0;
  std::set<std::string> changed_;
  // Nothing is due before this while the book has this version.
  EventTime next_end_ = EventTime::min();
  std::uint64_t book_version_ = 0;
};

}  // namespace tocsin
