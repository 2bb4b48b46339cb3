// One pass over a batch: draw, mix, measure and weigh. The same draws in the same order as localmixup.mixing, so that
// the same generator state gives the same plan with and without this file. Built by `python -m localmixup.native`.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/DistributionsHelper.h>
#include <torch/extension.h>
#include <torch/csrc/autograd/python_variable.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>
#include <tuple>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define MANY_CPUS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MANY_CPUS
#endif
#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline))
#else
#define INLINE inline
#endif

namespace {

using at::Tensor;
constexpr int kLanes = 16;
constexpr int64_t kSumLength = 4096;  // longer float sums are off by more than 1e-6: blocks are added in double

#if defined(__GNUC__)
using Eight = float __attribute__((vector_size(32), aligned(4), may_alias));
using Four = float __attribute__((vector_size(16), aligned(4), may_alias));

INLINE float block_sum(const float* a, const float* b, int64_t start, int64_t stop) {
  Eight first = {0}, second = {0};
  int64_t k = start;
  for (; k + kLanes <= stop; k += kLanes) {
    const Eight low = *(const Eight*)(a + k) - *(const Eight*)(b + k);
    const Eight high = *(const Eight*)(a + k + 8) - *(const Eight*)(b + k + 8);
    first += low * low;
    second += high * high;
  }
  first += second;
  const Four four = ((const Four*)&first)[0] + ((const Four*)&first)[1];
  float sum = (four[0] + four[1]) + (four[2] + four[3]);
  for (; k < stop; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return sum;
}
#else
INLINE float block_sum(const float* a, const float* b, int64_t start, int64_t stop) {
  float sums[kLanes] = {0}, sum = 0;
  int64_t k = start;
  for (; k + kLanes <= stop; k += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) {
      const float difference = a[k + lane] - b[k + lane];
      sums[lane] += difference * difference;
    }
  for (int lane = 0; lane < kLanes; ++lane) sum += sums[lane];
  for (; k < stop; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return sum;
}
#endif

// Infinite where a difference, its square or their sum overflows.
INLINE float squared_distance(const float* a, const float* b, int64_t d) {
  if (d <= kSumLength) return block_sum(a, b, 0, d);
  double total = 0;
  for (int64_t start = 0; start < d; start += kSumLength) total += block_sum(a, b, start, std::min(d, start + kSumLength));
  return static_cast<float>(total);
}

// where the difference of two huge values, or its square, overflows
float extreme_distance(const float* a, const float* b, int64_t d) {
  double total = 0;
  for (int64_t k = 0; k < d; ++k) total += (static_cast<double>(a[k]) - b[k]) * (static_cast<double>(a[k]) - b[k]);
  return static_cast<float>(std::min(std::sqrt(total), static_cast<double>(std::numeric_limits<float>::max())));
}

// Mix the rows from `begin` to `end` with their partners (none given: from the end) into `out`; write their distances.
MANY_CPUS void mix_rows(
    const float* x, const int64_t* partner, float* out, float* distances, int64_t begin, int64_t end, int64_t n,
    int64_t d, float share) {
  for (int64_t i = begin; i < end; ++i) {
    const float *a = x + i * d, *b = x + (partner ? partner[i] : n - 1 - i) * d;
    float* to = out + i * d;
    const float squared = squared_distance(a, b, d);
    if (std::isfinite(squared)) {
      distances[i] = std::sqrt(squared);
      for (int64_t k = 0; k < d; ++k) to[k] = a[k] - share * (a[k] - b[k]);
    } else {
      distances[i] = extreme_distance(a, b, d);
      for (int64_t k = 0; k < d; ++k) to[k] = (1 - share) * a[k] + share * b[k];
    }
  }
}

// The same in place for row i and row n - 1 - i, each difference taken once.
MANY_CPUS void mix_mirrored_rows(
    float* x, float* distances, int64_t begin, int64_t end, int64_t n, int64_t d, float share) {
  for (int64_t i = begin; i < end; ++i) {
    float *a = x + i * d, *b = x + (n - 1 - i) * d;
    const float squared = squared_distance(a, b, d);
    float distance = std::sqrt(squared);
    if (std::isfinite(squared)) {
      for (int64_t k = 0; k < d; ++k) {
        const float step = share * (a[k] - b[k]);
        a[k] -= step;
        b[k] += step;
      }
    } else {
      distance = extreme_distance(a, b, d);
      for (int64_t k = 0; k < d; ++k) {
        const float low = a[k], high = b[k];
        a[k] = (1 - share) * low + share * high;
        b[k] = (1 - share) * high + share * low;
      }
    }
    distances[i] = distances[n - 1 - i] = distance;
  }
}

// exp(factor w) in place for factor w <= 0, within 2 ulp (Cephes' polynomial); NaN stays NaN.
MANY_CPUS void exponential(float* w, int64_t n, float factor) {
  constexpr float kRound = 12582912.f;  // 1.5 * 2^23: adding and subtracting it rounds to the nearest integer
  for (int64_t i = 0; i < n; ++i) {
    float value = w[i] * factor;
    value = value < -104.f ? -104.f : value;
    const float power = (value * 1.44269504f + kRound) - kRound;
    const float r = (value - power * 0.693359375f) + power * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.f;
    const int32_t whole = static_cast<int32_t>(power), half = whole / 2;  // in two steps: the result may be denormal
    w[i] = p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((whole - half + 127) << 23);
  }
}

float draw_lam(double mixup_alpha, const std::optional<at::Generator>& generator) {
  if (mixup_alpha == 1) {  // what at::rand({1}) draws, without its overhead
    auto* source = at::get_generator_or_default<at::CPUGeneratorImpl>(generator, at::detail::getDefaultCPUGenerator());
    const std::lock_guard<std::mutex> lock(source->mutex_);
    at::uniform_real_distribution<float> uniform(0, 1);
    return uniform(source);
  }
  if (std::isinf(mixup_alpha)) return 0.5f;
  const auto wide = at::TensorOptions().dtype(at::kDouble);
  const Tensor gammas = at::_standard_gamma(at::full({2, 1}, mixup_alpha + 1, wide), generator);
  const Tensor uniform = at::rand({2, 1}, generator, wide);
  const double *g = gammas.const_data_ptr<double>(), *u = uniform.const_data_ptr<double>();
  const double first = std::log(g[0]) + std::log1p(-u[0]) / mixup_alpha;
  const double second = std::log(g[1]) + std::log1p(-u[1]) / mixup_alpha;
  return static_cast<float>(1 / (1 + std::exp(second - first)));
}

}  // namespace

Tensor empty_like_rows(int64_t n, at::ScalarType type) { return at::detail::empty_cpu({n}, type); }

// y[partner]; no partner: y from its end
Tensor rows_of(const Tensor& y, const Tensor& partner) {
  if (y.scalar_type() != at::kLong || y.dim() != 1 || !y.is_contiguous())
    return partner.defined() ? y.index_select(0, partner) : y.flip(0);
  const int64_t n = y.size(0);
  Tensor out = empty_like_rows(n, at::kLong);
  const int64_t* from = y.const_data_ptr<int64_t>();
  int64_t* to = out.mutable_data_ptr<int64_t>();
  if (partner.defined()) {
    const int64_t* p = partner.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < n; ++i) to[i] = from[p[i]];
  } else {
    std::reverse_copy(from, from + n, to);
  }
  return out;
}

// One setting of LocalMixup. A call returns a MixedBatch, or None for a batch that is not float32, contiguous, on the
// CPU, outside autograd and of one tensor each.
struct Mixer {
  bool threshold;
  float parameter;
  bool rms;
  double mixup_alpha;
  bool flip;
  py::object batch_type;

