#include "tests/exactness/run.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>

#include "comm/threads/thread_world.h"
#include "io/npy.h"
#include "model/build.h"
#include "model/nf4.h"
#include "optim/adamw.h"
#include "train/document_rows.h"
#include "train/nf4_source.h"
#include "train/pretrained.h"
#include "train/row_batches.h"
#include "train/saved_state.h"
#include "train/trainer.h"

namespace trireme::exactness {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t sequence = 64, rows_a_step = 7, steps = 20;
constexpr std::uint64_t adapter_seed = 5;

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "trireme-exactness-XXXXXX").string();
    if (mkdtemp(name.data())) path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::shared_ptr<io::Documents> documents_from(const fs::path& tokens) {
  const io::NpyFile file(tokens);
  std::vector<std::int64_t> stream(file.elements());
  file.read(0, stream);
  std::mt19937 random(7);
  auto documents = std::make_shared<io::Documents>();
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t length = std::min<std::size_t>(5 + random() % (sequence - 4), stream.size() - at);
    const auto first = stream.begin() + static_cast<std::ptrdiff_t>(at);
    std::vector<std::int32_t> ids(first, first + static_cast<std::ptrdiff_t>(length));
    std::vector<std::uint8_t> scored(length);
    for (auto& score : scored) score = random() % 4 != 0;
    documents->add(ids, scored);
    at += length;
  }
  return documents;
}

train::RowBatches batches_from(const fs::path& model_folder) {
  const auto documents = documents_from(model_folder / "tokens.npy");
  std::vector<std::uint32_t> all(documents->size());
  std::iota(all.begin(), all.end(), 0U);
  return {std::make_unique<train::DocumentRows>(documents, all, sequence, false),
          {.sequence_len = sequence, .seed = 3, .shuffle = true}};
}

train::BatchShape shape_of(const Case& one, const comm::World& world) {
  train::BatchShape shape;
  shape.rank = world.rank(), shape.ranks = world.size();
  shape.micro_batches = one.micro_batches, shape.rows_per_step = rows_a_step;
  const std::int64_t parts = static_cast<std::int64_t>(shape.ranks) * shape.micro_batches;
  shape.micro_batch_size = (rows_a_step + parts - 1) / parts;
  return shape;
}

std::optional<model::LoraSettings> adapters_of(const Case& one) {
  if (one.tuning == Tuning::full) return {};
  model::LoraSettings lora;
  lora.rank = 4, lora.alpha = 8;
  lora.four_bit_base = one.tuning == Tuning::qlora;
  return lora;
}

class Rig {
 public:
  Rig(const Case& one, const fs::path& model_folder, const fs::path& drive, comm::World& world)
      : pretrained_(model_folder),
        engine_(model::build_model(spec_of(pretrained_.spec(), one),
                                   one.compute == sharding::Codec::bf16 ? at::kBFloat16 : at::kFloat,
                                   adapters_of(one)),
                placement_of(one), std::make_unique<optim::AdamW>(optim::AdamWSettings{}), world,
                options_with(drive)) {
    train::Nf4Source in_four_bits(pretrained_);
    engine_.load([&](const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into) {
      if (model::is_nf4(parameter.name)) return in_four_bits.read(parameter, begin, into);
      if (model::is_lora_a(parameter.name) || model::is_lora_b(parameter.name))
        return model::initial_lora(parameter, adapter_seed, begin, into);
      pretrained_.read(parameter.name, static_cast<std::uint64_t>(begin), DType::f32,
                       std::as_writable_bytes(into));
    });
  }
  sharding::Engine& engine() { return engine_; }

  /// What all ranks together hold of each trained parameter, one rank after the other.
  void collect(std::map<std::string, std::vector<float>>& into) {
    for (const sharding::StateSlice& slice : train::trained_slices(engine_)) {
      if (slice.state != "parameter") continue;
      auto& values = into[slice.parameter->name];
      values.resize(static_cast<std::size_t>(sharding::element_count(*slice.parameter)));
      slice.read(0, std::as_writable_bytes(
                        std::span(values.data() + slice.begin, static_cast<std::size_t>(slice.count))));
    }
  }

 private:
  static model::ModelSpec spec_of(model::ModelSpec spec, const Case& one) {
    spec.vocabulary_chunk = one.vocabulary_chunk;
    return spec;
  }
  static sharding::EngineOptions options_with(const fs::path& drive) {
    sharding::EngineOptions options;
    options.tiers.nvme_paths = {drive};
    return options;
  }

  train::Pretrained pretrained_;
  sharding::Engine engine_;
};

Run run_of(const Case& one, const fs::path& model_folder, std::int64_t total_steps) {
  const train::RowBatches batches = batches_from(model_folder);
  const ScratchFolder drive;
  Run run;
  std::mutex mutex;
  comm::run_ranks(
      one.ranks,
      [&](comm::World& world) {
        Rig rig(one, model_folder, drive.path(), world);
        train::TrainerSettings settings;
        settings.total_steps = total_steps;
        settings.rate.peak = 1e-3;
        settings.max_norm = 1.0;
        train::Trainer trainer(rig.engine(), batches, shape_of(one, world), settings);
        if (total_steps > 0)
          trainer.run([&](const train::StepMetrics& metrics) {
            if (world.rank() == 0) run.losses.push_back(metrics.loss);
            return true;
          });
        const std::lock_guard lock(mutex);
        rig.collect(run.parameters);
      },
      nodes_of(one.ranks));
  return run;
}

double squared_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

}  // namespace

Run train(const Case& one, const fs::path& model_folder) {
  return run_of(one, model_folder, steps);
}

const References::Known& References::known(const Case& reference) {
  for (const Known& known : known_)
    if (known.of == reference) return known;
  return known_.emplace_back(
      Known{reference, train(reference, model_folder_), run_of(reference, model_folder_, 0)});
}

Difference References::from(const Case& one, const Run& run) {
  const Known& one_rank = known(reference_of(one));
  const Run &reference = one_rank.run, &beginning = one_rank.beginning;
  constexpr double incomparable = std::numeric_limits<double>::infinity();
  if (run.losses.size() != reference.losses.size() || run.parameters.size() != reference.parameters.size())
    return {incomparable, incomparable};
  Difference worst;
  for (std::size_t step = 0; step < run.losses.size(); ++step) {
    const double here = std::abs(run.losses[step] / reference.losses[step] - 1.0);
    worst.loss = here <= worst.loss ? worst.loss : here;  // a NaN is the worst
  }
  double apart = 0, moved = 0;
  for (const auto& [name, values] : reference.parameters) {
    const auto found = run.parameters.find(name);
    if (found == run.parameters.end() || found->second.size() != values.size())
      return {incomparable, incomparable};
    apart += squared_distance(found->second, values);
    moved += squared_distance(beginning.parameters.at(name), values);
  }
  worst.parameters = std::sqrt(apart / moved);
  return worst;
}

Difference allowed(const Case& one) {
  const sharding::Placement placement = placement_of(one);
  const auto quantised = [](const sharding::State& state) {
    return state.wire != sharding::Wire::raw && state.wire != sharding::Wire::fp32;
  };
  if (quantised(placement.parameters) || quantised(placement.gradients)) return {1e-2, 0.6};
  if (one.compute == sharding::Codec::bf16) return {2e-3, 1e-2};
  return {1e-5, 1e-4};
}

}  // namespace trireme::exactness
