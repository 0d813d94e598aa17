// Ingest and evaluate joined by values, in one thread: what `replay` runs, and what live running is compared with.
//
// The stages are the very ones that run live; only what lies between them (topics, threads, clocks) is left out.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/stage/evaluate_stage.h"
#include "core/stage/ingest_stage.h"

namespace tocsin {

class JoinedStages {
 public:
  // What one record led to, in order: alerts of the slices that it closed, halts, alerts of its findings.
  struct Output {
    IngestOutput ingest;               // its cuts are consumed
    std::vector<AlertChange> by_time;  // of slices
    std::vector<AlertChange> at_once;  // of findings
    void clear();
  };

  JoinedStages(IngestOptions ingest, EvaluateOptions evaluate, std::shared_ptr<const RuleSet> rules,
               std::shared_ptr<const PatternLibrary> patterns, Fingerprinter fingerprinter);

  // Called after each slice that was evaluated.
  using AfterGrid = std::function<void()>;
  void apply(const RawRecord& record, Output& out, const AfterGrid& after_grid = {});

  const IngestPartition& ingest() const { return ingest_; }
  const EvaluatePartition& evaluate() const { return evaluate_; }

 private:
  IngestPartition ingest_;
  EvaluatePartition evaluate_;
};

}  // namespace tocsin
