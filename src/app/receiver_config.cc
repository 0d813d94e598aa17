#include "app/receiver_config.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "edge/http/address_guard.h"
#include "edge/http/url.h"
#include "edge/pagerduty/pagerduty_receiver.h"
#include "edge/webhook/signature.h"

namespace tocsin {

namespace {

using namespace std::chrono_literals;

const ReceiverConfig* named(const std::vector<ReceiverConfig>& receivers, const std::string& name) {
  const auto found = std::find_if(receivers.begin(), receivers.end(),
                                  [&](const ReceiverConfig& receiver) { return receiver.name == name; });
  return found == receivers.end() || name.empty() ? nullptr : &*found;
}

bool is_fallback(const std::vector<ReceiverConfig>& receivers, const std::string& name) {
  return std::any_of(receivers.begin(), receivers.end(),
                     [&](const ReceiverConfig& receiver) { return receiver.fallback == name; });
}

class ReceiversLoader {
 public:
  ReceiversLoader(const std::string& file, Diagnostics& diagnostics, const ReadSecret& secret,
                  const ResolvePath& resolved)
      : file_(file), diagnostics_(diagnostics), secret_(secret), resolved_(resolved) {}

  std::vector<ReceiverConfig> load(const YamlNode& list) {
    for (const YamlNode& item : list.items) {
      YamlReader reader(item, file_, "receiver", diagnostics_);
      if (!reader.is_map()) continue;
      load_one(reader, item);
    }
    check_fallbacks();
    return std::move(receivers_);
  }

 private:
  // Where the keys stand that are judged when all receivers are known.
  struct Places {
    const YamlNode* fallback = nullptr;
    const YamlNode* also_direct = nullptr;
  };

  void load_one(YamlReader& reader, const YamlNode& item) {
    ReceiverConfig receiver;
    reader.require("name");
    receiver.name = reader.text("name").value_or("");
    if (!receiver.name.empty() && !names_.insert(receiver.name).second) {
      reader.error(*reader.find("name"), "repeated-name", "receiver '" + receiver.name + "' exists already");
    }
    receiver.kind = static_cast<ReceiverKind>(reader.choice("kind", {"webhook", "pagerduty"}).value_or(0));
    receiver.url = reader.text("url").value_or("");
    receiver.timeout = reader.duration("timeout", 1s, 60s).value_or(10s);
    receiver.allow_cidrs = read_allow_cidrs(reader);
    if (const auto ca = reader.text("ca_file")) receiver.ca_file = resolved_(*ca);
    if (const YamlNode* at = reader.find("url")) check_url(reader, *at, receiver);
    if (receiver.kind == ReceiverKind::webhook) {
      load_webhook(reader, item, receiver);
    } else {
      load_pagerduty(reader, item, receiver);
    }
    load_fallback(reader, receiver);
    receivers_.push_back(std::move(receiver));
  }

  static void check_url(YamlReader& reader, const YamlNode& at, const ReceiverConfig& receiver) {
    const auto url = parse_url(receiver.url);
    if (!url) {
      reader.error(at, "bad-url", url.error());
    } else if (receiver.kind == ReceiverKind::pagerduty && !url.value().secure && receiver.allow_cidrs.empty()) {
      reader.error(
          at, "bad-url",
          "the routing key would go over the network in clear: use https, or list the addresses of a proxy of "
          "yours under 'allow_cidrs'");
    }
  }

  void load_webhook(YamlReader& reader, const YamlNode& item, ReceiverConfig& receiver) {
    reader.require("url");
    for (const char* name : {"secret", "old_secret"}) {
      const auto value = secret_(reader, name);
      if (!value) continue;
      const auto parsed = parse_webhook_secret(*value);
      if (!parsed) reader.error(item, "bad-secret", std::string(name) + ": " + parsed.error());
      receiver.secrets.push_back(*value);
    }
    if (receiver.secrets.empty() && reader.find("secret_file") == nullptr && reader.find("secret_env") == nullptr) {
      reader.error(item, "missing-key", "a receiver needs 'secret_file' or 'secret_env': pages are signed");
    }
  }

  void load_pagerduty(YamlReader& reader, const YamlNode& item, ReceiverConfig& receiver) {
    if (const auto key = secret_(reader, "routing_key")) {
      const std::string problem = routing_key_problem(*key);
      if (!problem.empty()) reader.error(item, "bad-secret", "routing_key: " + problem);
      receiver.routing_key = *key;
    } else if (reader.find("routing_key_file") == nullptr && reader.find("routing_key_env") == nullptr) {
      reader.error(item, "missing-key", "a PagerDuty receiver needs 'routing_key_file' or 'routing_key_env'");
    }
  }

