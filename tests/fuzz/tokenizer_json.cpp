#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "io/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trireme;
  try {
    const auto tokenizer =
        io::Tokenizer::from_text({reinterpret_cast<const char*>(data), size}, "tokenizer.json");
    for (const std::string_view text :
         {"Hello w\xC3\xB6rld 123 \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7\n\n  <s>", "",
          "aaaaaaaaaaaaaaaaaaaaaaaa"}) {
      std::vector<std::int32_t> ids;
      for (const io::Token& token : tokenizer.encode(text)) {
        if (token.begin > token.end || token.end > text.size()) __builtin_trap();
        ids.push_back(token.id);
      }
      tokenizer.decode(ids);
    }
  } catch (const Error&) {
  }
  return 0;
}
