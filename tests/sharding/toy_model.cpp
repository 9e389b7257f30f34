#include "tests/sharding/toy_model.h"

#include <cmath>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

namespace trireme::sharding::tests {
namespace {

class ToyUnit : public Unit {
 public:
  ToyUnit(std::string name, std::vector<int> groups) : name_(std::move(name)), groups_(std::move(groups)) {}
  const std::string& name() const override { return name_; }
  const std::vector<int>& groups() const override { return groups_; }

 private:
  std::string name_;
  std::vector<int> groups_;
};

class Embedding final : public ToyUnit {
 public:
  using ToyUnit::ToyUnit;
  Activation forward(const Activation&, const Context& context, const Weights& weights) const override {
    const at::Tensor hidden = at::embedding(weights[0][0], context.tokens);
    return {hidden, {at::tanh(hidden)}, {}};
  }
};

class Block final : public ToyUnit {
 public:
  Block(std::string name, std::vector<int> groups, bool side_loss)
      : ToyUnit(std::move(name), std::move(groups)), side_loss_(side_loss) {}
  Activation forward(const Activation& input, const Context& context, const Weights& weights) const override {
    const auto& large = weights[0];
    const auto& small = weights[1];
    const at::Tensor inner = at::gelu(at::linear(input.hidden * small[0], large[0], small[1]));
    const at::Tensor hidden = input.hidden + at::linear(inner, large[1]) + 0.1 * input.more[0];
    Activation output{hidden, {input.more[0] * small[2]}, {}};
    if (side_loss_)
      output.loss = 0.01 * (inner.to(at::kFloat).square().mean(-1) * context.labels.ne(-100)).sum() *
                    context.loss_weight;
    return output;
  }

 private:
  bool side_loss_;
};

class Head final : public ToyUnit {
 public:
  using ToyUnit::ToyUnit;
  Activation forward(const Activation& input, const Context& context, const Weights& weights) const override {
    const at::Tensor logits = at::linear(input.hidden + input.more[0], weights[0][0]).to(at::kFloat);
    const at::Tensor loss =
        at::cross_entropy_loss(logits.flatten(0, 1), context.labels.flatten(), {}, at::Reduction::Sum, -100);
    return {logits, {}, loss * context.loss_weight};
  }
};

double weight_of(const at::Tensor& labels) {
  return 1.0 / static_cast<double>(labels.ne(-100).sum().item<std::int64_t>());
}

}  // namespace

Model toy_model(const ToyShape& shape) {
  Model model;
  model.groups.push_back({"embedding", {{"embedding.weight", {shape.vocabulary, shape.width}}}, true, {}});
  model.units.push_back(std::make_unique<Embedding>("embedding", std::vector{0}));
  for (int i = 0; i < shape.blocks; ++i) {
    const std::string name = "block." + std::to_string(i);
    const int first = static_cast<int>(model.groups.size());
    model.groups.push_back(
        {name + ".large",
         {{name + ".up", {shape.inner, shape.width}}, {name + ".down", {shape.width, shape.inner}}},
         !shape.frozen_blocks,
         {}});
    std::vector<Parameter> small{
        {name + ".scale", {shape.width}}, {name + ".bias", {shape.inner}}, {name + ".side", {shape.width}}};
    if (i == 1) small.push_back({name + ".unused", {3, 5}});
    model.groups.push_back({name + ".small", std::move(small), true, {}});
    model.units.push_back(std::make_unique<Block>(name, std::vector{first, first + 1},
                                                  shape.side_loss && i == shape.blocks / 2));
  }
  if (!shape.tied)
    model.groups.push_back({"head", {{"head.weight", {shape.vocabulary, shape.width}}}, true, {}});
  model.units.push_back(std::make_unique<Head>(
      "head", std::vector{shape.tied ? 0 : static_cast<int>(model.groups.size()) - 1}));
  return model;
}

float starting_value(const std::string& parameter, std::int64_t index) {
  std::uint64_t state = 1469598103934665603ull;
  for (const char letter : parameter) state = (state ^ static_cast<unsigned char>(letter)) * 1099511628211ull;
  state += static_cast<std::uint64_t>(index) * 0x9e3779b97f4a7c15ull;
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ull;
  state = (state ^ (state >> 27)) * 0x94d049bb133111ebull;
  const double unit = static_cast<double>((state ^ (state >> 31)) >> 11) / 9007199254740992.0;
  const bool around_one = parameter.ends_with("scale") || parameter.ends_with("side");
  return static_cast<float>((around_one ? 1.0 : 0.0) + 0.4 * (unit - 0.5));
}

ReadFloats read_starting_values() {
  return [](const Parameter& parameter, std::int64_t begin, std::span<float> into) {
    for (std::size_t i = 0; i < into.size(); ++i)
      into[i] = starting_value(parameter.name, begin + static_cast<std::int64_t>(i));
  };
}

ToyBatch toy_batch(const ToyShape& shape, int rows, int step) {
  constexpr int length = 9;
  ToyBatch batch{at::empty({rows, length}, at::kLong), at::empty({rows, length}, at::kLong)};
  auto* tokens = batch.tokens.data_ptr<std::int64_t>();
  auto* labels = batch.labels.data_ptr<std::int64_t>();
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < length; ++i) {
      const std::int64_t at = row * length + i;
      tokens[at] = (at * 7 + step * 5 + row * row) % shape.vocabulary;
      labels[at] = i < length - 1 - row % 4 ? (at * 7 + 7 + step * 5 + row * row) % shape.vocabulary : -100;
    }
  }
  return batch;
}

