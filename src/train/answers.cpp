#include "train/answers.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "train/generator.h"
#include "train/text_scores.h"

namespace trireme::train {

std::vector<Question> questions_of(const io::DocumentSource& documents, std::span<const std::uint32_t> chosen,
                                   std::int64_t most) {
  std::vector<Question> questions;
  for (const std::uint32_t index : chosen) {
    if (static_cast<std::int64_t>(questions.size()) >= most) break;
    const io::DocumentView document = documents.document(index);
    const auto begin = std::find(document.scored.begin(), document.scored.end(), std::uint8_t{1});
    const auto end = std::find(begin, document.scored.end(), std::uint8_t{0});
    const auto first = begin - document.scored.begin(), last = end - document.scored.begin();
    if (first == 0 || first == last) continue;
    questions.push_back({{document.ids.begin(), document.ids.begin() + first},
                         {document.ids.begin() + first, document.ids.begin() + last}});
  }
  return questions;
}

AnswerScores score_answers(sharding::Engine& engine, const io::Tokenizer& tokenizer,
                           const std::vector<Question>& questions, const AnswerRules& rules) {
  require(!questions.empty(), "there is no question to answer");
  GenerationSettings settings;
  settings.most_tokens = rules.most_tokens;
  settings.end_token = rules.end_token;
  AnswerScores sum;
  for (const Question& question : questions) {
    const std::string answer = tokenizer.decode(generate(engine, rules.layers, question.prompt, settings));
    const std::string wanted = tokenizer.decode(question.answer);
    sum.exact_match += exact_match(answer, wanted) ? 1 : 0;
    sum.rouge_l += rouge_l(answer, wanted);
  }
  const auto count = static_cast<double>(questions.size());
  return {sum.exact_match / count, sum.rouge_l / count};
}

}  // namespace trireme::train
