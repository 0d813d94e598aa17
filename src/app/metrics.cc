#include "app/metrics.h"

#include <algorithm>
#include <map>

#include "edge/prometheus/metric_page.h"

namespace tocsin {

namespace {

using MetricLabels = MetricPage::MetricLabels;

double number(std::int64_t value) {
  return static_cast<double>(value);
}

MetricLabels with(MetricLabels labels, const std::string& name, std::string_view value) {
  labels.emplace_back(name, value);
  return labels;
}

void add_agent(MetricPage& page, const AgentFigures& agent) {
  const MetricLabels who{{"env", agent.env}, {"agent", agent.agent}};
  for (std::size_t i = 1; i < agent.tasks_by_outcome.size(); ++i) {
    page.counter("tocsin_agent_tasks_total", "Tasks that ended, by outcome.",
                 with(who, "outcome", name_of(static_cast<Outcome>(i))), number(agent.tasks_by_outcome[i]));
  }
  const std::int64_t ended =
      agent.tasks_by_outcome[1] + agent.tasks_by_outcome[2] + agent.tasks_by_outcome[3] + agent.tasks_by_outcome[4];
  if (ended > 0) {
    page.gauge("tocsin_agent_surface_ratio", "Share of ended tasks that were handed to a person, since the start.",
               who, number(agent.tasks_by_outcome[static_cast<std::size_t>(Outcome::surfaced)]) / number(ended));
  }
  page.gauge("tocsin_agent_open_tasks", "Tasks that have begun and not ended.", who, number(agent.open_tasks));
  page.counter("tocsin_agent_model_calls_total", "Model calls.", who, number(agent.model_calls));
  const char* const tokens = "tocsin_agent_tokens_total";
  const char* const tokens_help = "Tokens, by kind; input is split into what the cache held and what it did not.";
  page.counter(tokens, tokens_help, with(who, "kind", "input_uncached"),
               number(agent.tokens_in - agent.tokens_cached));
  page.counter(tokens, tokens_help, with(who, "kind", "input_cached"), number(agent.tokens_cached));
  page.counter(tokens, tokens_help, with(who, "kind", "output"), number(agent.tokens_out));
  // Absent is not zero: an agent that reports no cost has no such metric.
  if (agent.cost_known) {
    page.counter("tocsin_agent_cost_dollars_total", "Cost of model calls in US dollars.", who,
                 number(agent.cost) / 1e6);
  }
  page.counter("tocsin_agent_tool_calls_total", "Tool calls.", who, number(agent.tool_calls));
  page.counter("tocsin_agent_tool_errors_total", "Tool calls that failed.", who, number(agent.tool_errors));
  page.counter("tocsin_agent_tool_refusals_total", "Tool calls that the authorization layer refused.", who,
               number(agent.tool_refusals));
  page.counter("tocsin_agent_reviews_total", "Reviews of the first version shown.", who, number(agent.reviews));
  page.counter("tocsin_agent_reviews_accepted_total", "Reviews that accepted it.", who,
               number(agent.reviews_accepted));
  page.counter("tocsin_agent_findings_total", "Secrets found in telemetry.", who, number(agent.findings));
  page.counter("tocsin_agent_redactions_total", "Pieces of personal data redacted.", who, number(agent.redactions));
  if (agent.reported_concurrent_tasks >= 0) {
    page.gauge("tocsin_agent_reported_concurrent_tasks", "Concurrent tasks, as the agent itself reports.", who,
               number(agent.reported_concurrent_tasks));
  }
  if (agent.reported_queue_depth >= 0) {
    page.gauge("tocsin_agent_reported_queue_depth", "Queued requests, as the agent itself reports.", who,
               number(agent.reported_queue_depth));
  }
  if (!agent.spec_version.empty() || !agent.model_version.empty() || !agent.agent_version.empty()) {
    MetricLabels versions = with(who, "agent_version", agent.agent_version);
    versions = with(versions, "spec_version", agent.spec_version);
    page.gauge("tocsin_agent_version_info", "The versions seen last; always 1.",
               with(versions, "model_version", agent.model_version), 1);
  }
}

void add_rules(MetricPage& page, const EvaluateView& view) {
  for (const RuleSight& rule : view.sight) {
    const MetricLabels alert{{"alert", rule.alert}};
    const char* const name = "tocsin_rule_groups";
    const char* const help = "Groups of a rule, by how well it sees them: a rule that is blind is not healthy.";
    page.gauge(name, help, with(alert, "state", "live"), number(rule.live));
    page.gauge(name, help, with(alert, "state", "warming"), number(rule.warming));
    page.gauge(name, help, with(alert, "state", "blind"), number(rule.blind));
    page.gauge(name, help, with(alert, "state", "undeclared"), number(rule.undeclared));
    page.gauge("tocsin_alerts_pending", "Alerts whose condition holds, not yet for long enough.", alert,
               number(rule.pending));
    page.gauge("tocsin_alerts_firing", "Alerts that fire.", alert, number(rule.firing));
  }
  std::map<std::pair<std::string, std::string>, std::int64_t> by_agent;
  for (const ActiveAlert& active : view.active) {
    std::string agent;
    for (const auto& [label, value] : active.change.labels) {
      if (label == "agent") agent = value;
    }
    ++by_agent[{active.change.alert, agent}];
  }
  for (const auto& [key, count] : by_agent) {
    page.gauge("tocsin_agent_alerts_firing", "Alerts that fire, by agent.",
               {{"alert", key.first}, {"agent", key.second}}, number(count));
  }
  page.counter("tocsin_alerts_fired_total", "Alerts that began to fire.", {}, number(view.alerts_fired));
  page.counter("tocsin_alerts_resolved_total", "Alerts that were resolved.", {}, number(view.alerts_resolved));
  page.gauge("tocsin_pages_withheld", "Pages that a silence holds back while their alert fires.", {},
             number(static_cast<std::int64_t>(view.pages_withheld)));
  page.gauge("tocsin_series", "Series held.", {}, number(static_cast<std::int64_t>(view.series.used)));
  page.gauge("tocsin_series_limit", "Series that there is room for (max_series of all rules).", {},
             number(static_cast<std::int64_t>(view.series.cap)));
  page.gauge("tocsin_series_bytes", "Memory of the series' history.", {},
             number(static_cast<std::int64_t>(view.series.bytes)));
}

void add_stream(MetricPage& page, const IngestView& view) {
  const StreamTotals& totals = view.totals;
  page.counter("tocsin_records_total", "Records read.", {}, number(totals.records));
  page.counter("tocsin_events_total", "Events that counted.", {}, number(totals.events));
  page.counter("tocsin_duplicates_total", "Events that had been seen before.", {}, number(totals.duplicates));
  for (std::size_t i = 0; i < totals.dead_letters.size(); ++i) {
    page.counter("tocsin_dead_letters_total", "Records that could not be read, by reason.",
                 {{"reason", std::string(name_of(static_cast<DecodeError>(i)))}}, number(totals.dead_letters[i]));
  }
  for (const auto& [pattern, count] : totals.findings) {
    page.counter("tocsin_findings_total", "Secrets found, by pattern.", {{"pattern", pattern}}, number(count));
  }
  for (const auto& [model, count] : totals.unpriced) {
    page.counter("tocsin_model_calls_unpriced_total",
                 "Model calls that say no cost, of models that the table of prices does not have.",
                 {{"model", model}}, number(count));
  }
  page.counter("tocsin_findings_allowed_total", "Findings that an allowance keeps from halting and paging.", {},
               number(totals.findings_allowed));
  page.counter("tocsin_unscanned_events_total", "Events whose scan ran out of its budget: not known to be clean.", {},
               number(totals.unscanned));
  page.counter("tocsin_tasks_not_tracked_total", "Tasks beyond the limit of open tasks; no deadline watches them.",
               {}, number(totals.tasks_not_tracked));
  page.counter("tocsin_groups_skipped_total", "Times an event lacked a label that a rule groups by.", {},
               number(totals.groups_skipped));
  page.counter("tocsin_slices_closed_total", "Slices of 10 s that were closed.", {}, number(view.cuts));
  page.counter("tocsin_halts_written_total", "Halt records written, repeats included.", {}, number(view.halts));
  page.gauge("tocsin_open_tasks", "Tasks that have begun and not ended.", {},
             number(static_cast<std::int64_t>(view.open_tasks)));
  page.counter("tocsin_records_ahead_total", "Records stamped ahead of the clock: they count, and move no time.", {},
               number(totals.records_ahead));
  page.counter("tocsin_records_unkeyed_total", "Records whose key is not their correlation id.", {},
               number(totals.records_unkeyed));
}

void add_bus(MetricPage& page, const BusFigures& bus, const EvaluateView& evaluate) {
  page.gauge("tocsin_kafka_reachable", "1 while Kafka answers.", {}, bus.reachable ? 1 : 0);
  page.counter("tocsin_kafka_transactions_total", "Transactions, by what became of them.", {{"result", "committed"}},
               number(bus.transactions));
  page.counter("tocsin_kafka_transactions_total", "Transactions, by what became of them.", {{"result", "failed"}},
               number(bus.transactions_failed));
  page.counter("tocsin_kafka_rebalances_total",
               "Times that a group gave partitions to or took them from this process.", {}, number(bus.rebalances));
  page.counter("tocsin_kafka_fetched_bytes_total", "Keys and values read by group members.", {},
               number(bus.fetched_bytes));
  page.gauge("tocsin_source_partitions_stalled",
             "Source partitions that have closed no slice for 30 s while others have: windowed rules wait for them.",
             {}, number(evaluate.partitions_stalled));
  page.counter("tocsin_blocks_refused_total", "Slices that were closed under other rules than this process has.", {},
               number(evaluate.blocks_refused));
}

void add_rekey(MetricPage& page, const RekeyView& rekey) {
  page.gauge("tocsin_queue_records", "Records between two stages that have not been read.", {{"topic", "unkeyed"}},
             number(rekey.waiting));
  page.counter("tocsin_rekey_records_total", "Records that were read from unkeyed topics.", {},
               number(rekey.records));
  page.counter("tocsin_rekey_events_total", "Events that were written to the source topic, under their tasks' keys.",
               {}, number(rekey.events));
  for (std::size_t i = 0; i < rekey.dead_letters.size(); ++i) {
    if (rekey.dead_letters[i] == 0) continue;
    page.counter("tocsin_rekey_dead_letters_total", "Records of unkeyed topics that could not be read, by reason.",
                 {{"reason", std::string(name_of(static_cast<DecodeError>(i)))}}, number(rekey.dead_letters[i]));
  }
}

void add_rule_status(MetricPage& page, const RuleStatus& status) {
  page.gauge("tocsin_rules_epoch", "The number of the rules in force: the same in all processes.", {},
             number(status.epoch));
  page.gauge("tocsin_rules_info", "The rules in force and those of this process's files, by hash; always 1.",
             {{"in_force", status.hash}, {"files", status.own_hash}}, 1);
  page.gauge("tocsin_rules_files_differ",
             "1 while this process's files are not the rules in force: reload to propose them.", {},
             status.files_differ ? 1 : 0);
  page.gauge("tocsin_rules_reload_success", "1 where the files had no mistake when they were last read.", {},
             status.trouble.empty() ? 1 : 0);
  page.counter("tocsin_rules_reloads_total", "Times that the files were read again, by what came of it.",
               {{"result", "good"}}, number(status.reloads - status.reloads_failed));
  page.counter("tocsin_rules_reloads_total", "Times that the files were read again, by what came of it.",
               {{"result", "bad"}}, number(status.reloads_failed));
}

}  // namespace

std::string metrics_text(const ServiceView& service, const Clock& clock, const RuleControl* rules) {
  MetricPage page;
  const IngestView ingest = service.ingest();
  const auto evaluate = service.evaluate();
  for (const AgentFigures& agent : ingest.agents) add_agent(page, agent);
  add_rules(page, *evaluate);
  add_stream(page, ingest);

  const char* const queue = "tocsin_queue_records";
  const char* const queue_help = "Records between two stages that have not been read.";
  page.gauge(queue, queue_help, {{"topic", "source"}}, number(ingest.waiting));
  if (const auto rekey = service.rekey()) add_rekey(page, *rekey);
  const auto bus = service.bus();
  if (!bus) {
    page.gauge(queue, queue_help, {{"topic", "blocks"}}, number(evaluate->blocks_waiting));
    page.gauge(queue, queue_help, {{"topic", "findings"}}, number(evaluate->findings_waiting));
  }
  if (!service.clock_of_events() && evaluate->owns_any && evaluate->evaluated.since_epoch.count() > 0) {
    page.gauge("tocsin_evaluate_delay_seconds", "Age of the last grid time that was evaluated.", {},
               static_cast<double>((clock.now() - evaluate->evaluated).count()) / 1'000);
  }
  for (const ReceiverView& view : service.receivers()) {
    const MetricLabels receiver{{"receiver", view.receiver}};
    const DeliveryFigures& figures = view.figures;
    const char* const pages = "tocsin_pages_total";
    const char* const pages_help =
        "Pages by what became of them at the receiver that they went to; a failed attempt is tried again.";
    page.counter(pages, pages_help, with(receiver, "result", "delivered"), number(figures.delivered));
    page.counter(pages, pages_help, with(receiver, "result", "failed_attempt"), number(figures.failed_attempts));
    page.counter(pages, pages_help, with(receiver, "result", "parked"), number(figures.parked));
    page.counter(pages, pages_help, with(receiver, "result", "left_to_fallback"), number(figures.left_to_fallback));
    page.counter("tocsin_page_delay_seconds_total",
                 "From the decision to the receiver, summed over delivered pages (on Kafka).", receiver,
                 static_cast<double>(view.delay_sum.count()) / 1'000);
    page.gauge("tocsin_pages_pending", "Pages that the receiver does not have yet.", receiver,
               number(static_cast<std::int64_t>(figures.pending)));
    page.gauge("tocsin_receiver_disabled", "1 when the receiver answered that it wants no more.", receiver,
               figures.disabled ? 1 : 0);
  }
  page.gauge("tocsin_ready", "1 while the service can do its work.", {}, service.not_ready() ? 0 : 1);
  if (bus) add_bus(page, *bus, *evaluate);
  page.gauge("tocsin_rules_loaded", "Rules in force.", {},
             number(static_cast<std::int64_t>(service.rules()->rules.size())));
  if (rules != nullptr) add_rule_status(page, rules->status());
  page.gauge("tocsin_build_info", "The version that runs; always 1.", {{"version", TOCSIN_VERSION}}, 1);
  return page.text();
}

std::string metrics_text(const ReceiveFigures& figures) {
  MetricPage page;
  for (const auto& [name, count] : figures.uploads) {
    page.counter("tocsin_uploads_total", "Uploads of SDKs, by door and by what became of them.",
                 {{"door", name.first}, {"result", name.second}}, number(count));
  }
  page.counter("tocsin_upload_events_total", "Events that uploads held and that are on the source topic.", {},
               number(figures.events));
  page.counter("tocsin_upload_bytes_total", "Bytes of the uploads that were taken, as they came.", {},
               number(figures.bytes));
  const char* const forwarded = "tocsin_uploads_forwarded_total";
  const char* const help = "Uploads for the address of forward_to, by what became of them; nobody waits for them.";
  page.counter(forwarded, help, {{"result", "taken"}}, number(figures.forwarded));
  page.counter(forwarded, help, {{"result", "failed"}}, number(figures.forward_failed));
  page.counter(forwarded, help, {{"result", "dropped"}}, number(figures.forward_dropped));
  return page.text();
}

}  // namespace tocsin
