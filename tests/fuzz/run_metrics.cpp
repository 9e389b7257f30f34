#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/error.h"
#include "tests/fuzz/input_file.h"
#include "train/report/report.h"
#include "train/report/screen.h"
#include "train/run_record.h"

/// A run's metrics.jsonl as `watch` and `report` read it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trireme;
  const testing::InputFile file(std::span(data, size));
  try {
    train::MetricsReader reader(file.path());
    reader.poll();
    train::RunRecord run;
    run.folder = "run";
    run.steps = reader.steps();
    train::screen(run, 60, 20);
    train::summary(run);
    train::report_page({run, run});
  } catch (const Error&) {
  }
  return 0;
}
