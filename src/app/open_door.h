// Opens the HTTP doors of a service.

#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "app/http_api.h"
#include "app/receive_config.h"
#include "base/result.h"
#include "edge/http/server.h"

namespace tocsin {

// Requires: `api` lives longer than the server.
Result<std::unique_ptr<HttpServer>, std::string> open_door(const Config& config, HttpApi& api);

// What is configured of uploads. From the HTTP server come its token, where they have none of their own, and how long
// a body may be.
ReceiveConfig receive_config(const Config& config);

// Where a browser on this machine finds them.
std::string door_url(const std::string& address, const HttpServer& server);

}  // namespace tocsin
