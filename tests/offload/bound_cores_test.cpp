#include <gtest/gtest.h>
#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include "offload/host/numa.h"

namespace trireme::offload {
namespace {

/// Of the process that started this one, which OpenMP has not bound.
std::vector<int> cores_of_parent() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<int> cores;
  if (::sched_getaffinity(::getppid(), sizeof(allowed), &allowed) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(static_cast<std::size_t>(core), &allowed)) cores.push_back(core);
  return cores;
}

TEST(BoundCores, OpenMPsBindingOfTheFirstThreadHidesNoCores) {
  if (omp_get_num_places() == 0) GTEST_SKIP() << "run it with OMP_PROC_BIND=true";
  EXPECT_EQ(allowed_cores(), cores_of_parent());
}

}  // namespace
}  // namespace trireme::offload
