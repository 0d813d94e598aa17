#include "core/sanitize/scanner.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>
#include <utility>

#include "core/sanitize/byte_masks.h"
#include "core/sanitize/checks.h"
#include "core/sanitize/decoded_text.h"
#include "core/sanitize/matcher.h"

namespace tocsin {

namespace {

// What a scan may spend beyond the gate. Three purses, for the shapes that halt, for what pages and for the rest, so
// that a flood of addresses, numbers and passwords cannot hide a key.
constexpr std::int64_t nanoseconds_per_byte = 10;  // each purse: about 10 ms per MiB
constexpr std::int64_t least_budget = 200'000;     // a short event full of real finds is still read to its end

// How far a pair's halves stand apart: one object, one file of credentials.
constexpr std::size_t pair_reach = 200;

// Costs in nanoseconds, roughly, as in matcher.cc.
constexpr std::int64_t shape_cost = 40;
constexpr std::int64_t accept_cost = 800;
constexpr std::int64_t decoding_cost = 100;
constexpr std::int64_t decoded_byte_cost = 4;

constexpr std::size_t blocks_at_once = 16;  // masks of 1 KiB stay in the first cache

// Ones come in from above: a run that leaves the block is looked at rather than missed.
std::uint64_t shifted(std::uint64_t mask, int by) {
  return (mask >> by) | ~(~std::uint64_t{0} >> by);
}

}  // namespace

Scanner::Scanner(std::shared_ptr<const PatternLibrary> library)
    : library_(std::move(library)),
      search_(library_->matcher().gate().search()),
      hidden_(std::make_unique<DecodedText>()) {}
Scanner::~Scanner() = default;
Scanner::Scanner(Scanner&&) noexcept = default;
Scanner& Scanner::operator=(Scanner&&) noexcept = default;

std::span<const Match> Scanner::scan(std::string_view buffer) {
  found_.clear();
  kept_.clear();
  decoded_.clear();
  cut_at_.reset();
  left_.fill(std::max(least_budget, nanoseconds_per_byte * static_cast<std::int64_t>(buffer.size())));
  decoded_until_ = 0;
  scan_layer(buffer);
  if (found_.empty()) return {};
  keep_the_gravest();
  join_pairs();
  return kept_;
}

void Scanner::scan_layer(std::string_view buffer) {
  constexpr std::size_t block = ByteMasks::block_size;

  digit_before_ = false;
  alnum_before_ = escapes_before_ = 0;
  const std::size_t first = found_.size();
  const KeywordGate& gate = library_->matcher().gate();
  for (const KeywordGate::Hit& hit : gate.find(buffer, search_)) {
    try_keyword(buffer, gate.keywords()[hit.keyword], hit.begin);
  }
  std::array<ByteMasks, blocks_at_once> masks;
  const auto look = [&](std::size_t base, std::size_t count, bool is_last) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t behind = i + 1 < count ? masks[i + 1].token : is_last ? 0 : ~std::uint64_t{0};
      look_at_starts(buffer, base + i * block, masks[i], behind);
      look_at(buffer, base + i * block, masks[i]);
    }
  };
  std::size_t base = 0;
  constexpr std::size_t whole = blocks_at_once * block;
  for (; buffer.size() - base > whole; base += whole) {
    classify(buffer.data() + base, masks.data(), blocks_at_once);
    look(base, blocks_at_once, false);
  }
  // The rest, and every short text: its last block with zeros behind it.
  const std::size_t left = buffer.size() - base;
  const std::size_t full = left / block;
  classify(buffer.data() + base, masks.data(), full);
  std::size_t count = full;
  if (left % block != 0) {
    std::array<char, block> rest{};
    std::memcpy(rest.data(), buffer.data() + base + full * block, left % block);
    classify(rest.data(), masks.data() + full, 1);
    ++count;
  }
  look(base, count, true);
  if (found_.size() > first) add_pairs(buffer, first);
}

