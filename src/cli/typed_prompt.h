#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/tokenizer/tokenizer.h"
#include "jobs/job_spec.h"

namespace trireme::cli {

/// What a user types in for a model to go on with: a text as it is, or an instruction (with an input, where
/// it has one), which is put into the form of the job's first dataset.
struct TypedPrompt {
  std::string text, instruction, input;
};

/// Throws an Error (usage) where neither or both are given, or the dataset is of no form for instructions.
std::vector<std::int32_t> tokens_of(const TypedPrompt& prompt, const jobs::JobSpec& job,
                                    const io::Tokenizer& tokenizer);

}  // namespace trireme::cli
