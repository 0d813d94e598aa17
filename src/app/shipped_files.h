// The rules, sanitizing patterns and prices that ship, compiled into the program: it is useful without a file beside
// it.

#pragma once

#include <span>

#include "base/named_text.h"

namespace tocsin {

std::span<const NamedText> shipped_rules();       // rules/agents.yaml
std::span<const NamedText> shipped_patterns();    // rules/sanitize/*.yaml
std::span<const NamedText> shipped_prices();      // rules/prices.yaml
std::span<const NamedText> shipped_demo_specs();  // rules/specs/demo.yaml

}  // namespace tocsin
