#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/Allocator.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/attention.h"
#include "model/config.h"
#include "model/kernels/pair_products.h"
#include "model/kernels/score_lanes.h"
#include "model/linear.h"
#include "model/pair_linear.h"
#include "model/weight_gradient.h"
#include "model/work.h"
#include "tests/model/whole_model.h"

namespace trireme::model {
namespace {

using namespace kernels;

std::vector<BFloat16> random_numbers(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<BFloat16> numbers(static_cast<std::size_t>(count));
  for (BFloat16& number : numbers) number = BFloat16(normal(random));
  return numbers;
}

bool same_bits(const std::vector<BFloat16>& a, const std::vector<BFloat16>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(BFloat16)) == 0;
}

TEST(Pairs, PackingEqualsTheReferenceToTheBit) {
  if (!multiplies_pairs()) GTEST_SKIP() << "this CPU has other kernels for bf16";
  for (const auto& [rows, columns] : {std::pair{64, 64}, {7, 33}, {2, 1}, {130, 63}, {34, 20}}) {
    const std::int64_t even = (rows + 1) / 2 * 2, stride = columns + 3;
    const auto in = random_numbers(rows * stride, 1);
    std::vector<BFloat16> made(static_cast<std::size_t>(even * panel_columns)), expected = made;
    pack_rows(in.data(), stride, rows, columns, made.data());
    kernels::reference::pack_rows(in.data(), stride, rows, columns, expected.data());
    EXPECT_TRUE(same_bits(made, expected)) << rows << " rows of " << columns;

    const std::int64_t depth = even, width = std::min<std::int64_t>(columns, panel_columns);
    const auto across = random_numbers(width * (depth + 5), 2);
    made.assign(static_cast<std::size_t>(depth * panel_columns), BFloat16(7));
    expected = made;
    pack_columns(across.data(), depth + 5, width, depth, made.data());
    kernels::reference::pack_columns(across.data(), depth + 5, width, depth, expected.data());
    EXPECT_TRUE(same_bits(made, expected)) << width << " columns of depth " << depth;
  }
}

using Multiply = void (*)(const PairProduct&);

void expect_products_as_the_reference_makes_them(Multiply multiply) {
  for (std::int64_t rows = 1; rows <= 14; ++rows)
    for (const std::int64_t columns : {64, 63, 17, 16, 1}) {
      const std::int64_t depth = 50;
      const auto left = random_numbers(rows * depth, 3), panel = random_numbers(depth * panel_columns, 4);
      const std::vector<float> before(static_cast<std::size_t>(rows * panel_columns), 0.5f);
      std::vector<float> made = before, expected = before;
      PairProduct product;
      product.left = left.data(), product.left_stride = depth, product.panel = panel.data();
      product.rows = rows, product.columns = columns, product.depth = depth;
      product.sums_stride = panel_columns, product.add = true;
      product.sums = made.data();
      multiply(product);
      product.sums = expected.data();
      kernels::reference::multiply_panel(product);
      for (std::size_t i = 0; i < made.size(); ++i)
        ASSERT_NEAR(made[i], expected[i], 1e-4) << rows << columns;

      // The same rows, as columns of a matrix that lies the other way.
      std::vector<BFloat16> turned(static_cast<std::size_t>(rows * depth)),
          pairs(static_cast<std::size_t>(96 * depth));
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t k = 0; k < depth; ++k)
          turned[static_cast<std::size_t>(k * rows + r)] = left[static_cast<std::size_t>(r * depth + k)];
      pack_rows(turned.data(), rows, depth, rows, pairs.data(), 96);
      std::vector<float> again = before;
      product.left = pairs.data(), product.left_width = 96, product.sums = again.data();
      multiply(product);
      EXPECT_EQ(again, made) << rows << columns;
      product.sums = again.data();
      again = before;
      kernels::reference::multiply_panel(product);
      EXPECT_EQ(again, expected) << rows << columns;
    }
}

