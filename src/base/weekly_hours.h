// Hours of the week by a zone's clock, as rules say when they are on duty: "Mon-Fri 08:00-18:00 Europe/Berlin".

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time_zone.h"
#include "base/units.h"

namespace tocsin {

// A time is active when the clock of the zone shows one of the hours. So hours that the clock shows twice count
// twice, and hours that it skips do not count: "22:00-06:00" is seven hours long in the night when summer begins.
class WeeklyHours {
 public:
  // [begin, end) from Monday, 00:00, by the clock.
  struct Span {
    Duration begin;
    Duration end;
    friend bool operator==(const Span&, const Span&) = default;
  };

  // Requires: spans in order and apart, at least one, each within the week and not empty.
  WeeklyHours(const TimeZone& zone, std::vector<Span> spans);

  bool is_active(RecordTime at) const;

  // How much of [from, to) is active; zero when `to` is not after `from`. Costs two steps for each year of the span.
  Duration active_between(RecordTime from, RecordTime to) const;

  // The first active time that is not before `at`.
  RecordTime next_active(RecordTime at) const;

  const TimeZone& zone() const { return zone_; }
  friend bool operator==(const WeeklyHours&, const WeeklyHours&) = default;

 private:
  Duration active_before(Duration local) const;

  TimeZone zone_;
  std::vector<Span> spans_;
  Duration per_week_{};
};

// One or more parts with commas between them, then the zone, UTC where none is named:
//
//   Mon-Fri 08:00-18:00 Europe/Berlin          Fri-Mon 22:00-06:00 Asia/Kolkata, the nights that begin on these days
//   Mon-Fri 08:00-18:00, Sat 09:00-13:00       Mon, Wed 08:00-12:00, 13:00-24:00 America/New_York
//   daily 06:00-22:00                          22:00-06:00, which is daily too
//
// Hours without days in a later part are those of the part before it. On failure `error` quotes the word that is
// wrong and says what to write instead.
std::optional<WeeklyHours> parse_weekly_hours(std::string_view text, std::string& error);

}  // namespace tocsin
