// What the doors and the metrics see of a running service, embedded or on a bus of several processes.
//
// Thread: every method may be called from any thread.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/halt/halt_ledger.h"
#include "core/rule/rule_set.h"
#include "ports/bus.h"
#include "runtime/views.h"

namespace tocsin {

class ServiceView {
 public:
  virtual ~ServiceView() = default;

  // The shards' and workers' views as one, of this process.
  virtual IngestView ingest() const = 0;
  virtual std::shared_ptr<const EvaluateView> evaluate() const = 0;
  // One for each receiver, whether pages came to it directly, as a fallback or both ways.
  virtual std::vector<ReceiverView> receivers() const = 0;

  // Nothing is left to do: every record was read, evaluated, and every page was settled.
  virtual bool is_idle() const = 0;
  // Why it can't do its work now, for people; nothing where it can.
  virtual std::optional<std::string> not_ready() const = 0;
  // Of the bus that joins several processes; nothing where it is in memory.
  virtual std::optional<BusFigures> bus() const = 0;
  // Of what comes unkeyed; nothing where nothing does.
  virtual std::optional<RekeyView> rekey() const { return std::nullopt; }

  // The newest ones.
  virtual std::shared_ptr<const RuleSet> rules() const = 0;
  virtual const std::string& deployment() const = 0;
  virtual const HaltPolicy& halts() const = 0;
  virtual bool clock_of_events() const = 0;
};

}  // namespace tocsin
