#include "core/stage/ingest_stage.h"

#include <algorithm>
#include <cassert>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/hash.h"
#include "base/safeguard.h"
#include "base/time_text.h"
#include "core/event/record_decoder.h"
#include "core/sanitize/event_sanitizer.h"
#include "core/sanitize/sanitized_event_json.h"
#include "core/sanitize/sanitized_event_otlp.h"
#include "core/stage/slice.h"
#include "core/stage/unkeyed_watch.h"
#include "core/stage/unknown_sections.h"
#include "core/task/recent_identities.h"
#include "core/task/task_tracker.h"

namespace tocsin {

namespace {

// A record whose time leaps further ahead than this counts, but does not move the log's time at once.
constexpr Duration longest_leap = std::chrono::hours{31 * 24};
constexpr int leaps_believed = 20;
// How far a partition goes on by itself after it has heard of new rules. Longer than a decision takes, so that
// nobody waits for it live; and as long as new rules take at least to come into force.
constexpr Duration promised_for = std::chrono::seconds{30};
constexpr Duration remembered_silence = std::chrono::hours{9 * 24};

constexpr Duration unnamed_halt_lasts = std::chrono::minutes{10};

// Beside the types of events, which begin at 2: the span above a call of a model that was counted, and of a tool.
constexpr std::uint64_t parent_of_a_call = 1'000;
constexpr std::uint64_t round_calls = 1'002;
constexpr std::uint64_t parent_of_a_tool_call = 1'001;
constexpr std::uint64_t a_tool_call = 2 + static_cast<std::uint64_t>(EventType::tool_call);

// More agents than this share one set of figures: metrics stay bounded whatever telemetry says.
constexpr std::size_t most_agents = 10'000;

constexpr std::array<StringField, 5> version_fields{StringField::agent_version, StringField::spec,
                                                    StringField::spec_version, StringField::model,
                                                    StringField::model_version};

constexpr std::size_t most_known_prices = 1'000;
constexpr std::size_t most_unpriced = 50;  // models whose name is a label

bool needs_correlation(EventType type) {
  return type <= EventType::tool_call;  // task.*, step, tool.call: see the order of EventType
}
static_assert(EventType::tool_call < EventType::session_started && EventType::step < EventType::tool_call);

}  // namespace

void IngestOutput::clear() {
  cuts.clear();
  halts.clear();
  findings.clear();
  dead_letters.clear();
  published.clear();
  spans.clear();
}

struct IngestPartition::State {
  IngestOptions options;
  std::shared_ptr<const RuleSet> rules;
  std::shared_ptr<const RuleEpochs> epochs;  // null: these rules, and no others
  std::int64_t epoch = 0;
  Promise promise;
  RecordTime advancing_to = before_all;
  Fingerprinter fingerprinter;
  RecordDecoder decoder;
  EventSanitizer sanitizer;
  TaskTracker tasks;
  Slice slice;
  RecentIdentities identities;
  HaltLedger halts;

  RecordTime log_time = before_all;
  RecordTime next_grid = before_all;
  RecordTime furthest_event = before_all;  // kept where deadlines go by it alone
  RecordTime now = before_all;             // what the current record counts at: log time, once it is known
  std::int64_t next_offset = 0;
  int leaps_in_a_row = 0;
  UnkeyedWatch unkeyed;
  RecordTime moving_until = before_all;
  std::int64_t records_in_slice = 0;
  UnknownSections unknown{[](std::string_view key) { return key.starts_with(task_prefix) ? task_sections : 0; }};
  std::array<OwedPast, most_owed_pasts> owed;
  std::optional<Past> past;  // goes out with the next cut
  std::vector<UrgentFinding> findings_in_slice;
  std::vector<Sighting> sightings;
  std::unordered_set<std::uint64_t> sighted;  // of this slice: agent, field and value

  StreamTotals totals;
  std::vector<AgentFigures> agents;
  AgentFigures nobody;  // events without an agent count in the totals only
  std::vector<Task> closed_tasks;

  // For each agent its figures' slot, and the versions it showed in this slice.
  struct AgentEntry {
    std::uint32_t slot = 0;
    std::int64_t slice = INT64_MIN;
    std::array<std::uint64_t, version_fields.size()> last_seen{};
  };
  std::unordered_map<std::uint64_t, AgentEntry> agent_entries;

  std::unordered_map<std::uint64_t, const Price*> known_prices;  // of these rules; null: none is known

  std::vector<std::uint32_t> event_rules;    // rules of mode event that look at every event of a type
  std::vector<std::uint32_t> finding_rules;  // and those that look at findings

  State(IngestOptions given, std::shared_ptr<const RuleSet> rule_set, std::shared_ptr<const PatternLibrary> patterns,
        Fingerprinter key)
      : options(std::move(given)),
        rules(std::move(rule_set)),
        fingerprinter(std::move(key)),
        sanitizer(std::move(patterns), fingerprinter),
        tasks(*rules, options.most_open_tasks),
        slice(*rules, options.most_groups),
        halts(options.halts) {
    decoder.know(rules->names);
    find_event_rules();
  }

