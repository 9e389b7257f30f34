#include <fmt/format.h>

#include "jobs/imports/deepspeed.h"

namespace trireme::jobs {
namespace {

const std::string params = "optimizer.params.";
const std::string scheduler = "scheduler.params.";

void compose_type(ForeignReader& file) {
  const std::string name = "optimizer.type";
  const auto type = file.text(name);
  const bool decoupled = !file.find(params + "adam_w_mode") || file.on(params + "adam_w_mode");
  const bool decays = file.find(params + "weight_decay") && file.number(params + "weight_decay", 0) != 0;
  if (file.find(params + "adam_w_mode"))
    file.note(params + "adam_w_mode", decoupled ? "decay is decoupled" : "there is no decay");
  if (!type) {
    if (file.find(name)) file.note(name, "left to the job file");
    return;
  }
  if (*type == "AdamW" || *type == "Adam") {
    if (*type == "Adam" && !decoupled && decays)
      file.refuse(params + "adam_w_mode", "weight decay is always decoupled here; leave it out");
    return file.take(name, "optimizer", "adamw_torch",
                     *type == "Adam" ? "DeepSpeed's Adam decouples weight decay too" : "");
  }
  if (*type == "SGD") return file.take(name, "optimizer", "sgd");
  if (*type == "Muon") return file.take(name, "optimizer", "muon");
  file.refuse(name, "there are AdamW, Adam and SGD");
}

void compose_params(ForeignReader& file) {
  if (const std::string name = params + "betas"; file.find(name)) {
    const YAML::Node& betas = file.find(name)->value;
    if (betas.IsSequence() && betas.size() == 2 && betas[0].IsScalar() && betas[1].IsScalar()) {
      file.take(name, "adam_beta1", betas[0].Scalar());
      file.take(name, "adam_beta2", betas[1].Scalar());
    } else if (betas.IsNull()) {
      file.note(name, "left to the job file");
    } else {
      file.refuse(name, "its value must be a list of two numbers");
    }
  }
  if (const std::string name = params + "bias_correction"; file.find(name)) {
    if (!file.on(name)) file.refuse(name, "moments are always corrected for their bias");
    file.note(name, "moments are always corrected for their bias");
  }
}

void compose_scheduler(ForeignReader& file) {
  if (const std::string name = "scheduler.type"; file.find(name)) {
    const std::string type = file.text(name).value_or("");
    if (type == "WarmupLR") {
      file.take(name, "lr_scheduler", "constant_with_warmup");
    } else if (type == "WarmupDecayLR") {
      file.take(name, "lr_scheduler", "linear", "falls to 0 at the last step");
    } else if (type == "WarmupCosineLR") {
      file.take(name, "lr_scheduler", "cosine");
    } else {
      file.refuse(name, "there are WarmupLR, WarmupDecayLR and WarmupCosineLR");
    }
  }
  for (const char* key : {"warmup_min_lr", "warmup_min_ratio"}) {
    const std::string name = scheduler + key;
    if (!file.find(name)) continue;
    if (file.number(name, 0) != 0) file.refuse(name, "warm-up starts from 0");
    file.note(name, "warm-up starts from 0");
  }
  if (const std::string name = scheduler + "cos_min_ratio"; file.find(name)) {
    constexpr double deepspeeds_own = 1e-4;
    if (file.number(name, 0) > deepspeeds_own) file.refuse(name, "the cosine falls to 0");
    file.note(name, "the cosine falls to 0");
  }
  if (const std::string name = scheduler + "warmup_type"; file.find(name)) {
    const std::string type = file.text(name).value_or("linear");
    if (type != "linear" && type != "log") file.refuse(name, "warm-up is linear");
    file.note(name, type == "log"
                        ? "warm-up is linear here; the rates of its steps differ, the last is the same"
                        : "warm-up is linear");
  } else if (file.find("scheduler.type") && file.text("scheduler.type") != "WarmupCosineLR") {
    file.note("scheduler.type",
              "DeepSpeed's warm-up is logarithmic unless warmup_type is linear; here it is linear");
  }
}

}  // namespace

void compose_optimizer(ForeignReader& file) {
  compose_type(file);
  compose_params(file);
  compose_scheduler(file);
}

}  // namespace trireme::jobs
