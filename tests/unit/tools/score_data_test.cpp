#include "tools/score_data.hpp"

#include "actors/env/memory_disk.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::tools;
using learning::layout;

namespace {

result<std::string> no_commands(const std::vector<std::string>&, std::uint64_t) {
  return error{errc::not_found, "no such program"};
}

/// Package lists with a package of each section for the names "p0", "p1", ...
env::command_runner package_lists(const std::vector<std::string>& sections) {
  std::string text;
  for (int i = 0; i < 100; ++i) {
    const auto name = "p" + std::to_string(i);
    text += "Package: " + name +
            "\nSection: " + sections[static_cast<std::size_t>(i) % sections.size()] +
            "\nDescription: tool " + name + "\n\n";
  }
  return [text](const std::vector<std::string>&, std::uint64_t) -> result<std::string> {
    return text;
  };
}

score_source file(const std::string& path) {
  score_source source;
  source.data = path;
  return source;
}

store::model_content model_of(const std::string& format, layout kind, std::uint32_t features,
                              std::vector<std::string> class_names) {
  store::model_content model;
  model.data_format = format;
  model.data_scale = "1";
  model.shape = {kind, features, static_cast<std::uint32_t>(class_names.size())};
  model.class_names = std::move(class_names);
  return model;
}

} // namespace

TEST_CASE("a file is read in the format, width and scale of the model") {
  env::memory_disk disk;
  REQUIRE(disk.write("test.csv", "7,10,20\n5,30,40\n"));
  auto model = model_of("csv", layout::dense, 2, {"5", "7"});
  model.data_scale = "0.5";
  const auto loaded = load_score_examples(file("test.csv"), model, disk, no_commands);
  REQUIRE(loaded);
  CHECK(loaded->examples.shape == model.shape);
  CHECK(loaded->examples.labels == std::vector<std::int32_t>{1, 0});
  CHECK(loaded->examples.values == std::vector<float>{5, 10, 15, 20});
}

TEST_CASE("a LIBSVM file that has fewer features than the model gets its width") {
  env::memory_disk disk;
  REQUIRE(disk.write("few.libsvm", "1 1:1\n"));
  const auto model = model_of("libsvm", layout::sparse, 100, {"0", "1"});
  const auto loaded = load_score_examples(file("few.libsvm"), model, disk, no_commands);
  REQUIRE(loaded);
  CHECK(loaded->examples.shape == model.shape);
}

TEST_CASE("a file for a model of package descriptions is LIBSVM") {
  env::memory_disk disk;
  REQUIRE(disk.write("test.libsvm", "1 3:0.5\n"));
  auto model = model_of("debian-packages", layout::sparse, 1U << 18, {"admin", "web"});
  model.data_scale = "7"; // package descriptions are not scaled
  const auto loaded = load_score_examples(file("test.libsvm"), model, disk, no_commands);
  REQUIRE(loaded);
  CHECK(loaded->examples.labels == std::vector<std::int32_t>{1});
  CHECK(loaded->examples.values == std::vector<float>{0.5F});
}

TEST_CASE("without a file a model of package descriptions gets their test split") {
  env::memory_disk disk;
  const auto model = model_of("debian-packages", layout::sparse, 1U << 18, {"admin", "web"});
  const auto loaded = load_score_examples({}, model, disk, package_lists({"admin", "web"}));
  REQUIRE(loaded);
  CHECK(loaded->examples.size() > 0);
  CHECK(loaded->examples.size() < 30);
  CHECK(loaded->source.starts_with("the test split of "));
}

TEST_CASE("sections get the numbers that they have in the model") {
  env::memory_disk disk;
  const auto lists = package_lists({"admin", "web"});
  const auto same = load_score_examples(
      {}, model_of("debian-packages", layout::sparse, 1U << 18, {"admin", "web"}), disk, lists);
  const auto model = model_of("debian-packages", layout::sparse, 1U << 18, {"web", "x", "admin"});
  const auto mapped = load_score_examples({}, model, disk, lists);
  REQUIRE(same);
  REQUIRE(mapped);
  CHECK(mapped->examples.shape == model.shape);
  REQUIRE(mapped->examples.size() == same->examples.size());
  for (std::size_t i = 0; i < mapped->examples.size(); ++i)
    CHECK(mapped->examples.labels[i] == (same->examples.labels[i] == 0 ? 2 : 0));
}

TEST_CASE("a section that the model does not know is named") {
  env::memory_disk disk;
  const auto model = model_of("debian-packages", layout::sparse, 1U << 18, {"admin", "mail"});
  const auto loaded = load_score_examples({}, model, disk, package_lists({"admin", "web"}));
  REQUIRE(!loaded);
  CHECK(loaded.failure().code == errc::invalid_argument);
  CHECK(loaded.failure().text.find("'web'") != std::string::npos);
}

TEST_CASE("data that does not fit the model is refused with the place") {
  env::memory_disk disk;
  REQUIRE(disk.write("wide.libsvm", "0 1:1\n1 5:1\n"));
  REQUIRE(disk.write("label.libsvm", "0 1:1\n9 2:1\n"));
  REQUIRE(disk.write("wide.csv", "0,1,2,3\n"));
  REQUIRE(disk.write("empty.libsvm", ""));
  const auto refusal = [&](const std::string& format, layout kind, const std::string& path) {
    const auto loaded =
        load_score_examples(file(path), model_of(format, kind, 2, {"0", "1"}), disk, no_commands);
    REQUIRE(!loaded);
    CHECK(loaded.failure().code == errc::malformed_data);
    return loaded.failure().text;
  };
  CHECK(refusal("libsvm", layout::sparse, "wide.libsvm").starts_with("wide.libsvm:2: feature 5"));
  CHECK(refusal("libsvm", layout::sparse, "label.libsvm").starts_with("label.libsvm:2: label 9"));
  CHECK(refusal("csv", layout::dense, "wide.csv").find("3 features") != std::string::npos);
  CHECK(refusal("libsvm", layout::sparse, "empty.libsvm").find("no examples") != std::string::npos);
}

TEST_CASE("a missing file is not found") {
  env::memory_disk disk;
  const auto loaded = load_score_examples(
      file("absent"), model_of("libsvm", layout::sparse, 2, {"0", "1"}), disk, no_commands);
  REQUIRE(!loaded);
  CHECK(loaded.failure().code == errc::not_found);
}

TEST_CASE("a format without its files is refused") {
  env::memory_disk disk;
  const auto model = model_of("idx", layout::dense, 4, {"0", "1"});
  for (const auto& source :
       {score_source{}, file("images"), score_source{"csv", "x.csv", "y", 0, false, ""},
        score_source{"debian-packages", "x", "", 0, false, ""}}) {
    CAPTURE(source.format);
    const auto loaded = load_score_examples(source, model, disk, no_commands);
    REQUIRE(!loaded);
    CHECK(loaded.failure().code == errc::invalid_argument);
  }
}

TEST_CASE("a model with a scale that is no factor is refused") {
  env::memory_disk disk;
  REQUIRE(disk.write("x.csv", "0,1\n1,2\n"));
  auto model = model_of("csv", layout::dense, 1, {"0", "1"});
  for (const std::string scale : {"none", "0", "nan", "1x"}) {
    CAPTURE(scale);
    model.data_scale = scale;
    const auto loaded = load_score_examples(file("x.csv"), model, disk, no_commands);
    REQUIRE(!loaded);
    CHECK(loaded.failure().code == errc::malformed_model);
  }
}
