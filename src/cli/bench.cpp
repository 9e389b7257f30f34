#include "cli/bench_commands.h"
#include "cli/commands.h"

namespace trireme::cli {

void add_bench(CLI::App& app, Run& chosen) {
  CLI::App* bench = app.add_subcommand("bench", "Measure the machine and what trireme makes of it");
  bench->require_subcommand(1);
  add_bench_checkpoint(*bench, chosen);
  add_bench_comm(*bench, chosen);
  add_bench_load(*bench, chosen);
  add_bench_rank_load(*bench, chosen);
  add_bench_machine(*bench, chosen);
  add_bench_record(*bench, chosen);
  add_bench_products(*bench, chosen);
  add_bench_schedule(*bench, chosen);
  add_bench_tokenizer(*bench, chosen);
  add_bench_tier(*bench, chosen);
}

}  // namespace trireme::cli
