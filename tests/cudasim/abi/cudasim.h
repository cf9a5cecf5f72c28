// What the double adds to the real interfaces: its controls. A real library does not have these symbols.
#pragma once

#include "linkage.h"

/// Sets one of the CUDASIM_ variables (README.md) while the process runs, where setting the environment is too late. 0, or 1 for a wrong name or value.
CUDASIM_API int cudasimConfigure(const char* variable, const char* value);

/// What was reported since the last call, one line per finding; "" when there was nothing. Valid until the next call.
CUDASIM_API const char* cudasimReport(void);
