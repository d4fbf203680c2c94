#pragma once

/// A FILE* that collects what is written to it.

#include <cstdio>
#include <cstdlib>
#include <string>

class text_stream {
public:
  text_stream() : file_(open_memstream(&text_, &size_)) {}
  text_stream(const text_stream&) = delete;
  text_stream& operator=(const text_stream&) = delete;
  ~text_stream() {
    std::fclose(file_);
    std::free(text_);
  }

  std::FILE* file() const { return file_; }
  std::string text() const {
    std::fflush(file_);
    return {text_, size_};
  }

private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};
