#pragma once

/// What one thread of a HOGWILD! pass does (see hogwild.hpp): goes through runs of examples, and
/// changes the shared parameters after each example.
///
/// Every access to them is a relaxed load or store by std::atomic_ref. Two threads that add to the
/// same float at the same time may lose one of the additions, as Niu et al. have it; where a
/// step touches few of many rows that is rare.

#include "gpu/backend.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::learning {

/// What the threads of a pass share; all but the parameters stays as it is.
struct hogwild_pass {
  std::span<const std::int32_t> labels;
  /// Example i has the entries [offsets[i], offsets[i + 1]) less `first_entry`; without offsets
  /// each has `dense_entries`, and its rows are the same for all.
  std::span<const std::uint32_t> offsets;
  std::size_t first_entry = 0;
  std::size_t dense_entries = 0;
  const std::uint32_t* rows = nullptr;
  const float* values = nullptr;

  float* weights = nullptr; // rows x classes
  float* bias = nullptr;    // classes
  std::size_t classes = 0;
  float step = 0; // an example's gradient is subtracted so many times
  /// Examples between two exchanges of what many examples share.
  std::size_t group = 1;

  /// Rows that many examples share, and for each row its place among them plus one, or 0.
  std::span<const std::uint32_t> hot_rows;
  const std::uint8_t* hot_places = nullptr; // null without hot rows
};

class alignas(64) hogwild_thread {
public:
  /// How far ahead rows are asked for: far enough for a line to come from the other core.
  static constexpr std::size_t examples_ahead = 3;

  /// To be called before the first `work` of a pass.
  void begin();
  /// Goes through the examples [first, last), and asks for rows of those before `seen`, which most
  /// often are what it does next.
  void work(const hogwild_pass& pass, std::size_t first, std::size_t last, std::size_t seen);
  /// Over the examples since `begin`.
  const gpu::batch_metrics& metrics() const { return metrics_; }

  struct example {
    const std::uint32_t* rows = nullptr;
    const float* values = nullptr;
    std::size_t entries = 0;
  };

private:
  static example example_at(const hogwild_pass& pass, std::size_t i);

  template <class RowOf>
  void go_through(const hogwild_pass& pass, const RowOf& row_of, std::size_t first,
                  std::size_t last, std::size_t seen);
  /// One example; asks for the rows of `ahead` in passing.
  template <class RowOf>
  void descend(const hogwild_pass& pass, const RowOf& row_of, std::size_t i, const example& ahead);
  void read(const hogwild_pass& pass);
  /// Adds to the shared bias and hot rows what the own copies have gained, and reads them again.
  void exchange(const hogwild_pass& pass);

  gpu::batch_metrics metrics_;
  bool has_read_ = false; // what many examples share, in this pass
  std::vector<float> logits_;
  /// The bias, then the hot rows: as this thread has them, and as it read them.
  std::vector<float> own_;
  std::vector<float> read_;
};

} // namespace gradmesh::learning
