#include <memory>

#include <fmt/format.h>

#include "cli/checkpoint_commands.h"
#include "core/error.h"
#include "io/checkpoint/convert.h"
#include "io/disk_work.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Words {
  std::string from, name, output, to = "hdf5";
  int files = 1;
};

int convert(const Words& words) {
  const io::Checkpoint checkpoint(find_checkpoints(words.from, words.name).newest());
  const fs::path output = fs::absolute(words.output).lexically_normal();
  if (fs::exists(output)) fail(ExitCode::usage, "{} is there already; give another name", output.string());
  io::on_disk("making " + output.parent_path().string(),
              [&](std::error_code& status) { fs::create_directories(output.parent_path(), status); });
  if (words.to == "hdf5") {
    io::write_single_hdf5(checkpoint, output);
  } else if (words.to == "safetensors") {
    io::write_single_safetensors(checkpoint, output);
  } else {
    io::write_recut(checkpoint, output / "checkpoints", words.files);
  }
  fmt::print("{} of {} tensors is in {}\n", checkpoint.folder().filename().string(),
             checkpoint.tensors().size(), output.string());
  return 0;
}

}  // namespace

void add_checkpoint_convert(Command checkpoint) {
  auto words = std::make_shared<Words>();
  Command command = checkpoint.subcommand(
      "convert", "Write a checkpoint, optimizer state and all, as one file or in another number of files");
  command.option("from", words->from, "A run folder (its newest one), or one checkpoint").required();
  command.option("output", words->output, "What to write; must not be there").required();
  command.option("--name", words->name, "Another one of the run, by name or step");
  command
      .option("--to", words->to,
              "hdf5 or safetensors: one file of whole tensors; checkpoint: a run folder to go on from")
      .one_of({"hdf5", "safetensors", "checkpoint"})
      .shows_default();
  command.option("--files", words->files, "How many files --to checkpoint writes")
      .within(1, 128)
      .shows_default();
  command.footer("Example: trireme checkpoint convert my-run my-run.h5");
  command.runs([words] { return convert(*words); });
}

}  // namespace trireme::cli