TEST(Pairs, AProductEqualsTheReference) {
  if (!multiplies_pairs()) GTEST_SKIP() << "this CPU has other kernels for bf16";
  expect_products_as_the_reference_makes_them(multiply_panel);
}

TEST(Pairs, AWidenedProductEqualsTheReference) {
  if (!multiplies_pairs()) GTEST_SKIP() << "this CPU has other kernels for bf16";
  expect_products_as_the_reference_makes_them(widened::multiply_panel);
}

/// More rows and more depth than are widened at once.
TEST(Pairs, AWidenedProductOfManyPartsEqualsTheReference) {
  if (!multiplies_pairs()) GTEST_SKIP() << "this CPU has other kernels for bf16";
  const std::int64_t rows = 203, depth = 302;
  const auto left = random_numbers(rows * depth, 3), panel = random_numbers(depth * panel_columns, 4);
  std::vector<BFloat16> made(static_cast<std::size_t>(rows * panel_columns)), expected = made;
  PairProduct product;
  product.left = left.data(), product.left_stride = depth, product.panel = panel.data();
  product.rows = rows, product.depth = depth, product.rounded_stride = panel_columns;
  product.rounded = made.data();
  widened::multiply_panel(product);
  product.rounded = expected.data();
  kernels::reference::multiply_panel(product);
  for (std::size_t i = 0; i < made.size(); ++i) {
    const float x = static_cast<float>(made[i]), y = static_cast<float>(expected[i]);
    ASSERT_NEAR(x, y, 0.008f * std::abs(y) + 1e-4f) << i;
  }
}

TEST(Pairs, ScoresEqualTheReference) {
  if (!multiplies_pairs()) GTEST_SKIP() << "this CPU has other kernels for bf16";
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 4);
  std::vector<std::int32_t> first(200);
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<std::int32_t>(i / 40 * 40);
  for (const std::int64_t keys : {1, 2, 63, 64}) {
    std::vector<float> values(static_cast<std::size_t>(keys * 64)), others = values;
    for (float& value : values) value = normal(random);
    for (float& value : others) value = normal(random);
    std::vector<float> copy = values;
    Scores scores{values.data(), 100, 60, 90, keys, 0.3f, first.data()};
    Scores same = scores;
    same.values = copy.data();
    std::vector<BFloat16> pairs(static_cast<std::size_t>((keys + 1) * 64)), expected = pairs;
    RunningSoftmax running, plain;
    begin_softmax(running);
    kernels::reference::begin_softmax(plain);
    std::vector<BFloat16> weights(pairs.size()), gradients = weights, sides = weights;
    std::vector<BFloat16> weights2 = weights, gradients2 = weights, sides2 = weights;
    std::vector<float> log_sums(64, 3.0f), along(64, 0.25f);
    scores_backward(scores, {others.data(), log_sums.data(), along.data(), 0.5f, weights.data(),
                             gradients.data(), sides.data()});
    kernels::reference::scores_backward(same, {others.data(), log_sums.data(), along.data(), 0.5f,
                                               weights2.data(), gradients2.data(), sides2.data()});
    take_scores(running, scores, pairs.data());
    kernels::reference::take_scores(plain, same, expected.data());
    const auto close = [](BFloat16 a, BFloat16 b) {
      const float x = static_cast<float>(a), y = static_cast<float>(b);
      return std::abs(x - y) <= 0.008f * std::abs(y) + 1e-30f;
    };
    const auto used = static_cast<std::size_t>((keys + 1) / 2 * 128);
    for (std::size_t i = 0; i < used; ++i) {
      ASSERT_TRUE(close(pairs[i], expected[i])) << keys << " keys, weight " << i;
      ASSERT_TRUE(close(sides[i], sides2[i])) << keys << " keys, gradient " << i;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(keys * 64); ++i) {
      ASSERT_TRUE(close(weights[i], weights2[i]));
      ASSERT_TRUE(close(gradients[i], gradients2[i]));
    }
    for (std::size_t i = 0; i < 64; ++i) {
      EXPECT_EQ(running.most[i], plain.most[i]);
      EXPECT_NEAR(running.sum[i], plain.sum[i], 1e-5f * std::abs(plain.sum[i]));
    }
  }
}

