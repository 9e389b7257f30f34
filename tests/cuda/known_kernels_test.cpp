#include "cuda/kernels/known_kernels.h"

#include <set>

#include <gtest/gtest.h>

namespace {

std::set<const void*>& registered() {
  static std::set<const void*> kernels;
  return kernels;
}

}  // namespace

/// In the place of the runtime's, to which the compiler's own code names each kernel that there is.
extern "C" void __cudaRegisterFunction(void**, const char* host_function, char*, const char*, int, uint3*,
                                       uint3*, dim3*, dim3*, int*) {
  registered().insert(host_function);
}

namespace trireme::cuda {
namespace {

TEST(KnownKernels, AreAllThatThereAre) {
  EXPECT_GT(registered().size(), 20u);
  EXPECT_EQ(std::set<const void*>(known_kernels().begin(), known_kernels().end()), registered());
  EXPECT_EQ(known_kernels().size(), registered().size());
}

}  // namespace
}  // namespace trireme::cuda
