// The records of the topic `control`, which is the only truth about the rules in force.
//
//   file/1/HASH             the text of one rule, spec or pattern file
//   propose/NUMBER/WRITER   JSON: these files are to be epoch NUMBER
//   decide/NUMBER/WRITER    JSON: from which grid time on they are; or that they are dropped, and why
//   trouble/PROCESS         JSON: the files of a process can't be loaded; empty once they can
//
// The topic is compacted, and no two records of a proposal or a decision share a key: compaction keeps their order.
// Of several with one number the first one in the log counts.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace tocsin {

inline constexpr std::string_view control_file_prefix = "file/1/";
inline constexpr std::string_view control_propose_prefix = "propose/";
inline constexpr std::string_view control_decide_prefix = "decide/";
inline constexpr std::string_view control_trouble_prefix = "trouble/";

struct ControlFile {
  std::string name;
  std::string hash;  // of its text
};

struct RuleProposal {
  std::int64_t number = 0;
  std::string hash;  // of all files together: RuleSet::hash
  std::vector<ControlFile> files;
  std::string by;  // the process
  EventTime at{};
};

struct RuleDecision {
  std::int64_t number = 0;
  RecordTime from{};    // of one that is taken
  std::string dropped;  // why, where it is not
  std::string by;
  EventTime at{};
};

// A process whose files can't be loaded: the rules in force stay.
struct RuleTrouble {
  std::string process;
  std::string summary;  // the first mistake: file, line, column, what to write instead
  EventTime at{};
};

std::string hash_of_file(std::string_view text);

// `writer` tells the writer's records from all others' of the same number.
std::string key_of(const RuleProposal& proposal, std::string_view writer);
std::string key_of(const RuleDecision& decision, std::string_view writer);
std::string to_json(const RuleProposal& proposal);
std::string to_json(const RuleDecision& decision);
std::string to_json(const RuleTrouble& trouble);

// Nothing where the record is none, or can't be read. Fields that are not known here are passed over.
std::optional<RuleProposal> proposal_from_json(std::string_view text);
std::optional<RuleDecision> decision_from_json(std::string_view text);
std::optional<RuleTrouble> trouble_from_json(std::string_view text);

}  // namespace tocsin