// What is hidden costs a decoding and a scan of its own, so only what may hold a secret is decoded.
void Scanner::look_for_hidden(std::string_view buffer, std::size_t base, const ByteMasks& masks) {
  for (unsigned half = 0; half < 2; ++half) {
    const std::size_t at = base + std::size_t{32} * half;
    if (((masks.solid >> half) & 1) == 0 || at < decoded_until_) continue;
    if (!afford(Tier::page, at)) return;
    charge(Tier::page, decoding_cost);
    if (base64_text_at(buffer, at, decoded_until_, *hidden_))
      scan_hidden(buffer);
    else
      decoded_until_ = at + 32;
  }
  std::uint64_t escapes = masks.escape;
  while (escapes != 0) {
    const std::size_t at = base + static_cast<std::size_t>(__builtin_ctzll(escapes));
    escapes &= escapes - 1;
    if (at < decoded_until_ || at >= buffer.size() || !hides_a_token_byte(buffer, at)) continue;
    if (!afford(Tier::page, at)) return;
    charge(Tier::page, decoding_cost);
    unescaped_text_at(buffer, at, *hidden_);
    scan_hidden(buffer);
  }
}

void Scanner::scan_hidden(std::string_view buffer) {
  const DecodedText& decoded = *hidden_;
  decoded_until_ = decoded.source.end;
  charge(Tier::page, decoded_byte_cost * static_cast<std::int64_t>(decoded.text.size()));
  const auto before = std::tuple(digit_before_, alnum_before_, escapes_before_);
  const std::size_t first = found_.size();
  const auto cut_at = cut_at_;
  const std::string_view text = decoded.text;
  is_hidden_ = true;
  scan_layer(text);
  is_hidden_ = false;
  std::tie(digit_before_, alnum_before_, escapes_before_) = before;
  if (cut_at_ != cut_at) {
    cut_at_ = std::min(cut_at.value_or(Match::whole), static_cast<std::uint32_t>(decoded.source.begin));
  }
  std::size_t kept = first;
  for (std::size_t i = first; i < found_.size(); ++i) {
    Match match = found_[i];
    const TextRange origin = decoded.origin_of(match.begin, match.end);
    // What stands there as it is, is found without this.
    if (buffer.substr(origin.begin, origin.end - origin.begin) == text.substr(match.begin, match.end - match.begin)) {
      continue;
    }
    if (kept == first) decoded_.emplace_back(text);
    match.identity = std::string_view(decoded_.back()).substr(match.begin, match.end - match.begin);
    match.begin = static_cast<std::uint32_t>(origin.begin);
    match.end = static_cast<std::uint32_t>(origin.end);
    found_[kept++] = match;
  }
  found_.resize(kept);
}

void Scanner::look_at(std::string_view buffer, std::size_t base, const ByteMasks& masks) {
  if ((masks.escape != 0 || masks.solid != 0) && !is_hidden_) look_for_hidden(buffer, base, masks);
  if (masks.dot != 0 || masks.colon != 0) look_at_addresses(buffer, base, masks);

  const std::uint64_t digit = masks.digit;
  // Prose: nothing of what follows is without digits, but for what leaves the block by its last capitals.
  if ((digit | masks.at_sign | masks.plus | (masks.upper >> 60)) == 0) {
    digit_before_ = false;
    return;
  }
  const std::uint64_t two_digits = digit & shifted(digit, 1);
  const std::uint64_t four_digits = two_digits & shifted(two_digits, 2);
  // Five to eight digits are nothing that look_at_digits() knows; hexadecimal ids are full of such runs.
  const std::uint64_t perhaps_nine = shifted(four_digits, 4) & shifted(digit, 8);
  const std::uint64_t five_to_eight = (digit >> 4) & ~perhaps_nine;
  std::uint64_t long_runs =
      four_digits & ~five_to_eight & ~((digit << 1) | static_cast<std::uint64_t>(digit_before_));
  digit_before_ = (digit >> 63) != 0;
  while (long_runs != 0) {
    const std::size_t at = base + static_cast<std::size_t>(__builtin_ctzll(long_runs));
    long_runs &= long_runs - 1;
    look_at_digits(buffer, at);
  }

  const std::uint64_t ibans = masks.upper & shifted(masks.upper, 1) & shifted(digit, 2) & shifted(digit, 3);
  look_for_shape(buffer, base, ibans, Shape::iban, [&](std::size_t at) {
    const bool is_one = at + 1 < buffer.size() && has_class(buffer[at + 1], upper_class);
    return is_one ? iban_at(buffer, at) : std::nullopt;
  });
  look_for_shape(buffer, base, masks.at_sign, Shape::email, [&](std::size_t at) { return email_at(buffer, at); });
  look_for_shape(buffer, base, masks.plus & shifted(digit, 1), Shape::phone,
                 [&](std::size_t at) { return international_phone_at(buffer, at); });
}

