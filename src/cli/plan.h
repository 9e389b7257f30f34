#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/job_spec.h"
#include "model/spec.h"
#include "sharding/predict/search.h"

namespace trireme::cli {

/// The machine that a plan is for, as the command line tells it.
struct MachineWords {
  int nodes = 1, gpus_per_node = 1;
  std::string gpu = "cpu", software = "trireme", link;
  std::string file, calibrate;
  std::vector<std::string> figures;
};
sharding::Machine machine_of(const MachineWords& words);
/// The row of the table that the figures of a file are to be counted with; empty: it does not say.
std::string device_in(const std::string& machine_file);
/// "400g": 400 Gbit/s for each device. Bytes a second.
double link_bytes_per_s(const std::string& text);

/// What is planned of a job: its model, from a folder, a config.json or a known name, without weights.
class Planned {
 public:
  /// `on_cpu`: with the kernels of this machine's CPU.
  Planned(const jobs::JobSpec& job, const model::ModelSpec& spec, sharding::Codec compute, bool on_cpu);
  const sharding::Subject& subject() const { return subject_; }

 private:
  model::ModelSpec spec_;
  sharding::Model model_, quantised_;
  sharding::Subject subject_;
  std::unique_ptr<Planned> when_split_;
};
/// What the job's optimizer keeps.
std::vector<sharding::StateKind> states_of(const jobs::JobSpec& job);
model::ModelSpec spec_of(const std::string& base_model, std::int64_t positions);
/// Nothing can change or forbid an update once its gradient is there.
bool updates_when_reduced(const jobs::JobSpec& job);
/// What the job says, or so many parts of an update that `offload.nvme_depth` requests are on their way while
/// one part is updated.
int parts_in_memory(const jobs::JobSpec& job);
/// `cores`: that the ranks of a node have together; 0: nobody knows.
sharding::Setting setting_of(const jobs::JobSpec& job, const sharding::Extent& extent,
                             sharding::Codec compute, int cores);
/// Of a node whose ranks compute on its cores: as the machine's figures say, or as the job asks of Slurm; 0:
/// neither does.
int cores_of_node(const sharding::Machine& machine, const jobs::SlurmChoice& slurm);
/// Lanes run beside computation on cores that no rank computes on, or wait there for other hosts.
int reduce_depth_of(const jobs::JobSpec& job, const sharding::Extent& extent, int cores);

/// bf16 where the job says so or the device is faster with it; fp16 takes the same room, but on a host.
sharding::Codec planned_compute_type(const jobs::JobSpec& job, const std::string& gpu);
/// All placements that suit the job, at its rows a step.
sharding::Choices choices_of(const jobs::JobSpec& job, const sharding::Extent& extent,
                             sharding::Codec compute);

void print_forecast(const sharding::Forecast& forecast, const sharding::Machine& machine);
void print_ranking(const sharding::Ranking& ranking);
std::string json_of(const sharding::Forecast& forecast);
/// What a rank sends in a step of each preset, by purpose and link, beside the formulas.
void print_volumes(const sharding::Subject& subject, const sharding::Setting& setting,
                   const std::vector<std::string>& presets, bool json);
/// DeepSpeed's own two tables for ZeRO-2 and ZeRO-3.
void print_deepspeed_estimates(const sharding::Model& model, int nodes, int gpus_per_node);

/// Predicted against published throughput, from a CSV of published runs.
int validate_plan(const std::string& file, const std::vector<std::string>& figures, bool json);

}  // namespace trireme::cli
