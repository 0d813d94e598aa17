#include "app/config.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "app/kafka_config.h"
#include "base/yaml_tree.h"
#include "edge/http/url.h"

namespace tocsin {

namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;

class ConfigLoader {
 public:
  ConfigLoader(const std::string& file, Diagnostics& diagnostics)
      : file_(file), folder_(fs::path(file).parent_path()), diagnostics_(diagnostics) {}

  Config load(const YamlNode& root) {
    YamlReader reader(root, file_, "configuration", diagnostics_);
    if (!reader.is_map()) return {};
    if (const auto labels = reader.text_map("external_labels")) {
      for (const auto& [name, value] : *labels) config_.external_labels[name] = value;
    }
    for (const std::string& path : reader.texts("rules").value_or(std::vector<std::string>{})) {
      config_.rules.push_back(resolved(path));
      if (std::error_code error; !fs::exists(config_.rules.back(), error)) {
        reader.error(*reader.find("rules"), "unreadable", "'" + path + "' is no file and no folder");
      }
    }
    load_halts(reader);
    load_http(reader);
    if (const auto key = reader.text("fingerprint_key_file")) config_.fingerprint_key_file = resolved(*key);
    if (const auto folder = reader.text("state_directory")) config_.state_directory = resolved(*folder);
    if (const auto clock = reader.choice("clock", {"wall", "events"})) config_.clock = static_cast<ClockMode>(*clock);
    config_.partitions = static_cast<std::int32_t>(reader.integer("partitions", 1, 64).value_or(1));
    if (config_.clock == ClockMode::events && config_.partitions > 1) {
      reader.error(*reader.find("partitions"), "clock-partitions",
                   "with 'clock: events' nothing tells an idle partition that time has passed; use 1 partition");
    }
    config_.publish_events = reader.flag("publish_events").value_or(true);
    const std::vector<std::string_view> levels{"debug", "info", "warn", "error"};
    if (const auto level = reader.choice("log_level", levels)) config_.log_level = levels[*level];
    const ReadSecret read_secret = [this](YamlReader& one, const std::string& name) { return secret(one, name); };
    if (const YamlNode* receivers = reader.find("receivers")) {
      config_.receivers = load_receivers(*receivers, file_, diagnostics_, read_secret,
                                         [this](const std::string& path) { return resolved(path); });
    }
    if (const YamlNode* kafka = reader.find("kafka")) {
      config_.kafka = load_kafka(*kafka, file_, diagnostics_, read_secret);
    }
    load_heartbeat(reader);
    load_receive(reader);
    return std::move(config_);
  }

 private:
  std::string resolved(const std::string& path) const {
    return fs::path(path).is_absolute() || folder_.empty() ? path : (folder_ / path).string();
  }

  void load_halts(YamlReader& reader) {
    const YamlNode* node = reader.find("halts");
    if (node == nullptr) return;
    YamlReader halts(*node, file_, "halts", diagnostics_);
    if (!halts.is_map()) return;
    halts.require("mode");
    if (const auto mode = halts.choice("mode", {"dry_run", "enforce"})) {
      config_.halts.enforce = *mode == 1;
      config_.has_halt_mode = true;
    }
    constexpr std::int64_t most = 1'000'000;
    config_.halts.per_agent =
        static_cast<std::uint32_t>(halts.integer("per_agent", 1, most).value_or(config_.halts.per_agent));
    config_.halts.in_all =
        static_cast<std::uint32_t>(halts.integer("in_all", 1, most).value_or(config_.halts.in_all));
    config_.halts.within = halts.duration("within", 1min, 24h).value_or(config_.halts.within);
  }