/// Relative to the largest element.
double difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return (x - y).abs().max().item<double>() / std::max(y.abs().max().item<double>(), 1e-30);
}

/// A layer with and without transposition, its gradients, and the sums of its weight's gradient in fp32,
/// against double; `rounding` is of one number of the type.
void expect_linear_layer(at::ScalarType type, double rounding, bool sums_in_fp32,
                         const std::vector<std::tuple<int, int, int>>& shapes = {
                             {40, 64, 96}, {33, 34, 70}, {65, 2100, 5}, {32, 2, 129}, {50, 31, 8}}) {
  for (const auto& [rows, depth, columns] : shapes) {
    for (const bool transposed : {false, true}) {
      const at::Tensor x = at::randn({2, rows, depth}).to(type).requires_grad_(true);
      const at::Tensor weight =
          at::randn(transposed ? at::IntArrayRef{depth, columns} : at::IntArrayRef{columns, depth})
              .to(type)
              .requires_grad_(true);
      const at::Tensor bias = at::randn({columns}).to(type).requires_grad_(true);
      const at::Tensor y = linear({x, {}}, weight, bias, transposed);
      const at::Tensor dy = at::randn(y.sizes()).to(type);
      const auto gradients = torch::autograd::grad({y}, {x, weight, bias}, {dy});
      const auto wide = [](const at::Tensor& t) { return t.detach().to(at::kDouble); };
      const at::Tensor matrix = transposed ? wide(weight) : wide(weight).t();
      EXPECT_LT(difference(y, at::matmul(wide(x), matrix) + wide(bias)), rounding);
      EXPECT_LT(difference(gradients[0], at::matmul(wide(dy), matrix.t())), rounding);
      const at::Tensor rows_x = wide(x).reshape({-1, depth}), rows_dy = wide(dy).reshape({-1, columns});
      const at::Tensor dw = at::mm(transposed ? rows_x.t() : rows_dy.t(), transposed ? rows_dy : rows_x);
      EXPECT_LT(difference(gradients[1], dw), rounding);

      if (!sums_in_fp32) continue;
      at::Tensor sums = at::ones(dw.sizes(), at::kFloat);
      const at::Tensor narrow_x = x.detach().reshape({-1, depth}), narrow_dy = dy.reshape({-1, columns});
      add_product(transposed ? narrow_x : narrow_dy, transposed ? narrow_dy : narrow_x, sums, true);
      EXPECT_LT(difference(sums, dw + 1), 1e-5);
      add_product(transposed ? narrow_x : narrow_dy, transposed ? narrow_dy : narrow_x, sums, false);
      EXPECT_LT(difference(sums, dw), 1e-5);
    }
  }
}

TEST(Pairs, LinearLayersOfAnyShapeEqualThoseInDouble) {
  at::manual_seed(6);
  expect_linear_layer(at::kBFloat16, 1e-2, multiplies_pairs());
}

TEST(Halves, LinearLayersOfAnyShapeEqualThoseInDouble) {
  at::manual_seed(6);
  expect_linear_layer(at::kHalf, 1e-3, true);
}

TEST(Halves, LayersOfManyOutputsEqualThoseInDouble) {
  at::manual_seed(6);
  expect_linear_layer(at::kHalf, 1e-3, true, {{3, 2048, 5000}});
}

/// The definition, in double.
at::Tensor plain_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                           const at::Tensor& visible, double scale) {
  const auto heads = [](const at::Tensor& t, std::int64_t copies) {
    return t.repeat_interleave(copies, 2).transpose(1, 2);
  };
  const std::int64_t copies = query.size(2) / key.size(2);
  const at::Tensor scores = at::matmul(heads(query, 1), heads(key, copies).transpose(2, 3)) * scale;
  const at::Tensor weights = scores.masked_fill(visible.logical_not(), -INFINITY).softmax(-1);
  return at::matmul(weights, heads(value, copies)).transpose(1, 2);
}

