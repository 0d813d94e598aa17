#include "base/weekly_hours.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "base/diagnostic.h"

namespace tocsin {

namespace {

constexpr Duration a_day = std::chrono::days{1};
constexpr Duration a_week = std::chrono::weeks{1};

// The epoch was a Thursday: local times here count from the Monday before it.
constexpr Duration epoch_after_monday = std::chrono::days{3};

Duration since_a_monday(const TimeZone& zone, RecordTime at) {
  return at.since_epoch + utc_offset(zone, at) + epoch_after_monday;
}

Duration floor_to_week(Duration local) {
  return floor_to(RecordTime{local}, a_week).since_epoch;
}

constexpr std::array<std::string_view, 7> day_names{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                    "Friday", "Saturday", "Sunday"};

// Monday is 0; "Mon" and "Monday" in any case.
std::optional<int> day_named(std::string_view word) {
  for (std::size_t i = 0; i < day_names.size(); ++i) {
    if (same_ignoring_case(word, day_names[i]) || same_ignoring_case(word, day_names[i].substr(0, 3))) {
      return static_cast<int>(i);
    }
  }
  return std::nullopt;
}

std::string did_you_mean_day(std::string_view word) {
  std::vector<std::string_view> candidates;
  for (const std::string_view name : day_names) candidates.push_back(name.substr(0, 3));
  candidates.insert(candidates.end(), day_names.begin(), day_names.end());
  candidates.push_back("daily");
  return did_you_mean(word, candidates);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "08:00" or "8:00", up to "24:00".
std::optional<Duration> time_of_day(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon > 2 || text.size() != colon + 3) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i != colon && !is_digit(text[i])) return std::nullopt;
  }
  const int hour = colon == 1 ? text[0] - '0' : (text[0] - '0') * 10 + (text[1] - '0');
  const int minute = (text[colon + 1] - '0') * 10 + (text[colon + 2] - '0');
  if (minute > 59 || hour * 60 + minute > 24 * 60) return std::nullopt;
  return std::chrono::minutes{hour * 60 + minute};
}

// "Mon - Fri" as "Mon-Fri": a dash belongs to the words beside it.
std::string without_spaces_about_dashes(std::string_view text) {
  std::string tidy;
  for (const char c : text) {
    const char plain = c == '\t' || c == '\n' ? ' ' : c;
    if (plain == '-') {
      while (tidy.ends_with(' ')) tidy.pop_back();
    }
    if (plain != ' ' || !tidy.ends_with('-')) tidy += plain;
  }
  return tidy;
}

// The words and the commas.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t length = text.front() == ',' ? 1 : std::min(text.find_first_of(" ,"), text.size());
    if (length > 0) words.push_back(text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return words;
}

