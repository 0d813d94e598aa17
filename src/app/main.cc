// The command line. One file a command; this one reads the words and says what there is.

#include "app/command_line.h"

int main(int argc, char** argv) {
  return tocsin::run_command_line(argc, argv);
}
