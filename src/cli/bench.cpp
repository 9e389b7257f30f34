#include "cli/bench_commands.h"
#include "cli/commands.h"

namespace trireme::cli {

void add_bench(Command app) {
  Command bench = app.subcommand("bench", "Measure the machine and what trireme makes of it");
  bench.needs_subcommand();
  add_bench_checkpoint(bench);
  add_bench_comm(bench);
  add_bench_load(bench);
  add_bench_rank_load(bench);
  add_bench_machine(bench);
  add_bench_record(bench);
  add_bench_products(bench);
  add_bench_schedule(bench);
  add_bench_tokenizer(bench);
  add_bench_tier(bench);
}

}  // namespace trireme::cli
