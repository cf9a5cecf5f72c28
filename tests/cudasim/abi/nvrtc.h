// NVRTC (libnvrtc.so.12 / .13), prototypes and values as in nvrtc.h.
#pragma once

#include "linkage.h"

#include <stddef.h>

typedef struct _nvrtcProgram* nvrtcProgram;

typedef enum {
    NVRTC_SUCCESS = 0,
    NVRTC_ERROR_OUT_OF_MEMORY = 1,
    NVRTC_ERROR_PROGRAM_CREATION_FAILURE = 2,
    NVRTC_ERROR_INVALID_INPUT = 3,
    NVRTC_ERROR_INVALID_PROGRAM = 4,
    NVRTC_ERROR_INVALID_OPTION = 5,
    NVRTC_ERROR_COMPILATION = 6,
    NVRTC_ERROR_BUILTIN_OPERATION_FAILURE = 7,
    NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION = 8,
    NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION = 9,
    NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID = 10,
    NVRTC_ERROR_INTERNAL_ERROR = 11,
} nvrtcResult;

CUDASIM_API nvrtcResult nvrtcVersion(int* major, int* minor);
CUDASIM_API const char* nvrtcGetErrorString(nvrtcResult result);
CUDASIM_API nvrtcResult nvrtcGetNumSupportedArchs(int* numArchs);
CUDASIM_API nvrtcResult nvrtcGetSupportedArchs(int* supportedArchs);
CUDASIM_API nvrtcResult nvrtcCreateProgram(nvrtcProgram* prog, const char* src, const char* name, int numHeaders, const char* const* headers,
                                           const char* const* includeNames);
CUDASIM_API nvrtcResult nvrtcDestroyProgram(nvrtcProgram* prog);
CUDASIM_API nvrtcResult nvrtcCompileProgram(nvrtcProgram prog, int numOptions, const char* const* options);
CUDASIM_API nvrtcResult nvrtcGetPTXSize(nvrtcProgram prog, size_t* ptxSizeRet);
CUDASIM_API nvrtcResult nvrtcGetPTX(nvrtcProgram prog, char* ptx);
CUDASIM_API nvrtcResult nvrtcGetCUBINSize(nvrtcProgram prog, size_t* cubinSizeRet);
CUDASIM_API nvrtcResult nvrtcGetCUBIN(nvrtcProgram prog, char* cubin);
CUDASIM_API nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram prog, size_t* logSizeRet);
CUDASIM_API nvrtcResult nvrtcGetProgramLog(nvrtcProgram prog, char* log);
CUDASIM_API nvrtcResult nvrtcAddNameExpression(nvrtcProgram prog, const char* const name_expression);
CUDASIM_API nvrtcResult nvrtcGetLoweredName(nvrtcProgram prog, const char* const name_expression, const char** lowered_name);
