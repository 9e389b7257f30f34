#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "optim/rates.h"

namespace trireme::optim {
namespace {

boost::json::value recorded() {
  std::ifstream in(TRIREME_GOLDEN "/schedules/rates.json");
  std::stringstream text;
  text << in.rdbuf();
  return boost::json::parse(text.str());
}

/// tests/golden/make_schedules.py asked torch.optim.lr_scheduler and transformers for each step's rate.
TEST(GoldenRates, EachStepHasTheRateOfPyTorchAndTransformers) {
  const boost::json::value table = recorded();
  const double peak = table.at("peak").to_number<double>();
  int compared = 0;
  for (const boost::json::value& entry : table.at("cases").as_array()) {
    RateSchedule schedule;
    schedule.shape = rate_shape_from_name(std::string_view(entry.at("shape").as_string()));
    schedule.peak = peak;
    schedule.least = entry.at("least_ratio").to_number<double>() * peak;
    schedule.total_steps = entry.at("total").to_number<std::int64_t>();
    schedule.warmup_steps = entry.at("warmup").to_number<std::int64_t>();
    if (entry.at("warmup_ratio").is_number()) {
      EXPECT_EQ(schedule.warmup_steps,
                warmup_steps_of(entry.at("warmup_ratio").to_number<double>(), schedule.total_steps));
    }
    std::int64_t step = 0;
    for (const boost::json::value& rate : entry.at("rates").as_array()) {
      ++step, ++compared;
      EXPECT_NEAR(rate_at(schedule, step), rate.to_number<double>(), 1e-12 * peak)
          << entry.at("shape") << " of " << schedule.total_steps << " steps with " << schedule.warmup_steps
          << " of warm-up, step " << step;
    }
  }
  EXPECT_GT(compared, 400);
}

}  // namespace
}  // namespace trireme::optim