  void find_event_rules() {
    event_rules.clear();
    finding_rules.clear();
    for (std::uint32_t i = 0; i < rules->rules.size(); ++i) {
      const Rule& rule = rules->rules[i];
      if (rule.mode != RuleMode::event) continue;
      const bool of_finding =
          rule.where.reads_finding() || std::any_of(rule.group_by.begin(), rule.group_by.end(),
                                                    [](const GroupField& field) { return !field.field; });
      (of_finding ? finding_rules : event_rules).push_back(i);
    }
  }

  // Between two slices. The old rules live on in the cuts that they made.
  void change_rules(const RuleEpoch& next) {
    for (std::int64_t number = epoch + 1; number <= next.number; ++number) owe_past_of(number);
    const auto old = std::exchange(rules, next.rules);
    epoch = next.number;
    sanitizer.know(next.patterns);
    tasks.change_rules(*rules);
    slice = Slice(*rules, options.most_groups);
    known_prices.clear();
    decoder.know(rules->names);
    find_event_rules();
  }

  void owe_past_of(std::int64_t number) {
    if (!options.gives_past || log_time == before_all || epochs->new_aggregates(number).empty()) return;
    // Rules that change faster than the past can be read: the oldest epoch's is left.
    if (owed.back().epoch != 0) {
      forget_first_owed();
      past.reset();
    }
    *std::find_if(owed.begin(), owed.end(), [](const OwedPast& one) { return one.epoch == 0; }) = {number,
                                                                                                   next_offset};
  }

  void forget_first_owed() {
    std::shift_left(owed.begin(), owed.end(), 1);
    owed.back() = {};
  }

  // What is held of the past, in the numbers of these rules; what they do not have any more is left out.
  void put_past(Block& block) {
    if (past) {
      const RuleEpoch* const counted = epochs->numbered(past->epoch);
      std::vector<std::optional<std::uint32_t>> numbers;
      for (std::size_t i = 0; counted != nullptr && i < counted->rules->aggregates.size(); ++i) {
        numbers.push_back(rules->aggregate_named(counted->rules->aggregates[i].canonical()));
      }
      std::erase_if(past->series, [&](const PastSeries& series) { return !numbers[series.aggregate]; });
      for (PastSeries& series : past->series) series.aggregate = *numbers[series.aggregate];
      if (past->is_last) forget_first_owed();
      block.past = *std::exchange(past, std::nullopt);
    }
    block.owes_past_of = owed.front().epoch;
  }

  // For the slice that ends at `grid`. Where its rules change it is empty yet: what would have counted in it waited.
  void change_rules_for(RecordTime grid) {
    if (!epochs) return;
    const RuleEpoch& due = epochs->at(grid);
    if (due.number != epoch) change_rules(due);
  }

  void dead_letter(const RawRecord& record, DecodeError reason, IngestOutput& out) {
    ++totals.dead_letters[static_cast<std::size_t>(reason)];
    out.dead_letters.push_back({record.offset, reason, record.value.size()});
  }

  void cut(RecordTime grid, bool idle, IngestOutput& out) {
    Cut cut;
    cut.grid = grid;
    cut.next_offset = next_offset;
    Block& block = cut.block;
    block.partition = options.partition;
    block.grid = grid;
    block.rule_set = rules->hash;
    block.epoch = epoch;
    block.idle = idle;
    cut.rules = rules;
    if (epochs && epochs->open() && *epochs->open() > promise.number)
      promise = {*epochs->open(), std::max(grid + promised_for, floor_to(advancing_to, slice_length) + slice_length)};
    block.promise = promise;
    block.records = std::exchange(records_in_slice, 0);
    slice.close(block);
    block.sightings = std::exchange(sightings, {});
    sighted.clear();
    block.findings = std::exchange(findings_in_slice, {});
    put_past(block);
    closed_tasks.clear();
    tasks.close(holds(Safeguard::deadlines_by_log_time) ? grid : time_of_agents(grid), block.tasks, closed_tasks);
    for (const Task& task : closed_tasks) {
      if (task.agent_slot < agents.size()) --agents[task.agent_slot].open_tasks;
    }
    out.cuts.push_back(std::move(cut));
    if (options.after_cut) options.after_cut(grid);
    change_rules_for(grid + slice_length);
  }

  // What a tracker that believes agents' clocks would take for the time.
  RecordTime time_of_agents(RecordTime grid) const {
    return std::clamp(floor_to(furthest_event, slice_length), grid, grid + std::chrono::hours{1});
  }

  void advance(RecordTime time, bool idle, IngestOutput& out) {
    if (log_time == before_all) {
      log_time = time;
      next_grid = floor_to(time, slice_length) + slice_length;
      change_rules_for(next_grid);
      return;
    }
    if (time <= log_time) return;
    advancing_to = time;
    if (time - log_time > longest_leap) {
      // Nothing is remembered that long: a week of empty slices ends whatever was going on, the rest says nothing.
      for (const RecordTime end = log_time + remembered_silence; next_grid <= end;
           next_grid = next_grid + slice_length) {
        cut(next_grid, idle, out);
      }
      next_grid = floor_to(time, slice_length);
      change_rules_for(next_grid);
    }
    for (; next_grid <= time; next_grid = next_grid + slice_length) cut(next_grid, idle, out);
    log_time = time;
  }

  bool is_leap(RecordTime time) const { return log_time != before_all && time - log_time > longest_leap; }

