#pragma once
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/device.h"
#include "cuda/cufile_handles.h"
#include "cuda/relay.h"

namespace trireme::cuda {

class CudaDevice;

/// GPUDirect Storage: requests go into streams, one each, and a function behind each in its stream tells that
/// it is over. So any request ends by itself and `wake` is a notification; cuFile's batches would have to be
/// emptied before they are filled again, and waiting for one cannot be cut short. What cuFile cannot take
/// (host memory, tails through the page cache, files of other file systems) goes to another backend beside
/// it.
class CufileBackend final : public offload::Backend {
 public:
  CufileBackend(const CudaApi& cuda, std::unique_ptr<CufileDriver> driver, CudaDevice& device, unsigned depth,
                std::unique_ptr<offload::Backend>& rest);

  std::string_view name() const override { return "cufile"; }
  unsigned depth() const override { return static_cast<unsigned>(lanes_.size()); }
  void submit(std::span<const offload::Request> requests) override;
  std::size_t wait(std::span<offload::Completion> into) override;
  void wake() noexcept override;
  std::string describe(int number) const override;
  bool register_memory(std::span<std::byte> memory) override;
  void forget_memory(std::span<std::byte> memory) override;
  bool register_file(int descriptor) override;
  void forget_file(int descriptor) override;

 private:
  struct File {
    std::unique_ptr<RegisteredFile> known;
    /// Found out in the middle; requests on their way may still need the handle.
    bool refused = false;
  };
  struct Place {
    CufileBackend* backend;
    std::size_t lane;
  };
  static void passed(void* place);
  void start(const offload::Request& request);
  std::byte* base_of(const offload::Request& request) const;
  /// False: the request goes on elsewhere.
  bool settle(std::size_t lane, offload::Completion& into);
  void give_away(const offload::Request& request, const cufile::Status& status);
  void look_after_lanes();

  const CudaApi& cuda_;
  CudaDevice& device_;
  std::unique_ptr<CufileDriver> driver_;
  std::map<int, File> files_;
  std::list<RegisteredMemory> memory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false, broken_ = false;
  std::vector<std::size_t> passed_;
  std::vector<offload::Completion> others_;
  std::vector<std::size_t> free_;
  std::vector<bool> busy_;
  std::vector<Place> places_;
  std::vector<std::unique_ptr<CufileLane>> lanes_;
  std::unique_ptr<Relay> relay_;
};

/// The backend of `device`, as Device::make_storage promises.
std::unique_ptr<offload::Backend> make_cufile_backend(const Apis& apis, CudaDevice& device, unsigned depth,
                                                      Detour detour, std::unique_ptr<offload::Backend>& rest);

}  // namespace trireme::cuda
