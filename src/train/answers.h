#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "io/data/documents.h"
#include "io/tokenizer/tokenizer.h"
#include "sharding/engine.h"

namespace trireme::train {

/// A document with an answer that is scored: what comes before it, and the answer itself.
struct Question {
  std::vector<std::int32_t> prompt, answer;
};

/// The first `most` of the chosen documents that begin with something unscored; of several answers in one the
/// first counts.
std::vector<Question> questions_of(const io::DocumentSource& documents, std::span<const std::uint32_t> chosen,
                                   std::int64_t most);

struct AnswerScores {
  double exact_match = 0, rouge_l = 0;
};

struct AnswerRules {
  std::int64_t layers = 0;
  std::int64_t most_tokens = 128;
  std::int32_t end_token = -1;
};

/// Lets the model answer, always with the likeliest token, and compares with what the documents say. Every
/// rank makes the same call.
AnswerScores score_answers(sharding::Engine& engine, const io::Tokenizer& tokenizer,
                           const std::vector<Question>& questions, const AnswerRules& rules);

}  // namespace trireme::train
