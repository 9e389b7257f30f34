#include "offload/nvme/bounce_backend.h"

#include <algorithm>

namespace trireme::offload {
namespace {

constexpr std::size_t page = 4096, least_stop = std::size_t{1} << 20;

}  // namespace

BounceBackend::BounceBackend(Device& device, std::unique_ptr<Backend> inner)
    : device_(device),
      stream_(device.make_stream()),
      name_(std::string(inner->name()) + "+bounce"),
      inner_(std::move(inner)) {}

std::size_t BounceBackend::take(const Request& request) {
  if (free_.empty()) {
    free_.push_back(stops_.size());
    stops_.emplace_back();
  }
  const std::size_t index = free_.back();
  Stop& stop = stops_[index];
  if (stop.bytes < request.bytes) {
    if (stop.data) inner_->forget_memory({stop.data, stop.bytes});
    stop = {};
    const std::size_t bytes = (std::max<std::size_t>(request.bytes, least_stop) + page - 1) / page * page;
    stop.memory = device_.allocate_pinned(bytes + page);
    const auto place = reinterpret_cast<std::uintptr_t>(stop.memory.data());
    stop.data = stop.memory.as<std::byte>() + (page - place % page) % page;
    stop.bytes = bytes;
    inner_->register_memory({stop.data, stop.bytes});
  }
  stop.request = request;
  free_.pop_back();
  taken_[request.tag] = index;
  return index;
}

void BounceBackend::submit(std::span<const Request> requests) {
  std::vector<Request> through(requests.begin(), requests.end());
  bool copying = false;
  for (Request& request : through) {
    if (!device_.holds(request.data)) continue;
    const Stop& stop = stops_[take(request)];
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