  // From distances to weights, in place. A sample with itself is at distance 0 and has weight 1 in each of these graphs.
  void weigh(Tensor& distances, float scale) const {
    float* w = distances.mutable_data_ptr<float>();
    const int64_t n = distances.numel();
    if (threshold) {
      for (int64_t i = 0; i < n; ++i) w[i] = w[i] * scale <= parameter ? 1.f : 0.f;
    } else if (parameter == 0) {
      std::fill(w, w + n, 1.f);
    } else {
      exponential(w, n, -parameter * scale);
    }
  }

  py::object operator()(
      const py::handle& inputs, const py::handle& targets, bool inplace,
      const std::optional<at::Generator>& generator) const {
    if (!THPVariable_CheckExact(inputs.ptr()) || !THPVariable_CheckExact(targets.ptr())) return py::none();
    const Tensor& x = THPVariable_Unpack(inputs.ptr());
    const Tensor& y = THPVariable_Unpack(targets.ptr());
    if (x.scalar_type() != at::kFloat || !x.device().is_cpu() || x.dim() < 2 || !x.is_contiguous() || y.dim() < 1 ||
        !y.device().is_cpu() || x.size(0) == 0 || y.size(0) != x.size(0) ||
        (x.requires_grad() && at::GradMode::is_enabled()))
      return py::none();
    const at::NoGradGuard no_grad;
    const int64_t n = x.size(0), d = x.numel() / n;
    const float scale = rms ? static_cast<float>(1 / std::sqrt(std::max<double>(1, static_cast<double>(d)))) : 1.f;
    const Tensor partner = flip ? Tensor() : at::randperm(n, generator, at::TensorOptions().dtype(at::kLong));
    const float value = draw_lam(mixup_alpha, generator), share = 1 - value;
    Tensor lam = empty_like_rows(n, at::kFloat), weights = empty_like_rows(n, at::kFloat);
    std::fill_n(lam.mutable_data_ptr<float>(), n, value);
    float* distances = weights.mutable_data_ptr<float>();
    Tensor out = inplace && flip ? x : at::empty_like(x);
    float* to = out.mutable_data_ptr<float>();
    const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, d));
    if (inplace && flip) {
      at::parallel_for(0, n / 2, grain, [&](int64_t begin, int64_t end) {
        mix_mirrored_rows(to, distances, begin, end, n, d, share);
      });
      if (n % 2) distances[n / 2] = 0;
    } else {
      const float* from = x.const_data_ptr<float>();
      const int64_t* p = flip ? nullptr : partner.const_data_ptr<int64_t>();
      at::parallel_for(0, n, grain, [&](int64_t begin, int64_t end) {
        mix_rows(from, p, to, distances, begin, end, n, d, share);
      });
    }
    weigh(weights, scale);
    if (inplace && !flip) x.copy_(out);
    // what tuple.__new__ does for a NamedTuple, without the detour over Python
    auto* type = reinterpret_cast<PyTypeObject*>(batch_type.ptr());
    py::object batch = py::reinterpret_steal<py::object>(type->tp_alloc(type, 5));
    if (!batch) throw py::error_already_set();
    PyTuple_SET_ITEM(batch.ptr(), 0, inplace ? inputs.inc_ref().ptr() : THPVariable_Wrap(out));
    PyTuple_SET_ITEM(batch.ptr(), 1, targets.inc_ref().ptr());
    PyTuple_SET_ITEM(batch.ptr(), 2, THPVariable_Wrap(rows_of(y, partner)));
    PyTuple_SET_ITEM(batch.ptr(), 3, THPVariable_Wrap(lam));
    PyTuple_SET_ITEM(batch.ptr(), 4, THPVariable_Wrap(weights));
    return batch;
  }
};

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  py::class_<Mixer>(module, "Mixer")
      .def(py::init<bool, float, bool, double, bool, py::object>())
      .def("__call__", &Mixer::operator());
}
