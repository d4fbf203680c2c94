#include "actors/env/network/shared_memory/pages.hpp"

#include <algorithm>
#include <bit>

namespace gradmesh::env::shm {
namespace {

constexpr std::size_t word_bits = 64;

/// Calls use(index of word, mask) for the words that a run lies in.
template <class Use>
void for_each_word(page_run run, Use use) {
  const auto end = run.first + run.count;
  for (auto page = run.first; page < end;) {
    const auto bit = page % word_bits;
    const auto count = std::min(word_bits - bit, end - page);
    use(page / word_bits, (~std::uint64_t{0} >> (word_bits - count)) << bit);
    page += count;
  }
}

} // namespace

void page_pool::collect() {
  for (std::size_t i = 0; i < taken_.size(); ++i)
    if (released_[i].load() != 0) taken_[i] &= ~released_[i].exchange(0);
}

page_run page_pool::find(std::size_t wanted) const {
  const auto end = taken_.size() * word_bits;
  page_run longest;
  for (auto page = first_from(0, false, end); page < end && longest.count < wanted;) {
    const auto stop = first_from(page, true, std::min(end, page + wanted));
    if (stop - page > longest.count) longest = {page, stop - page};
    page = first_from(stop, false, end);
  }
  return longest;
}

void page_pool::take(page_run run) {
  for_each_word(run, [this](std::size_t i, std::uint64_t mask) { taken_[i] |= mask; });
}

std::size_t page_pool::first_from(std::size_t page, bool taken, std::size_t end) const {
  while (page < end) {
    const auto word = taken ? taken_[page / word_bits] : ~taken_[page / word_bits];
    const auto rest = word >> (page % word_bits);
    if (rest != 0) return std::min(end, page + std::countr_zero(rest));
    page = (page / word_bits + 1) * word_bits;
  }
  return end;
}

result<page_run> lent_pages::hold(std::size_t first_page, std::size_t bytes) {
  const auto pages = held_.size() * word_bits;
  if (bytes > way_.area.size() || first_page > pages || pages_of(bytes) > pages - first_page)
    return {errc::malformed_message, "a record points to " + std::to_string(bytes) +
                                         " bytes from page " + std::to_string(first_page) +
                                         " on, but the shared area has " + std::to_string(pages) +
                                         " pages"};
  const page_run run{first_page, pages_of(bytes)};
  std::uint64_t twice = 0;
  for_each_word(run, [&](std::size_t i, std::uint64_t mask) { twice |= held_[i].load() & mask; });
  if (twice != 0)
    return {errc::malformed_message, "a record points to page " + std::to_string(first_page) +
                                         " and following of the shared area, which hold another "
                                         "frame still"};
  for_each_word(run, [this](std::size_t i, std::uint64_t mask) { held_[i].fetch_or(mask); });
  return run;
}

bool lent_pages::may_lend(page_run run) const {
  return lent_.load() + run.count <= held_.size() * word_bits / 2;
}

struct lent_pages::loan {
  loan(std::shared_ptr<lent_pages> owner, page_run pages) : from(std::move(owner)), run(pages) {}
  ~loan() {
    from->lent_.fetch_sub(run.count);
    from->release(run);
  }
  loan(const loan&) = delete;
  loan& operator=(const loan&) = delete;

  std::shared_ptr<lent_pages> from;
  page_run run;
};

mesh::frame_body lent_pages::lend(page_run run, std::size_t bytes_used) {
  auto owner = std::make_shared<loan>(shared_from_this(), run);
  lent_.fetch_add(run.count);
  return {std::move(owner), bytes(run, bytes_used)};
}

void lent_pages::release(page_run run) {
  // Ours first: as soon as the writer sees the bit it may use the page again, and tell us so.
  for_each_word(run, [this](std::size_t i, std::uint64_t mask) { held_[i].fetch_and(~mask); });
  for_each_word(run,
                [this](std::size_t i, std::uint64_t mask) { way_.released[i].fetch_or(mask); });
  bell_->ring(wants_room);
}

} // namespace gradmesh::env::shm
