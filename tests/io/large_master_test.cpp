#include <chrono>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include "io/checkpoint/master.h"
#include "io/checkpoint/shard_layout.h"
#include "io/file.h"
#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using trireme::testing::Scratch;

constexpr std::uint64_t files = 128;

struct Shape {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// What Llama-3-70B trains, unit by unit.
std::vector<std::vector<Shape>> units_of_70b() {
  const std::int64_t hidden = 8192, inner = 28672, keys = 1024, words = 128256;
  std::vector<std::vector<Shape>> units{{{"model.embed_tokens.weight", {words, hidden}}}};
  for (int i = 0; i < 80; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    units.push_back({{layer + "self_attn.q_proj.weight", {hidden, hidden}},
                     {layer + "self_attn.k_proj.weight", {keys, hidden}},
                     {layer + "self_attn.v_proj.weight", {keys, hidden}},
                     {layer + "self_attn.o_proj.weight", {hidden, hidden}},
                     {layer + "mlp.gate_proj.weight", {inner, hidden}},
                     {layer + "mlp.up_proj.weight", {inner, hidden}},
                     {layer + "mlp.down_proj.weight", {hidden, inner}},
                     {layer + "input_layernorm.weight", {hidden}},
                     {layer + "post_attention_layernorm.weight", {hidden}}});
  }
  units.push_back({{"model.norm.weight", {hidden}}, {"lm_head.weight", {words, hidden}}});
  return units;
}

/// Each unit is one flat vector, cut evenly over the files, as a sharded job's ranks hold it; so are its two
/// moments.
std::vector<std::vector<StoredSlice>> slices_of_files() {
  std::vector<std::vector<StoredSlice>> all(files);
  for (const std::string prefix : {"model/", "optimizer/exp_avg/", "optimizer/exp_avg_sq/"})
    for (const auto& unit : units_of_70b()) {
      std::uint64_t whole = 0;
      for (const Shape& tensor : unit) whole += elements_of(tensor.shape);
      const std::uint64_t each = (whole + files - 1) / files;
      std::uint64_t at = 0;
      for (const Shape& tensor : unit) {
        const std::uint64_t count = elements_of(tensor.shape);
        for (std::uint64_t begin = 0; begin < count;) {
          const std::uint64_t file = (at + begin) / each;
          const std::uint64_t end = std::min(count, (file + 1) * each - at);
          StoredSlice slice{prefix + tensor.name, DType::f32, tensor.shape, begin, end - begin, "", 0, {}};
          slice.dataset = slice.name + "@" + std::to_string(begin);
          all[file].push_back(std::move(slice));
          begin = end;
        }
        at += count;
      }
    }
  return all;
}

/// A file of hundreds of holes: its data take no space on the disk.
ShardRecord write_sparse(const std::filesystem::path& path, std::vector<StoredSlice> slices) {
  const ShardLayout layout = lay_out_planned(path.string(), std::move(slices), false);
  File file = File::create(path);
  file.resize(layout.bytes);
  std::size_t between = 0;
  for (const FilePiece& piece : layout.pieces) {
    if (piece.slice != FilePiece::between) continue;
    file.write(piece.offset, std::span(layout.between).subspan(between, piece.bytes));
    between += piece.bytes;
  }
  return {{path.filename().string(), layout.bytes, std::string(32, '0')}, layout.slices};
}

class Stopwatch {
 public:
  explicit Stopwatch(const char* what) : what_(what) {}
  ~Stopwatch() {
    fmt::print("{}: {:.2f} s\n", what_,
               std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count());
  }

 private:
  const char* what_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

TEST(LargeMaster, Of70BillionParametersIn128FilesIsMadeAndRead) {
  Scratch scratch;
  std::vector<ShardRecord> records;
  {
    const Stopwatch watch("laying out 128 files");
    std::uint64_t number = 0;
    for (auto& slices : slices_of_files())
      records.push_back(write_sparse(scratch / fmt::format("shard-{:05d}.h5", number++), std::move(slices)));
  }
  std::uint64_t bytes = 0;
  for (const ShardRecord& record : records) bytes += record.file.bytes;
  EXPECT_GT(bytes, std::uint64_t{840'000'000'000});

  // One value at the beginning of each slice of a tensor.
  const std::string name = "optimizer/exp_avg/model.layers.79.mlp.down_proj.weight";
  std::vector<std::uint64_t> begins;
  for (const ShardRecord& record : records)
    for (const StoredSlice& slice : record.slices)
      if (slice.name == name) {
        const auto value = static_cast<float>(begins.size() + 1);
        File::open_for_writing(scratch / record.file.name)
            .write(slice.offset, std::as_bytes(std::span(&value, 1)));
        begins.push_back(slice.begin);
      }
  ASSERT_GT(begins.size(), 20u);

  {
    const Stopwatch watch("making the master file");
    const std::vector<std::byte> image = master_image(records);
    File file = File::create(scratch / "checkpoint.h5");
    file.write(0, image);
  }
  const Stopwatch watch("opening it and reading two rows of each file that has some of a tensor");
  const hid_t file = H5Fopen((scratch / "checkpoint.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  const hid_t dataset = H5Dopen2(file, name.c_str(), H5P_DEFAULT), space = H5Dget_space(dataset);
  const hsize_t columns = 28672;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const std::uint64_t row = begins[i] / columns;
    const hsize_t start[2] = {row, 0}, count[2] = {row + 1 < 8192 ? hsize_t{2} : hsize_t{1}, columns};
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nullptr, count, nullptr);
    const hid_t memory = H5Screate_simple(2, count, nullptr);
    std::vector<float> rows(count[0] * columns);
    ASSERT_GE(H5Dread(dataset, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, rows.data()), 0);
    EXPECT_EQ(rows[begins[i] % columns], static_cast<float>(i + 1)) << i;
    H5Sclose(memory);
  }
  H5Sclose(space), H5Dclose(dataset), H5Fclose(file);
}

}  // namespace
}  // namespace trireme::io
