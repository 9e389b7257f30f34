#include "sharding/tensor_memory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace trireme::sharding {
namespace {

TEST(TensorMemory, WhatDiesIsHandedToTheNextOfItsSize) {
  keep_tensor_memory();
  const void* first = at::empty({1 << 20}, at::kFloat).data_ptr();
  const std::size_t reserved = tensor_memory().reserved;
  const at::Tensor again = at::empty({1 << 20}, at::kFloat);
  EXPECT_EQ(again.data_ptr(), first);
  EXPECT_EQ(tensor_memory().reserved, reserved);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0u);
}

TEST(TensorMemory, CountsWhatIsInUseAndTheMostThatWas) {
  keep_tensor_memory();
  const std::size_t before = tensor_memory().in_use;
  forget_peak();
  constexpr std::size_t bytes = std::size_t{3} << 20;
  {
    const at::Tensor one = at::empty({bytes}, at::kByte), two = at::empty({bytes}, at::kByte);
    EXPECT_GE(tensor_memory().in_use, before + 2 * bytes);
    EXPECT_LE(tensor_memory().in_use, before + 2 * bytes + bytes / 2);
  }
  EXPECT_EQ(tensor_memory().in_use, before);
  EXPECT_GE(tensor_memory().peak, before + 2 * bytes);
  forget_peak();
  EXPECT_EQ(tensor_memory().peak, before);
}

TEST(TensorMemory, EmptyAndResizedTensorsWork) {
  keep_tensor_memory();
  EXPECT_EQ(at::empty({0}, at::kFloat).numel(), 0);
  at::Tensor grown = at::zeros({10}, at::kFloat);
  grown.resize_({100000});
  grown.fill_(2);
  EXPECT_EQ(grown.sum().item<double>(), 200000.0);
}

}  // namespace
}  // namespace trireme::sharding