  // Moves the log's time to that of a record: its own, else its event's, where that can be read.
  void advance_to(const RawRecord& record, std::optional<EventTime> event_time, IngestOutput& out) {
    if (record.time_is_ahead) return;
    RecordTime time = log_time;
    if (record.time) {
      time = *record.time;
    } else if (event_time) {
      time = as_record_time(*event_time);
    }
    // One broken clock is outvoted; a log that really goes on after a long silence is believed.
    if (is_leap(time) && ++leaps_in_a_row < leaps_believed) return;
    leaps_in_a_row = 0;
    advance(time, false, out);
  }

  void close_before(RecordTime time, bool time_is_ahead, IngestOutput& out) {
    if (time_is_ahead || (is_leap(time) && leaps_in_a_row + 1 < leaps_believed)) return;
    advance(time, false, out);
  }

  // Before the log has a time, the event's own is the best there is: a halt at the beginning of time would be over.
  RecordTime time_to_count_at(const RawRecord& record, const EventFields& event) const {
    if (log_time != before_all) return log_time;
    if (event.time) return as_record_time(*event.time);
    return record.time.value_or(log_time);
  }

  void apply(const RawRecord& record, IngestOutput& out) {
    if (options.is_heartbeat) return apply_heartbeat(record, out);
    ++totals.records;
    auto error = decoder.begin(record.value, record.key);
    if (record.time_is_ahead) ++totals.records_ahead;
    const std::int64_t epoch_before = epoch;
    advance_to(record, error ? std::nullopt : decoder.latest(), out);
    // It is the first of new rules: read by their names.
    if (epoch != epoch_before) error = decoder.begin(record.value, record.key);
    ++records_in_slice;
    next_offset = record.offset + 1;
    if (error) return dead_letter(record, *error, out);
    int number = 0;
    while (const AgentEvent* const event = decoder.next()) apply_event(*event, record, number++, out);
  }

  // `number`: of the event in its record.
  void apply_event(const AgentEvent& raw, const RawRecord& record, int number, IngestOutput& out) {
    now = time_to_count_at(record, raw.fields);
    // Tasks are known by what their id is once it is sanitized.
    SanitizedEvent* const ended = raw.needs_open_task ? &sanitizer.sanitize(raw) : nullptr;
    if (ended != nullptr && !tasks.is_open(ended->fields().get(StringField::correlation_id))) return;
    if (!holds(Safeguard::deadlines_by_log_time) && raw.fields.time) {
      furthest_event = std::max(furthest_event, as_record_time(*raw.fields.time));
    }
    if (needs_correlation(raw.fields.type) && !raw.fields.has(StringField::correlation_id)) {
      dead_letter(record, DecodeError::no_correlation_id, out);
      return;
    }
    const bool is_unkeyed = options.expects_keys && needs_correlation(raw.fields.type) &&
                            record.key != raw.fields.get(StringField::correlation_id);
    if (is_unkeyed) note_unkeyed(out);
    // Sanitized first, which gives the table of identities the time to come: hardly any event comes twice.
    const std::optional<std::uint64_t> identity = identity_of(raw.fields);
    if (identity) identities.expect(*identity);
    SanitizedEvent& event = ended != nullptr ? *ended : sanitizer.sanitize(raw);
    if (identity && identities.seen(*identity)) {
      ++totals.duplicates;
      return;
    }
    ++totals.events;
    if (is_told_already(raw.fields)) event.become_heartbeat();
    const std::string_view guessed_agent =
        raw.agent_is_guess ? event.take_off(StringField::agent) : std::string_view{};
    // A root's span may say nothing of how its task ended; that it was handed to a person, another has said.
    if (event.outcome_is_guess() && tasks.was_handed_over(event.fields().get(StringField::correlation_id))) {
      event.become_surfaced();
    }
    const TaskTracker::Note note = tasks.apply(event.fields(), now, is_unkeyed || now < moving_until);
    if (note.not_tracked) ++totals.tasks_not_tracked;
    if (note.task != nullptr) {
      for (const StringField field : task_fields) event.fill(field, note.task->field(field));
      event.fill(StringField::session_id, note.task->session);
      fill_attributes(event, *note.task);
    }
    event.fill(StringField::agent, guessed_agent);
    if (event.fields().type == EventType::step) {
      set_price(event);
      if (note.task != nullptr) note.task->add_call(event.fields());
    }
    if (note.task != nullptr && tasks.counts(event.fields().type)) {
      tasks.count(*note.task, event.fields(), now, arguments_of(raw, event.fields().type));
    }
    if (note.ended) fill_totals(event, *note.task);
    AgentEntry* const agent = agent_of(event.fields().get(StringField::env), event.fields().get(StringField::agent));
    count(event, note, agent);
    note_versions(event.fields(), agent);
    if (!note.repeated) totals.groups_skipped += slice.add(event.fields());
    if (!event.findings().empty()) look_at_findings(event, record, out);
    if (!event_rules.empty()) look_at_event(event, record, number, out);
    const std::string_view key = event.fields().get(StringField::correlation_id);
    if (!options.publish_events && !options.publish_spans) return;
    const auto content = sanitizer.reference(raw, TextPlace::content);
    const auto arguments = sanitizer.reference(raw, TextPlace::argument);
    if (options.publish_events) out.published.push_back({std::string(key), to_json(event, content, arguments)});
    if (options.publish_spans) {
      std::string span =
          to_otlp(event, note.task != nullptr ? std::optional(note.task->started) : std::nullopt, content, arguments);
      if (!span.empty()) out.spans.push_back({std::string(key), std::move(span)});
    }
  }

