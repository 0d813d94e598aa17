// The page at `/`: what fires, what is halted, how well the rules see, for people with a browser.

#pragma once

#include <string>

namespace tocsin {

// One HTML page that loads nothing from elsewhere and reads /v1/status, /v1/alerts and /v1/halts.
std::string console_page();

}  // namespace tocsin
