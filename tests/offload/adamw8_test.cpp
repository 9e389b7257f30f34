#include "offload/optimizer/adamw8.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "offload/optimizer/dynamic_codes.h"
#include "offload/optimizer/scalar.h"
#include "tests/offload/every_target.h"

namespace trireme::offload {
namespace {

/// The code that the finder's table names for a magnitude: what the vector kernel does, a number at a time.
std::uint8_t found_code(bool is_signed, float value) {
  const auto bits = std::bit_cast<std::uint32_t>(std::abs(value));
  const std::uint32_t bucket = bits >> CodeFinder::bucket_shift;
  std::uint32_t rank = 0;
  if (bucket >= CodeFinder::first_bucket) {
    const std::uint32_t entry = code_finder(is_signed).entries()[bucket - CodeFinder::first_bucket];
    rank = (entry & 0xff) + ((bits & 0xffff) >= entry >> 8 ? 1 : 0);
  }
  if (!is_signed) return static_cast<std::uint8_t>(rank);
  if (value < 0) rank = std::min<std::uint32_t>(rank, CodeFinder::most_negative);
  return static_cast<std::uint8_t>(value < 0 ? CodeFinder::signed_zero - rank
                                             : CodeFinder::signed_zero + rank);
}

TEST(DynamicCodes, AscendAndHoldZeroAndOne) {
  for (const bool is_signed : {true, false}) {
    const auto& codes = dynamic_codes(is_signed);
    for (std::size_t i = 1; i < codes.size(); ++i) ASSERT_GT(codes[i], codes[i - 1]);
    EXPECT_EQ(codes[255], 1.0f);
    EXPECT_EQ(codes[is_signed ? 127 : 0], 0.0f);
  }
}

TEST(DynamicCodes, TheTableFindsTheNearestAroundEveryBorderAndCode) {
  for (const bool is_signed : {true, false}) {
    const auto& codes = dynamic_codes(is_signed);
    for (std::size_t i = 0; i + 1 < codes.size(); ++i) {
      const auto middle = static_cast<float>((static_cast<double>(codes[i]) + codes[i + 1]) / 2);
      for (float value : {middle, codes[i]}) {
        for (int down = 0; down < 3; ++down) value = std::nextafter(value, -1.0f);
        for (int step = 0; step < 7; ++step, value = std::nextafter(value, 2.0f)) {
          if (value > 1 || value < (is_signed ? -1 : 0)) continue;
          ASSERT_EQ(found_code(is_signed, value), nearest_code(is_signed, value)) << value;
        }
      }
    }
  }
}

TEST(DynamicCodes, TheTableFindsTheNearestAnywhere) {
  std::mt19937 random(4);
  std::uniform_real_distribution<float> exponent(-30, 0), sign(-1, 1);
  for (int i = 0; i < 200'000; ++i) {
    const float magnitude = std::exp2(exponent(random));
    const float value = sign(random) < 0 ? -magnitude : magnitude;
    ASSERT_EQ(found_code(true, value), nearest_code(true, value)) << value;
    ASSERT_EQ(found_code(false, magnitude), nearest_code(false, magnitude)) << magnitude;
  }
}

struct State8 {
  State8(std::size_t count, DType of_gradient, DType of_copy)
      : gradient_type(of_gradient),
        copy_type(of_copy),
        master(count),
        mean_scale((count + 255) / 256),
        square_scale((count + 255) / 256),
        mean(count),
        square(count),
        gradient(count * 4),
        copy(count * 4) {
    std::mt19937 random(8);
    std::normal_distribution<float> normal;
    for (float& value : master) value = normal(random);
  }
  /// `hostile`: zeros, whole blocks of them, and magnitudes far apart.
  void new_gradient(unsigned seed, bool hostile = true) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (std::size_t i = 0; i < master.size(); ++i)
      scalar::store(gradient.data(), gradient_type, static_cast<std::int64_t>(i),
                    hostile && (i % 13 == 0 || i / 256 == 1)
                        ? 0.0f
                        : normal(random) * (hostile && i % 5 == 0 ? 1e-3f : 1.0f));
  }
  AdamW8Run run() {
    AdamW8Run made;
    made.master = master.data(), made.mean = mean.data(), made.square = square.data();
    made.mean_scale = mean_scale.data(), made.square_scale = square_scale.data();
    made.gradient = gradient.data(), made.gradient_type = gradient_type;
    made.copy = copy.data(), made.copy_type = copy_type;
    made.count = static_cast<std::int64_t>(master.size());
    return made;
  }
  DType gradient_type, copy_type;
  std::vector<float> master, mean_scale, square_scale;
  std::vector<std::uint8_t> mean, square;
  std::vector<std::byte> gradient, copy;
};

TEST(HostAdamW8, EveryInstructionSetGivesTheReferencesBits) {
  tests::on_every_target([](const std::string& target) {
    for (const DType gradient : {DType::f32, DType::bf16, DType::f16})
      for (const DType copy : {DType::f32, DType::bf16, DType::f16})
        for (const std::size_t count : {1u, 256u, 700u, 1024u}) {
          State8 ours(count, gradient, copy), plain(count, gradient, copy);
          for (int step = 1; step <= 4; ++step) {
            const AdamWFactors factors(
                {.learning_rate = 1e-2, .weight_decay = 0.1, .gradient_scale = 0.5, .step = step});
            ours.new_gradient(static_cast<unsigned>(step)), plain.new_gradient(static_cast<unsigned>(step));
            adamw8(factors, ours.run());
            reference::adamw8(factors, plain.run());
          }
          const std::string what =
              target + ' ' + std::string(name_of(gradient)) + ' ' + std::to_string(count);
          ASSERT_EQ(ours.mean, plain.mean) << what;
          ASSERT_EQ(ours.square, plain.square) << what;
          ASSERT_EQ(ours.mean_scale, plain.mean_scale) << what;
          ASSERT_EQ(ours.square_scale, plain.square_scale) << what;
          ASSERT_EQ(ours.master, plain.master) << what;
          ASSERT_EQ(ours.copy, plain.copy) << what;
        }
  });
}

TEST(HostAdamW8, MastersInHalvesHaveTheBitsOfWholeOnes) {
  tests::on_every_target([](const std::string& target) {
    for (const std::size_t count : {1u, 256u, 700u, 5000u}) {
      State8 whole(count, DType::f32, DType::bf16);
      for (std::size_t i = 0; i < count; i += 3)
        whole.master[i] =
            std::bit_cast<float>((std::bit_cast<std::uint32_t>(whole.master[i]) & ~0xffffu) | 0x8000u);
      const auto elements = static_cast<std::int64_t>(count);
      make_splittable(whole.master.data(), elements);
      std::vector<std::uint16_t> lower(count);
      const auto nearest = [](State8& state) { return reinterpret_cast<BFloat16*>(state.copy.data()); };
      split(whole.master.data(), nearest(whole), lower.data(), elements);
      State8 halves = whole, plain = whole;
      std::vector<std::uint16_t> plain_lower = lower;
      const auto in_halves = [](State8& state, std::vector<std::uint16_t>& beside) {
        AdamW8Run run = state.run();
        run.master = nullptr, run.lower = beside.data();
        return run;
      };
      std::vector<float> joined(count);
      for (int step = 1; step <= 4; ++step) {
        const AdamWFactors factors(
            {.learning_rate = step == 1 ? 0 : 1e-2, .weight_decay = 0.1, .step = step});
        for (State8* state : {&whole, &halves, &plain}) state->new_gradient(static_cast<unsigned>(step));
        adamw8(factors, whole.run()), adamw8(factors, in_halves(halves, lower));
        reference::adamw8(factors, in_halves(plain, plain_lower));
        join(nearest(halves), lower.data(), joined.data(), elements);
        ASSERT_EQ(joined, whole.master) << target << count;
        ASSERT_EQ(halves.copy, whole.copy) << target << count;
        ASSERT_EQ(halves.mean, whole.mean) << target << count;
        ASSERT_EQ(plain.copy, whole.copy) << target << count;
        ASSERT_EQ(plain_lower, lower) << target << count;
      }
    }
  });
}

/// Numbers in blocks that begin with 1, and the codes that they and their squares are nearest to.
struct Known {
  explicit Known(const std::vector<float>& some) {
    for (const float number : some) {
      if (numbers.size() % 256 == 0) numbers.push_back(1);
      numbers.push_back(number);
    }
    numbers.resize((numbers.size() + 255) / 256 * 256, 0.0f);
    for (const float number : numbers)
      means.push_back(nearest_code(true, number)), squares.push_back(nearest_code(false, number * number));
  }
  std::vector<float> numbers;
  std::vector<std::uint8_t> means, squares;
};

/// A step whose new state is the gradient and its square, so that codes are those of the numbers themselves.
void expect_nearest_codes(const Known& known, const std::string& target) {
  State8 state(known.numbers.size(), DType::f32, DType::f32);
  std::memcpy(state.gradient.data(), known.numbers.data(), known.numbers.size() * sizeof(float));
  adamw8(AdamWFactors({.beta1 = 0, .beta2 = 0, .step = 1}), state.run());
  for (std::size_t i = 0; i < known.numbers.size(); ++i) {
    ASSERT_EQ(state.mean[i], known.means[i]) << target << ' ' << known.numbers[i];
    ASSERT_EQ(state.square[i], known.squares[i]) << target << ' ' << known.numbers[i];
  }
}

TEST(HostAdamW8, EveryInstructionSetFindsTheNearestCodes) {
  std::vector<float> numbers{0.0f, -0.0f, 1.0f, -1.0f, 1e-30f, -1e-38f, 1e-42f};
  const auto around = [&](float value, int steps) {
    for (int down = 0; down < steps; ++down) value = std::nextafter(value, 0.0f);
    for (int step = 0; step <= 2 * steps; ++step, value = std::nextafter(value, 1.0f))
      numbers.push_back(value), numbers.push_back(-value);
  };
  for (const bool is_signed : {true, false}) {
    const auto& codes = dynamic_codes(is_signed);
    for (std::size_t i = is_signed ? CodeFinder::signed_zero : 0; i + 1 < codes.size(); ++i)
      for (double middle :
           {(static_cast<double>(codes[i]) + codes[i + 1]) / 2, std::pow(10.0, -double(i % 8))})
        around(static_cast<float>(is_signed ? middle : std::sqrt(middle)), 4);
  }
  // Where the upper half of a magnitude changes, and of its square.
  for (std::uint32_t upper = CodeFinder::first_bucket - 2; upper <= 127u << 7; ++upper) {
    const auto magnitude = std::bit_cast<float>(upper << CodeFinder::bucket_shift);
    around(magnitude, 1), around(std::sqrt(magnitude), 2);
  }
  std::mt19937 random(5);
  std::uniform_real_distribution<float> exponent(-27, 0);
  for (int i = 0; i < 400'000; ++i)
    numbers.push_back(std::exp2(exponent(random)) * (i % 2 == 0 ? 1.0f : -1.0f));
  for (float& number : numbers) number = std::clamp(number, -1.0f, 1.0f);
  const Known known(numbers);
  tests::on_every_target([&](const std::string& target) { expect_nearest_codes(known, target); });
}

TEST(HostAdamW8, EveryInstructionSetFindsTheReferencesCodesAroundBordersOfAnyScale) {
  std::mt19937 random(6);
  std::uniform_real_distribution<float> exponent(-62, 62);
  std::uniform_int_distribution<std::size_t> code(0, 254);
  std::uniform_int_distribution<int> near(-4, 4);
  State8 ours(256 * 400, DType::f32, DType::f32);
  float scale = 1;
  for (std::size_t i = 0; i < ours.master.size(); ++i) {
    if (i % 256 == 0) scale = std::exp2(exponent(random));
    const bool is_signed = i % 2 == 0;
    const auto& codes = dynamic_codes(is_signed);
    const std::size_t at = code(random);
    const float middle = (codes[at] + codes[at + 1]) / 2;
    float number = i % 256 == 0 ? (i % 512 == 0 ? 1.0f : -1.0f) : is_signed ? middle : std::sqrt(middle);
    for (int step = near(random); step != 0; step += step < 0 ? 1 : -1)
      number = std::nextafter(number, step < 0 ? 0.0f : std::copysign(1.0f, number));
    scalar::store(ours.gradient.data(), DType::f32, static_cast<std::int64_t>(i), number * scale);
  }
  const State8 fresh = ours;
  State8 plain = fresh;
  const AdamWFactors factors({.step = 1});
  reference::adamw8(factors, plain.run());
  tests::on_every_target([&](const std::string& target) {
    ours = fresh;
    adamw8(factors, ours.run());
    ASSERT_EQ(ours.mean, plain.mean) << target;
    ASSERT_EQ(ours.square, plain.square) << target;
  });
}

TEST(HostAdamW8, NoNumberHasTheReferencesCodes) {
  tests::on_every_target([](const std::string& target) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const float poison :
         {nan, -nan, std::bit_cast<float>(0x7fc12345u), std::numeric_limits<float>::infinity()}) {
      State8 ours(512, DType::f32, DType::bf16), plain(512, DType::f32, DType::bf16);
      for (State8* state : {&ours, &plain}) {
        state->new_gradient(1, false);
        for (const std::int64_t at : {0, 77, 255})
          scalar::store(state->gradient.data(), DType::f32, at, poison);
      }
      const AdamWFactors factors({.learning_rate = 1e-2, .step = 1});
      adamw8(factors, ours.run());
      reference::adamw8(factors, plain.run());
      ASSERT_EQ(ours.mean, plain.mean) << target << ' ' << poison;
      ASSERT_EQ(ours.square, plain.square) << target << ' ' << poison;
      ASSERT_EQ(ours.mean_scale, plain.mean_scale) << target << ' ' << poison;
      ASSERT_EQ(ours.square_scale, plain.square_scale) << target << ' ' << poison;
      ASSERT_EQ(std::memcmp(ours.copy.data(), plain.copy.data(), 1024), 0) << target << ' ' << poison;
    }
  });
}

TEST(HostAdamW8, FollowsTheExactOne) {
  constexpr std::size_t count = 2048;
  State8 state(count, DType::f32, DType::f32);
  std::vector<float> master = state.master, mean(count), square(count);
  const std::vector<float> first = state.master;
  for (int step = 1; step <= 20; ++step) {
    const AdamWFactors factors({.learning_rate = 1e-3, .step = step});
    state.new_gradient(static_cast<unsigned>(step), false);
    adamw8(factors, state.run());
    AdamWRun exact;
    exact.master = master.data(), exact.mean = mean.data(), exact.square = square.data();
    exact.gradient = state.gradient.data(), exact.count = count;
    adamw(factors, exact);
  }
  double moved = 0, apart = 0;
  for (std::size_t i = 0; i < count; ++i) {
    moved += std::abs(master[i] - first[i]), apart += std::abs(master[i] - state.master[i]);
  }
  EXPECT_LT(apart, 0.1 * moved);
  EXPECT_GT(apart, 0.0);
}

}  // namespace
}  // namespace trireme::offload
