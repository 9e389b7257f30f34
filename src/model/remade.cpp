#include "model/remade.h"

#include "core/error.h"

namespace trireme::model {

at::Tensor Remade::take() {
  require(awaited_ > 0 && make_, "a tensor of a graph that was gone through is asked for once more");
  if (!made_.defined()) made_ = make_();
  const at::Tensor made = made_;
  if (--awaited_ == 0) {
    made_.reset();
    // What it is made from may go now too.
    make_ = nullptr;
  }
  return made;
}

}  // namespace trireme::model
