#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace cudasim {

struct ElfSymbol {
    std::string_view name;
    std::size_t size;
    bool is_thread_local;
};

/// The symbol table of a shared library in memory, as the linker left it.
std::vector<ElfSymbol> elf_symbols(std::string_view library);

}  // namespace cudasim
