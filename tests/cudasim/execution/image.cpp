#include "image.h"

#include "abi/cuda.h"
#include "core/failure.h"
#include "core/hash.h"
#include "core/settings.h"
#include "core/text.h"

#include <cstring>

namespace cudasim {

namespace {

constexpr char image_magic[8] = {'c', 'u', 'd', 'a', 's', 'i', 'm', '\n'};

std::uint64_t checksum_of(const ImageHeader& header, std::string_view library) {
    return fnv(text(header.kind, ' ', header.architecture, ' ', header.toolkit), fnv(library));
}

}  // namespace

std::string ImageHeader::wrap(Kind kind, int architecture, int toolkit, std::string_view library) {
    ImageHeader header{};
    std::memcpy(header.magic, image_magic, sizeof image_magic);
    header.kind = kind, header.architecture = architecture, header.toolkit = toolkit, header.size = library.size();
    header.checksum = checksum_of(header, library);
    std::string image(reinterpret_cast<const char*>(&header), sizeof header);
    return image.append(library).append(1, '\0');
}

std::string_view ImageHeader::unwrap(const void* image) {
    ImageHeader header;
    require(image != nullptr && std::memcmp(image, image_magic, sizeof image_magic) == 0, CUDA_ERROR_INVALID_IMAGE,
            "the image is not one of this NVRTC");
    std::memcpy(&header, image, sizeof header);
    require(header.size < std::size_t{1} << 30, CUDA_ERROR_INVALID_IMAGE, "the image is damaged");
    const std::string_view library(static_cast<const char*>(image) + sizeof header, header.size);
    require(checksum_of(header, library) == header.checksum, CUDA_ERROR_INVALID_IMAGE, "the image is damaged");

    const int device = settings().compute_capability;
    if (header.kind == cubin && (header.architecture / 10 != device / 10 || header.architecture > device))
        fail(CUDA_ERROR_NO_BINARY_FOR_GPU, text("a cubin of sm_", header.architecture, " does not run on sm_", device));
    if (header.kind == ptx && header.architecture > device)
        fail(CUDA_ERROR_NO_BINARY_FOR_GPU, text("PTX of compute_", header.architecture, " does not run on sm_", device));
    if (header.kind == ptx && header.toolkit > settings().driver_version())
        fail(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, text("PTX of CUDA ", header.toolkit, " is newer than the driver, ", settings().driver_version()));
    return library;
}

}  // namespace cudasim