struct Case {
  std::int64_t batch, length, heads, shared, size, window;
  std::vector<std::int32_t> bounds;
};

TEST(Pairs, AttentionAndItsGradientsEqualTheDefinition) {
  at::manual_seed(8);
  for (const Case& each : {Case{2, 130, 4, 2, 64, 0, {}},
                           {1, 1, 2, 1, 16, 0, {}},
                           {1, 577, 3, 3, 32, 0, {}},
                           {2, 101, 4, 1, 80, 0, {}},
                           {1, 600, 2, 2, 16, 37, {}},
                           {1, 1100, 2, 1, 16, 700, {}},
                           {2, 100, 2, 2, 48, 0, {0, 1, 90, 90, 131, 200}},
                           {1, 300, 2, 1, 144, 20, {0, 77, 300}}}) {
    const auto random = [&](std::int64_t heads) {
      return at::randn({each.batch, each.length, heads, each.size}).to(at::kBFloat16);
    };
    const at::Tensor query = random(each.heads), key = random(each.shared), value = random(each.shared),
                     gradient = random(each.heads);
    const auto leaf = [](const at::Tensor& t, at::ScalarType type) {
      return t.to(type).detach().clone().requires_grad_(true);
    };
    sharding::Context context;
    const bool packed = !each.bounds.empty();
    if (packed) context.document_bounds = at::tensor(each.bounds, at::kInt);
    const std::int64_t length = packed ? each.batch * each.length : each.length;
    const at::Tensor distance = at::arange(length).unsqueeze(1) - at::arange(length);
    at::Tensor visible = distance >= 0;
    if (each.window > 0) visible = visible.logical_and(distance < each.window);
    if (packed) {
      at::Tensor document = at::zeros({length}, at::kLong);
      for (std::size_t i = 1; i + 1 < each.bounds.size(); ++i) document.slice(0, each.bounds[i]).add_(1);
      visible = visible.logical_and(document.unsqueeze(1) == document);
    }
    const double scale = 1.3 / std::sqrt(static_cast<double>(each.size));
    const at::Tensor q = leaf(query, at::kBFloat16), k = leaf(key, at::kBFloat16),
                     v = leaf(value, at::kBFloat16);
    const at::Tensor made = attend(q, k, v, context, each.window, scale);
    const auto gradients = torch::autograd::grad({made}, {q, k, v}, {gradient});

    const at::Tensor dq = leaf(query, at::kDouble), dk = leaf(key, at::kDouble),
                     dv = leaf(value, at::kDouble);
    const auto whole = [&](const at::Tensor& t) {
      return packed ? t.reshape({1, length, t.size(2), t.size(3)}) : t;
    };
    const at::Tensor expected =
        plain_attention(whole(dq), whole(dk), whole(dv), visible, scale).reshape(query.sizes());
    const auto reference = torch::autograd::grad({expected}, {dq, dk, dv}, {gradient.to(at::kDouble)});
    EXPECT_LT(difference(made, expected), 1.2e-2) << each.length;
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_LT(difference(gradients[i], reference[i]), 1.5e-2) << "length " << each.length << " of " << i;
  }
}