  static void fill_attributes(SanitizedEvent& event, const Task& task) {
    const OwnAttributes* const own = event.own_attributes();
    for (std::size_t i = 0; own != nullptr && i < own->size(); ++i) {
      event.fill(own_attribute(i), task.attribute((*own)[i].name));
    }
  }

  // Costs a keyed hash: what can be guessed must not be found by its hash in the partition's state.
  std::uint64_t arguments_of(const AgentEvent& raw, EventType type) const {
    if (!tasks.counts_arguments(type)) return 0;
    const auto reference = sanitizer.reference(raw, TextPlace::argument);
    return reference && !reference->hash.empty() ? hash64(reference->hash) : 0;
  }

  // An end that does not say so: what the calls of its task add up to.
  static void fill_totals(SanitizedEvent& event, const Task& task) {
    for (const auto& [field, sum] :
         {std::pair(NumberField::tokens_in, task.tokens_in), std::pair(NumberField::tokens_out, task.tokens_out),
          std::pair(NumberField::tokens_cached, task.tokens_cached), std::pair(NumberField::cost, task.cost)}) {
      if (sum) event.fill(field, *sum);
    }
  }

  // What the call cost, where it does not say so itself, and what that is made of.
  void set_price(SanitizedEvent& event) {
    const EventFields& fields = event.fields();
    if (!rules->prices || !fields.has(StringField::model)) return;
    TokenCounts tokens;
    tokens.in = fields.get_or(NumberField::tokens_in, 0);
    tokens.cached = fields.get_or(NumberField::tokens_cached, 0);
    tokens.written = fields.get_or(NumberField::tokens_cache_write, 0);
    tokens.out = fields.get_or(NumberField::tokens_out, 0);
    if (tokens.in == 0 && tokens.out == 0) return;
    const Price* const price = price_of(fields);
    const auto said = fields.get(NumberField::cost);
    if (price == nullptr) {
      if (!said) note_unpriced(fields.get(StringField::model));
      return;
    }
    event.fill(StringField::model_tier, price->tier);
    auto cost = cost_of(tokens, *price);
    if (!cost) return;
    if (said) cost = cost->of(*said);
    if (!said) event.set_computed_cost(cost->total);
    event.fill(NumberField::cost_input, cost->input());
    event.fill(NumberField::cost_cached, cost->cached);
    event.fill(NumberField::cost_output, cost->output);
  }

  // The name that the provider gave the model, else the one that was asked for; looked up once a day.
  const Price* price_of(const EventFields& fields) {
    const EventTime at = fields.time.value_or(as_event_time(now));
    const std::string_view asked = fields.get(StringField::model), version = fields.get(StringField::model_version);
    const std::uint64_t name = mix(mix(hash64(asked), hash64(version)),
                                   static_cast<std::uint64_t>(at.time_since_epoch() / std::chrono::hours{24}));
    const auto known = known_prices.find(name);
    if (known != known_prices.end()) return known->second;
    const Price* price = nullptr;
    if (!version.empty()) {
      price = rules->prices->find(std::string(asked) + "-" + std::string(version), at);
      if (price == nullptr) price = rules->prices->find(version, at);
    }
    if (price == nullptr) price = rules->prices->find(asked, at);
    if (known_prices.size() >= most_known_prices) known_prices.clear();
    known_prices.emplace(name, price);
    return price;
  }

  void note_unpriced(std::string_view model) {
    auto known = totals.unpriced.find(model);
    if (known == totals.unpriced.end()) {
      const bool has_room = totals.unpriced.size() < most_unpriced;
      known = totals.unpriced.try_emplace(has_room ? std::string(model) : std::string("_other")).first;
    }
    ++known->second;
  }

  void apply_heartbeat(const RawRecord& record, IngestOutput& out) {
    advance_to(record, std::nullopt, out);
    ++records_in_slice;
    next_offset = record.offset + 1;
    UrgentFinding notice;
    notice.notice = Notice::heartbeat;
    notice.at = log_time;
    findings_in_slice = {std::move(notice)};
  }

  void pass_over(const RawRecord& record, const std::string& name, IngestOutput& out) {
    ++totals.records;
    advance_to(record, std::nullopt, out);
    ++records_in_slice;
    next_offset = record.offset + 1;
    dead_letter(record, DecodeError::gave_up, out);
    findings_in_slice.push_back(
        notice_of(Notice::poison_record, to_hex(hash_parts({"poison", options.deployment, name})), name, log_time));
  }

  void note_unkeyed(IngestOutput& out) {
    ++totals.records_unkeyed;
    if (!unkeyed.note(now)) return;
    std::string id = to_hex(hash_parts({"unkeyed", options.deployment, options.source,
                                        std::to_string(options.partition), std::to_string(now.since_epoch.count())}));
    give_out(notice_of(Notice::source_not_keyed, std::move(id), options.source, now), out);
  }

