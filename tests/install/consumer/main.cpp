#include <cstdio>
#include <numeric>

#include <comm/mpi/mpi_world.h>

int main(int argc, char** argv) {
  using namespace trireme;
  const comm::MpiRuntime runtime(&argc, &argv);
  comm::MpiWorld world(runtime);
  comm::Group everyone;
  everyone.ranks.resize(static_cast<std::size_t>(world.size()));
  std::iota(everyone.ranks.begin(), everyone.ranks.end(), 0);
  const auto communicator = world.communicator(everyone, "auto", {});
  float sum = static_cast<float>(world.rank() + 1);
  communicator->all_reduce(&sum, &sum, 1, DType::f32, comm::Reduction::sum);
  if (world.rank() == 0) std::printf("sum over %d ranks: %g\n", world.size(), static_cast<double>(sum));
  return sum == static_cast<float>(world.size() * (world.size() + 1) / 2) ? 0 : 1;
}