  void load_http(YamlReader& reader) {
    const YamlNode* node = reader.find("http");
    if (node == nullptr) return;
    YamlReader http(*node, file_, "http", diagnostics_);
    if (!http.is_map()) return;
    config_.http_address = http.text("address").value_or(config_.http_address);
    if (!parse_ip_address(config_.http_address)) {
      http.error(*http.find("address"), "bad-address",
                 "'address' must be an IP address, such as 127.0.0.1 or 0.0.0.0");
    }
    config_.http_port = static_cast<std::uint16_t>(http.integer("port", 0, 65'535).value_or(config_.http_port));
    config_.max_body_bytes =
        static_cast<std::size_t>(http.integer("max_body_bytes", 1'024, 1 << 30).value_or(16 << 20));
    if (const auto token = secret(http, "token")) config_.http_token = *token;
  }

  // A secret named by NAME_file or NAME_env; it never stands in the file itself.
  std::optional<std::string> secret(YamlReader& reader, const std::string& name) {
    static std::set<std::string> keys;  // YamlReader keeps views of the names it was asked for
    const std::string& file_key = *keys.insert(name + "_file").first;
    const std::string& env_key = *keys.insert(name + "_env").first;
    const auto path = reader.text(file_key);
    const auto variable = reader.text(env_key);
    std::string value;
    if (path) {
      std::ifstream stream(resolved(*path));
      if (!std::getline(stream, value) || value.empty()) {
        reader.error(*reader.find(file_key), "unreadable", "no secret can be read from '" + *path + "'");
        return std::nullopt;
      }
      return value;
    }
    if (variable) {
      const char* text = std::getenv(variable->c_str());
      if (text == nullptr || *text == '\0') {
        reader.error(*reader.find(env_key), "unset", "the environment variable '" + *variable + "' is not set");
        return std::nullopt;
      }
      return std::string(text);
    }
    return std::nullopt;
  }

  void load_receive(YamlReader& reader) {
    const YamlNode* node = reader.find("receive");
    if (node == nullptr) return;
    YamlReader receive(*node, file_, "receive", diagnostics_);
    if (!receive.is_map()) return;
    ReceiveConfig config;
    if (const auto path = receive.text("tokens_file")) {
      std::ifstream stream(resolved(*path));
      for (std::string line; std::getline(stream, line);) {
        if (!line.empty()) config.tokens.push_back(line);
      }
      if (config.tokens.empty()) {
        receive.error(*receive.find("tokens_file"), "unreadable", "no token can be read from '" + *path + "'");
      }
    }
    config.most_bytes = static_cast<std::size_t>(
        receive.integer("max_upload_bytes", 1'024, 1 << 30).value_or(static_cast<std::int64_t>(config.most_bytes)));
    config.most_per_second = receive.integer("max_per_second", 1, 1'000'000).value_or(config.most_per_second);
    if (const auto url = receive.text("forward_to")) {
      auto parsed = parse_url(*url);
      if (parsed) {
        config.forward_to = std::move(parsed.value());
      } else {
        receive.error(*receive.find("forward_to"), "bad-url", "'forward_to' must be an http or https address");
      }
    }
    if (config.forward_to && config.tokens.empty() && !config_.http_token.empty()) {
      receive.error(
          *node, "needs-tokens",
          "'forward_to' passes the SDKs' headers on, and they would hold this service's own token: give the doors "
          "tokens of their own (tokens_file)");
    }
    if (config_.kafka) config_.kafka->has_doors = true;
    config_.receive = std::move(config);
  }

  void load_heartbeat(YamlReader& reader) {
    const YamlNode* node = reader.find("heartbeat");
    if (node == nullptr) return;
    YamlReader heartbeat(*node, file_, "heartbeat", diagnostics_);
    if (!heartbeat.is_map()) return;
    heartbeat.require("url");
    config_.heartbeat_url = heartbeat.text("url").value_or("");
    if (!config_.heartbeat_url.empty() && !parse_url(config_.heartbeat_url)) {
      heartbeat.error(*heartbeat.find("url"), "bad-url", "'url' must be an http or https address");
    }
    config_.heartbeat_every = heartbeat.duration("every", 10s, 1h).value_or(config_.heartbeat_every);
    config_.heartbeat_allow_cidrs = read_allow_cidrs(heartbeat);
    if (config_.receivers.empty()) {
      heartbeat.error(*node, "needs-receiver",
                      "the heartbeat's last stage is delivery: a receiver must be configured");
    }
    if (!config_.kafka) {
      heartbeat.error(*node, "needs-kafka", "the heartbeat goes through Kafka: 'kafka' must be configured");
    } else {
      config_.kafka->heartbeat = !config_.heartbeat_url.empty();
    }
  }

  std::string file_;
  fs::path folder_;
  Diagnostics& diagnostics_;
  Config config_;
};

}  // namespace

std::string Config::deployment() const {
  std::string text;
  for (const auto& [name, value] : external_labels) {
    text += name + "=" + std::to_string(value.size()) + ":" + value + ",";
  }
  return text;
}

Config load_config(const NamedText& file, Diagnostics& diagnostics) {
  const auto root = parse_yaml(file, diagnostics);
  if (!root) return {};
  return ConfigLoader(file.file, diagnostics).load(*root);
}

Config load_config_file(const std::string& path, Diagnostics& diagnostics) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) {
    diagnostics.error(path, {}, "unreadable", "the configuration can't be read: no such file, or no right to it");
    return {};
  }
  return load_config({path, text.str()}, diagnostics);
}

}  // namespace tocsin