  // An event is known by its event_id; a span by its span_id, once for each type of event it makes.
  static std::optional<std::uint64_t> identity_of(const EventFields& event) {
    std::uint64_t identity = 0;
    if (event.has(StringField::event_id)) {
      identity = mix(1, hash64(event.get(StringField::event_id)));
    } else if (event.has(StringField::span_id)) {
      identity = mix(2 + static_cast<std::uint64_t>(event.type), hash64(event.get(StringField::span_id)));
      if (event.type == EventType::tool_call) identity = mix(identity, hash64(event.get(StringField::tool)));
    } else {
      return std::nullopt;
    }
    return mix(identity, hash64(event.get(StringField::correlation_id)));
  }

  // The client and the server of a tool have a span each, one the other's parent: whichever comes first counts.
  bool is_tool_told_already(const EventFields& event) {
    const std::uint64_t task = hash64(event.get(StringField::correlation_id));
    const std::uint64_t tool = hash64(event.get(StringField::tool));
    const auto call = [&](std::uint64_t what, StringField field) {
      return mix(mix(mix(what, hash64(event.get(field))), tool), task);
    };
    const bool is_outer = identities.knows(call(parent_of_a_tool_call, StringField::span_id));
    const std::string_view parent = event.get(StringField::parent_span_id);
    if (parent.empty() || parent == event.get(StringField::span_id)) return is_outer;
    const bool is_inner = identities.knows(call(a_tool_call, StringField::parent_span_id));
    if (!is_inner) identities.seen(call(parent_of_a_tool_call, StringField::parent_span_id));
    return is_outer || is_inner;
  }

  // One call that is reported by two spans, one the other's parent, counts once: whichever comes first.
  bool is_told_already(const EventFields& event) {
    if (!event.has(StringField::span_id)) return false;
    if (event.type == EventType::tool_call) return !event.has(StringField::event_id) && is_tool_told_already(event);
    if (event.type != EventType::step) return false;
    if (!event.has(NumberField::tokens_in) && !event.has(NumberField::tokens_out)) return false;
    const std::uint64_t task = hash64(event.get(StringField::correlation_id));
    const auto call = [&](std::uint64_t what, StringField field) {
      return mix(mix(what, hash64(event.get(field))), task);
    };
    const bool is_outer = identities.knows(call(parent_of_a_call, StringField::span_id));
    // A span round calls of which one was counted is none itself, so the others count too.
    if (is_outer) identities.seen(call(round_calls, StringField::span_id));
    const std::string_view parent = event.get(StringField::parent_span_id);
    if (parent.empty() || parent == event.get(StringField::span_id)) return is_outer;
    constexpr auto a_call = 2 + static_cast<std::uint64_t>(EventType::step);
    const bool is_inner = identities.knows(call(a_call, StringField::parent_span_id)) &&
                          !identities.knows(call(round_calls, StringField::parent_span_id));
    if (!is_inner) identities.seen(call(parent_of_a_call, StringField::parent_span_id));
    return is_outer || is_inner;
  }

  AgentEntry* agent_of(std::string_view env, std::string_view agent) {
    if (agent.empty()) return nullptr;
    std::uint64_t hash = mix(hash64(env), hash64(agent));
    auto found = agent_entries.find(hash);
    if (found != agent_entries.end()) return &found->second;
    if (agents.size() >= most_agents) {
      agent = "_overflow";
      hash = hash64(agent);
      found = agent_entries.find(hash);
      if (found != agent_entries.end()) return &found->second;
    }
    AgentFigures figures;
    figures.env = env;
    figures.agent = agent;
    agents.push_back(std::move(figures));
    AgentEntry entry;
    entry.slot = static_cast<std::uint32_t>(agents.size() - 1);
    return &agent_entries.emplace(hash, entry).first->second;
  }

  void count(const SanitizedEvent& event, const TaskTracker::Note& note, const AgentEntry* agent) {
    AgentFigures& figures = agent != nullptr ? agents[agent->slot] : nobody;
    const EventFields& fields = event.fields();
    figures.redactions += event.redactions();
    if (event.is_unscanned()) ++totals.unscanned;
    for (const Finding& finding : event.findings()) {
      ++figures.findings;
      const auto known = totals.findings.find(finding.pattern);
      if (known != totals.findings.end()) {
        ++known->second;
      } else {
        totals.findings.emplace(finding.pattern, 1);
      }
    }
    if (note.opened) {
      ++totals.tasks;
      ++figures.open_tasks;
      note.task->agent_slot = agent != nullptr ? agent->slot : UINT32_MAX;
    }
    if (note.ended && note.task->agent_slot < agents.size()) --agents[note.task->agent_slot].open_tasks;
    switch (fields.type) {
      case EventType::step:
        count_model_call(fields, figures);
        break;
      case EventType::tool_call:
        ++totals.tool_calls;
        ++figures.tool_calls;
        if (fields.has(StringField::error_type)) {
          ++totals.tool_errors;
          ++figures.tool_errors;
        }
        if (fields.authz() == Authz::refused || fields.authz() == Authz::refused_with_reason) ++figures.tool_refusals;
        break;
      case EventType::task_finished:
        if (note.repeated) break;
        ++figures.tasks_by_outcome[static_cast<std::size_t>(fields.outcome())];
        if (fields.outcome() == Outcome::surfaced) ++totals.surfaces;
        break;
      case EventType::review:
        if (const auto accepted = fields.get(NumberField::accepted)) {
          ++figures.reviews;
          figures.reviews_accepted += *accepted;
        }
        break;
      case EventType::system:
        figures.reported_concurrent_tasks =
            fields.get_or(NumberField::concurrent_tasks, figures.reported_concurrent_tasks);
        figures.reported_queue_depth = fields.get_or(NumberField::queue_depth, figures.reported_queue_depth);
        if (fields.has(StringField::active_spec_version)) {
          figures.spec_version = fields.get(StringField::active_spec_version);
        }
        if (fields.has(StringField::active_model_version)) {
          figures.model_version = fields.get(StringField::active_model_version);
        }
        break;
      default:
        break;
    }
  }

