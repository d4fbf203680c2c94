#include "config/ini_file.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

using namespace gradmesh::config;
using gradmesh::errc;

namespace {

std::string value_of(const std::string& line) {
  const auto file = scan_ini("[s]\n" + line + "\n", "f.ini");
  REQUIRE(file.diagnostics.empty());
  REQUIRE(file.entries.size() == 1);
  return file.entries[0].value;
}

} // namespace

TEST_CASE("entries come with their section, key, value and line") {
  const auto file = scan_ini("# title\n\n[job]\nepochs = 3\n\n[ data-server ]\r\n\tkey=v\r\n", "f");
  CHECK(file.diagnostics.empty());
  REQUIRE(file.sections.size() == 2);
  CHECK(file.sections[1].name == "data-server");
  CHECK(file.sections[1].line == 6);
  REQUIRE(file.entries.size() == 2);
  CHECK(file.entries[0].section == "job");
  CHECK(file.entries[0].key == "epochs");
  CHECK(file.entries[0].value == "3");
  CHECK(file.entries[0].line == 4);
  CHECK(file.entries[1].section == "data-server");
  CHECK(file.entries[1].key == "key");
  CHECK(file.entries[1].value == "v");
  CHECK(file.entries[1].line == 7);
}

TEST_CASE("comments end a line only after a blank") {
  CHECK(value_of("k = a#b") == "a#b");
  CHECK(value_of("k = a #b") == "a");
  CHECK(value_of("k = a\t# b") == "a");
  CHECK(value_of("k = a ; b") == "a ; b");
  CHECK(value_of("k = # nothing") == "");
  CHECK(value_of("k =#x") == "#x");
}

TEST_CASE("values keep everything else") {
  CHECK(value_of("k = a = b") == "a = b");
  CHECK(value_of("k = \"quoted\"  text ") == "\"quoted\"  text");
  CHECK(value_of("k = [x]") == "[x]");
  CHECK(value_of("k = caf\xc3\xa9") == "caf\xc3\xa9");
  CHECK(value_of("k =") == "");
}

TEST_CASE("lines that begin with # or ; are comments, also after blanks") {
  const auto file = scan_ini("#a=1\n;b=2\n  # c=3\n\t; d=4\n#", "f");
  CHECK(file.entries.empty());
  CHECK(file.diagnostics.empty());
}

TEST_CASE("all malformed lines are reported at once") {
  const auto file = scan_ini("early = 1\n[job\na = 1\n[job]\nnonsense\n= 3\n[]\n[a b]\n[job] x\n"
                             "[job]\nb = \x01\nok = 1",
                             "bad.ini");
  std::vector<std::size_t> lines;
  for (const auto& d : file.diagnostics) {
    CHECK(d.file == "bad.ini");
    lines.push_back(d.line);
  }
  CHECK(lines == std::vector<std::size_t>{1, 2, 5, 6, 7, 8, 9, 11});
  REQUIRE(file.entries.size() == 1);
  CHECK(file.entries[0].key == "ok");
  CHECK(file.diagnostics[0].text == "'early' stands before the first [section]");
  CHECK(file.diagnostics[2].text == "'nonsense' is neither 'key = value' nor '[section]'");
}

TEST_CASE("a byte order mark is skipped") {
  const auto file = scan_ini("\xef\xbb\xbf[job]\na = 1", "f");
  CHECK(file.diagnostics.empty());
  CHECK(file.entries.size() == 1);
}

TEST_CASE("a text over the limit is refused as a whole") {
  const auto at_limit = scan_ini(std::string(max_ini_bytes, ' '), "f");
  CHECK(at_limit.diagnostics.empty());
  const auto beyond = scan_ini(std::string(max_ini_bytes + 1, ' '), "f");
  REQUIRE(beyond.diagnostics.size() == 1);
  CHECK(beyond.diagnostics[0].line == 0);
}

TEST_CASE("a value fits INI exactly when a line gives it back") {
  for (const std::string value : {"", "a", "a b", "a#b", "a\tb", ";x", "#x", "a #b", " a", "a ",
                                  "a\nb", "a\rb", "a\t#", "[x]", "a=b"}) {
    CAPTURE(value);
    const auto file = scan_ini("[s]\nk = " + value + "\n", "f");
    const auto comes_back =
        file.diagnostics.empty() && file.entries.size() == 1 && file.entries[0].value == value;
    CHECK(fits_ini(value) == comes_back);
  }
}

TEST_CASE("a file that is missing, a folder or too large is an error") {
  const auto folder = std::filesystem::temp_directory_path() / "gradmesh_ini_file_test";
  std::filesystem::create_directories(folder);
  const auto large = folder / "large.ini";
  std::ofstream(large) << std::string(max_ini_bytes + 1, '#');

  const auto missing = read_ini((folder / "missing.ini").string());
  REQUIRE_FALSE(missing);
  CHECK(missing.failure().code == errc::not_found);
  CHECK(missing.failure().text == "cannot open the file: No such file or directory");

  const auto directory = read_ini(folder.string());
  REQUIRE_FALSE(directory);
  CHECK(directory.failure().code == errc::io_failed);

  const auto beyond = read_ini(large.string());
  REQUIRE_FALSE(beyond);
  CHECK(beyond.failure().code == errc::limit_exceeded);
  std::filesystem::remove_all(folder);
}