  void load_fallback(YamlReader& reader, ReceiverConfig& receiver) {
    Places places;
    receiver.fallback = reader.text("fallback").value_or("");
    places.fallback = reader.find("fallback");
    receiver.fallback_after = reader.duration("fallback_after", 1s, 24h).value_or(receiver.fallback_after);
    if (const YamlNode* after = reader.find("fallback_after"); after != nullptr && places.fallback == nullptr) {
      reader.error(*after, "no-fallback", "'fallback_after' needs 'fallback', the name of another receiver");
    }
    receiver.also_direct = reader.flag("also_direct").value_or(false);
    places.also_direct = reader.find("also_direct");
    places_.push_back(places);
  }

  void error(const YamlNode& at, std::string_view code, std::string message) {
    diagnostics_.error(file_, at.at, code, std::move(message));
  }

  void check_fallbacks() {
    std::vector<std::string_view> names(names_.begin(), names_.end());
    std::set<std::string> in_a_known_circle;
    for (std::size_t i = 0; i < receivers_.size(); ++i) {
      const ReceiverConfig& receiver = receivers_[i];
      const Places& places = places_[i];
      if (places.also_direct != nullptr && receiver.also_direct && !is_fallback(receivers_, receiver.name)) {
        error(*places.also_direct, "no-fallback",
              "'also_direct' is for fallbacks, and none has '" + receiver.name + "' as its 'fallback'");
      }
      if (receiver.fallback.empty()) continue;
      if (receiver.fallback == receiver.name) {
        error(*places.fallback, "fallback-circle", "a receiver can't be its own fallback");
      } else if (named(receivers_, receiver.fallback) == nullptr) {
        error(*places.fallback, "unknown-receiver",
              "there is no receiver '" + receiver.fallback + "'" + did_you_mean(receiver.fallback, names));
      } else if (!in_a_known_circle.contains(receiver.name)) {
        check_circle(receiver, *places.fallback, in_a_known_circle);
      }
    }
  }

  void check_circle(const ReceiverConfig& first, const YamlNode& at, std::set<std::string>& in_a_known_circle) {
    std::vector<std::string> path{first.name};
    const ReceiverConfig* next = named(receivers_, first.fallback);
    while (next != nullptr && path.size() <= receivers_.size()) {
      if (next->name == first.name) {
        std::string text;
        for (const std::string& name : path) text += name + " -> ";
        error(at, "fallback-circle", "fallbacks go round in a circle: " + text + first.name);
        in_a_known_circle.insert(path.begin(), path.end());
        return;
      }
      path.push_back(next->name);
      next = named(receivers_, next->fallback);
    }
  }

  const std::string& file_;
  Diagnostics& diagnostics_;
  const ReadSecret& secret_;
  const ResolvePath& resolved_;
  std::vector<ReceiverConfig> receivers_;
  std::vector<Places> places_;  // of each of them
  std::set<std::string> names_;
};

}  // namespace

std::vector<ReceiverConfig> load_receivers(const YamlNode& node, const std::string& file, Diagnostics& diagnostics,
                                           const ReadSecret& secret, const ResolvePath& resolved) {
  if (!node.is_list()) {
    diagnostics.error(file, node.at, "wrong-type", "'receivers' must be a list");
    return {};
  }
  return ReceiversLoader(file, diagnostics, secret, resolved).load(node);
}

std::vector<std::string> read_allow_cidrs(YamlReader& reader) {
  const auto cidrs = reader.texts("allow_cidrs");
  if (!cidrs) return {};
  const auto guard = AddressGuard::create(*cidrs);
  if (!guard) {
    for (const std::string& problem : guard.error()) reader.error(*reader.find("allow_cidrs"), "bad-cidr", problem);
  }
  return *cidrs;
}

std::vector<std::vector<DeliverLane>> delivery_chains(const std::vector<ReceiverConfig>& receivers) {
  std::vector<std::vector<DeliverLane>> chains;
  for (const ReceiverConfig& receiver : receivers) {
    if (is_fallback(receivers, receiver.name) && !receiver.also_direct) continue;
    std::vector<DeliverLane>& lanes = chains.emplace_back();
    for (const ReceiverConfig* lane = &receiver; lane != nullptr; lane = named(receivers, lane->fallback)) {
      lanes.push_back({lane->name, lane->fallback_after});
    }
  }
  return chains;
}

}  // namespace tocsin
