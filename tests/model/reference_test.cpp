#include <boost/json/parse.hpp>
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "io/file.h"
#include "io/npy.h"
#include "tests/model/whole_model.h"

namespace trireme::model {
namespace {

namespace fs = std::filesystem;
using trireme::testing::load_whole;
using trireme::testing::row_positions;
using trireme::testing::shifted;
using trireme::testing::WholeModel;

at::Tensor batch_of(const io::NpyFile& file, std::int64_t step) {
  const std::int64_t batch = file.shape()[1], length = file.shape()[2];
  at::Tensor tokens = at::empty({batch, length}, at::kLong);
  file.read(static_cast<std::uint64_t>(step * batch * length),
            {tokens.data_ptr<std::int64_t>(), static_cast<std::size_t>(batch * length)});
  return tokens;
}

struct AdamW {
  double rate;
  std::vector<at::Tensor> first, second;

  void update(std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& gradients, int step) {
    const at::NoGradGuard guard;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (first.size() <= i)
        first.push_back(at::zeros_like(gradients[i])), second.push_back(at::zeros_like(gradients[i]));
      first[i].mul_(0.9).add_(gradients[i], 0.1);
      second[i].mul_(0.999).addcmul_(gradients[i], gradients[i], 0.001);
      const at::Tensor root = (second[i] / (1 - std::pow(0.999, step))).sqrt_().add_(1e-8);
      parameters[i].addcdiv_(first[i], root, -rate / (1 - std::pow(0.9, step)));
    }
  }
};

/// Another folder of the same kind may be named in the environment.
fs::path reference_folder() {
  const char* other = std::getenv("TRIREME_REFERENCE");
  return other ? fs::path(other) : fs::path(TRIREME_GOLDEN) / "reference";
}

TEST(Reference, TwentyStepsHaveTheLossesThatPyTorchHad) {
  const fs::path folder = reference_folder();
  const auto record = boost::json::parse(io::read_text(folder / "reference.json"));
  const auto& losses = record.at("loss").as_array();
  const auto& norms = record.at("grad_l2").as_array();
  const WholeModel whole = load_whole(train::Pretrained(folder));
  const io::NpyFile tokens(folder / "tokens.npy");
  std::vector<at::Tensor> leaves;
  for (const auto& group : whole.weights) leaves.insert(leaves.end(), group.begin(), group.end());
  AdamW optimizer{record.at("recipe").at("lr").as_double(), {}, {}};
  for (std::size_t step = 0; step < losses.size(); ++step) {
    sharding::Context context;
    context.tokens = batch_of(tokens, static_cast<std::int64_t>(step));
    context.positions = row_positions(context.tokens);
    context.labels = shifted(context.tokens);
    context.loss_weight = 1.0 / context.labels.ne(-100).sum().item<double>();
    const at::Tensor loss = whole.forward(context).loss;
    EXPECT_NEAR(loss.item<double>() / losses[step].as_double(), 1.0, 1e-5) << "step " << step;
    const auto gradients = torch::autograd::grad({loss}, leaves);
    double squares = 0;
    for (const at::Tensor& gradient : gradients)
      squares += gradient.to(at::kDouble).square().sum().item<double>();
    EXPECT_NEAR(std::sqrt(squares) / norms[step].as_double(), 1.0, 1e-4) << "step " << step;
    optimizer.update(leaves, gradients, static_cast<int>(step) + 1);
  }
  EXPECT_EQ(losses.size(), 20u);
}

}  // namespace
}  // namespace trireme::model