std::vector<Context> contexts_of(const ToyBatch& batch, int rank, int ranks, int micro_batches) {
  const std::int64_t rows = batch.tokens.size(0) / (ranks * micro_batches);
  std::vector<Context> contexts(static_cast<std::size_t>(micro_batches));
  for (int i = 0; i < micro_batches; ++i) {
    Context& context = contexts[static_cast<std::size_t>(i)];
    const std::int64_t first = (rank * micro_batches + i) * rows;
    context.tokens = batch.tokens.narrow(0, first, rows).contiguous();
    context.labels = batch.labels.narrow(0, first, rows).contiguous();
    context.loss_weight = weight_of(batch.labels);
  }
  return contexts;
}

ToyRun train_plainly(const ToyShape& shape, const ToySettings& settings) {
  const Model model = toy_model(shape);
  ToyRun run;
  std::vector<Weights> of_group_weights;
  std::vector<std::vector<at::Tensor>> groups;
  std::vector<at::Tensor> trained;
  for (const ParamGroup& group : model.groups) {
    groups.emplace_back();
    for (const Parameter& parameter : group.parameters) {
      at::Tensor tensor = at::empty(parameter.shape, at::kFloat);
      for (std::int64_t i = 0; i < tensor.numel(); ++i)
        tensor.data_ptr<float>()[i] = starting_value(parameter.name, i);
      tensor.requires_grad_(group.trainable);
      groups.back().push_back(tensor);
      run.parameters.emplace_back(parameter.name, tensor);
      if (group.trainable) trained.push_back(tensor);
    }
  }
  std::vector<at::Tensor> mean, square;
  for (const at::Tensor& tensor : trained)
    mean.push_back(at::zeros_like(tensor)), square.push_back(at::zeros_like(tensor));

  for (int step = 1; step <= settings.steps; ++step) {
    const ToyBatch batch = toy_batch(shape, settings.rows, step);
    const Context context = contexts_of(batch, 0, 1, 1).front();
    Activation flow;
    at::Tensor loss = at::zeros({});
    for (const auto& unit : model.units) {
      Weights weights;
      for (const int group : unit->groups()) weights.push_back(groups[static_cast<std::size_t>(group)]);
      flow = unit->forward(flow, context, weights);
      if (flow.loss.defined()) loss = loss + flow.loss;
    }
    auto gradients = torch::autograd::grad({loss}, trained, {}, {}, false, true);
    const at::AutoGradMode record(false);
    double squares = 0;
    for (std::size_t i = 0; i < trained.size(); ++i) {
      if (!gradients[i].defined()) gradients[i] = at::zeros_like(trained[i]);
      squares += gradients[i].to(at::kDouble).square().sum().item<double>();
    }
    run.losses.push_back(loss.item<double>());
    run.norms.push_back(std::sqrt(squares));
    const double clip =
        settings.max_norm ? std::min(1.0, *settings.max_norm / (run.norms.back() + 1e-6)) : 1.0;
    const double correction1 = 1 - std::pow(settings.beta1, step),
                 correction2 = 1 - std::pow(settings.beta2, step);
    for (std::size_t i = 0; i < trained.size(); ++i) {
      const at::Tensor gradient = gradients[i] * clip;
      trained[i].mul_(1 - settings.learning_rate * settings.weight_decay);
      mean[i].lerp_(gradient, 1 - settings.beta1);
      square[i].mul_(settings.beta2).addcmul_(gradient, gradient, 1 - settings.beta2);
      const at::Tensor denominator = (square[i].sqrt() / std::sqrt(correction2)).add_(settings.epsilon);
      trained[i].addcdiv_(mean[i], denominator, -settings.learning_rate / correction1);
    }
  }
  return run;
}

}  // namespace trireme::sharding::tests
