#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "io/template/template.h"

namespace {

const trireme::io::jinja::Value& context() {
  static const auto value = trireme::io::jinja::from_json(boost::json::parse(R"({
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi \u00e4 \ud83d\ude00"},
                 {"role": "assistant", "content": "<think>x</think>", "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, 2.5, null, true]}}}]},
                 {"role": "tool", "content": "y"}, {"role": "assistant", "content": "z"}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "array"}}}}}],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true})"));
  return value;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const trireme::io::Template parsed(std::string_view(reinterpret_cast<const char*>(data), size),
                                       "template");
    parsed.render(context(), {});
  } catch (const trireme::Error&) {
  }
  return 0;
}
