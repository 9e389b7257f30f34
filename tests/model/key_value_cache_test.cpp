#include "model/key_value_cache.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model/attention.h"
#include "model/config.h"
#include "tests/model/tiny_config.h"
#include "tests/model/whole_model.h"

namespace trireme::model {
namespace {

/// Logits of the last positions, from a whole pass and from passes over parts.
void expect_same_logits(const std::string& more, const std::vector<std::int64_t>& parts) {
  const ModelSpec spec = parse_config(testing::llama_config(more), "config.json");
  at::manual_seed(3);
  const testing::WholeModel whole =
      testing::make_whole(build_model(spec), at::kFloat,
                          [](const std::string&, at::Tensor& tensor) { tensor.normal_(0.0, 0.3); });
  const at::NoGradGuard guard;
  std::int64_t length = 0;
  for (const std::int64_t part : parts) length += part;
  const at::Tensor tokens = at::randint(64, {1, length}, at::kLong);
  const auto logits = [&](std::int64_t begin, std::int64_t count,
                          std::shared_ptr<sharding::UnitMemory> memory) {
    sharding::Context context;
    context.tokens = tokens.narrow(1, begin, count);
    context.positions = at::arange(begin, begin + count, at::kLong).unsqueeze(0);
    context.memory = std::move(memory);
    return whole.forward(context).hidden;
  };
  const at::Tensor expected = logits(0, length, nullptr);
  const auto cache = std::make_shared<KeyValueCache>(spec.layers, length);
  std::int64_t at = 0;
  for (const std::int64_t part : parts) {
    const at::Tensor got = logits(at, part, cache);
    EXPECT_LT((got - expected.narrow(1, at, part)).abs().max().item<double>(), 1e-4) << at;
    at += part;
  }
  EXPECT_EQ(cache->length(0), length);
}

TEST(KeyValueCache, PartsGiveTheLogitsOfTheWhole) {
  expect_same_logits("", {7, 1, 1, 1, 4, 1});
}

TEST(KeyValueCache, AWindowHoldsInPartsToo) {
  at::manual_seed(5);
  const at::Tensor query = at::randn({1, 2, 4, 8}), key = at::randn({1, 9, 2, 8}),
                   value = at::randn({1, 9, 2, 8});
  const at::Tensor all = at::cat({at::zeros({1, 7, 4, 8}), query}, 1);
  const sharding::Context context;
  const at::Tensor expected = attend(all, key, value, context, 3, 0.3).narrow(1, 7, 2);
  EXPECT_LT((attend_to_past(query, key, value, 3, 0.3) - expected).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace trireme::model
