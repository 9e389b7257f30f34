#include "io/safetensors_writer.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "core/error.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

std::string_view stored_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::bf16:
      return "BF16";
    case DType::f16:
      return "F16";
    case DType::f64:
      return "F64";
    case DType::i8:
      return "I8";
    case DType::u8:
      return "U8";
    case DType::i16:
      return "I16";
    case DType::i32:
      return "I32";
    case DType::i64:
      return "I64";
    case DType::boolean:
      return "BOOL";
  }
  return "";
}

/// Fills in the offsets, from the start of the data.
std::string make_header(const std::vector<TensorShape>& shapes,
                        const std::map<std::string, std::string>& metadata,
                        std::vector<StoredTensor>& tensors) {
  json::object root;
  if (!metadata.empty()) {
    json::object notes;
    for (const auto& [key, value] : metadata) notes[key] = value;
    root["__metadata__"] = std::move(notes);
  }
  std::uint64_t next = 0;
  for (const TensorShape& shape : shapes) {
    std::uint64_t bytes = size_of(shape.dtype);
    for (const std::int64_t extent : shape.shape) bytes *= static_cast<std::uint64_t>(extent);
    require(!root.contains(shape.name), "tensor {} is given twice to a safetensors file", shape.name);
    const std::string_view dtype = stored_name(shape.dtype);
    root[shape.name] = {{"dtype", json::string(dtype.data(), dtype.size())},
                        {"shape", json::array(shape.shape.begin(), shape.shape.end())},
                        {"data_offsets", {next, next + bytes}}};
    tensors.push_back({shape.name, shape.dtype, shape.shape, next, next + bytes});
    next += bytes;
  }
  std::string text = json::serialize(root);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

std::filesystem::path beside(const std::filesystem::path& path) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  return temporary;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     const std::vector<TensorShape>& shapes,
                                     const std::map<std::string, std::string>& metadata)
    : path_(path), temporary_(beside(path)), file_(File::create(temporary_)) {
  const std::string header = make_header(shapes, metadata, tensors_);
  std::array<std::byte, 8> prefix;
  for (std::size_t i = 0; i < 8; ++i) prefix[i] = static_cast<std::byte>(header.size() >> (8 * i));
  file_.write(0, prefix);
  file_.write(8, std::as_bytes(std::span(header)));
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    expected_ += tensors_[i].end - tensors_[i].begin;
    tensors_[i].begin += 8 + header.size();
    tensors_[i].end += 8 + header.size();
    by_name_.emplace(tensors_[i].name, i);
  }
}

SafetensorsWriter::~SafetensorsWriter() {
  std::error_code ignored;
  if (!committed_) std::filesystem::remove(temporary_, ignored);
}

void SafetensorsWriter::write(std::string_view name, std::uint64_t first,
                              std::span<const std::byte> elements) {
  const auto found = by_name_.find(name);
  require(found != by_name_.end(), "{}: no tensor {} was announced", path_.string(), name);
  const StoredTensor& tensor = tensors_[found->second];
  const std::uint64_t offset = first * size_of(tensor.dtype), room = tensor.end - tensor.begin;
  require(offset <= room && elements.size() <= room - offset, "{}: slice beyond the end of tensor {}",
          path_.string(), name);
  file_.write(tensor.begin + offset, elements);
  written_ += elements.size();
}

void SafetensorsWriter::commit() {
  require(written_ == expected_, "{}: {} of {} bytes were written", path_.string(), written_, expected_);
  file_.sync();
  std::error_code status;
  std::filesystem::rename(temporary_, path_, status);
  if (status)
    fail(ExitCode::requeue, "{}: cannot be renamed into place: {}", path_.string(), status.message());
  committed_ = true;
  sync_folder(path_.parent_path());
}

}  // namespace trireme::io
