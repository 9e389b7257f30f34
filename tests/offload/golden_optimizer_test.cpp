#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>

#include "offload/optimizer/adamw8.h"
#include "offload/optimizer/dynamic_codes.h"

// Beside torch.optim.AdamW and bitsandbytes' AdamW8bit, as tests/golden/make_optimizer.py recorded them.
namespace trireme::offload {
namespace {

namespace json = boost::json;

template <typename T>
std::vector<T> list(const json::value& value) {
  std::vector<T> made;
  for (const json::value& element : value.as_array()) made.push_back(element.to_number<T>());
  return made;
}
/// Codes of a byte were written as numbers with a fraction.
std::vector<int> codes_of(const json::value& value) {
  std::vector<int> made;
  for (const json::value& element : value.as_array())
    made.push_back(static_cast<int>(element.to_number<double>()));
  return made;
}

const json::object& golden() {
  static const json::value value = [] {
    std::ifstream file(TRIREME_GOLDEN);
    std::stringstream text;
    text << file.rdbuf();
    return json::parse(text.str());
  }();
  return value.as_object();
}

AdamWFactors factors_of_step(std::int64_t step) {
  const json::object& settings = golden().at("settings").as_object();
  const auto number = [&](const char* name) { return settings.at(name).to_number<double>(); };
  return AdamWFactors({number("learning_rate"), number("beta1"), number("beta2"), number("epsilon"),
                       number("weight_decay"), 1.0, step});
}

void expect_close(const std::vector<float>& ours, const std::vector<float>& theirs, double relative) {
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i)
    ASSERT_NEAR(ours[i], theirs[i], relative * std::max(std::abs(theirs[i]), 1e-3f)) << i;
}

TEST(Golden, AdamWIsTorchs) {
  const json::object& torch = golden().at("torch").as_object();
  auto master = list<float>(torch.at("first"));
  std::vector<float> mean(master.size()), square(master.size());
  std::int64_t step = 0;
  for (const json::value& gradients : golden().at("gradients").as_array()) {
    const auto gradient = list<float>(gradients);
    AdamWRun run;
    run.master = master.data(), run.mean = mean.data(), run.square = square.data();
    run.gradient = gradient.data(), run.count = static_cast<std::int64_t>(master.size());
    adamw(factors_of_step(++step), run);
    if (step == 1) expect_close(master, list<float>(torch.at("after").as_array().front()), 5e-7);
  }
  expect_close(master, list<float>(torch.at("after").as_array().back()), 1e-6);
  expect_close(mean, list<float>(torch.at("state").at("exp_avg")), 1e-6);
  expect_close(square, list<float>(torch.at("state").at("exp_avg_sq")), 1e-6);
}

TEST(Golden, CodesAreBitsandbytes) {
  for (const bool is_signed : {true, false}) {
    const auto theirs = list<float>(golden().at("codes").at(is_signed ? "signed" : "unsigned"));
    const auto& ours = dynamic_codes(is_signed);
    ASSERT_EQ(theirs.size(), ours.size());
    for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i], theirs[i]) << i;
  }
}

TEST(Golden, QuantisationIsBitsandbytes) {
  for (const bool is_signed : {true, false}) {
    const json::object& recorded = golden().at(is_signed ? "signed" : "unsigned").as_object();
    const auto values = list<float>(recorded.at("values"));
    const auto scales = list<float>(recorded.at("scales"));
    const auto theirs = codes_of(recorded.at("codes"));
    int different = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const int ours = nearest_code(is_signed, values[i] / scales[i / 256]);
      EXPECT_LE(std::abs(ours - theirs[i]), 1) << i;
      different += ours != theirs[i];
    }
    EXPECT_EQ(different, 0);
  }
}

TEST(Golden, AdamW8IsBitsandbytes) {
  const json::object& theirs = golden().at("bitsandbytes").as_object();
  auto master = list<float>(theirs.at("first"));
  const std::size_t count = master.size(), blocks = (count + 255) / 256;
  std::vector<float> mean_scale(blocks), square_scale(blocks);
  std::vector<std::uint8_t> mean(count), square(count);
  std::int64_t step = 0;
  for (const json::value& gradients : golden().at("gradients").as_array()) {
    const auto gradient = list<float>(gradients);
    AdamW8Run run;
    run.master = master.data(), run.mean = mean.data(), run.square = square.data();
    run.mean_scale = mean_scale.data(), run.square_scale = square_scale.data();
    run.gradient = gradient.data(), run.count = static_cast<std::int64_t>(count);
    adamw8(factors_of_step(++step), run);
  }
  const json::object& state = theirs.at("state").as_object();
  const auto same = [](const std::vector<std::uint8_t>& ours, const std::vector<int>& recorded) {
    int equal = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) equal += ours[i] == recorded[i];
    return equal;
  };
  EXPECT_GE(same(mean, codes_of(state.at("state1"))), static_cast<int>(count) - 1);
  EXPECT_GE(same(square, codes_of(state.at("state2"))), static_cast<int>(count) - 1);
  expect_close(mean_scale, list<float>(state.at("absmax1")), 1e-6);
  expect_close(square_scale, list<float>(state.at("absmax2")), 1e-6);
  expect_close(master, list<float>(theirs.at("after").as_array().back()), 1e-5);
}

}  // namespace
}  // namespace trireme::offload
