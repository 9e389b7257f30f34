#pragma once
#include <memory>
#include <optional>
#include <string>

#include "comm/mpi/mpi_world.h"
#include "comm/through_host/either_world.h"
#include "core/plugin.h"
#include "jobs/job_spec.h"

namespace trireme::cli {

/// What a model is given of the ranks.
struct Worlds {
  comm::World& computing;  ///< moves what is computed on
  comm::World& hosts;      ///< moves the host's memory
  int gpu_numa = -1;       ///< of this rank's GPU; -1: not known
};

/// The ranks of a job, and what each of them computes on: a GPU of its own, or the host where there is none.
class Ranks {
 public:
  /// Every rank calls it, before its first tensor operation. Throws on all ranks alike where the job asks for
  /// GPUs and a rank cannot have one.
  Ranks(const comm::MpiRuntime& runtime, const jobs::JobSpec& job);

  Worlds worlds() { return {either_ ? static_cast<comm::World&>(*either_) : hosts_, hosts_, gpu_numa_}; }
  comm::World& hosts() { return hosts_; }
  /// Null: the host.
  const Device* device() const { return device_.get(); }

 private:
  struct Plugin {
    DevicePlugin* opened = nullptr;
    std::string problem;
  };
  static Plugin open_plugin(const jobs::JobSpec& job);
  /// Why this rank has no GPU; empty: it has one.
  std::string open_device();
  bool somebody_sees_a_gpu() const;

  Plugin plugin_;
  comm::MpiWorld hosts_;
  int gpu_numa_ = -1;
  std::unique_ptr<Device> device_;
  std::unique_ptr<comm::World> devices_;
  std::optional<comm::EitherWorld> either_;
  std::optional<ComputingOn> computing_;
};

}  // namespace trireme::cli
