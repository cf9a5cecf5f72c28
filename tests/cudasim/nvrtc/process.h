#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cudasim {

/// Runs a program with its standard error in a file; its exit status, or -1 where it could not start or was ended.
int run_process(const std::vector<std::string>& arguments, const std::filesystem::path& errors);

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& text);

}  // namespace cudasim
