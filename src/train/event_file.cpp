#include "train/event_file.h"

#include <array>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "core/error.h"

namespace trireme::train {
namespace {

constexpr std::array<std::uint32_t, 256> castagnoli_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78u : 0u);
    table[byte] = value;
  }
  return table;
}

template <typename Number>
void add_little_endian(std::string& out, Number value) {
  for (std::size_t byte = 0; byte < sizeof(Number); ++byte)
    out += static_cast<char>(value >> (8 * byte) & 0xFF);
}

/// So that a checksum of bytes that hold checksums is not a simple one.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

void add_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

/// Kinds of fields on protobuf's wire.
enum class Wire : std::uint8_t { varint = 0, eight_bytes = 1, bytes = 2, four_bytes = 5 };

void add_key(std::string& out, int field, Wire wire) {
  add_varint(out, static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire));
}

void add_double(std::string& out, int field, double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  add_key(out, field, Wire::eight_bytes);
  add_little_endian(out, bits);
}

void add_float(std::string& out, int field, float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  add_key(out, field, Wire::four_bytes);
  add_little_endian(out, bits);
}

void add_bytes(std::string& out, int field, std::string_view bytes) {
  add_key(out, field, Wire::bytes);
  add_varint(out, bytes.size());
  out += bytes;
}

/// Fields of tensorflow/core/util/event.proto and framework/summary.proto.
namespace event {
constexpr int wall_time = 1, step = 2, file_version = 3, summary = 5;
}
namespace summary {
constexpr int value = 1, tag = 1, simple_value = 2;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = castagnoli_table();
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char letter : bytes) crc = table[(crc ^ static_cast<unsigned char>(letter)) & 0xFF] ^ (crc >> 8);
  return crc ^ 0xFFFFFFFFu;
}

std::string framed(std::string_view record) {
  std::string out;
  add_little_endian(out, static_cast<std::uint64_t>(record.size()));
  add_little_endian(out, masked_crc(out));
  out += record;
  add_little_endian(out, masked_crc(record));
  return out;
}

std::string version_event(double time) {
  std::string out;
  add_double(out, event::wall_time, time);
  add_bytes(out, event::file_version, "brain.Event:2");
  return out;
}

std::string scalars_event(double time, std::int64_t step, const Scalars& scalars) {
  std::string values;
  for (const auto& [name, number] : scalars) {
    std::string value;
    add_bytes(value, summary::tag, name);
    add_float(value, summary::simple_value, static_cast<float>(number));
    add_bytes(values, summary::value, value);
  }
  std::string out;
  add_double(out, event::wall_time, time);
  add_key(out, event::step, Wire::varint);
  add_varint(out, static_cast<std::uint64_t>(step));
  add_bytes(out, event::summary, values);
  return out;
}

EventFile::EventFile(const std::filesystem::path& folder, double time) : file_(nullptr, std::fclose) {
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host = {'?'};
  path_ = folder /
          fmt::format("events.out.tfevents.{}.{}.{}", static_cast<long long>(time), host.data(), ::getpid());
  file_.reset(std::fopen(path_.c_str(), "ab"));
  if (!file_) fail(ExitCode::requeue, "cannot write {}", path_.string());
  append(version_event(time));
}

void EventFile::write(double time, std::int64_t step, const Scalars& scalars) {
  append(scalars_event(time, step, scalars));
}

void EventFile::append(const std::string& event) {
  const std::string record = framed(event);
  if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size() ||
      std::fflush(file_.get()) != 0)
    fail(ExitCode::requeue, "cannot append to {}: is the disk full?", path_.string());
}

}  // namespace trireme::train
