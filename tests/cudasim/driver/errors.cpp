#include "abi/cuda.h"

#include <map>

namespace {

struct Text {
    const char *name, *description;
};

// Descriptions as the driver words them.
const std::map<CUresult, Text>& texts() {
#define CODE(name, description)                                                                                                                      \
    {                                                                                                                                                \
        name, { #name, description }                                                                                                                 \
    }
    static const std::map<CUresult, Text> all = {
        CODE(CUDA_SUCCESS, "no error"),
        CODE(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
        CODE(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
        CODE(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
        CODE(CUDA_ERROR_DEINITIALIZED, "driver shutting down"),
        CODE(CUDA_ERROR_STUB_LIBRARY, "CUDA driver is a stub library"),
        CODE(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
        CODE(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
        CODE(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
        CODE(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
        CODE(CUDA_ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device"),
        CODE(CUDA_ERROR_ECC_UNCORRECTABLE, "uncorrectable ECC error encountered"),
        CODE(CUDA_ERROR_NVLINK_UNCORRECTABLE, "uncorrectable NVLink error detected during the execution"),
        CODE(CUDA_ERROR_CONTAINED, "Invalid access of peer GPU memory over nvlink or a hardware error"),
        CODE(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed"),
        CODE(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the provided PTX was compiled with an unsupported toolchain."),
        CODE(CUDA_ERROR_INVALID_SOURCE, "device kernel image is invalid"),
        CODE(CUDA_ERROR_OPERATING_SYSTEM, "OS call failed or operation not supported on this OS"),
        CODE(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
        CODE(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
        CODE(CUDA_ERROR_NOT_READY, "device not ready"),
        CODE(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
        CODE(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch"),
        CODE(CUDA_ERROR_LAUNCH_TIMEOUT, "the launch timed out and was terminated"),
        CODE(CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed"),
        CODE(CUDA_ERROR_ASSERT, "device-side assert triggered"),
        CODE(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "part or all of the requested memory range is already mapped"),
        CODE(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "pointer does not correspond to a registered memory region"),
        CODE(CUDA_ERROR_HARDWARE_STACK_ERROR, "hardware stack error"),
        CODE(CUDA_ERROR_ILLEGAL_INSTRUCTION, "an illegal instruction was encountered"),
        CODE(CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address"),
        CODE(CUDA_ERROR_INVALID_ADDRESS_SPACE, "operation not supported on global/shared address space"),
        CODE(CUDA_ERROR_INVALID_PC, "invalid program counter"),
        CODE(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"),
        CODE(CUDA_ERROR_TENSOR_MEMORY_LEAK, "tensor memory not completely freed"),
        CODE(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
        CODE(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, "system has unsupported display driver / cuda driver combination"),
        CODE(CUDA_ERROR_UNKNOWN, "unknown error"),
    };
#undef CODE
    return all;
}

CUresult look_up(CUresult error, const char* Text::*field, const char** text) {
    const auto found = texts().find(error);
    *text = found == texts().end() ? nullptr : found->second.*field;
    return *text == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

}  // namespace

CUresult cuGetErrorName(CUresult error, const char** pStr) { return look_up(error, &Text::name, pStr); }

CUresult cuGetErrorString(CUresult error, const char** pStr) { return look_up(error, &Text::description, pStr); }
