#include "prelude_text.h"

// CUDASIM_PRELUDE is the path that CMake joins the files of prelude/ into.
asm(".section .rodata\n"
    "cudasim_prelude_begin: .incbin \"" CUDASIM_PRELUDE "\"\n"
    "cudasim_prelude_end: .byte 0\n"
    ".previous\n");

extern "C" {
__attribute__((visibility("hidden"))) extern const char cudasim_prelude_begin[];
__attribute__((visibility("hidden"))) extern const char cudasim_prelude_end[];
}

namespace cudasim {

std::string_view prelude_text() { return {cudasim_prelude_begin, static_cast<std::size_t>(cudasim_prelude_end - cudasim_prelude_begin)}; }

}  // namespace cudasim