template <class RangeAt>
void Scanner::look_for_shape(std::string_view buffer, std::size_t base, std::uint64_t places, Shape shape,
                             RangeAt range_at) {
  const Matcher& matcher = library_->matcher();
  const std::uint16_t index = matcher.of_shape(shape);
  while (places != 0 && index != no_pattern) {
    const std::size_t at = base + static_cast<std::size_t>(__builtin_ctzll(places));
    places &= places - 1;
    if (at >= buffer.size() || !afford(Tier::pii, at)) return;
    charge(Tier::pii, shape_cost);
    if (const auto range = range_at(at)) add(buffer, matcher.pattern(index), range->begin, range->end);
  }
}

void Scanner::look_at_addresses(std::string_view buffer, std::size_t base, const ByteMasks& masks) {
  const Matcher& matcher = library_->matcher();
  const std::uint16_t index = matcher.of_shape(Shape::ip);
  if (index == no_pattern) return;
  const CompiledPattern& pattern = matcher.pattern(index);
  const std::uint64_t digit_before = (masks.digit << 1) | static_cast<std::uint64_t>(digit_before_);
  const std::uint64_t dots = masks.dot & digit_before & shifted(masks.digit, 1);
  // Another dot after one, two or three digits: fractions have none.
  const std::uint64_t dotted = dots & (shifted(masks.dot, 2) | shifted(masks.dot, 3) | shifted(masks.dot, 4));
  look_for_shape(buffer, base, dotted, Shape::ip,
                 [&](std::size_t at) { return ipv4_at(buffer, at, pattern.only_public); });
  std::uint64_t colons = masks.colon & (shifted(masks.colon, 1) | shifted(masks.colon, 2) | shifted(masks.colon, 3) |
                                        shifted(masks.colon, 4) | shifted(masks.colon, 5));
  // Of those in JSON and in times nearly all have something else beside them.
  const auto is_inside = [&](std::size_t at) {
    const auto is_part = [](char c) { return is_hex_digit(c) || c == ':'; };
    return at > 0 && at + 1 < buffer.size() && is_part(buffer[at - 1]) && is_part(buffer[at + 1]) &&
           buffer[at - 1] != ':';
  };
  std::uint64_t addresses = 0;
  while (colons != 0) {
    const int bit = __builtin_ctzll(colons);
    colons &= colons - 1;
    if (is_inside(base + static_cast<std::size_t>(bit))) addresses |= std::uint64_t{1} << bit;
  }
  look_for_shape(buffer, base, addresses, Shape::ip,
                 [&](std::size_t at) { return ipv6_at(buffer, at, pattern.only_public); });
}

// What the patterns of a keyword make of it. Nearly every place is a false hit: the look at it is inlined, what a
// true one takes is not (70 ns an event).
__attribute__((noinline)) void Scanner::try_keyword(std::string_view buffer, const Keyword& keyword,
                                                    std::size_t begin) {
  const Matcher& matcher = library_->matcher();
  std::optional<std::optional<Assignment>> assignment;  // looked for once for all patterns
  for (const std::uint16_t index : keyword.patterns) {
    const CompiledPattern& pattern = matcher.pattern(index);
    if (!afford(pattern.tier, begin)) continue;
    std::int64_t work = 0;
    std::optional<TextRange> range;
    switch (pattern.shape) {
      case Shape::regex:
        range = matcher.match_regex(pattern, buffer, begin, work);
        break;
      case Shape::assignment:
        if (!assignment) assignment = assignment_at(buffer, {begin, begin + keyword.text.size()});
        range = matcher.match_assignment(pattern, buffer, *assignment, work);
        break;
      case Shape::named:
        matcher.match_named(
            buffer, {begin, begin + keyword.text.size()}, work,
            [&](const CompiledPattern& named, TextRange value) { add(buffer, named, value.begin, value.end); });
        break;
      case Shape::email:
      case Shape::card:
      case Shape::ssn:
      case Shape::iban:
      case Shape::phone:
      case Shape::itin:
      case Shape::ip:
        break;  // single characters lead to these, not keywords
    }
    charge(pattern.tier, work);
    if (range) add(buffer, pattern, range->begin, range->end);
  }
}

// The first bytes of tokens: a letter or digit behind none, or behind what may be the end of an escape.
std::uint64_t Scanner::starts_of(const ByteMasks& masks) {
  const auto behind_escape = [&](int by) { return (masks.escape << by) | (escapes_before_ >> (64 - by)); };
  std::uint64_t starts = ~((masks.alnum << 1) | (alnum_before_ >> 63));
  if ((masks.escape | escapes_before_) != 0) {
    starts |= behind_escape(2) | behind_escape(3) | behind_escape(4) | behind_escape(6);
  }
  alnum_before_ = masks.alnum;
  escapes_before_ = masks.escape;
  return starts & masks.alnum;
}

