// `tocsin halts`, `alerts` and `status`: looking at a running service and acting on it, over its HTTP doors.

#pragma once

#include <string>

namespace tocsin {

struct ClientOptions {
  std::string url;  // empty: TOCSIN_URL, else http://127.0.0.1:8686
  std::string output = "text";
};

int run_halts_list(const ClientOptions& options);
int run_halts_show(const ClientOptions& options, const std::string& scope);
int run_halts_release(const ClientOptions& options, const std::string& scope, const std::string& by,
                      const std::string& reason);
int run_halts_drill(const ClientOptions& options, const std::string& scope, const std::string& by);
int run_alerts_list(const ClientOptions& options);
int run_status(const ClientOptions& options);

}  // namespace tocsin
