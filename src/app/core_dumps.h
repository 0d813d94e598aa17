// Crashes leave no image of memory, which holds telemetry as it came.

#pragma once

namespace tocsin {

// Before anything is read. TOCSIN_CORE_DUMPS=allow lets them be, for who looks for a fault of Tocsin's.
void forbid_core_dumps();

}  // namespace tocsin
