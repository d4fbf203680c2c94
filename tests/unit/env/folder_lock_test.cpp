#include "actors/env/folder_lock.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

using namespace gradmesh;

namespace {

struct folder {
  std::string path = (std::filesystem::temp_directory_path() / "gradmesh-lock-XXXXXX").string();
  folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~folder() { std::filesystem::remove_all(path); }
};

} // namespace

TEST_CASE("a folder that is taken is refused, with its holder, until it is given back") {
  const folder here;
  {
    const auto held = env::lock_folder(here.path);
    REQUIRE(held);
    const auto again = env::lock_folder(here.path);
    REQUIRE_FALSE(again);
    CHECK(again.failure().code == errc::refused);
    CHECK(again.failure().text.find("(process " + std::to_string(getpid()) + ")") !=
          std::string::npos);
  }
  CHECK(env::lock_folder(here.path));
}

TEST_CASE("a process that is killed leaves no lock behind") {
  const folder here;
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = env::lock_folder(here.path);
    const char said = held ? 'y' : 'n';
    (void)!write(ready[1], &said, 1);
    pause();
    _exit(0);
  }
  char said = 0;
  REQUIRE(read(ready[0], &said, 1) == 1);
  CHECK(said == 'y');
  CHECK_FALSE(env::lock_folder(here.path));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  CHECK(env::lock_folder(here.path));
  close(ready[0]);
  close(ready[1]);
}

TEST_CASE("a folder that does not exist cannot be taken") {
  const auto held = env::lock_folder("/nonexistent");
  REQUIRE_FALSE(held);
  CHECK(held.failure().code == errc::io_failed);
}
