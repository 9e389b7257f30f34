#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "optim/loss_scaler.h"

namespace trireme::optim {
namespace {

/// tests/golden/make_loss_scales.py asked DeepSpeed's DynamicLossScaler.
TEST(GoldenLossScale, EachStepHasTheScaleOfDeepSpeed) {
  std::ifstream in(TRIREME_GOLDEN "/loss_scales/deepspeed.json");
  std::stringstream text;
  text << in.rdbuf();
  const boost::json::value cases = boost::json::parse(text.str());
  EXPECT_EQ(cases.as_array().size(), 6u);
  for (const boost::json::value& entry : cases.as_array()) {
    LossScaleSettings settings;
    settings.initial_scale_power = static_cast<int>(entry.at("initial_power").as_int64());
    settings.loss_scale_window = entry.at("window").as_int64();
    settings.hysteresis = static_cast<int>(entry.at("hysteresis").as_int64());
    settings.min_loss_scale = entry.at("minimum").to_number<double>();
    LossScaler scaler(settings);
    const auto& scales = entry.at("scales").as_array();
    const auto& overflows = entry.at("overflows").as_array();
    for (std::size_t step = 0; step < scales.size(); ++step) {
      ASSERT_EQ(scaler.scale(), scales[step].to_number<double>()) << "step " << step;
      const bool goes_on = scaler.after_step(overflows[step].as_bool());
      const bool ends = entry.at("ended").as_bool() && step + 1 == scales.size();
      ASSERT_EQ(goes_on, !ends) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace trireme::optim
