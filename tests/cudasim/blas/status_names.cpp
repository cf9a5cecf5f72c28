#include "status_names.h"

namespace cudasim {

const char* blas_status_name(cublasStatus_t status) {
#define CODE(name)                                                                                                                                   \
    case name:                                                                                                                                       \
        return #name
    switch (status) {
        CODE(CUBLAS_STATUS_SUCCESS);
        CODE(CUBLAS_STATUS_NOT_INITIALIZED);
        CODE(CUBLAS_STATUS_ALLOC_FAILED);
        CODE(CUBLAS_STATUS_INVALID_VALUE);
        CODE(CUBLAS_STATUS_ARCH_MISMATCH);
        CODE(CUBLAS_STATUS_MAPPING_ERROR);
        CODE(CUBLAS_STATUS_EXECUTION_FAILED);
        CODE(CUBLAS_STATUS_INTERNAL_ERROR);
        CODE(CUBLAS_STATUS_NOT_SUPPORTED);
        CODE(CUBLAS_STATUS_LICENSE_ERROR);
    }
#undef CODE
    return "unknown CUBLAS status";
}

}  // namespace cudasim
