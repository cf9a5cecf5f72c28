#include "elf.h"

#include <elf.h>

namespace cudasim {

std::vector<ElfSymbol> elf_symbols(std::string_view library) {
    std::vector<ElfSymbol> symbols;
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(library.data());
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(library.data() + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB)
            continue;
        const char* names = library.data() + sections[sections[i].sh_link].sh_offset;
        const auto* table = reinterpret_cast<const Elf64_Sym*>(library.data() + sections[i].sh_offset);
        for (std::size_t s = 0; s < sections[i].sh_size / sizeof(Elf64_Sym); s++)
            symbols.push_back({names + table[s].st_name, table[s].st_size, ELF64_ST_TYPE(table[s].st_info) == STT_TLS});
    }
    return symbols;
}

}  // namespace cudasim
