// Figures as people read them in pages and reports: rounded, without exponents, and never rounded to nothing.

#pragma once

#include <string>

namespace tocsin {

// Four digits, and of large numbers all before the point: "0.1234", "12.35", "1234568". Below 1e-4 a dozen decimals.
std::string plain_figure(double number);

// "$12.35"; of less than ten cents two digits, down to a millionth: "$0.0012".
std::string dollar_figure(double dollars);

// "3h1m40s"; of less than ten seconds tenths, of less than one milliseconds: "1.3s", "414ms".
std::string duration_figure(double seconds);

}  // namespace tocsin
