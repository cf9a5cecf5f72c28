// Matrices on the double of the GPU, and kernels.cu compiled for a type: what the tests of single kernels need.
#pragma once

#include "core/half.h"
#include "tests/gpu.h"

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>

namespace test {

struct Bf16 {
    std::uint16_t bits;
};
struct Half {
    std::uint16_t bits;
};

/// How a type is named in kernels.cu, what it computes in, and the squared relative error that storing results in it may leave.
template <class T> struct Type;
template <> struct Type<float> {
    using Acc = float;
    static constexpr const char* name = "float";
    static constexpr double nmse = 1e-13;
    static float from(double x) { return float(x); }
    static double to(float x) { return x; }
};
template <> struct Type<double> {
    using Acc = double;
    static constexpr const char* name = "double";
    static constexpr double nmse = 1e-28;
    static double from(double x) { return x; }
    static double to(double x) { return x; }
};
template <> struct Type<Bf16> {
    using Acc = float;
    static constexpr const char* name = "bf16";
    static constexpr double nmse = 1.6e-5;
    static Bf16 from(double x) { return {cudasim::to_bf16(float(x))}; }
    static double to(Bf16 x) { return cudasim::from_bf16(x.bits); }
};
template <> struct Type<Half> {
    using Acc = float;
    static constexpr const char* name = "half";
    static constexpr double nmse = 2.4e-7;
    static Half from(double x) { return {cudasim::to_half(float(x))}; }
    static double to(Half x) { return cudasim::half_values()[x.bits]; }
};
template <> struct Type<int> {
    static constexpr double nmse = 0;
    static int from(double x) { return int(x); }
    static double to(int x) { return x; }
};
template <> struct Type<long long> {
    static constexpr double nmse = 0;
    static long long from(double x) { return (long long)(x); }
    static double to(long long x) { return double(x); }
};

using Values = std::vector<double>;
using Value = std::function<double(std::size_t)>;

/// Normal deviates.
Values spread(std::size_t n, double scale, unsigned seed);

/// NMSE of what a kernel wrote, or a failure that names the first element that is far off.
void check_close(const Values& actual, const Values& expected, double nmse, const std::string& what, const char* file, int line);
#define CHECK_CLOSE(matrix, expected, nmse, what) test::check_close((matrix).read(), expected, nmse, what, __FILE__, __LINE__)

/// Rows with a gap behind each, whose bytes no kernel may change. What it holds is `values`, rounded to T.
template <class T> class Matrix {
  public:
    Matrix(std::size_t rows, std::size_t columns, std::size_t gap, const Values& start)
        : rows_(rows), columns_(columns), ld_(columns + (rows > 1 ? gap : 0)), buffer_(stored(start)) {
        for (const double value : start)
            values.push_back(Type<T>::to(Type<T>::from(value)));
    }
    Matrix(std::size_t rows, std::size_t columns, std::size_t gap) : Matrix(rows, columns, gap, Values(rows * columns, NAN)) {}

    T* pointer() const { return buffer_.pointer(); }
    int ld() const { return int(ld_); }

    Values read() const {
        const std::vector<T> all = buffer_.read();
        Values elements;
        for (std::size_t i = 0; i < all.size(); i++)
            if (i % ld_ < columns_ && i / ld_ < rows_)
                elements.push_back(Type<T>::to(all[i]));
            else
                CHECK_EQUAL(reinterpret_cast<const unsigned char&>(all[i]), sentinel);
        return elements;
    }

    Values values;

  private:
    static constexpr unsigned char sentinel = 0xa5;

    std::vector<T> stored(const Values& start) const {
        std::vector<T> all((rows_ + 1) * ld_);
        std::memset(static_cast<void*>(all.data()), sentinel, all.size() * sizeof(T));
        for (std::size_t i = 0; i < start.size(); i++)
            all[i / columns_ * ld_ + i % columns_] = Type<T>::from(start[i]);
        return all;
    }

    std::size_t rows_, columns_, ld_;
    Buffer<T> buffer_;
};

/// The device and the modules of one test.
class Session {
  public:
    ~Session() { modules.clear(); }

    static std::map<std::pair<std::string, int>, std::unique_ptr<Module>> modules;

  private:
    Gpu gpu_;
};

/// kernels.cu for elements of T; with a head size, its attention.
const Module& compiled(const std::string& type, int head_dim, bool tensor_cores);
template <class T> const Module& module_of(int head_dim = 0, bool tensor_cores = false) { return compiled(Type<T>::name, head_dim, tensor_cores); }

/// Sizes that fill packs, tiles and blocks, and sizes that do not.
struct Size {
    int rows, columns, gap;
};
extern const std::vector<Size> sizes;
std::string name_of(const Size& size, const char* type);

/// body(T()) in every thread order for the types of activations, and for double once.
template <class Body> void each_type(Body body) {
    const Session session;
    for (const char* order : {"forward", "reverse", "7"}) {
        const Configured configured("CUDASIM_ORDER", order, "forward");
        body(float());
        body(Bf16());
        body(Half());
    }
    body(double());
}

struct Grid {
    unsigned x, threads = 256, y = 1, z = 1;
};

/// Fewer blocks and threads than there is work for, so that they have to stride.
constexpr Grid elements = {3}, rows = {2, 64}, one_block = {1};

/// Launches and waits.
template <class... Arguments> void run(const Module& module, const char* name, const Grid& grid, Arguments... arguments) {
    std::array<void*, sizeof...(arguments)> pointers = {&arguments...};
    SUCCEED(cuLaunchKernel(module.function(name), grid.x, grid.y, grid.z, grid.threads, 1, 1, 0, nullptr, pointers.data(), nullptr));
    SUCCEED(cuCtxSynchronize());
}

}  // namespace test
