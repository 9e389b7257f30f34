#pragma once
#include <span>
#include <string>
#include <vector>

#include "io/tokenizer/tokenizer.h"

namespace trireme::io {

/// The tokens of each text, as `Tokenizer::encode` gives them, whatever the number of threads that share the
/// texts. Throws what the first text in order that cannot be encoded throws.
std::vector<std::vector<Token>> encode_batch(const Tokenizer& tokenizer, std::span<const std::string> texts,
                                             bool add_special, int threads);

}  // namespace trireme::io
