#include "io/data/token_part.h"

#include <boost/json.hpp>

#include "core/error.h"
#include "io/checkpoint/digest.h"
#include "io/checkpoint/shard.h"
#include "io/file.h"
#include "io/strict_json.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

std::filesystem::path record_path(const std::filesystem::path& folder, std::size_t number) {
  return folder / (part_name(number) + ".json");
}
std::filesystem::path data_path(const std::filesystem::path& folder, std::size_t number) {
  return folder / (part_name(number) + ".h5");
}

template <typename T>
TensorSlice slice_of(const char* name, DType dtype, const std::vector<T>& values) {
  return {name, dtype, {static_cast<std::int64_t>(values.size())}, 0, std::as_bytes(std::span(values))};
}

std::uint64_t count_in(const json::object& object, const char* key) {
  return object.at(key).to_number<std::uint64_t>();
}

}  // namespace

std::string part_name(std::size_t number) {
  return fmt::format("part-{:05}", number);
}

PartRecord write_part(const std::filesystem::path& folder, std::size_t number, RowRange rows,
                      const Documents& documents) {
  const std::filesystem::path fresh = data_path(folder, number).string() + ".new";
  // The widest first: each array then begins where its elements may.
  const ShardRecord shard = write_shard(
      fresh, {slice_of("ends", DType::i64, documents.ends), slice_of("ids", DType::i32, documents.ids),
              slice_of("scored", DType::u8, documents.scored)});
  std::filesystem::rename(fresh, data_path(folder, number));
  sync_folder(folder);
  const PartRecord record{rows,
                          documents.size(),
                          documents.ids.size(),
                          documents.skipped_rows,
                          shard.slices[1].offset,
                          shard.slices[2].offset,
                          shard.slices[0].offset,
                          shard.file.bytes,
                          shard.file.digest};
  const json::object object{{"first_row", rows.first},
                            {"last_row", rows.last},
                            {"documents", record.documents},
                            {"tokens", record.tokens},
                            {"skipped", record.skipped},
                            {"ids_offset", record.ids_offset},
                            {"scored_offset", record.scored_offset},
                            {"ends_offset", record.ends_offset},
                            {"bytes", record.bytes},
                            {"digest", record.digest}};
  write_text_atomically(record_path(folder, number), json::serialize(object) + "\n");
  return record;
}

std::optional<PartRecord> read_part_record(const std::filesystem::path& folder, std::size_t number,
                                           RowRange rows) {
  const std::filesystem::path path = record_path(folder, number);
  if (!std::filesystem::exists(path) || !std::filesystem::exists(data_path(folder, number)))
    return std::nullopt;
  try {
    const json::value value = parse_strict_json(read_text(path), path.string());
    const json::object& object = value.as_object();
    PartRecord record{{count_in(object, "first_row"), count_in(object, "last_row")},
                      count_in(object, "documents"),
                      count_in(object, "tokens"),
                      count_in(object, "skipped"),
                      count_in(object, "ids_offset"),
                      count_in(object, "scored_offset"),
                      count_in(object, "ends_offset"),
                      count_in(object, "bytes"),
                      std::string(object.at("digest").as_string())};
    if (record.rows.first != rows.first || record.rows.last != rows.last) return std::nullopt;
    if (record.bytes != std::filesystem::file_size(data_path(folder, number))) return std::nullopt;
    return record;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

TokenPart::TokenPart(const std::filesystem::path& folder, std::size_t number, const PartRecord& record)
    : record_(record), file_(data_path(folder, number)) {
  const std::string path = data_path(folder, number).string();
  const std::span<const std::byte> bytes = file_.bytes();
  const auto place = [&](std::uint64_t offset, std::uint64_t count, std::size_t size) {
    if (offset > bytes.size() || count > (bytes.size() - offset) / size || offset % size != 0)
      fail(ExitCode::damaged, "{} is damaged: its arrays do not lie within it; prepare the data again", path);
    return bytes.data() + offset;
  };
  if (bytes.size() != record.bytes || file_digest(File::open_for_reading(path)) != record.digest)
    fail(ExitCode::damaged,
         "{} is damaged: its digest is not the one that was written; remove the folder and prepare the data "
         "again",
         path);
  ids_ = reinterpret_cast<const std::int32_t*>(place(record.ids_offset, record.tokens, sizeof(std::int32_t)));
  scored_ = reinterpret_cast<const std::uint8_t*>(place(record.scored_offset, record.tokens, 1));
  ends_ = reinterpret_cast<const std::uint64_t*>(
      place(record.ends_offset, record.documents, sizeof(std::uint64_t)));
  if (record.documents > 0 && ends_[record.documents - 1] != record.tokens)
    fail(ExitCode::damaged, "{} is damaged: its documents do not fill it; prepare the data again", path);
}

DocumentView TokenPart::document(std::uint64_t index) const {
  const std::uint64_t begin = index == 0 ? 0 : ends_[index - 1], length = ends_[index] - begin;
  return {{ids_ + begin, length}, {scored_ + begin, length}};
}

}  // namespace trireme::io
