#include "edge/prometheus/metric_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <map>

namespace tocsin {

struct MetricPage::State {
  std::vector<prometheus::MetricFamily> families;
  std::map<std::string, std::size_t, std::less<>> by_name;

  prometheus::ClientMetric& add(std::string_view name, std::string_view help, prometheus::MetricType type,
                                const MetricLabels& labels) {
    auto found = by_name.find(name);
    if (found == by_name.end()) {
      found = by_name.emplace(std::string(name), families.size()).first;
      prometheus::MetricFamily family;
      family.name = name;
      family.help = help;
      family.type = type;
      families.push_back(std::move(family));
    }
    auto& metric = families[found->second].metric.emplace_back();
    for (const auto& [label, value] : labels) metric.label.push_back({label, value});
    return metric;
  }
};

MetricPage::MetricPage() : state_(std::make_unique<State>()) {}
MetricPage::~MetricPage() = default;

void MetricPage::counter(std::string_view name, std::string_view help, const MetricLabels& labels, double value) {
  state_->add(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
}

void MetricPage::gauge(std::string_view name, std::string_view help, const MetricLabels& labels, double value) {
  state_->add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

std::string MetricPage::text() const {
  return prometheus::TextSerializer().Serialize(state_->families);
}

}  // namespace tocsin
