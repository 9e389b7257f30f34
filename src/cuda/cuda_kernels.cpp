#include "cuda/cuda_kernels.h"

#include <cstring>

#include "core/error.h"
#include "cuda/check.h"
#include "cuda/number_type.h"

namespace trireme::cuda {
namespace {

/// As they lie in the device's memory.
struct Codes {
  std::array<float, 256> means = offload::dynamic_codes(true), squares = offload::dynamic_codes(false);
  offload::CodeFinder mean_finder = offload::code_finder(true), square_finder = offload::code_finder(false);
};

Buffer uploaded_codes(CudaDevice& device) {
  const Codes codes;
  Buffer on_device = device.allocate(sizeof codes);
  const Buffer pinned = device.allocate_pinned(sizeof codes);
  std::memcpy(pinned.data(), &codes, sizeof codes);
  const auto stream = device.make_stream(Priority::normal);
  stream->copy(on_device.data(), pinned.data(), sizeof codes);
  stream->finish();
  return on_device;
}

}  // namespace

CudaKernels::CudaKernels(const Apis& apis, CudaDevice& device)
    : apis_(apis), device_(device), codes_(uploaded_codes(device)) {
  const auto* codes = codes_.as<Codes>();
  tables_ = {codes->means.data(), codes->squares.data(), codes->mean_finder.entries(),
             codes->square_finder.entries()};
}

template <typename Function, typename... Args>
void CudaKernels::launch(const char* kernel, Function function, const Args&... args) {
  device_.use();
  check(apis_.cuda, function(args..., apis_.tensor_stream(device_.index())), kernel);
}

void CudaKernels::norm(const kernels::NormForward& args, std::int64_t rows, DType type) {
  if (rows > 0) launch("the norm's kernel", apis_.compute.norm, args, rows, number_type(type));
}

void CudaKernels::norm_backward(const kernels::NormBackward& args, std::int64_t rows,
                                std::int64_t rows_a_chunk, DType type) {
  require(rows_a_chunk > 0, "chunks of {} rows", rows_a_chunk);
  if (rows > 0)
    launch("the norm's backward kernels", apis_.compute.norm_backward, args, rows, rows_a_chunk,
           number_type(type));
}

void CudaKernels::rotate(const kernels::Rotation& args, std::int64_t rows, DType type) {
  if (rows > 0) launch("the rotation's kernel", apis_.compute.rotate, args, rows, number_type(type));
}

void CudaKernels::swiglu(const kernels::SwiGlu& args, std::int64_t count, DType type) {
  if (count > 0) launch("SwiGLU's kernel", apis_.compute.swiglu, args, count, number_type(type));
}

void CudaKernels::swiglu_backward(const kernels::SwiGluBackward& args, std::int64_t count, DType type) {
  if (count > 0)
    launch("SwiGLU's backward kernel", apis_.compute.swiglu_backward, args, count, number_type(type));
}

void CudaKernels::add_chunk_rows(const kernels::ChunkRows& rows, const kernels::ChunkSums& sums,
                                 std::int64_t count, DType type) {
  if (count > 0)
    launch("the chunk scores' kernel", apis_.compute.add_chunk_rows, rows, sums, count, number_type(type));
}

void CudaKernels::chunk_rows_backward(const kernels::ChunkRows& rows,
                                      const kernels::ChunkGradients& gradients, std::int64_t count,
                                      DType type) {
  if (count > 0)
    launch("the chunk scores' backward kernel", apis_.compute.chunk_rows_backward, rows, gradients, count,
           number_type(type));
}

void CudaKernels::softmax_loss(const kernels::SoftmaxLoss& args, std::int64_t rows, DType type) {
  if (rows > 0) launch("the loss's kernel", apis_.compute.softmax_loss, args, rows, number_type(type));
}

void CudaKernels::dequantise_nf4(const kernels::Nf4Weight& weight, void* into, DType type) {
  if (weight.elements > 0)
    launch("the 4-bit weights' kernel", apis_.compute.dequantise_nf4, weight, into, number_type(type));
}

void CudaKernels::dropout_mask(const kernels::DropoutMask& args, DType type) {
  if (args.samples > 0 && args.each > 0)
    launch("dropout's kernel", apis_.compute.dropout_mask, args, number_type(type));
}

void CudaKernels::add(float* into, const float* from, std::int64_t count) {
  if (count > 0) launch("the adding kernel", apis_.compute.add, into, from, count);
}

void CudaKernels::convert(const void* from, DType from_type, void* into, DType into_type,
                          std::int64_t count) {
  if (count > 0)
    launch("the converting kernel", apis_.compute.convert, from, number_type(from_type), into,
           number_type(into_type), count);
}

void CudaKernels::add_squares(const float* values, std::int64_t count, double* sums) {
  if (count > 0) launch("the kernel of squares", apis_.compute.add_squares, values, count, sums);
}

void CudaKernels::make_splittable(float* values, std::int64_t count) {
  if (count > 0) launch("the splitting kernel", apis_.compute.make_splittable, values, count);
}

void CudaKernels::adamw(const offload::AdamWFactors& factors, const offload::AdamWRun& run) {
  if (run.count > 0) launch("AdamW's kernel", apis_.compute.adamw, factors, run);
}

void CudaKernels::adamw8(const offload::AdamWFactors& factors, const offload::AdamW8Run& run) {
  if (run.count > 0) launch("8-bit AdamW's kernel", apis_.compute.adamw8, factors, run, tables_);
}

void CudaKernels::sgd(const offload::SgdRun& run) {
  if (run.count > 0) launch("SGD's kernel", apis_.compute.sgd, run);
}

}  // namespace trireme::cuda
