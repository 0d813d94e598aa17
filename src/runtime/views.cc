#include "runtime/views.h"

namespace tocsin {

void add_sight(std::vector<RuleSight>& all, const std::vector<RuleSight>& more) {
  if (all.empty()) {
    all = more;
    return;
  }
  for (std::size_t i = 0; i < all.size() && i < more.size(); ++i) {
    all[i].live += more[i].live;
    all[i].warming += more[i].warming;
    all[i].blind += more[i].blind;
    all[i].undeclared += more[i].undeclared;
    all[i].pending += more[i].pending;
    all[i].firing += more[i].firing;
  }
}

}  // namespace tocsin