// In order, and one where they touch or overlap.
std::vector<WeeklyHours::Span> joined(std::vector<WeeklyHours::Span> spans) {
  std::sort(spans.begin(), spans.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::vector<WeeklyHours::Span> result;
  for (const WeeklyHours::Span& span : spans) {
    if (!result.empty() && span.begin <= result.back().end) {
      result.back().end = std::max(result.back().end, span.end);
    } else {
      result.push_back(span);
    }
  }
  return result;
}

// Takes the words one after the other. What takes a word is false when the word is wrong; error_ says why then.
class HoursParser {
 public:
  explicit HoursParser(std::string& error) : error_(error) {}

  bool take(std::string_view word);
  std::optional<WeeklyHours> finish();

 private:
  enum class After { comma, days, hours, zone };

  bool take_days(std::string_view word);
  bool take_hours(std::string_view word);
  bool take_zone(std::string_view word);
  void add_hours(int day, Duration begin, Duration end);

  bool fail(std::string message) {
    error_ = std::move(message);
    return false;
  }

  std::string& error_;
  After after_ = After::comma;
  std::array<bool, 7> days_{true, true, true, true, true, true, true};  // that the next hours are for
  bool adds_days_ = false;                                              // to those of the words before it
  std::string_view last_word_;
  std::vector<WeeklyHours::Span> spans_;
  const TimeZone* zone_ = nullptr;
};

bool HoursParser::take(std::string_view word) {
  const bool is_hours = is_digit(word.front());
  const std::string_view before = std::exchange(last_word_, word);
  if (word == "," && after_ != After::zone) {
    if (after_ == After::comma) return fail("a comma stands where days or hours should");
    after_ = After::comma;
    return true;
  }
  switch (after_) {
    case After::comma:
      return is_hours ? take_hours(word) : take_days(word);
    case After::days:
      if (is_hours) return take_hours(word);
      return fail(fmt::format("between '{}' and '{}' hours are missing, as '08:00-18:00', or a comma", before, word));
    case After::hours:
      return is_hours ? fail(fmt::format("'{}' needs a comma before it", word)) : take_zone(word);
    case After::zone:
      break;
  }
  return fail(fmt::format("'{}' has to be the last word: write the time zone once, at the end", before));
}

std::optional<WeeklyHours> HoursParser::finish() {
  switch (after_) {
    case After::comma:
      fail(last_word_ == "," ? "nothing follows the last comma: take it away, or write hours after it"
                             : "hours are missing: write them as 'Mon-Fri 08:00-18:00 Europe/Berlin'");
      return std::nullopt;
    case After::days:
      fail(fmt::format("hours are missing after '{0}': write '{0} 08:00-18:00', or '{0} 00:00-24:00' for all day",
                       last_word_));
      return std::nullopt;
    case After::hours:
    case After::zone:
      break;
  }
  return WeeklyHours(zone_ != nullptr ? *zone_ : *time_zone_named("UTC"), joined(std::move(spans_)));
}

bool HoursParser::take_days(std::string_view word) {
  if (!std::exchange(adds_days_, true)) days_.fill(false);
  after_ = After::days;
  if (same_ignoring_case(word, "daily")) {
    days_.fill(true);
    return true;
  }
  if (time_zone_named(word) != nullptr) {
    return fail(fmt::format("'{}' stands before the hours: write the time zone as the last word", word));
  }
  const std::size_t dash = std::min(word.find('-'), word.size());
  const std::string_view first_word = word.substr(0, dash);
  const std::string_view last_word = dash < word.size() ? word.substr(dash + 1) : first_word;
  for (const std::string_view day : {first_word, last_word}) {
    if (!day_named(day)) {
      return fail(fmt::format("'{}' is no day{}: write Mon to Sun, as 'Mon-Fri' or 'Sat', or 'daily'", day,
                              did_you_mean_day(day)));
    }
  }
  for (int day = *day_named(first_word);; day = (day + 1) % 7) {
    days_[static_cast<std::size_t>(day)] = true;
    if (day == *day_named(last_word)) break;
  }
  return true;
}

bool HoursParser::take_hours(std::string_view word) {
  const std::size_t dash = word.find('-');
  if (dash == std::string_view::npos) {
    return fail(fmt::format("'{}' says no end: write hours as '08:00-18:00'", word));
  }
  const std::string_view begin_word = word.substr(0, dash);
  const std::string_view end_word = word.substr(dash + 1);
  for (const std::string_view time : {begin_word, end_word}) {
    if (!time_of_day(time)) {
      return fail(fmt::format("'{}' is no time of day: write it from '00:00' to '24:00', as in '08:00-18:00'", time));
    }
  }
  const Duration begin = *time_of_day(begin_word);
  const Duration end = *time_of_day(end_word);
  if (begin == a_day) return fail(fmt::format("'{}' begins where the day ends: write '00:00-{}'", word, end_word));
  if (begin == end) return fail(fmt::format("'{}' is empty: write '00:00-24:00' for all day", word));
  for (int day = 0; day < 7; ++day) {
    if (days_[static_cast<std::size_t>(day)]) add_hours(day, begin, end > begin ? end : end + a_day);
  }
  adds_days_ = false;
  after_ = After::hours;
  return true;
}

void HoursParser::add_hours(int day, Duration begin, Duration end) {
  begin += day * a_day;
  end += day * a_day;
  spans_.push_back({begin, std::min(end, a_week)});
  if (end > a_week) spans_.push_back({Duration::zero(), end - a_week});
}

bool HoursParser::take_zone(std::string_view word) {
  zone_ = time_zone_named(word);
  after_ = After::zone;
  if (zone_ != nullptr) return true;
  if (same_ignoring_case(word, "daily") || day_named(word.substr(0, word.find('-')))) {
    return fail(fmt::format("'{}' stands after its hours: write the days first, as '{} 08:00-18:00'", word, word));
  }
  return fail(fmt::format("unknown time zone '{}'{}", word, did_you_mean_time_zone(word)));
}

}  // namespace

WeeklyHours::WeeklyHours(const TimeZone& zone, std::vector<Span> spans) : zone_(zone), spans_(std::move(spans)) {
  for (const Span& span : spans_) per_week_ += span.end - span.begin;
}

bool WeeklyHours::is_active(RecordTime at) const {
  const Duration local = since_a_monday(zone_, within_the_calendar(at));
  const Duration in_week = local - floor_to_week(local);
  return std::any_of(spans_.begin(), spans_.end(),
                     [in_week](const Span& span) { return span.begin <= in_week && in_week < span.end; });
}

// From a Monday long ago that may be any, as only differences are asked for.
Duration WeeklyHours::active_before(Duration local) const {
  const Duration week = floor_to_week(local);
  Duration active = week / a_week * per_week_;
  for (const Span& span : spans_) {
    active += std::clamp(local - week, span.begin, span.end) - span.begin;
  }
  return active;
}

Duration WeeklyHours::active_between(RecordTime from, RecordTime to) const {
  from = within_the_calendar(from);
  to = within_the_calendar(to);
  Duration active{};
  while (from < to) {  // the clock runs evenly up to its next change
    const RecordTime end = std::min(to, next_offset_change(zone_, from).value_or(to));
    const Duration local = since_a_monday(zone_, from);
    active += active_before(local + (end - from)) - active_before(local);
    from = end;
  }
  return active;
}

RecordTime WeeklyHours::next_active(RecordTime at) const {
  at = within_the_calendar(at);
  while (true) {
    const Duration local = since_a_monday(zone_, at);
    const Duration in_week = local - floor_to_week(local);
    const auto next =
        std::find_if(spans_.begin(), spans_.end(), [&](const Span& span) { return in_week < span.end; });
    const Duration begin = next != spans_.end() ? next->begin : spans_.front().begin + a_week;
    const RecordTime found = at + std::max(begin - in_week, Duration::zero());
    const auto change = next_offset_change(zone_, at);
    if (found == at || !change || found < *change) return found;
    at = *change;  // and look again: the clock shows something else from there on
  }
}

std::optional<WeeklyHours> parse_weekly_hours(std::string_view text, std::string& error) {
  const std::string tidy = without_spaces_about_dashes(text);
  HoursParser parser(error);
  for (const std::string_view word : words_of(tidy)) {
    if (!parser.take(word)) return std::nullopt;
  }
  return parser.finish();
}

}  // namespace tocsin
