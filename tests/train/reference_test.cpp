#include <boost/json/parse.hpp>
#include <cstdlib>
#include <map>
#include <mutex>
#include <numeric>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "comm/threads/thread_world.h"
#include "io/file.h"
#include "model/build.h"
#include "optim/adamw.h"
#include "sharding/presets.h"
#include "train/document_rows.h"
#include "train/pretrained.h"
#include "train/row_batches.h"
#include "train/token_rows.h"
#include "train/trainer.h"

namespace trireme::train {
namespace {

namespace fs = std::filesystem;

/// Another folder of the same kind may be named in the environment.
fs::path reference_folder() {
  const char* other = std::getenv("TRIREME_REFERENCE");
  return other ? fs::path(other) : fs::path(TRIREME_GOLDEN) / "reference";
}

struct Reference {
  boost::json::value record = boost::json::parse(io::read_text(reference_folder() / "reference.json"));
  const boost::json::object& recipe() const { return record.at("recipe").as_object(); }
  double at_step(const char* what, std::int64_t step) const {
    return record.at(what).as_array().at(static_cast<std::size_t>(step - 1)).as_double();
  }
};

/// A rank's engine and loop over the reference's model and tokens.
RowBatches reference_rows(const Reference& reference, RowOrder order = {}) {
  order.sequence_len = reference.recipe().at("sequence").as_int64();
  const std::int64_t vocabulary = Pretrained(reference_folder()).spec().vocabulary;
  return {std::make_unique<TokenRows>(reference_folder() / "tokens.npy", order.sequence_len, vocabulary),
          order};
}

class Rig {
 public:
  Rig(const Reference& reference, const sharding::Placement& placement, comm::World& world, int micro_batches)
      : pretrained_(reference_folder()),
        tokens_(reference_rows(reference)),
        engine_(model::build_model(pretrained_.spec(), placement.parameters.codec == sharding::Codec::bf16
                                                           ? at::kBFloat16
                                                           : at::kFloat),
                placement, std::make_unique<optim::AdamW>(optim::AdamWSettings{}), world),
        trainer_(engine_, tokens_, shape_of(reference, world, micro_batches), settings_of(reference)) {}

  void load() {
    engine_.load([this](const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into) {
      pretrained_.read(parameter.name, static_cast<std::uint64_t>(begin), DType::f32,
                       std::as_writable_bytes(into));
    });
  }
  Trainer& trainer() { return trainer_; }
  sharding::Engine& engine() { return engine_; }

 private:
  static BatchShape shape_of(const Reference& reference, const comm::World& world, int micro_batches) {
    BatchShape shape;
    shape.rank = world.rank(), shape.ranks = world.size(), shape.micro_batches = micro_batches;
    shape.rows_per_step = reference.recipe().at("global_batch").as_int64();
    const std::int64_t parts = static_cast<std::int64_t>(world.size()) * micro_batches;
    shape.micro_batch_size = (shape.rows_per_step + parts - 1) / parts;
    return shape;
  }
  static TrainerSettings settings_of(const Reference& reference) {
    TrainerSettings settings;
    settings.total_steps = reference.recipe().at("steps").as_int64();
    settings.rate.peak = reference.recipe().at("lr").as_double();
    return settings;
  }

