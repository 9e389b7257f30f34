#include "io/tokenizer/encode_batch.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

namespace trireme::io {

std::vector<std::vector<Token>> encode_batch(const Tokenizer& tokenizer, std::span<const std::string> texts,
                                             bool add_special, int threads) {
  std::vector<std::vector<Token>> tokens(texts.size());
  std::vector<std::exception_ptr> failures(texts.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    const auto cache = Tokenizer::make_cache();
    for (std::size_t i; (i = next++) < texts.size();) try {
        tokens[i] = tokenizer.encode(texts[i], add_special, *cache);
      } catch (...) {
        failures[i] = std::current_exception();
      }
  };
  {
    std::vector<std::jthread> helpers;
    const auto useful = std::min<std::size_t>(static_cast<std::size_t>(std::max(threads, 1)), texts.size());
    for (std::size_t i = 1; i < useful; ++i) helpers.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return tokens;
}

}  // namespace trireme::io
