#pragma once

/// What one thread of a HOGWILD! pass does (see hogwild.hpp): takes groups of examples until none
/// is left, and changes the shared parameters after each example.
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
  /// `next`: the first example that nobody has taken.
  gpu::batch_metrics work(const hogwild_pass& pass, std::atomic<std::size_t>& next);

  /// An entry of an example: its row, shared or an own copy.
  struct term {
    float* row;
    float value;
  };

private:
  struct example {
    const std::uint32_t* rows;
    const float* values;
    std::size_t entries;
  };
  static example example_at(const hogwild_pass& pass, std::size_t i);
  static void fetch_ahead(const hogwild_pass& pass, std::size_t i);

  void descend(const hogwild_pass& pass, std::size_t i);
  void resize(const hogwild_pass& pass);
  /// Adds to the shared bias and hot rows what the own copies have gained, and reads them again.
  void exchange(const hogwild_pass& pass);

  gpu::batch_metrics metrics_;
  std::vector<term> terms_; // of the present example
  std::vector<float> logits_;
  /// The bias, then the hot rows: as this thread has them, and as it read them.
  std::vector<float> own_;
  std::vector<float> read_;
};

} // namespace gradmesh::learning
