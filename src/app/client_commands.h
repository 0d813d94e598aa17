// `tocsin halts`, `silences`, `baselines`, `alerts` and `status`: looking at a running service and acting on it, over
// its HTTP doors; halts and silences also by way of Kafka, without one.

#pragma once

#include <string>
#include <vector>

#include "app/client_call.h"

namespace tocsin {

struct SilenceRequest {
  std::vector<std::string> matchers;
  std::string length, until;  // one of them
  std::string from;           // empty: now
  std::string by, reason;
};

int run_halts_list(const ClientOptions& options);
int run_halts_show(const ClientOptions& options, const std::string& scope);
int run_halts_release(const ClientOptions& options, const std::string& scope, const std::string& by,
                      const std::string& reason);
int run_halts_drill(const ClientOptions& options, const std::string& scope, const std::string& by);
int run_silences_add(const ClientOptions& options, const SilenceRequest& request);
int run_silences_list(const ClientOptions& options);
int run_silences_expire(const ClientOptions& options, const std::string& id, const std::string& by);
// `labels`: each LABEL=VALUE.
int run_baselines_accept(const ClientOptions& options, const std::string& alert,
                         const std::vector<std::string>& labels, const std::string& by, const std::string& reason);
int run_alerts_list(const ClientOptions& options);
int run_status(const ClientOptions& options);

}  // namespace tocsin
