#pragma once

/// What evaluations' batches touch, and how that is cut by shard: an evaluation goes through the
/// same examples in the same order each time, so both are worked out once (GeePS: Cui et al.,
/// EuroSys 2016). Not for training, whose order is drawn anew for each epoch.
///
/// A batch is told by the 64-bit XXH3 of its indices, and how many they are: what that means for
/// the chance of a mistake is said in parameters/key_cache.hpp. Limit: bytes; what was not used for
/// longest goes. Used by one thread.

#include "actors/learning/dataset.hpp"
#include "actors/learning/model.hpp"
#include "actors/parameters/slicer.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <vector>

namespace gradmesh::worker {

class plan_cache {
public:
  explicit plan_cache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  struct entry {
    learning::step_plan plan;
    std::vector<parameters::slice> slices;
  };
  /// Those of this batch, valid until the next call; worked out where they are not known.
  const entry& find(const learning::example_view& examples, const learning::model& model,
                    const parameters::slicer& slicer);

  std::uint64_t hits() const { return hits_; }
  std::size_t bytes() const { return bytes_; }

private:
  struct name {
    std::uint64_t hash = 0;
    std::uint64_t indices = 0;
    auto operator<=>(const name&) const = default;
  };
  struct kept {
    name of;
    entry content;
    std::size_t bytes = 0;
  };

  static name name_of(const learning::example_view& examples);
  static std::size_t bytes_of(const entry& e);

  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0;
  std::list<kept> kept_; // the one used last in front
  std::map<name, std::list<kept>::iterator> by_name_;
};

} // namespace gradmesh::worker