  train::Pretrained pretrained_;
  RowBatches tokens_;
  sharding::Engine engine_;
  Trainer trainer_;
};

void expect_reference(const sharding::Placement& placement, int ranks, int micro_batches) {
  const Reference reference;
  const std::string what =
      fmt::format("{} on {} ranks, {} micro-batches", placement.name, ranks, micro_batches);
  comm::run_ranks(ranks, [&](comm::World& world) {
    Rig run(reference, placement, world, micro_batches);
    run.load();
    run.trainer().run([&](const StepMetrics& metrics) {
      EXPECT_NEAR(metrics.loss / reference.at_step("loss", metrics.step), 1.0, 1e-5)
          << what << ", step " << metrics.step;
      EXPECT_NEAR(metrics.grad_norm / reference.at_step("grad_l2", metrics.step), 1.0, 1e-3)
          << what << ", step " << metrics.step;
      return true;
    });
  });
}

TEST(Reference, DdpAndZero3HaveTheLossesThatPyTorchHad) {
  for (const char* name : {"ddp", "zero3"})
    for (const int ranks : {1, 2, 3, 4})
      for (const int micro_batches : {1, 2})
        expect_reference(sharding::preset(name, sharding::Codec::fp32), ranks, micro_batches);
}

TEST(Reference, TheOtherPresetsToo) {
  for (const char* name : {"zero1", "zero2", "fsdp_grad_op", "hsdp", "mics", "hpz", "zero_offload"}) {
    auto placement = sharding::preset(name, sharding::Codec::fp32);
    placement.activations = sharding::Activations::recomputed;
    expect_reference(placement, 2, 2);
  }
}

TEST(Reference, Bf16FollowsIt) {
  const Reference reference;
  comm::run_ranks(2, [&](comm::World& world) {
    Rig run(reference, sharding::preset("zero3", sharding::Codec::bf16), world, 1);
    run.load();
    run.trainer().run([&](const StepMetrics& metrics) {
      EXPECT_NEAR(metrics.loss / reference.at_step("loss", metrics.step), 1.0, 2e-3) << metrics.step;
      return true;
    });
  });
}

TEST(Reference, WhatIsComputedAgainAndWhatIsKeptChangesNoBit) {
  const Reference reference;
  std::map<sharding::Activations, std::vector<double>> curves;
  for (const auto activations : {sharding::Activations::kept, sharding::Activations::recomputed,
                                 sharding::Activations::recomputed_except_attention})
    comm::run_ranks(2, [&](comm::World& world) {
      auto placement = sharding::preset("zero3", sharding::Codec::fp32);
      placement.activations = activations;
      Rig run(reference, placement, world, 2);
      run.load();
      run.trainer().run([&](const StepMetrics& metrics) {
        if (world.rank() == 0)
          curves[activations].insert(curves[activations].end(), {metrics.loss, metrics.grad_norm});
        return metrics.step < 5;
      });
    });
  const auto& kept = curves.at(sharding::Activations::kept);
  EXPECT_EQ(kept.size(), 10u);
  EXPECT_EQ(kept, curves.at(sharding::Activations::recomputed));
  EXPECT_EQ(kept, curves.at(sharding::Activations::recomputed_except_attention));
}

TEST(Trainer, GoesOnFromItsStateOnOtherRanksAsIfNeverStopped) {
  const Reference reference;
  std::map<std::string, std::vector<float>> saved;
  TrainerState state;
  std::mutex mutex;
  const auto key = [](const sharding::StateSlice& slice) {
    return slice.parameter->name + "/" + slice.state;
  };
  comm::run_ranks(3, [&](comm::World& world) {
    Rig run(reference, sharding::preset("zero3", sharding::Codec::fp32), world, 1);
    run.load();
    run.trainer().run([](const StepMetrics& metrics) { return metrics.step < 7; });
    const std::lock_guard lock(mutex);
    state = run.trainer().state();
    run.engine().for_each_slice([&](const sharding::StateSlice& slice) {
      auto& values = saved[key(slice)];
      values.resize(static_cast<std::size_t>(sharding::element_count(*slice.parameter)));
      std::copy_n(reinterpret_cast<const float*>(slice.data), slice.count, values.begin() + slice.begin);
    });
  });
  comm::run_ranks(2, [&](comm::World& world) {
    Rig run(reference, sharding::preset("zero1", sharding::Codec::fp32), world, 2);
    run.engine().for_each_slice([&](const sharding::StateSlice& slice) {
      std::copy_n(saved.at(key(slice)).begin() + slice.begin, slice.count,
                  reinterpret_cast<float*>(slice.data));
    });
    run.engine().publish();
    run.trainer().restore(state);
    std::int64_t steps = 0;
    run.trainer().run([&](const StepMetrics& metrics) {
      EXPECT_NEAR(metrics.loss / reference.at_step("loss", metrics.step), 1.0, 1e-5) << metrics.step;
      return ++steps < 100;
    });
    EXPECT_EQ(steps, 13);
  });
}

TEST(Trainer, EvaluationIsTheLossOfTheNextStep) {
  const Reference reference;
  comm::run_ranks(2, [&](comm::World& world) {
    Rig run(reference, sharding::preset("zero3", sharding::Codec::fp32), world, 1);
    run.load();
    const RowBatches tokens = reference_rows(reference);
    EXPECT_NEAR(run.trainer().evaluate(tokens, 1).loss / reference.at_step("loss", 1), 1.0, 1e-5);
  });
}

TEST(RowBatches, DealsEachRowOnceHoweverManyRanks) {
  const Reference reference;
  const std::int64_t length = reference.recipe().at("sequence").as_int64();
  const RowBatches rows = reference_rows(reference, {.sequence_len = length, .seed = 5, .shuffle = true});
  const auto all_rows = [&](int ranks, std::int64_t micro_batch_size, int micro_batches,
                            std::int64_t per_step) {
    std::multiset<std::vector<std::int64_t>> seen;
    for (int rank = 0; rank < ranks; ++rank) {
      const BatchShape shape{rank, ranks, micro_batch_size, micro_batches, per_step};
      for (std::int64_t step = 1; step <= rows.steps_per_epoch(shape); ++step)
        for (const auto& context : rows.batch(step, shape))
          for (std::int64_t row = 0; row < micro_batch_size; ++row) {
            if (context.labels[row][0].item<std::int64_t>() == -100) continue;
            const auto* tokens = context.tokens.data_ptr<std::int64_t>() + row * length;
            seen.emplace(tokens, tokens + length);
          }
    }
    return seen;
  };
  const auto one = all_rows(1, 1, 1, 1);
  EXPECT_EQ(static_cast<std::int64_t>(one.size()), rows.steps_per_epoch({0, 1, 1, 1, 1}));
  EXPECT_EQ(all_rows(3, 2, 2, 11), one);
  EXPECT_EQ(all_rows(2, 3, 1, 6), one);
}

io::Documents random_documents(std::int64_t longest) {
  std::mt19937 random(3);
  io::Documents documents;
  for (int i = 0; i < 23; ++i) {
    std::vector<std::int32_t> ids(
        std::uniform_int_distribution<std::size_t>(2, static_cast<std::size_t>(longest))(random));
    std::vector<std::uint8_t> scored(ids.size());
    for (auto& id : ids) id = std::uniform_int_distribution(0, 255)(random);
    for (auto& score : scored) score = std::uniform_int_distribution(0, 2)(random) > 0;
    documents.add(ids, scored);
  }
  return documents;
}

TEST(DocumentRows, PackedDocumentsHaveTheLossThatTheyHaveAlone) {
  const Reference reference;
  const std::int64_t length = reference.recipe().at("sequence").as_int64();
  for (const int ranks : {1, 2})
    comm::run_ranks(ranks, [&](comm::World& world) {
      Rig run(reference, sharding::preset("zero3", sharding::Codec::fp32), world, 1);
      run.load();
      double loss[2] = {};
      std::int64_t rows[2] = {};
      for (const bool packed : {false, true}) {
        const auto documents = std::make_shared<io::Documents>(random_documents(length));
        std::vector<std::uint32_t> all(documents->size());
        std::iota(all.begin(), all.end(), 0U);
        auto source = std::make_unique<DocumentRows>(documents, all, length, packed);
        rows[packed] = source->rows();
        const RowBatches batches(std::move(source), {.sequence_len = length});
        loss[packed] = run.trainer().evaluate(batches, batches.steps_per_epoch(run.trainer().shape())).loss;
      }
      EXPECT_LT(rows[1], rows[0]);
      EXPECT_NEAR(loss[1] / loss[0], 1.0, 1e-6);
    });
}

}  // namespace
}  // namespace trireme::train