  // A step is a model call where it carries what only a call has; else it is a marker. The totals that an end
  // repeats are not added again.
  void count_model_call(const EventFields& fields, AgentFigures& figures) {
    if (!fields.has(NumberField::tokens_in) && !fields.has(NumberField::tokens_out) &&
        !fields.has(NumberField::cost) && !fields.has(NumberField::generation)) {
      return;
    }
    ++totals.model_calls;
    ++figures.model_calls;
    count_tokens(fields, figures);
  }

  void count_tokens(const EventFields& fields, AgentFigures& figures) {
    const std::int64_t in = fields.get_or(NumberField::tokens_in, 0);
    const std::int64_t cached = fields.get_or(NumberField::tokens_cached, 0);
    const std::int64_t out = fields.get_or(NumberField::tokens_out, 0);
    totals.tokens_in += in;
    totals.tokens_cached += cached;
    totals.tokens_out += out;
    figures.tokens_in += in;
    figures.tokens_cached += cached;
    figures.tokens_out += out;
    if (const auto cost = fields.get(NumberField::cost)) {
      totals.cost += *cost;
      totals.cost_known = true;
      figures.cost += *cost;
      figures.cost_known = true;
    }
  }

  void note_versions(const EventFields& fields, AgentEntry* agent) {
    if (agent == nullptr) return;
    const std::int64_t this_slice = next_grid.since_epoch.count();
    if (agent->slice != this_slice) {
      agent->slice = this_slice;
      agent->last_seen.fill(0);
    }
    for (std::size_t i = 0; i < version_fields.size(); ++i) {
      if (!fields.has(version_fields[i])) continue;
      const std::string_view value = fields.get(version_fields[i]);
      const std::uint64_t hash = hash64(value) | 1;
      if (agent->last_seen[i] == hash) continue;
      agent->last_seen[i] = hash;
      AgentFigures& figures = agents[agent->slot];
      if (version_fields[i] == StringField::agent_version) figures.agent_version = value;
      if (version_fields[i] == StringField::spec_version) figures.spec_version = value;
      if (version_fields[i] == StringField::model_version) figures.model_version = value;
      // An agent that takes turns with two models comes here with every call.
      const auto place = static_cast<std::uint64_t>(agent->slot) * version_fields.size() + i;
      if (sighted.contains(mix(place, hash)) || !sighted.insert(mix(place, hash)).second) continue;
      GroupKey key = figures.env;
      key += '\0';
      key += figures.agent;
      sightings.push_back({std::move(key), version_fields[i], std::string(value)});
    }
  }

  GroupKey group_of(const Rule& rule, const EventFields& fields, const Finding* finding) const {
    GroupKey key;
    for (std::size_t i = 0; i < rule.group_by.size(); ++i) {
      if (i > 0) key += '\0';
      const auto& field = rule.group_by[i].field;
      key += field ? fields.get(*field) : finding != nullptr ? finding->pattern : std::string_view{};
    }
    return key;
  }

  UrgentFinding urgent_of(std::uint32_t rule_index, const EventFields& fields, const Finding* finding,
                          std::string_view identity) const {
    const Rule& rule = rules->rules[rule_index];
    UrgentFinding urgent;
    urgent.rule = rule_index;
    urgent.rule_name = rule.name;
    urgent.group = group_of(rule, fields, finding);
    urgent.id = to_hex(hash_parts({"finding", options.deployment, rule.name, urgent.group, identity}));
    if (finding != nullptr) {
      urgent.pattern = finding->pattern;
      urgent.fingerprint = finding->fingerprint;
      urgent.place = place_of(*finding);
    }
    urgent.correlation_id = fields.get(StringField::correlation_id);
    urgent.at = now;
    urgent.event_time = fields.time.value_or(as_event_time(now));
    return urgent;
  }

  // Where it lies, for those who look into it later: what Tocsin keeps has no content.
  std::string pointer_to(const RawRecord& record) const {
    return "partition " + std::to_string(options.partition) + ", offset " + std::to_string(record.offset);
  }

