#pragma once

#include "dense.h"

#include <vector>

namespace cudasim {

struct Eigen {
    std::vector<double> values;  ///< ascending
    Dense vectors;               ///< columns
    bool converged;
};

/// Eigendecomposition of a symmetric matrix by Jacobi's rotations: slow, short, accurate, and unlike what the engine's own solver does.
Eigen symmetric_eigen(Dense a);

/// The lower triangle becomes L with a = L L^T. The order of the first minor that is not positive, or 0.
std::int64_t cholesky(Dense& a);

/// b becomes (L L^T)^-1 b, for the lower triangle L of factor.
void cholesky_solve(const Dense& factor, Dense& b);

/// Householder QR as LAPACK's geqrf leaves it: R in the upper triangle, reflectors I - tau v v^T below, v(0) = 1.
std::vector<double> householder_qr(Dense& a);

/// The first columns of the product of k reflectors that householder_qr left in a: LAPACK's orgqr.
void householder_q(Dense& a, const std::vector<double>& tau);

}  // namespace cudasim
