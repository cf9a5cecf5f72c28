// == checks ============================================================================================
// The compiler's own checks of alignment and of indices into arrays of known size end the launch as the hardware would.

namespace cudasim {
struct SourceLocation {
    const char* file;
    unsigned line, column;
};
}  // namespace cudasim

extern "C" __attribute__((no_sanitize_undefined)) void __ubsan_handle_type_mismatch_v1(const cudasim::SourceLocation* where, size_t address) {
    cudasim_execution.services->fault(716, "misaligned address", (const void*)address, (int)where->line);
}
extern "C" __attribute__((no_sanitize_undefined)) void __ubsan_handle_out_of_bounds(const cudasim::SourceLocation* where, size_t) {
    cudasim_execution.services->fault(700, "index outside its array", nullptr, (int)where->line);
}