  void look_at_findings(const SanitizedEvent& event, const RawRecord& record, IngestOutput& out) {
    for (const Finding& finding : event.findings()) {
      if (finding.tier != Tier::halt && finding.tier != Tier::page) continue;
      if (is_allowed(finding, sanitizer.library().allowances(), now)) {
        ++totals.findings_allowed;
        continue;
      }
      const Pattern* const pattern = sanitizer.library().find(finding.pattern);
      const FindingFields asked{finding.pattern, to_text(finding.tier)};
      for (const std::uint32_t index : finding_rules) {
        const Rule& rule = rules->rules[index];
        if (!rule.from_any && rule.from != event.fields().type) continue;
        if (!rule.where.holds(event.fields(), &asked)) continue;
        UrgentFinding urgent = urgent_of(index, event.fields(), &finding, finding.fingerprint);
        if (pattern != nullptr) urgent.rotate = pattern->rotate;
        urgent.record = pointer_to(record);
        if (finding.tier == Tier::halt) order_halt(rule, event.fields(), urgent, out);
        give_out(std::move(urgent), out);
      }
    }
  }

  void look_at_event(const SanitizedEvent& event, const RawRecord& record, int number, IngestOutput& out) {
    for (const std::uint32_t index : event_rules) {
      const Rule& rule = rules->rules[index];
      if (!rule.from_any && rule.from != event.fields().type) continue;
      if (!rule.where.holds(event.fields())) continue;
      std::string identity = std::to_string(options.partition) + ":" + std::to_string(record.offset);
      if (number > 0) identity += ":" + std::to_string(number);
      UrgentFinding urgent = urgent_of(index, event.fields(), nullptr, identity);
      urgent.record = pointer_to(record);
      order_halt(rule, event.fields(), urgent, out);
      give_out(std::move(urgent), out);
    }
  }

  void give_out(UrgentFinding urgent, IngestOutput& out) {
    findings_in_slice.push_back(urgent);
    out.findings.push_back(std::move(urgent));
  }

  void order_halt(const Rule& rule, const EventFields& fields, UrgentFinding& urgent, IngestOutput& out) {
    std::string scope;
    if (rule.actions.halt == HaltScope::task) scope = "task:" + std::string(fields.get(StringField::correlation_id));
    if (rule.actions.halt == HaltScope::agent) scope = "agent:" + std::string(fields.get(StringField::agent));
    if (scope.empty() || scope.back() == ':') return;  // nobody would know whom to stop
    HaltRecord record;
    record.scope = scope;
    // What is no secret has nothing of its own to be known by: after ten minutes it is another halt, or one that was
    // released would never be in force again.
    const std::string what = urgent.fingerprint.empty() ? to_rfc3339(as_event_time(floor_to(now, unnamed_halt_lasts)))
                                                        : urgent.fingerprint;
    record.id = halt_id(options.deployment, rule.name, scope, what);
    if (!holds(Safeguard::stable_halt_ids)) record.id += std::to_string(now.since_epoch.count());
    record.rule = rule.name;
    record.pattern = urgent.pattern;
    record.fingerprint = urgent.fingerprint;
    record.env = fields.get(StringField::env);
    record.agent = fields.get(StringField::agent);
    record.correlation_id = urgent.correlation_id;
    record.last_at = urgent.event_time;
    record.reason = urgent.pattern.empty() ? rule.name
                                           : "a credential (" + urgent.pattern + ", fingerprint " +
                                                 urgent.fingerprint + ") stands in the task's " + urgent.place;
    HaltLedger::Entry entry = halts.enter(std::move(record), now);
    urgent.halt = entry.record;
    urgent.is_repeat = !entry.is_new;
    if (entry.storm_begins) {
      UrgentFinding storm = urgent;
      storm.notice = Notice::halt_storm;
      storm.is_repeat = false;
      storm.id = to_hex(hash_parts(
          {"storm", options.deployment, std::to_string(options.partition), std::to_string(now.since_epoch.count())}));
      give_out(std::move(storm), out);
    }
    out.halts.push_back(std::move(entry.record));
  }

  void take_changes(std::vector<StateRecord>& out) {
    assert(records_in_slice == 0);
    const auto key = [](std::string_view prefix, std::string_view name) { return std::string(prefix).append(name); };
    tasks.take_changes([&](const std::string& id, const Task* task, const std::vector<std::uint64_t>& fired_rules) {
      out.push_back({key(task_prefix, id), task != nullptr ? encode(*task, fired_rules) : std::string{}});
    });
    halts.take_changes([&](const std::string& id, const HaltLedger::Known* halt) {
      out.push_back({key(halt_prefix, id), halt != nullptr ? encode(*halt) : std::string{}});
    });
    identities.take_changes([&](const RecentIdentities::Page& page) {
      out.push_back({key(identities_prefix, std::to_string(page.place)), encode(page)});
    });
  }

  bool restore(std::string_view key, std::string_view value) {
    if (key.starts_with(task_prefix)) {
      const std::string_view id = key.substr(task_prefix.size());
      Task task;
      std::vector<std::uint64_t> fired_rules;
      if (!value.empty() && !decode_task(value, task, fired_rules)) return false;
      if (value.empty()) {
        tasks.restore_removed(id);
      } else {
        tasks.restore(id, std::move(task), fired_rules);
      }
      return true;
    }
    if (key.starts_with(halt_prefix)) {
      const std::string id(key.substr(halt_prefix.size()));
      auto halt = decode_halt(value);
      if (!value.empty() && !halt) return false;
      if (value.empty()) {
        halts.restore_forgotten(id);
      } else {
        halts.restore(id, *std::move(halt));
      }
      return true;
    }
    if (!key.starts_with(identities_prefix)) return false;
    std::vector<std::uint64_t> storage;
    const auto page = decode_page(key.substr(identities_prefix.size()), value, storage);
    return page && identities.restore(*page);
  }

