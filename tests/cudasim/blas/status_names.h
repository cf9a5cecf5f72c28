#pragma once

#include "abi/cublas.h"

namespace cudasim {

const char* blas_status_name(cublasStatus_t status);

}  // namespace cudasim
