// Reads the command line and runs the command it names.

#pragma once

namespace tocsin {

// Returns the exit status: 0 well, 1 found what it looks for, 2 used wrongly.
int run_command_line(int argc, char** argv);

}  // namespace tocsin
