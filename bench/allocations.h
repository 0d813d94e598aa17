// Counts what the program takes from the heap: a hot path that claims to allocate nothing is held to it.
//
// Thread: any, but the figures are only meant for programs of one thread.

#pragma once

#include <cstdint>

namespace tocsin {

std::uint64_t allocations();     // calls of operator new since the program began
std::int64_t allocated_bytes();  // that are in use now, as the allocator rounds them

}  // namespace tocsin
