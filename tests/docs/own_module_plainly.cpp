// The training of docs/own-module.md over its own modules, by plain autograd and torch::optim.
// Under another name its main may no longer end without a return.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wreturn-type"
#define main example_main
#include "own_module.cpp"
#undef main
#pragma GCC diagnostic pop

int main() {
  torch::manual_seed(7);
  torch::nn::Embedding table(11, 16);
  const auto first = std::make_shared<Block>(), second = std::make_shared<Block>();
  torch::nn::Linear head(16, 11);
  std::vector<torch::Tensor> parameters;
  for (const torch::nn::Module* module :
       {static_cast<torch::nn::Module*>(table.get()), static_cast<torch::nn::Module*>(first.get()),
        static_cast<torch::nn::Module*>(second.get()), static_cast<torch::nn::Module*>(head.get())})
    for (const torch::Tensor& parameter : module->parameters()) parameters.push_back(parameter);
  torch::optim::AdamW optimizer(parameters, torch::optim::AdamWOptions(1e-2).weight_decay(0));
  for (int step = 1; step <= 20; ++step) {
    const auto context = rows_of_step(step, 0, 4);
    optimizer.zero_grad();
    const torch::Tensor loss =
        next_token_loss(head(second->forward(first->forward(table(context.tokens)))), context);
    loss.backward();
    optimizer.step();
    std::printf("step %d loss %.9g\n", step, loss.item<double>());
  }
}