namespace {

__extension__ using Bits128 = unsigned __int128;

// The bytes from which on so many are of tokens that a secret may begin there.
std::uint64_t long_from(std::uint64_t tokens, std::uint64_t tokens_behind) {
  static_assert(KeywordGate::long_token == 12);
  Bits128 run = (Bits128{tokens_behind} << 64) | tokens;
  run &= run >> 1;
  run &= run >> 2;
  run &= run >> 4;
  run &= run >> 4;
  return static_cast<std::uint64_t>(run);
}

}  // namespace

// `tokens_behind`: of the block behind.
void Scanner::look_at_starts(std::string_view buffer, std::size_t base, const ByteMasks& masks,
                             std::uint64_t tokens_behind) {
  std::uint64_t starts = starts_of(masks) & long_from(masks.token, tokens_behind);
  while (starts != 0) {
    const std::size_t at = base + static_cast<std::size_t>(__builtin_ctzll(starts));
    starts &= starts - 1;
    const auto look = [&](std::size_t from) {
      library_->matcher().gate().for_each_from(
          buffer, from, [&](const Keyword& keyword, std::size_t begin) { try_keyword(buffer, keyword, begin); });
    };
    look(at);
    if (!is_digit(buffer[at]) && buffer[at] != 'm' && buffer[at] != 'K') continue;  // no end of a colour
    if (const std::size_t behind = behind_colour(buffer, at); behind > at && behind < buffer.size()) look(behind);
  }
}

void Scanner::look_at_digits(std::string_view buffer, std::size_t begin) {
  constexpr std::size_t longest_run_of_interest = 20;  // a card has 19
  const std::size_t limit = std::min(buffer.size(), begin + longest_run_of_interest);
  std::size_t end = begin;
  while (end < limit && is_digit(buffer[end])) ++end;
  const std::size_t size = end - begin;
  if (size < 4 || (size > 4 && size < 9)) return;  // these come from the edge of a block
  const char before = begin > 0 ? buffer[begin - 1] : '\0';
  const char after = end < buffer.size() ? buffer[end] : '\0';
  // Most runs are years, fractions and counts: rule those out before anything is called.
  // A card's second group has four digits or six, that of a date two.
  const bool four_follow = size == 4 && (after == ' ' || after == '-') && end + 4 < buffer.size() &&
                           is_digit(buffer[end + 1]) && is_digit(buffer[end + 3]) && is_digit(buffer[end + 4]);
  const bool card = size >= 13 ? size <= 19 : four_follow;
  const bool grouped = size == 4 && (before == '-' || before == ' ' || before == '.') && begin >= 2 &&
                       (is_digit(buffer[begin - 2]) || buffer[begin - 2] == ')');
  if (!card && !grouped && size != 9 && size != 10) return;
  if (!afford(Tier::pii, begin)) return;
  charge(Tier::pii, shape_cost);
  const Matcher& matcher = library_->matcher();
  const TextRange digits{begin, end};
  if (card && matcher.of_shape(Shape::card) != no_pattern) {
    if (const auto range = card_from(buffer, digits))
      add(buffer, matcher.pattern(matcher.of_shape(Shape::card)), range->begin, range->end);
  }
  if ((grouped || size == 9) && matcher.of_shape(Shape::ssn) != no_pattern) {
    if (const auto range = ssn_ending_with(buffer, digits))
      add(buffer, matcher.pattern(matcher.of_shape(Shape::ssn)), range->begin, range->end);
  }
  if ((grouped || size == 9) && matcher.of_shape(Shape::itin) != no_pattern) {
    if (const auto range = itin_ending_with(buffer, digits))
      add(buffer, matcher.pattern(matcher.of_shape(Shape::itin)), range->begin, range->end);
  }
  if ((grouped || size == 10) && matcher.of_shape(Shape::phone) != no_pattern) {
    if (const auto range = us_phone_ending_with(buffer, digits)) {
      add(buffer, matcher.pattern(matcher.of_shape(Shape::phone)), range->begin, range->end);
    }
  }
}

