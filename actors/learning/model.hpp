#pragma once

/// A model: the tables that hold its parameters, and the computation of loss and gradients from a
/// batch and the parameters that it touches. Plain code on a compute backend; no actors, no wire.
///
/// One step of a worker:
///   plan = model.plan(batch)            which sparse rows the batch touches
///   (parameters of exactly those rows and all dense tables are pulled)
///   model.forward_backward(...)         gradients in the layout of the parameters
///   (gradients are pushed)
///
/// A `model` object is used by one thread at a time (it owns scratch buffers).

#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"
#include "actors/learning/memory_plan.hpp"
#include "actors/learning/table.hpp"
#include "gpu/backend.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gradmesh::learning {

/// What a batch touches in the sparse tables. All sparse tables of a model share one key list per
/// batch (a key is a feature index); rows are laid out in key order.
struct step_plan {
  /// Strictly ascending.
  std::vector<std::uint64_t> keys;
  /// For every index of the batch (in batch order) its position in `keys`.
  std::vector<std::uint32_t> rows;
};

/// Sums over the examples of a batch.
struct step_metrics {
  double loss_sum = 0;       // cross-entropy in nats
  std::uint64_t correct = 0; // examples whose most probable class is the label
  std::uint64_t examples = 0;

  step_metrics& operator+=(const step_metrics& other);
};

class model {
public:
  explicit model(gpu::backend& backend) : backend_(backend) {}
  model(const model&) = delete;
  model& operator=(const model&) = delete;
  virtual ~model() = default;

  /// In declaration order; fixed for the model's life.
  virtual const std::vector<table_spec>& tables() const = 0;

  /// Keys that the batch touches; empty for a model without sparse tables.
  virtual step_plan plan(const example_view& batch) const = 0;

  /// Overwrites `gradients` with `scale` times the sum over the batch of the gradient of the loss
  /// (cross-entropy plus l2/2 |w|^2 on what the batch touches, if the model has an l2). An empty
  /// batch gives zeros.
  result<step_metrics> forward_backward(const example_view& batch, const step_plan& plan,
                                        const parameter_view& parameters, float scale,
                                        const gradient_view& gradients);
  /// The metrics alone.
  result<step_metrics> evaluate(const example_view& batch, const step_plan& plan,
                                const parameter_view& parameters);

  /// The first halves of these: enqueue everything and wait for nothing. What the views look at
  /// stays as it is until the backend is done. Several may be begun; on a device, those beyond
  /// `memory_plan::steps_at_once` have their copies wait.
  virtual result<void> begin(const example_view& batch, const step_plan& plan,
                             const parameter_view& parameters, float scale,
                             const gradient_view& gradients) = 0;
  virtual result<void> begin_evaluation(const example_view& batch, const step_plan& plan,
                                        const parameter_view& parameters) = 0;
  /// The second, when the backend is done with it (backend::look): for the oldest that was begun
  /// and not ended. The gradients are where `begin` was told.
  virtual step_metrics end() = 0;
  /// Instead of `end`, for the one that was begun last: nobody wants it.
  virtual void abandon() = 0;

  /// Copies to a device what has come already of the parameters for the next `begin`, block by
  /// block; those that come with a version are not copied again then.
  virtual void upload_ahead(std::span<const float> /*dense*/,
                            std::span<const dense_version> /*blocks*/) {}

  /// Takes as much memory for steps on batches of these sizes as does good, of at most `bytes_max`
  /// on the device; before the first of them. What is returned takes more where nothing is small
  /// enough. Of sparse tables only so many rows as a batch touches are there, which are not known
  /// here and not counted.
  virtual memory_plan fit(const batch_sizes& examples, std::uint64_t bytes_max) = 0;

protected:
  gpu::backend& backend_;

private:
  /// Of what was just begun.
  result<step_metrics> wait_for(const result<void>& begun);
};

/// What the user chose; `[model]` of a job file.
struct model_options {
  std::string kind = "softmax";      // softmax | mlp
  std::vector<std::uint32_t> hidden; // mlp: widths of the hidden layers
  float l2 = 0;
};

/// Builds the model for data of this shape on a backend (which must outlive it).
/// Errors: unknown kind, an mlp without hidden layers or on sparse data, zero features or fewer
/// than two classes: `errc::invalid_argument`.
result<std::unique_ptr<model>> make_model(const model_options& options, const data_shape& shape,
                                          gpu::backend& backend);

} // namespace gradmesh::learning
