#include "offload/nvme/bounce_backend.h"

#include "core/error.h"

namespace trireme::offload {
namespace {

constexpr std::size_t page = 4096;

std::span<std::byte> whole_pages(const Buffer& memory) {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  return std::span(memory.as<std::byte>(), memory.bytes()).subspan((page - begin % page) % page);
}

}  // namespace

std::size_t meeting_bytes(unsigned depth, std::uint32_t block_bytes) {
  return depth * ((block_bytes + page - 1) / page * page) + page;
}

BounceBackend::BounceBackend(Device& device, Buffer meeting, std::unique_ptr<Backend> inner)
    : device_(device),
      stream_(device_.make_stream()),
      meeting_(std::move(meeting)),
      pages_(whole_pages(meeting_)),
      stop_bytes_(pages_.size() / inner->depth() / page * page),
      name_(std::string(inner->name()) + "+bounce"),
      inner_(std::move(inner)) {
  for (std::size_t i = 0; i < inner_->depth(); ++i) {
    stops_.push_back({pages_.data() + i * stop_bytes_, {}});
    free_.push_back(i);
  }
  inner_->register_memory(pages_);
}

BounceBackend::~BounceBackend() {
  inner_->forget_memory(pages_);
}

const BounceBackend::Stop& BounceBackend::take(const Request& request) {
  require(!free_.empty() && request.bytes <= stop_bytes_,
          "a request of {} bytes for stops of {}, {} of them free", request.bytes, stop_bytes_, free_.size());
  Stop& stop = stops_[free_.back()];
  stop.request = request;
  taken_[request.tag] = free_.back();
  free_.pop_back();
  return stop;
}

void BounceBackend::submit(std::span<const Request> requests) {
  std::vector<Request> through(requests.begin(), requests.end());
  bool copying = false;
  for (Request& request : through) {
    if (!device_.holds(request.data)) continue;
    const Stop& stop = take(request);
    if (request.write && request.after) stream_->wait(*request.after);
    if (request.write) stream_->copy(stop.data, request.data, request.bytes);
    copying |= request.write;
    request.data = stop.data;
  }
  if (copying) stream_->finish();
  inner_->submit(through);
}

std::size_t BounceBackend::wait(std::span<Completion> into) {
  const std::size_t count = inner_->wait(into);
  bool copying = false;
  for (const Completion& completion : into.first(count)) {
    const auto found = taken_.find(completion.tag);
    if (found == taken_.end()) continue;
    const Stop& stop = stops_[found->second];
    if (!stop.request.write && completion.result > 0) {
      if (stop.request.after) stream_->wait(*stop.request.after);
      stream_->copy(stop.request.data, stop.data, static_cast<std::size_t>(completion.result));
      copying = true;
    }
    free_.push_back(found->second);
    taken_.erase(found);
  }
  if (copying) stream_->finish();
  return count;
}

bool BounceBackend::register_memory(std::span<std::byte> memory) {
  return !memory.empty() && !device_.holds(memory.data()) && inner_->register_memory(memory);
}

void BounceBackend::forget_memory(std::span<std::byte> memory) {
  if (!memory.empty() && !device_.holds(memory.data())) inner_->forget_memory(memory);
}

}  // namespace trireme::offload
