#include "app/progress.h"

#include <unistd.h>

namespace tocsin {

bool Progress::is_terminal() {
  return isatty(STDERR_FILENO) != 0;
}

}  // namespace tocsin
