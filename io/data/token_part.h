#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "io/data/documents.h"
#include "io/data/mapped_file.h"

namespace trireme::io {

/// What is known of one file of a token store: which rows it holds, and where in it the three arrays lie.
struct PartRecord {
  RowRange rows;
  std::uint64_t documents = 0, tokens = 0, skipped = 0;
  std::uint64_t ids_offset = 0, scored_offset = 0, ends_offset = 0;
  std::uint64_t bytes = 0;
  std::string digest;
};

std::string part_name(std::size_t number);
/// Writes part-00000.h5 (ids, scored, ends) and, when it is whole, part-00000.json.
PartRecord write_part(const std::filesystem::path& folder, std::size_t number, RowRange rows,
                      const Documents& documents);
/// Nothing where the part is not there, not whole or of other rows.
std::optional<PartRecord> read_part_record(const std::filesystem::path& folder, std::size_t number,
                                           RowRange rows);

/// A part in memory. Throws an Error (damaged) where its bytes are not those that were written.
class TokenPart {
 public:
  TokenPart(const std::filesystem::path& folder, std::size_t number, const PartRecord& record);
  std::uint64_t size() const { return record_.documents; }
  DocumentView document(std::uint64_t index) const;
  const PartRecord& record() const { return record_; }

 private:
  PartRecord record_;
  MappedFile file_;
  const std::int32_t* ids_ = nullptr;
  const std::uint8_t* scored_ = nullptr;
  const std::uint64_t* ends_ = nullptr;
};

}  // namespace trireme::io
