#pragma once
#include <algorithm>
#include <barrier>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "cuda/apis.h"
#include "cuda/kernels/compute_api.h"
#include "tests/nccl_double/host_compute.h"
#include "tests/nccl_double/host_cuda.h"

namespace trireme::tests {

/// Threads of the host as a group of a device's: they run beside each other and meet only where they say so.
class HostGroup {
 public:
  struct Team {
    explicit Team(int members) : meeting(members), values(static_cast<std::size_t>(members)) {}
    int members() const { return static_cast<int>(values.size()); }
    std::barrier<> meeting;
    std::vector<double> values;
  };
  static constexpr int fewest = 1;

  HostGroup(Team& team, int thread, std::int64_t block, std::int64_t blocks)
      : team_(&team), thread_(thread), block_(block), blocks_(blocks) {}
  std::int64_t block() const { return block_; }
  std::int64_t blocks() const { return blocks_; }
  int thread() const { return thread_; }
  int threads() const { return team_->members(); }
  void sync() const { team_->meeting.arrive_and_wait(); }
  template <typename T>
  T sum(T value) const {
    return reduce(value, [](T a, T b) { return a + b; });
  }
  template <typename T>
  T max(T value) const {
    return reduce(value, [](T a, T b) { return std::max(a, b); });
  }

 private:
  template <typename T, typename Join>
  T reduce(T value, const Join& join) const {
    sync();
    team_->values[static_cast<std::size_t>(thread_)] = static_cast<double>(value);
    sync();
    value = static_cast<T>(team_->values[0]);
    for (std::size_t other = 1; other < team_->values.size(); ++other)
      value = join(value, static_cast<T>(team_->values[other]));
    return value;
  }

  Team* team_;
  int thread_;
  std::int64_t block_, blocks_;
};

/// Carries a device's kernels out on the calling thread, or on as many as a test asks for, before it returns.
class HostLauncher {
 public:
  using Brain = BFloat16;
  using Half = Float16;

  template <typename Kernel>
  static cudaError_t run(const Kernel& kernel, std::int64_t groups, cudaStream_t stream) {
    if (!may_launch(groups, stream)) return cudaErrorInvalidValue;
    const HostLaunch launch = host_launch();
    const std::int64_t launched = std::min<std::int64_t>(groups, launch.most_groups);
    HostGroup::Team team(launch.threads);
    const auto memory = garbage<Kernel>();
    const auto work = [&](int thread) {
      if constexpr (requires { sizeof(typename Kernel::Tables); }) {
        kernel.fill(*memory, thread, team.members());
        team.meeting.arrive_and_wait();
      }
      for (std::int64_t block = 0; block < launched; ++block) {
        const HostGroup group(team, thread, block, launched);
        if constexpr (std::is_same_v<Memory<Kernel>, Nothing>) {
          kernel(group);
        } else {
          kernel(group, *memory);
        }
        // What a group left behind is not the next one's.
        team.meeting.arrive_and_wait();
      }
    };
    std::vector<std::thread> others;
    for (int thread = 1; thread < launch.threads; ++thread) others.emplace_back(work, thread);
    work(0);
    for (std::thread& other : others) other.join();
    return host_cuda_take_last_error();
  }

 private:
  struct Nothing {};
  template <typename Kernel>
  static auto memory_of() {
    if constexpr (requires { sizeof(typename Kernel::Tables); }) {
      return typename Kernel::Tables();
    } else if constexpr (requires { sizeof(typename Kernel::Shared); }) {
      return typename Kernel::Shared();
    } else {
      return Nothing();
    }
  }
  template <typename Kernel>
  using Memory = decltype(memory_of<Kernel>());
  template <typename Kernel>
  static std::unique_ptr<Memory<Kernel>> garbage() {
    auto memory = std::make_unique<Memory<Kernel>>();
    std::memset(memory.get(), 0xcd, sizeof *memory);
    return memory;
  }
  /// Waits for what was put into the stream before.
  static bool may_launch(std::int64_t groups, cudaStream_t stream);
};

}  // namespace trireme::tests
