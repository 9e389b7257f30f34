#pragma once
#include <filesystem>

#include "io/checkpoint/checkpoint.h"

namespace trireme::io {

/// One HDF5 file of whole tensors in their shapes, for readers without the shards; the training state is its
/// attribute "state". Holds a few MiB; the file gets its name once it is whole.
void write_single_hdf5(const Checkpoint& checkpoint, const std::filesystem::path& file);

/// The same as one safetensors file, with the state in its metadata.
void write_single_safetensors(const Checkpoint& checkpoint, const std::filesystem::path& file);

/// The same checkpoint in another number of files, in `checkpoints`; holds one of the new files at a time.
/// Its folder.
std::filesystem::path write_recut(const Checkpoint& checkpoint, const std::filesystem::path& checkpoints,
                                  int files);

}  // namespace trireme::io