  IngestPosition position() const {
    IngestPosition position;
    position.log_time = log_time;
    position.next_grid = next_grid;
    position.leaps_in_a_row = leaps_in_a_row;
    position.last_held = halts.last_held();
    position.generation = static_cast<std::int64_t>(identities.generation());
    position.identities = static_cast<std::int64_t>(identities.count());
    position.unkeyed = unkeyed;
    position.epoch = epoch;
    position.promise = promise;
    if (holds(Safeguard::pasts_stay_owed)) position.owed = owed;
    return position;
  }

  bool resume(const IngestPosition& position, std::int64_t offset) {
    if (!identities.resume(static_cast<std::uint64_t>(position.generation),
                           static_cast<std::size_t>(position.identities))) {
      return false;
    }
    log_time = position.log_time;
    next_grid = position.next_grid;
    next_offset = offset;
    leaps_in_a_row = static_cast<int>(position.leaps_in_a_row);
    unkeyed = position.unkeyed;
    epoch = position.epoch;
    promise = position.promise;
    owed = position.owed;
    halts.resume(position.last_held);
    tasks.resume([&](Task& task) {
      const AgentEntry* const agent = agent_of(task.field(StringField::env), task.field(StringField::agent));
      task.agent_slot = agent != nullptr ? agent->slot : UINT32_MAX;
      if (agent != nullptr) ++agents[agent->slot].open_tasks;
    });
    return true;
  }
};

IngestPartition::IngestPartition(IngestOptions options, std::shared_ptr<const RuleSet> rules,
                                 std::shared_ptr<const PatternLibrary> patterns, Fingerprinter fingerprinter)
    : state_(std::make_unique<State>(std::move(options), std::move(rules), std::move(patterns),
                                     std::move(fingerprinter))) {}

IngestPartition::~IngestPartition() = default;

void IngestPartition::apply(const RawRecord& record, IngestOutput& out) {
  state_->apply(record, out);
}

void IngestPartition::pass_over(const RawRecord& record, const std::string& name, IngestOutput& out) {
  state_->pass_over(record, name, out);
}

void IngestPartition::begin_at(RecordTime begin, IngestOutput& out) {
  state_->log_time = begin;
  state_->next_grid = begin + slice_length;
  state_->change_rules_for(begin);
  state_->cut(begin, true, out);
}

void IngestPartition::lose_track() {
  state_->tasks.lose_track();
}

void IngestPartition::expect_moves_until(RecordTime until) {
  state_->moving_until = until;
}

void IngestPartition::close_before(RecordTime time, bool time_is_ahead, IngestOutput& out) {
  state_->close_before(time, time_is_ahead, out);
}

void IngestPartition::know(std::shared_ptr<const RuleEpochs> epochs) {
  State& state = *state_;
  state.epochs = std::move(epochs);
  if (state.log_time != before_all) return state.change_rules_for(state.next_grid);
  if (state.epochs->newest().number != state.epoch) state.change_rules(state.epochs->newest());
}

std::optional<RecordTime> IngestPartition::held_until() const {
  const auto& state = *state_;
  const bool is_open = state.epochs && state.promise.number > state.epochs->settled();
  return is_open ? std::optional(state.promise.until) : std::nullopt;
}

std::optional<OwedPast> IngestPartition::owed_past() const {
  const OwedPast& first = state_->owed.front();
  return first.epoch != 0 ? std::optional(first) : std::nullopt;
}

void IngestPartition::take_past(Past past) {
  state_->past = std::move(past);
}

bool IngestPartition::has_room_for_past() const {
  return !state_->past;
}

std::optional<std::int64_t> IngestPartition::epoch_of(std::string_view position) {
  const auto read = read_position(position);
  return read ? std::optional(read->epoch) : std::nullopt;
}

void IngestPartition::take_changes(std::vector<StateRecord>& out) {
  const std::size_t from = out.size();
  state_->take_changes(out);
  state_->unknown.put_back(out, from);
}

std::string IngestPartition::position() const {
  return to_text(state_->position());
}

bool IngestPartition::restore(std::string_view key, std::string_view value) {
  const auto record = state_->unknown.take_off(key, value);
  return record && state_->restore(key, *record);
}

bool IngestPartition::resume(std::string_view position, std::int64_t next_offset) {
  const auto read = read_position(position);
  return read && state_->resume(*read, next_offset);
}

void IngestPartition::close_until(RecordTime now, IngestOutput& out) {
  state_->advance(now, true, out);
}

const RuleSet& IngestPartition::rules() const {
  return *state_->rules;
}

RecordTime IngestPartition::log_time() const {
  return state_->log_time;
}
const StreamTotals& IngestPartition::totals() const {
  return state_->totals;
}
const std::vector<AgentFigures>& IngestPartition::agents() const {
  return state_->agents;
}
std::size_t IngestPartition::open_tasks() const {
  return state_->tasks.open_tasks();
}
std::optional<TaskExplanation> IngestPartition::explain(std::string_view alert, const Labels& labels,
                                                        RecordTime grid) const {
  return state_->tasks.explain(alert, labels, grid);
}
std::size_t IngestPartition::groups() const {
  return state_->slice.groups();
}

}  // namespace tocsin
