/// What apt-cache prints of the package lists.

#include "tests/fuzz/dataset_promises.hpp"
#include "tests/fuzz/target.hpp"

#include "actors/learning/data/debian_packages.hpp"

namespace gradmesh::fuzz {

std::vector<std::string> seeds() {
  std::string many;
  for (int i = 0; i < 24; ++i) // some of them fall into the test set
    many += "Package: p" + std::to_string(i) + "\nSection: " + (i % 2 ? "web" : "contrib/admin") +
            "\nDescription: the Word-" + std::to_string(i % 5) + "\n\n";
  return {many, many + "Package: last\nSection: x\nDescription: a\nDescription-en: b\n c\n\td"};
}

bool accepts(std::string_view input) {
  const auto data = learning::read_debian_packages(input);
  if (!data) {
    promise(data.failure().text.find("apt-get update") != std::string::npos,
            "who has no package lists is told how to get them");
    return false;
  }
  check_dataset(data->train);
  check_dataset(data->test);
  promise(data->train.size() > 0 && data->test.size() > 0, "both sets have documents");
  promise(data->class_names.size() == data->train.shape.classes, "each section has its name");
  return true;
}

} // namespace gradmesh::fuzz
