#pragma once
#include <cstring>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/retention.h"
#include "io/checkpoint/save.h"
#include "io/checkpoint/shard.h"
#include "tests/io/scratch.h"

namespace trireme::testing {

/// A tensor whose element i is made from `seed` and i, cut over ranks as evenly as flat slices are.
struct MadeTensor {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  MadeTensor(std::string n, DType type, std::vector<std::int64_t> s, unsigned seed)
      : name(std::move(n)), dtype(type), shape(std::move(s)), bytes(io::elements_of(shape) * size_of(type)) {
    for (std::uint64_t i = 0; i < io::elements_of(shape); ++i) {
      const float value = static_cast<float>((i * 31 + seed) % 509);
      const BFloat16 half(value);
      const auto whole = static_cast<std::int64_t>(i + seed);
      const void* source = type == DType::f32    ? static_cast<const void*>(&value)
                           : type == DType::bf16 ? &half.bits
                                                 : static_cast<const void*>(&whole);
      std::memcpy(bytes.data() + i * size_of(type), source, size_of(type));
    }
  }

  io::TensorSlice slice(int rank, int ranks) const {
    const std::uint64_t count = io::elements_of(shape), r = static_cast<std::uint64_t>(rank),
                        n = static_cast<std::uint64_t>(ranks);
    const std::uint64_t begin = count * r / n, end = count * (r + 1) / n;
    return {name, dtype, shape, begin,
            std::span(bytes).subspan(begin * size_of(dtype), (end - begin) * size_of(dtype))};
  }
};

inline std::vector<MadeTensor> made_tensors(unsigned seed) {
  std::vector<MadeTensor> tensors;
  tensors.emplace_back("model/layers.0.mlp.up_proj.weight", DType::f32, std::vector<std::int64_t>{37, 11},
                       seed);
  tensors.emplace_back("model/norm.weight", DType::bf16, std::vector<std::int64_t>{5}, seed + 1);
  tensors.emplace_back("model/cube", DType::f32, std::vector<std::int64_t>{3, 5, 7}, seed + 2);
  tensors.emplace_back("optimizer/step", DType::i64, std::vector<std::int64_t>{}, seed + 3);
  tensors.emplace_back("model/large", DType::bf16, std::vector<std::int64_t>{3, 1000003}, seed + 4);
  return tensors;
}

inline void save_tensors(const std::filesystem::path& checkpoints, const std::string& name, int ranks,
                         unsigned seed, const std::vector<MadeTensor>& tensors) {
  const auto temporary = io::begin_save(checkpoints, name, 1000);
  std::vector<io::ShardRecord> records;
  for (int rank = 0; rank < ranks; ++rank) {
    std::vector<io::TensorSlice> slices;
    for (const auto& tensor : tensors) slices.push_back(tensor.slice(rank, ranks));
    const auto record = io::write_shard(temporary / io::shard_name(rank), slices);
    records.push_back(io::parse_shard_record(io::to_json(record), "rank"));
  }
  io::commit_save(temporary, records, {{"step", seed}});
}

inline void save(const std::filesystem::path& checkpoints, const std::string& name, int ranks,
                 unsigned seed) {
  save_tensors(checkpoints, name, ranks, seed, made_tensors(seed));
}

}  // namespace trireme::testing
