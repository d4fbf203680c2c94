#include "actors/env/command.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;

namespace {

result<std::string> shell(const std::string& script, std::uint64_t bytes_max = 1u << 20) {
  return env::run_command({"sh", "-c", script}, bytes_max);
}

} // namespace

TEST_CASE("a command's output comes back whole, however much it says on both streams") {
  const auto few = shell("printf 'a\\nb'; echo noise >&2");
  REQUIRE(few);
  CHECK(*few == "a\nb");
  const auto much = shell("head -c 500000 /dev/zero >&2; head -c 500000 /dev/zero");
  REQUIRE(much);
  CHECK(much->size() == 500'000);
}

TEST_CASE("a command that fails is quoted") {
  const auto failed = shell("echo half; echo 'no such luck' >&2; exit 3");
  REQUIRE_FALSE(failed);
  CHECK(failed.failure() ==
        error{errc::io_failed, "'sh' ended with status 3; it said: no such luck\n"});
  CHECK(shell("kill -9 $$").failure().text == "'sh' was ended by signal 9");
}

TEST_CASE("of a long complaint the end is kept") {
  const auto failed = shell("head -c 100000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 1");
  REQUIRE_FALSE(failed);
  CHECK(failed.failure().text.size() < 3000);
  CHECK(failed.failure().text.ends_with("end\n"));
}

TEST_CASE("a command that does not exist is named") {
  const auto failed = env::run_command({"gradmesh-no-such-program", "x"}, 10);
  REQUIRE_FALSE(failed);
  CHECK(failed.failure() == error{errc::not_found, "cannot run 'gradmesh-no-such-program': No such "
                                                   "file or directory"});
  CHECK(env::run_command({}, 10).failure().code == errc::invalid_argument);
}

TEST_CASE("a command that never stops talking is ended at the limit") {
  const auto failed = env::run_command({"yes"}, 1000);
  REQUIRE_FALSE(failed);
  CHECK(failed.failure() == error{errc::limit_exceeded, "'yes' printed more than the limit of 1000 "
                                                        "bytes and was ended"});
}

TEST_CASE("a command has an empty stdin") {
  const auto copied = env::run_command({"cat"}, 10);
  REQUIRE(copied);
  CHECK(copied->empty());
}
