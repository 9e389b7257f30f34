#include "io/weight_files.h"

#include <algorithm>
#include <atomic>
#include <boost/json/value.hpp>
#include <exception>
#include <mutex>
#include <set>
#include <thread>

#include "core/error.h"
#include "io/strict_json.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

/// Of a large page, so that no two threads wait for the same one.
constexpr std::size_t bytes_a_piece = std::size_t{1} << 21;

/// An index from elsewhere must not make us open files outside its folder.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
}

}  // namespace

WeightFiles::WeightFiles(const fs::path& folder) {
  const fs::path single = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
  if (fs::exists(index)) {
    add_shards(folder, index);
  } else if (fs::exists(single)) {
    add_file(single);
  } else {
    fail(ExitCode::configuration,
         "{}: holds neither model.safetensors nor model.safetensors.index.json; weights in other formats are "
         "not read",
         folder.string());
  }
}

void WeightFiles::add_shards(const fs::path& folder, const fs::path& index) {
  const std::string where = index.string();
  const json::value root = parse_strict_json(read_text(index, longest_safetensors_header), where);
  const json::value* map = root.is_object() ? root.get_object().if_contains("weight_map") : nullptr;
  if (!map || !map->is_object()) fail(ExitCode::damaged, "{}: has no object \"weight_map\"", where);
  std::map<std::string, std::string> shard_of;
  std::set<std::string> shards;
  for (const auto& item : map->get_object()) {
    const std::string name(item.key());
    if (!item.value().is_string() || !is_plain_name(std::string(item.value().get_string())))
      fail(ExitCode::damaged, "{}: the entry of tensor {} is not the name of a file in this folder", where,
           name);
    shard_of.emplace(name, item.value().get_string());
    shards.emplace(item.value().get_string());
  }
  files_.reserve(shards.size());
  for (const std::string& shard : shards) add_file(folder / shard);
  for (const auto& [name, shard] : shard_of) {
    const auto place = places_.find(name);
    if (place == places_.end() || files_[place->second.file].path().filename() != shard)
      fail(ExitCode::damaged, "{}: tensor {} is not in {}, where the index says", where, name, shard);
  }
  for (const auto& [name, place] : places_)
    if (!shard_of.contains(name))
      fail(ExitCode::damaged, "{}: tensor {} of {} is not in the index", where, name,
           files_[place.file].path().filename().string());
}

void WeightFiles::add_file(const fs::path& path) {
  files_.emplace_back(path);
  for (const StoredTensor& tensor : files_.back().tensors()) {
    const auto [place, added] = places_.emplace(tensor.name, Place{files_.size() - 1, &tensor});
    if (!added)
      fail(ExitCode::damaged, "{}: tensor {} is also in {}", path.string(), tensor.name,
           files_[place->second.file].path().filename().string());
  }
}

std::vector<const StoredTensor*> WeightFiles::tensors() const {
  std::vector<const StoredTensor*> result;
  result.reserve(places_.size());
  for (const auto& [name, place] : places_) result.push_back(place.tensor);
  return result;
}

const StoredTensor* WeightFiles::find(std::string_view name) const {
  const auto place = places_.find(name);
  return place == places_.end() ? nullptr : place->second.tensor;
}

void WeightFiles::read_as(std::string_view name, std::uint64_t first, DType target,
                          std::span<std::byte> out) const {
  const auto place = places_.find(name);
  require(place != places_.end(), "reading tensor {}, which no weight file holds", name);
  files_[place->second.file].read_as(*place->second.tensor, first, target, out);
}

void WeightFiles::read(std::span<const WeightSlice> slices, int threads) const {
  std::vector<WeightSlice> pieces;
  for (const WeightSlice& slice : slices) {
    const std::size_t elements = slice.out.size() / size_of(slice.target),
                      most = bytes_a_piece / size_of(slice.target);
    for (std::size_t begin = 0; begin < elements; begin += most) {
      const std::size_t count = std::min(most, elements - begin);
      pieces.push_back({slice.name, slice.first + begin, slice.target,
                        slice.out.subspan(begin * size_of(slice.target), count * size_of(slice.target))});
    }
  }
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (std::size_t i; (i = next++) < pieces.size();)
        read_as(pieces[i].name, pieces[i].first, pieces[i].target, pieces[i].out);
    } catch (...) {
      next = pieces.size();
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    const auto useful = std::min<std::size_t>(static_cast<std::size_t>(std::max(threads, 1)), pieces.size());
    for (std::size_t i = 1; i < useful; ++i) helpers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

std::uint64_t WeightFiles::bytes() const {
  std::uint64_t total = 0;
  for (const auto& [name, place] : places_) total += place.tensor->end - place.tensor->begin;
  return total;
}

}  // namespace trireme::io
