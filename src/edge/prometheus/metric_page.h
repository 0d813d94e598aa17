// A page of metrics in Prometheus' text format, made anew at each scrape from what the threads published.
//
// Names and units follow Prometheus' conventions; label values are escaped by the library.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin {

class MetricPage {
 public:
  using MetricLabels = std::vector<std::pair<std::string, std::string>>;

  MetricPage();
  ~MetricPage();

  // The samples of one name stand together, under the help of the first.
  void counter(std::string_view name, std::string_view help, const MetricLabels& labels, double value);
  void gauge(std::string_view name, std::string_view help, const MetricLabels& labels, double value);

  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin
