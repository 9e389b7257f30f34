#include "train/rank_texts.h"

#include <exception>
#include <utility>

#include "sharding/failures.h"

namespace trireme::train {

std::string shared_text(comm::Communicator& ranks, int from, std::string text) {
  auto length = static_cast<std::int64_t>(text.size());
  ranks.broadcast(&length, 1, DType::i64, from);
  text.resize(static_cast<std::size_t>(length));
  ranks.broadcast(text.data(), text.size(), DType::u8, from);
  return text;
}

std::vector<std::string> gathered_texts(comm::Communicator& ranks, const std::string& text) {
  std::vector<std::string> all;
  for (int rank = 0; rank < ranks.size(); ++rank)
    all.push_back(shared_text(ranks, rank, rank == ranks.rank() ? text : ""));
  return all;
}

std::optional<Error> failure_of(comm::Communicator& ranks, const std::function<void()>& work) {
  std::exception_ptr failure;
  try {
    work();
  } catch (...) {
    failure = std::current_exception();
  }
  std::int32_t failed = failure ? 1 : 0;
  ranks.all_reduce(&failed, &failed, 1, DType::i32, comm::Reduction::max);
  if (!failed) return std::nullopt;
  try {
    sharding::throw_first_failure(ranks, failure);
  } catch (const Error& error) {
    return error;
  }
}

void together(comm::Communicator& ranks, const std::function<void()>& work) {
  if (const std::optional<Error> failure = failure_of(ranks, work)) throw Error(*failure);
}

}  // namespace trireme::train
