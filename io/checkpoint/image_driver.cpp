#include "io/checkpoint/image_driver.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>

namespace trireme::io::hdf5 {
namespace {

constexpr haddr_t largest_address = (haddr_t{1} << 62) - 1;

/// HDF5 copies this with its access lists and hands it to `open`.
struct Settings {
  FileImage* image;
};

/// HDF5 knows it by its first member.
struct OpenImage {
  H5FD_t base{};
  FileImage* image = nullptr;
  haddr_t end = 0;
};

OpenImage& open_image(H5FD_t* file) {
  return *reinterpret_cast<OpenImage*>(file);
}
const OpenImage& open_image(const H5FD_t* file) {
  return *reinterpret_cast<const OpenImage*>(file);
}

H5FD_t* open(const char*, unsigned, hid_t access, haddr_t) {
  const auto* settings = static_cast<const Settings*>(H5Pget_driver_info(access));
  if (!settings) return nullptr;
  auto opened = std::make_unique<OpenImage>();
  opened->image = settings->image;
  return &opened.release()->base;
}

herr_t close(H5FD_t* file) {
  const std::unique_ptr<OpenImage> closed(&open_image(file));
  return 0;
}

int compare(const H5FD_t* one, const H5FD_t* other) {
  const auto* a = open_image(one).image;
  const auto* b = open_image(other).image;
  return a < b ? -1 : a > b ? 1 : 0;
}

herr_t query(const H5FD_t*, unsigned long* features) {
  if (features)
    *features = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
                H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t end_of_allocation(const H5FD_t* file, H5FD_mem_t) {
  return open_image(file).end;
}

herr_t set_end_of_allocation(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  open_image(file).end = end;
  return 0;
}

haddr_t end_of_file(const H5FD_t* file, H5FD_mem_t) {
  return open_image(file).image->bytes();
}

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t offset, std::size_t bytes, void* out) {
  open_image(file).image->read(offset, {static_cast<std::byte*>(out), bytes});
  return 0;
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t offset, std::size_t bytes, const void* data) {
  open_image(file).image->write(offset, {static_cast<const std::byte*>(data), bytes});
  return 0;
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  open_image(file).image->resize(open_image(file).end);
  return 0;
}

H5FD_class_t description() {
  H5FD_class_t made{};
  made.name = "trireme_image";
  made.maxaddr = largest_address;
  made.fc_degree = H5F_CLOSE_STRONG;
  made.fapl_size = sizeof(Settings);
  made.open = open, made.close = close, made.cmp = compare, made.query = query;
  made.get_eoa = end_of_allocation, made.set_eoa = set_end_of_allocation, made.get_eof = end_of_file;
  made.read = read, made.write = write, made.truncate = truncate;
  constexpr std::array<H5FD_mem_t, H5FD_MEM_NTYPES> kinds = H5FD_FLMAP_DICHOTOMY;
  std::copy(kinds.begin(), kinds.end(), std::begin(made.fl_map));
  return made;
}

hid_t register_driver() {
  const H5FD_class_t made = description();
  return H5FDregister(&made);
}

}  // namespace

ImageDriver::ImageDriver(FileImage& image)
    : image_(&image), driver_(register_driver(), H5FDunregister, "preparing HDF5") {}

void ImageDriver::use_in(const Handle& access) const {
  const Settings settings{image_};
  check(H5Pset_driver(access.get(), driver_.get(), &settings), "preparing HDF5");
}

}  // namespace trireme::io::hdf5
