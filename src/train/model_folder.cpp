#include "train/model_folder.h"

#include <algorithm>
#include <boost/json.hpp>
#include <vector>

#include <fmt/format.h>

#include "core/error.h"
#include "io/convert.h"
#include "io/file.h"
#include "io/safetensors_writer.h"
#include "model/layout.h"
#include "train/rank_texts.h"

namespace trireme::train {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::int64_t elements_of(const sharding::Parameter& parameter) {
  std::int64_t elements = 1;
  for (const std::int64_t extent : parameter.shape) elements *= extent;
  return elements;
}

std::vector<sharding::Parameter> parameters_of(const model::ModelSpec& spec) {
  std::vector<sharding::Parameter> all;
  for (const sharding::ParamGroup& group : model::parameter_groups(spec))
    all.insert(all.end(), group.parameters.begin(), group.parameters.end());
  return all;
}

/// Consecutive parameters that share a file.
std::vector<std::vector<sharding::Parameter>> files_of(const std::vector<sharding::Parameter>& parameters,
                                                       const ModelFolderOptions& options) {
  std::vector<std::vector<sharding::Parameter>> files(1);
  std::uint64_t bytes = 0;
  for (const sharding::Parameter& parameter : parameters) {
    const std::uint64_t more = static_cast<std::uint64_t>(elements_of(parameter)) * size_of(options.dtype);
    if (bytes > 0 && bytes + more > options.file_bytes) files.emplace_back(), bytes = 0;
    files.back().push_back(parameter);
    bytes += more;
  }
  return files;
}

void write_file(const fs::path& path, const std::vector<sharding::Parameter>& parameters, DType dtype,
                const ReadElements& read) {
  std::vector<io::TensorShape> shapes;
  for (const sharding::Parameter& parameter : parameters)
    shapes.push_back({parameter.name, dtype, parameter.shape});
  io::SafetensorsWriter writer(path, shapes);
  constexpr std::int64_t most = std::int64_t{1} << 22;
  std::vector<float> values;
  std::vector<std::byte> stored;
  for (const sharding::Parameter& parameter : parameters)
    for (std::int64_t first = 0, whole = elements_of(parameter); first < whole; first += most) {
      values.resize(static_cast<std::size_t>(std::min(most, whole - first)));
      stored.resize(values.size() * size_of(dtype));
      read(parameter, first, values);
      io::convert_elements(DType::f32, std::as_bytes(std::span(values)), dtype, stored);
      writer.write(parameter.name, static_cast<std::uint64_t>(first), stored);
    }
  writer.commit();
}

/// The base's config.json, which says in which type the new weights are.
void write_config(const fs::path& base, const fs::path& folder, DType dtype) {
  json::value config = json::parse(io::read_text(base / "config.json"));
  const char* name = dtype == DType::f32 ? "float32" : dtype == DType::f16 ? "float16" : "bfloat16";
  json::object& object = config.as_object();
  for (const char* key : {"dtype", "torch_dtype"})
    if (object.contains(key)) object[key] = name;
  io::write_text_atomically(folder / "config.json", json::serialize(config) + "\n");
}

std::string name_of_file(std::size_t index, std::size_t files) {
  return files == 1 ? "model.safetensors" : fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, files);
}

void write_index(const fs::path& folder, const std::vector<std::vector<sharding::Parameter>>& files,
                 DType dtype) {
  json::object weight_map;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < files.size(); ++i)
    for (const sharding::Parameter& parameter : files[i]) {
      weight_map[parameter.name] = name_of_file(i, files.size());
      total += static_cast<std::uint64_t>(elements_of(parameter)) * size_of(dtype);
    }
  const json::object index{{"metadata", {{"total_size", total}}}, {"weight_map", std::move(weight_map)}};
  io::write_text_atomically(folder / "model.safetensors.index.json", json::serialize(index) + "\n");
}

void copy_companions(const fs::path& base, const fs::path& folder) {
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                           "generation_config.json", "chat_template.jinja"})
    if (fs::exists(base / name)) fs::copy_file(base / name, folder / name);
}

/// What fails on one rank fails on all.
void on_all(comm::Communicator* ranks, const std::function<void()>& work) {
  if (ranks) return together(*ranks, work);
  work();
}

}  // namespace

void write_model_folder(const fs::path& folder, const fs::path& base, const model::ModelSpec& spec,
                        const ModelFolderOptions& options, const ReadElements& read,
                        comm::Communicator* ranks) {
  const bool first = !ranks || ranks->rank() == 0;
  const auto rank = static_cast<std::size_t>(ranks ? ranks->rank() : 0);
  const auto writers = static_cast<std::size_t>(ranks ? ranks->size() : 1);
  const fs::path making = folder.string() + ".tmp";
  on_all(ranks, [&] {
    if (!first) return;
    if (fs::exists(folder))
      fail(ExitCode::usage, "{} is there already; name another folder or remove it", folder.string());
    fs::remove_all(making);
    fs::create_directories(making);
  });
  const auto files = files_of(parameters_of(spec), options);
  on_all(ranks, [&] {
    for (std::size_t i = rank; i < files.size(); i += writers)
      write_file(making / name_of_file(i, files.size()), files[i], options.dtype, read);
  });
  on_all(ranks, [&] {
    if (!first) return;
    if (files.size() > 1) write_index(making, files, options.dtype);
    if (!options.weights_alone) {
      write_config(base, making, options.dtype);
      copy_companions(base, making);
    }
    if (!options.card.empty()) io::write_text_atomically(making / "README.md", options.card);
    fs::rename(making, folder);
    io::sync_folder(folder.parent_path());
  });
}

}  // namespace trireme::train