void Scanner::add_pairs(std::string_view buffer, std::size_t first) {
  const Matcher& matcher = library_->matcher();
  const std::size_t first_halves = found_.size();
  for (const std::uint16_t index : matcher.paired()) {
    const CompiledPattern& pattern = matcher.pattern(index);
    for (std::size_t i = first; i < first_halves; ++i) {
      if (found_[i].pattern != pattern.paired_with) continue;
      if (!afford(pattern.tier, found_[i].begin)) return;
      const std::size_t from = found_[i].begin > pair_reach ? found_[i].begin - pair_reach : 0;
      const std::size_t to = std::min(buffer.size(), found_[i].end + pair_reach);
      charge(pattern.tier, 4 * static_cast<std::int64_t>(to - from));
      std::size_t at = from;
      while (at < to) {
        if (!has_class(buffer[at], base64_class) || !token_may_begin_at(buffer, at)) {
          ++at;
          continue;
        }
        const bool cut_off = at == from && at > 0 && has_class(buffer[at - 1], base64_class);
        std::size_t end = at;
        while (end < buffer.size() && has_class(buffer[end], base64_class)) ++end;
        const bool padded = end < buffer.size() && buffer[end] == '=';
        constexpr std::size_t shortest_half = 16;
        if (!cut_off && !padded && end - at >= shortest_half) {
          charge(pattern.tier, accept_cost);
          if (matcher.accepts(pattern, buffer.substr(at, end - at))) add(buffer, pattern, at, end);
        }
        at = end + 1;
      }
    }
  }
}

void Scanner::add(std::string_view buffer, const CompiledPattern& pattern, std::size_t begin, std::size_t end) {
  Match match;
  match.begin = static_cast<std::uint32_t>(begin);
  match.end = static_cast<std::uint32_t>(end);
  match.identity = buffer.substr(begin, end - begin);
  match.pattern = pattern.index;
  match.tier = Matcher::tier_of(pattern, match.identity);
  found_.push_back(match);
}

bool Scanner::afford(Tier tier, std::size_t at) {
  if (left_[purse_of(tier)] > 0) return true;
  cut_at_ = std::min(cut_at_.value_or(Match::whole), static_cast<std::uint32_t>(at));
  return false;
}

void Scanner::charge(Tier tier, std::int64_t work) {
  left_[purse_of(tier)] -= work;
}

void Scanner::keep_the_gravest() {
  const auto graver = [](const Match& a, const Match& b) {
    // Counting and personal data rank alike: of a password that holds an address, the password is the find.
    const auto rank = [](const Match& m) { return std::min(m.tier, Tier::count); };
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    const std::uint32_t a_size = a.end - a.begin;
    const std::uint32_t b_size = b.end - b.begin;
    return a_size != b_size ? a_size > b_size : a.pattern < b.pattern;
  };
  std::sort(found_.begin(), found_.end(), [](const Match& a, const Match& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    return a.end != b.end ? a.end < b.end : a.pattern < b.pattern;
  });
  for (const Match& match : found_) {
    bool keep = true;
    while (keep && !kept_.empty() && kept_.back().end > match.begin) {
      if (graver(match, kept_.back()))
        kept_.pop_back();
      else
        keep = false;
    }
    if (keep) kept_.push_back(match);
  }
}

void Scanner::join_pairs() {
  const Matcher& matcher = library_->matcher();
  if (matcher.paired().empty()) return;
  // Two sweeps, for the nearest first half before and after: the number of matches may be large.
  const auto sweep = [&](auto distance, std::size_t first, std::size_t step) {
    for (const std::uint16_t second_half : matcher.paired()) {
      const std::uint16_t first_half = matcher.pattern(second_half).paired_with;
      std::size_t nearest = kept_.size();
      for (std::size_t n = 0, i = first; n < kept_.size(); ++n, i += step) {
        Match& match = kept_[i];
        if (match.pattern == first_half) nearest = i;
        if (match.pattern != second_half || nearest == kept_.size()) continue;
        const Match& other = kept_[nearest];
        if (match.part_of != Match::whole && distance(match, kept_[match.part_of]) <= distance(match, other))
          continue;
        match.part_of = static_cast<std::uint32_t>(nearest);
        match.identity = other.identity;
      }
    }
  };
  const auto distance = [](const Match& a, const Match& b) {
    return a.begin < b.begin ? b.begin - a.end : a.begin - b.end;
  };
  sweep(distance, 0, 1);
  sweep(distance, kept_.size() - 1, ~std::size_t{0});
}

}  // namespace tocsin
