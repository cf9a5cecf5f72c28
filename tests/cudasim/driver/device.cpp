#include "abi/cuda.h"
#include "core/settings.h"
#include "driver.h"
#include "properties.h"

#include <cstdio>
#include <cstring>

using namespace cudasim;

CUresult cuInit(unsigned int Flags) {
    return enter<CUresult>(__func__, [&] {
        strike("cuInit");
        require(Flags == 0, CUDA_ERROR_INVALID_VALUE, "Flags must be 0");
        require(settings().devices > 0, CUDA_ERROR_NO_DEVICE, "CUDASIM_DEVICES is 0");
        Driver::instance().initialize();
    });
}

CUresult cuDriverGetVersion(int* driverVersion) {
    return enter<CUresult>(__func__, [&] {
        strike("cuDriverGetVersion");
        *driverVersion = settings().driver_version();
    });
}

CUresult cuDeviceGetCount(int* count) {
    return driver_call(__func__, [&] { *count = settings().devices; });
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    return driver_call(__func__, [&] {
        Driver::instance().require_device(ordinal);
        *device = ordinal;
    });
}

CUresult cuDeviceGetName(char* name, int len, CUdevice dev) {
    return driver_call(__func__, [&] {
        Driver::instance().require_device(dev);
        require(len > 0, CUDA_ERROR_INVALID_VALUE, "no room for a name");
        std::snprintf(name, static_cast<std::size_t>(len), "cudasim sm_%d", settings().compute_capability);
    });
}

CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice dev) {
    return driver_call(__func__, [&] {
        Driver::instance().require_device(dev);
        std::memcpy(uuid->bytes, "cudasim device 0", sizeof uuid->bytes);
        uuid->bytes[15] = static_cast<char>('0' + dev);
    });
}

CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice dev) {
    return driver_call(__func__, [&] {
        Driver::instance().require_device(dev);
        *bytes = settings().memory_bytes;
    });
}

CUresult cuDeviceGetAttribute(int* pi, CUdevice_attribute attrib, CUdevice dev) {
    return driver_call(__func__, [&] {
        Driver::instance().require_device(dev);
        *pi = device_attribute(attrib, dev);
    });
}

CUresult cuDeviceGetPCIBusId(char* pciBusId, int len, CUdevice dev) {
    return driver_call(__func__, [&] {
        Driver::instance().require_device(dev);
        require(len >= 13, CUDA_ERROR_INVALID_VALUE, "a bus id takes 13 characters");
        std::snprintf(pciBusId, static_cast<std::size_t>(len), "0000:%02x:00.0", static_cast<unsigned char>(dev + 1));
    });
}

CUresult cuDeviceCanAccessPeer(int* canAccessPeer, CUdevice dev, CUdevice peerDev) {
    return driver_call(__func__, [&] {
        Driver::instance().require_device(dev);
        Driver::instance().require_device(peerDev);
        *canAccessPeer = 0;
    });
}
