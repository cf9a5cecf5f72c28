#include "trace.h"

#include "settings.h"

#include <cstdio>

namespace cudasim {

void trace(const std::string& line) {
    if (settings().trace.empty())
        return;
    if (std::FILE* file = std::fopen(settings().trace.c_str(), "a")) {
        std::fprintf(file, "%s\n", line.c_str());
        std::fclose(file);
    }
}

}  // namespace cudasim
