#include "io/checkpoint/hdf5.h"

#include "core/error.h"

namespace trireme::io::hdf5 {
namespace {

constexpr hsize_t page = 4096;

herr_t keep_innermost(unsigned, const H5E_error2_t* error, void* reason) {
  if (error->desc) *static_cast<std::string*>(reason) = error->desc;
  return 0;
}

hid_t copy_of_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return H5Tcopy(H5T_IEEE_F32LE);
    case DType::f64:
      return H5Tcopy(H5T_IEEE_F64LE);
    case DType::i8:
      return H5Tcopy(H5T_STD_I8LE);
    case DType::u8:
    case DType::boolean:
      return H5Tcopy(H5T_STD_U8LE);
    case DType::i16:
      return H5Tcopy(H5T_STD_I16LE);
    case DType::i32:
      return H5Tcopy(H5T_STD_I32LE);
    case DType::i64:
      return H5Tcopy(H5T_STD_I64LE);
    case DType::f16:
    case DType::bf16:
      return H5Tcopy(H5T_IEEE_F32LE);
  }
  return -1;
}

/// Sign at bit 15, then the exponent, then the fraction from bit 0.
void make_16_bit_float(hid_t type, std::size_t exponent_bits, std::size_t bias) {
  const std::size_t fraction_bits = 15 - exponent_bits;
  check(H5Tset_fields(type, 15, fraction_bits, exponent_bits, 0, fraction_bits), "defining a 16-bit float");
  check(H5Tset_precision(type, 16), "defining a 16-bit float");
  check(H5Tset_size(type, 2), "defining a 16-bit float");
  check(H5Tset_ebias(type, bias), "defining a 16-bit float");
}

}  // namespace

void fail_with_stack(const std::string& doing) {
  std::string reason = "no reason given";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &reason);
  fail(ExitCode::requeue, "{} failed in HDF5: {}", doing, reason);
}

void check(herr_t status, const std::string& doing) {
  if (status < 0) fail_with_stack(doing);
}

Handle::Handle(hid_t id, Close release, const std::string& doing) : id_(id), close_(release) {
  if (id_ < 0) fail_with_stack(doing);
}

void Handle::close(const std::string& doing) {
  check(close_(std::exchange(id_, -1)), doing);
}

QuietErrors::QuietErrors() {
  H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

QuietErrors::~QuietErrors() {
  H5Eset_auto2(H5E_DEFAULT, print_, data_);
}

Handle create_file(const std::filesystem::path& path) {
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "preparing " + path.string());
  check(H5Pset_alignment(access.get(), page, page), "aligning " + path.string());
  check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V110), "preparing " + path.string());
  return {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose,
          "creating " + path.string()};
}

Handle file_type(DType dtype) {
  Handle type(copy_of_type(dtype), H5Tclose, "making a type");
  if (dtype == DType::bf16) make_16_bit_float(type.get(), 8, 127);
  if (dtype == DType::f16) make_16_bit_float(type.get(), 5, 15);
  return type;
}

Handle simple_space(const std::vector<hsize_t>& extents) {
  return {H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose,
          "making a dataspace"};
}

Handle intermediate_groups() {
  Handle list(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "preparing links");
  check(H5Pset_create_intermediate_group(list.get(), 1), "preparing links");
  return list;
}

}  // namespace trireme::io::hdf5
