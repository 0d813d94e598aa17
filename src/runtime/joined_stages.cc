#include "runtime/joined_stages.h"

#include <utility>

namespace tocsin {

void JoinedStages::Output::clear() {
  ingest.clear();
  by_time.clear();
  at_once.clear();
}

JoinedStages::JoinedStages(IngestOptions ingest, EvaluateOptions evaluate, std::shared_ptr<const RuleSet> rules,
                           std::shared_ptr<const PatternLibrary> patterns, Fingerprinter fingerprinter)
    : ingest_(std::move(ingest), rules, std::move(patterns), std::move(fingerprinter)),
      evaluate_(std::move(evaluate), rules) {}

void JoinedStages::apply(const RawRecord& record, Output& out, const AfterGrid& after_grid) {
  ingest_.apply(record, out.ingest);
  for (Cut& cut : out.ingest.cuts) {
    evaluate_.apply(std::move(cut.block), out.by_time);
    if (after_grid) after_grid();
  }
  out.ingest.cuts.clear();
  for (const UrgentFinding& finding : out.ingest.findings) evaluate_.apply(finding, out.at_once);
}

}  // namespace tocsin
