#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/error.h"
#include "io/data/conversation.h"
#include "io/data/prompt_format.h"
#include "io/data/row_file.h"
#include "tests/fuzz/input_file.h"

/// The first byte says what the rest is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trireme;
  if (size == 0) return 0;
  constexpr std::array kinds{io::RowKind::json, io::RowKind::csv, io::RowKind::lines, io::RowKind::paragraphs,
                             io::RowKind::document};
  const testing::InputFile file(std::span(data, size).subspan(1));
  try {
    const io::RowFile rows(file.path(), kinds[data[0] % kinds.size()]);
    for (std::uint64_t i = 0; i < rows.rows(); ++i) {
      try {
        const auto row = rows.read(i);
        for (const char* format : {"alpaca", "completion", "input_output"}) try {
            io::render(io::prompt_format_named(format), row, "row");
          } catch (const Error&) {
          }
        for (const char* format : {"chat_template", "sharegpt"}) try {
            io::read_conversation(io::prompt_format_named(format).chat, false, row, "row");
          } catch (const Error&) {
          }
      } catch (const Error&) {
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