/// Threads take pieces in whatever order they get to them; what comes out may not tell.
TEST(Pairs, AnyNumberOfThreadsMakesTheSameBits) {
  at::manual_seed(12);
  const auto random = [](at::IntArrayRef sizes) { return at::randn(sizes).to(at::kBFloat16); };
  const at::Tensor x = random({200, 1100}), weight = random({700, 1100}), dy = random({200, 700}),
                   query = random({1, 300, 6, 32}), key = random({1, 300, 2, 32}), value = key.flip(1);
  const auto make_all = [&](int threads) {
    at::set_num_threads(threads);
    const at::Tensor leaf = query.detach().clone().requires_grad_(true);
    const at::Tensor seen = attend(leaf, key, value, {}, 0, 0.2), dweight = at::ones({700, 1100}, at::kFloat);
    add_product(dy, x, dweight, true);
    return std::vector<at::Tensor>{linear({x, {}}, weight, {}, false), linear({dy, {}}, weight, {}, true),
                                   dweight, seen, torch::autograd::grad({seen}, {leaf}, {query})[0]};
  };
  const int before = at::get_num_threads();
  const std::vector<at::Tensor> expected = make_all(1);
  for (const int threads : {2, 3, 7})
    for (int again = 0; again < 3; ++again) {
      const std::vector<at::Tensor> made = make_all(threads);
      for (std::size_t i = 0; i < made.size(); ++i)
        EXPECT_TRUE(at::equal(made[i], expected[i])) << threads << " threads, result " << i;
    }
  at::set_num_threads(before);
}

/// LibTorch's memory for tensors, with each byte counted.
class Counted final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    auto* made = new Block{this, std::aligned_alloc(64, (bytes + 63) / 64 * 64 + 64), bytes};
    in_use += bytes;
    return {made->data, made, &Counted::give_back, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* into, const void* from, std::size_t count) const override {
    std::memcpy(into, from, count);
  }
  std::atomic<std::size_t> in_use = 0;  // threads pack panels of their own

 private:
  struct Block {
    Counted* owner;
    void* data;
    std::size_t bytes;
  };
  static void give_back(void* context) {
    const std::unique_ptr<Block> block(static_cast<Block*>(context));
    block->owner->in_use -= block->bytes;
    std::free(block->data);
  }
};

/// What a block's graph holds beside its input and its output is what plans count with, to the byte.
TEST(Pairs, ABlockKeepsWhatThePlanSays) {
  if (!multiplies_pairs()) GTEST_SKIP() << "this CPU has other kernels for bf16";
  static Counted counted;
  for (const std::string key_heads : {"2", "4"}) {
    const ModelSpec spec = parse_config(R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 128,
"num_attention_heads": 4, "intermediate_size": 352, "num_hidden_layers": 2, "vocab_size": 64,
"max_position_embeddings": 256, "num_key_value_heads": )" +
                                            key_heads + "}",
                                        "config.json");
    const testing::WholeModel whole =
        testing::make_whole(build_model(spec, at::kBFloat16), at::kBFloat16,
                            [](const std::string&, at::Tensor& tensor) { tensor.normal_(0.0, 0.05); });
    sharding::Context context;
    context.tokens = at::randint(64, {2, 65}, at::kLong);
    context.positions = testing::row_positions(context.tokens);
    context.gradients = c10::make_intrusive<sharding::GradientSink>();
    const at::Tensor input = at::randn({2, 65, 128}).to(at::kBFloat16).requires_grad_(true);
    const auto forward = [&] {
      return whole.model.units[1]->forward({.hidden = input, .more = {}, .loss = {}}, context,
                                           {whole.weights[1]});
    };
    // Tables of angles are made once.
    forward();
    c10::Allocator* before_us = c10::GetAllocator(c10::DeviceType::CPU);
    c10::SetAllocator(c10::DeviceType::CPU, &counted, 1);
    {
      const std::size_t before = counted.in_use;
      const sharding::Activation output = forward();
      const sharding::UnitWork work = work_of(spec, shape_here(spec, 2, 65, DType::bf16)).units[1];
      EXPECT_EQ(counted.in_use - before, work.kept_bytes + work.output_bytes) << key_heads;

      const std::size_t between = counted.in_use;
      context.kept = std::make_shared<sharding::KeptPieces>();
      const at::AutoGradMode silent(false);
      const sharding::Activation again = forward();
      EXPECT_LT(counted.in_use - between - work.attention_bytes - work.output_bytes, 128u) << key_heads;
      context.kept.reset();
    }
    EXPECT_EQ(counted.in_use.load(), 0u);
    c10::SetAllocator(c10::DeviceType::CPU, before_us, 1);
  }
}

}  // namespace
}  // namespace trireme::model
