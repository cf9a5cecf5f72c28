#pragma once

/// What the real libraries export, and the only symbols this one exports.
#define CUDASIM_API extern "C" __attribute__((visibility("default")))
