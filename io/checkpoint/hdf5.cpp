#include "io/checkpoint/hdf5.h"

#include <algorithm>

#include "core/error.h"
#include "io/checkpoint/image_driver.h"

namespace trireme::io::hdf5 {
namespace {

constexpr hsize_t page = 4096;

std::mutex& library_lock() {
  static std::mutex lock;
  return lock;
}

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

Turn::Turn() : lock_(library_lock()) {
  H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Turn::~Turn() {
  H5Eset_auto2(H5E_DEFAULT, print_, data_);
}

namespace {

/// HDF5 keeps up to 32 MiB of what describes datasets before it writes any of it, and several times that
/// around it.
void keep_few_descriptions(const Handle& access, const std::string& doing) {
  H5AC_cache_config_t cache{};
  cache.version = H5AC__CURR_CACHE_CONFIG_VERSION;
  check(H5Pget_mdc_config(access.get(), &cache), doing);
  cache.set_initial_size = true;
  cache.initial_size = cache.max_size = cache.min_size = std::size_t{1} << 20;
  cache.incr_mode = H5C_incr__off;
  cache.flash_incr_mode = H5C_flash_incr__off;
  cache.decr_mode = H5C_decr__off;
  check(H5Pset_mdc_config(access.get(), &cache), doing);
}

}  // namespace

Handle create_file(const ImageDriver& driver, const std::string& name, Pages pages) {
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "preparing " + name);
  const bool all = pages == Pages::for_all;
  check(H5Pset_alignment(access.get(), all ? 1 : page, page), "aligning " + name);
  if (all) check(H5Pset_small_data_block_size(access.get(), 0), "aligning " + name);
  check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V110), "preparing " + name);
  keep_few_descriptions(access, "preparing " + name);
  driver.use_in(access);
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "preparing " + name);
  check(H5Pset_obj_track_times(creation.get(), 0), "preparing " + name);
  return {H5Fcreate(name.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose, "creating " + name};
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

void make_groups(const Handle& file, const std::string& dataset) {
  for (std::size_t slash = dataset.find('/'); slash != std::string::npos;
       slash = dataset.find('/', slash + 1)) {
    const std::string path = dataset.substr(0, slash), doing = "making the group " + path;
    if (H5Lexists(file.get(), path.c_str(), H5P_DEFAULT) > 0) continue;
    const Handle list(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, doing);
    check(H5Pset_obj_track_times(list.get(), 0), doing);
    const Handle group(H5Gcreate2(file.get(), path.c_str(), H5P_DEFAULT, list.get(), H5P_DEFAULT), H5Gclose,
                       doing);
  }
}

Handle dataset_creation() {
  Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "preparing a dataset");
  check(H5Pset_obj_track_times(list.get(), 0), "preparing a dataset");
  return list;
}

std::uint64_t create_contiguous(const Handle& file, const std::string& dataset, DType dtype,
                                const std::vector<hsize_t>& extents) {
  const std::string doing = "creating " + dataset;
  const Handle layout = dataset_creation();
  check(H5Pset_layout(layout.get(), H5D_CONTIGUOUS), doing);
  check(H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY), doing);
  check(H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER), doing);
  make_groups(file, dataset);
  const Handle type = file_type(dtype);
  const Handle space = simple_space(extents);
  const Handle made(H5Dcreate2(file.get(), dataset.c_str(), type.get(), space.get(), H5P_DEFAULT,
                               layout.get(), H5P_DEFAULT),
                    H5Dclose, doing);
  if (std::find(extents.begin(), extents.end(), hsize_t{0}) != extents.end()) return 0;
  const haddr_t offset = H5Dget_offset(made.get());
  if (offset == HADDR_UNDEF) fail_with_stack(doing);
  return offset;
}

void write_attribute(const Handle& file, const std::string& name, const std::string& text) {
  const std::string doing = "writing the attribute " + name;
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose, doing);
  check(H5Tset_size(type.get(), text.size()), doing);
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), doing);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, doing);
  const Handle attribute(
      H5Acreate2(file.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
      doing);
  check(H5Awrite(attribute.get(), type.get(), text.data()), doing);
}

}  // namespace trireme::io::hdf5
