// The identities of the last events, so that one which arrives twice counts once.
//
// Producers that retry send the same record again within seconds; a bounded memory is enough. Two tables of
// equal size: when the new one is full it becomes the old one, so the last 32,768 to 65,536 identities are known.
// A function of the records alone, hence the same after a restart from the same place.
//
// Each table is a generation. To be stored, a generation is cut into pages of 512 identities in the order in which
// they came; a page that has grown since is stored again in its own place. Two generations on, a page's place is
// taken by another, so that what is stored is bounded and nothing of it needs to be deleted.

#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace tocsin {

class RecentIdentities {
 public:
  static constexpr std::size_t page_size = 512;

  RecentIdentities() : young_(slots, 0), old_(slots, 0) {}

  // Remembers `identity` (64 well-mixed bits) and says whether it was known.
  bool seen(std::uint64_t identity) {
    if (identity == 0) identity = 1;  // 0 marks an empty slot
    std::uint64_t& place = find(young_, identity);
    if (place == identity) return true;
    const bool was_known = find(old_, identity) == identity;
    place = identity;
    young_order_.push_back(identity);
    if (young_order_.size() == most) begin_generation();
    return was_known;
  }

  // seen() will be asked of it soon: its places come from far, as they are all over the tables.
  void expect(std::uint64_t identity) const {
    if (identity == 0) identity = 1;
    __builtin_prefetch(&young_[identity & (slots - 1)], 1);
    __builtin_prefetch(&old_[identity & (slots - 1)]);
  }

  bool knows(std::uint64_t identity) {
    if (identity == 0) identity = 1;
    return find(young_, identity) == identity || find(old_, identity) == identity;
  }

  // How many generations were filled, and how many identities the one that is filling has.
  std::uint64_t generation() const { return generation_; }
  std::size_t count() const { return young_order_.size(); }

  struct Page {
    std::size_t place = 0;  // below `places`
    std::uint64_t generation = 0;
    std::span<const std::uint64_t> identities;
  };
  static constexpr std::size_t pages = (1 << 15) / page_size;  // of one generation
  static constexpr std::size_t places = 2 * pages;

  // Calls visit(Page) for each page that is new or has grown since the last call.
  template <class Visit>
  void take_changes(Visit visit) {
    visit_pages(generation_ - 1, old_order_, old_stored_, visit);
    visit_pages(generation_, young_order_, young_stored_, visit);
  }

  // Takes back a page; a later one of the same place counts. False where there is no such page.
  bool restore(const Page& page) {
    if (page.place >= places || page.identities.empty() || page.identities.size() > page_size ||
        page.place / pages != page.generation % 2) {
      return false;
    }
    restored_.resize(places);
    restored_[page.place] = {page.generation, {page.identities.begin(), page.identities.end()}};
    return true;
  }

  // Ends restoring. False, and nothing is known, unless exactly these identities were restored.
  bool resume(std::uint64_t generation, std::size_t count) {
    generation_ = generation;
    const bool all = count < most && (generation == 0 || load(generation - 1, most, old_, old_order_, old_stored_)) &&
                     load(generation, count, young_, young_order_, young_stored_);
    restored_ = {};
    if (!all) *this = {};
    return all;
  }

 private:
  static constexpr std::size_t slots = 1 << 16;
  static constexpr std::size_t most = slots / 2;
  static_assert(pages * page_size == most);

  struct Restored {
    std::uint64_t generation = 0;
    std::vector<std::uint64_t> identities;
  };

  static std::uint64_t& find(std::vector<std::uint64_t>& table, std::uint64_t identity) {
    std::size_t at = identity & (slots - 1);
    while (table[at] != 0 && table[at] != identity) at = (at + 1) & (slots - 1);
    return table[at];
  }

  void begin_generation() {
    young_.swap(old_);
    young_.assign(slots, 0);
    young_order_.swap(old_order_);
    young_order_.clear();
    old_stored_ = young_stored_;
    young_stored_ = 0;
    ++generation_;
  }

  template <class Visit>
  static void visit_pages(std::uint64_t generation, const std::vector<std::uint64_t>& order, std::size_t& stored,
                          Visit& visit) {
    while (stored < order.size()) {
      const std::size_t page = stored / page_size;
      const std::size_t size = std::min(page_size, order.size() - page * page_size);
      visit(Page{generation % 2 * pages + page, generation, std::span(order).subspan(page * page_size, size)});
      stored = page * page_size + size;
    }
  }

  bool load(std::uint64_t generation, std::size_t count, std::vector<std::uint64_t>& table,
            std::vector<std::uint64_t>& order, std::size_t& stored) {
    restored_.resize(places);
    for (std::size_t page = 0; order.size() < count; ++page) {
      const Restored& from = restored_[generation % 2 * pages + page];
      if (from.generation != generation || from.identities.size() != std::min(page_size, count - order.size())) {
        return false;
      }
      for (const std::uint64_t identity : from.identities) {
        if (identity == 0 || find(table, identity) == identity) return false;
        find(table, identity) = identity;
        order.push_back(identity);
      }
    }
    stored = count;
    return true;
  }

  std::vector<std::uint64_t> young_;
  std::vector<std::uint64_t> old_;
  std::vector<std::uint64_t> young_order_;
  std::vector<std::uint64_t> old_order_;
  std::size_t young_stored_ = 0;  // how many of the order were taken
  std::size_t old_stored_ = 0;
  std::uint64_t generation_ = 0;
  std::vector<Restored> restored_;  // by place
};

}  // namespace tocsin
