// The doors: bodies of requests behind the HTTP server's own parser (Boost.Beast's), and addresses that pages go to.

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>

#include "app/http_api.h"
#include "app/order_desk.h"
#include "core/alert/silence.h"
#include "core/halt/halt_record.h"
#include "edge/http/address_guard.h"
#include "edge/http/retry_after.h"
#include "edge/http/url.h"
#include "fuzz/target.h"

namespace tocsin::fuzz {

namespace {

void http_body(std::string_view input) {
  static NativeDecoder decoder;
  std::int64_t line = 1;
  for (const BodyRecord& record : split_body(input)) {
    for (const std::string_view view : {record.key, record.value}) {
      if (view.empty()) continue;
      must_hold(view.data() >= input.data() && view.data() + view.size() <= input.data() + input.size(),
                "a record lies in its body");
    }
    must_hold(record.line >= line, "records come in the order of their lines");
    line = record.line;
    (void)decoder.decode(record.value, record.key);
  }
}

// The first byte chooses the door.
void desk(std::string_view input) {
  if (input.empty()) return;
  const EventTime now{Duration{1'767'571'200'000}};
  OrderDesk desk({"eu1", true});
  HaltRecord halt;
  halt.id = "aa";
  halt.scope = "task:t1";
  halt.expires_at = now + std::chrono::hours{1};
  desk.apply(Topic::halts, halt.key(), to_json(halt));
  const auto silence = make_silence({"agent=support"}, now, now + std::chrono::hours{1}, "dana", "why", now);
  desk.apply(Topic::silences, silence.value().key(), to_json(silence.value()));

  static const std::vector<std::vector<std::string>> doors{{"v1", "halts", "release"},
                                                           {"v1", "halts", "drill"},
                                                           {"v1", "halt-acks"},
                                                           {"v1", "silences"},
                                                           {"v1", "silences", "expire"}};
  const auto& path = doors[static_cast<unsigned char>(input.front()) % doors.size()];
  std::string body(input.substr(1));
  if (const std::size_t at = body.find("SILENCE"); at != std::string::npos) body.replace(at, 7, silence.value().id);
  const auto answer = desk.handle({"POST", path, body}, now, now);
  must_hold(answer.has_value(), "the desk has this door");
  must_hold(nlohmann::json::accept(answer->body), "an answer is JSON");
  must_hold((answer->status < 300) == !answer->records.empty(), "what is accepted is written");
  for (const NewRecord& record : answer->records) {
    must_hold(record.value.find('\n') == std::string::npos, "an order is one line");
    if (record.topic == Topic::silences) must_hold(silence_from_json(record.value).has_value(), "a silence is one");
    if (record.topic == Topic::halts) {
      must_hold(halt_from_json(record.value) || release_from_json(record.value), "an order is a halt or a release");
    }
    desk.apply(record.topic, record.key, record.value);
  }
  for (const auto& list : {"halts", "silences"}) {
    must_hold(nlohmann::json::accept(desk.handle({"GET", {"v1", list}, ""}, now, now)->body), "a list is JSON");
  }
}

// Written apart from the guard: the ranges that a page must never be lured to, by their first bytes.
bool is_internal(const IpAddress& address) {
  const auto& bytes = address.bytes;
  const auto v4 = [](std::uint8_t a, std::uint8_t b) {
    return a == 0 || a == 10 || a == 127 || (a == 169 && b == 254) || (a == 172 && b >= 16 && b < 32) ||
           (a == 192 && b == 168) || (a == 100 && b >= 64 && b < 128) || a >= 224;
  };
  if (!address.v6) return v4(bytes[0], bytes[1]);
  const bool zeros = std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t byte) { return byte == 0; });
  if (zeros && bytes[10] == 0xff && bytes[11] == 0xff) return v4(bytes[12], bytes[13]);
  if (zeros && bytes[10] == 0 && bytes[11] == 0 && bytes[12] == 0 && bytes[13] == 0 && bytes[14] == 0) {
    return bytes[15] <= 1;
  }
  return (bytes[0] & 0xfe) == 0xfc || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) || bytes[0] == 0xff;
}

void url(std::string_view input) {
  static const AddressGuard closed = AddressGuard::create({}).value();
  if (const auto parsed = parse_url(input)) {
    const Url& read = parsed.value();
    must_hold(!read.host.empty() && read.target.front() == '/', "an address has a host and a path");
    for (const std::string& text : {read.host, read.target, read.host_header()}) {
      must_hold(std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == 127; }),
                "no blank or line break goes into a request");
    }
    if (const auto address = parse_ip_address(read.host)) {
      must_hold(!is_internal(*address) || !closed.allows(*address), "no page goes to an internal address");
    }
  }
  if (const auto address = parse_ip_address(input)) {
    must_hold(parse_ip_address(to_text(*address)) == address, "an address comes back as it was written");
    must_hold(!is_internal(*address) || !closed.allows(*address), "the guard refuses internal addresses");
  }
  (void)AddressGuard::create({std::string(input)});
  if (const auto decoded = percent_decode(input)) {
    must_hold(percent_decode(percent_encode(*decoded)) == decoded, "what is escaped comes back");
  }
  (void)parse_query(input);
  if (const auto wait = parse_retry_after(input, 1'767'571'200))
    must_hold(*wait >= Duration{0}, "no one waits backwards");
}

}  // namespace

std::vector<Target> door_targets() {
  return {{"http_body", http_body}, {"desk", desk}, {"url", url}};
}

}  // namespace tocsin::fuzz
