#pragma once

/// The changes of a shard that its backup has not acknowledged, numbered in their order from 1.
///
/// Pushes of a block whose rule keeps no state wait as the block: the first one is a change, those
/// that come before it is sent join it, and what is sent for all of them is the block as it is at
/// that moment. Joining breaks no order: what is changed between two changes of a block is other
/// blocks and rows. (Where the rule has a state, block and state are no smaller than a few pushes;
/// those go one by one.)
///
/// Whoever waits for a push to be replicated may wait for `last()` at that moment: a push that
/// joins a change waits for no more than if it had become the last one.
///
/// Memory: bodies of changes, and a few bytes for each push of a block that is to be sent.

#include "actors/rules.hpp"
#include "actors/server_shard/replicated_change.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace gradmesh::server_shard {

class waiting_changes {
public:
  /// Pushes that are told of in one message.
  static constexpr std::size_t joined_max = 4096;

  /// `store` outlives it.
  waiting_changes(const parameters::parameter_store& store, const rule_set& rules)
      : store_(store), rules_(rules) {}

  void add(change_draft draft);
  /// Whether pushes of a block wait as the block.
  bool joins(std::uint32_t block) const { return store_.dense_state_floats(block) == 0; }
  /// A push of such a block was applied.
  void join(std::uint32_t block, const pushed_name& push);

  /// The number of the last change.
  std::uint64_t last() const { return last_; }
  /// The last number that the backup has.
  std::uint64_t acknowledged() const { return last_ - waiting_.size(); }
  std::size_t bytes() const { return bytes_; }

  /// Whether pushes may still join a change that waits.
  bool is_open(std::uint64_t number) const { return !at(number).pushes.empty(); }
  /// A change that waits, to be sent: nothing joins it from now on. Valid until it is acknowledged.
  change_draft& take(std::uint64_t number);
  /// The backup has all changes up to a number, which is `last()` at most.
  void acknowledge(std::uint64_t number);
  void clear();

private:
  struct change {
    change_draft draft;
    std::uint32_t block = 0;
    std::vector<pushed_name> pushes; // of the block, while others may join them
    std::size_t bytes = 0;
  };
  const change& at(std::uint64_t number) const { return waiting_[number - acknowledged() - 1]; }
  change& at(std::uint64_t number) { return waiting_[number - acknowledged() - 1]; }
  void count(change& of, std::size_t bytes);

  const parameters::parameter_store& store_;
  const rule_set rules_;
  std::deque<change> waiting_;
  std::map<std::uint32_t, std::uint64_t> open_; // by block
  std::uint64_t last_ = 0;
  std::size_t bytes_ = 0;
};

} // namespace gradmesh::server_shard
