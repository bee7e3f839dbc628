// What README.md shows for one CUDA device. Plain nvcc has no warning for it, and it sees nothing of Eigen.
#include <weft/backend/cuda.cuh>
#include <weft/comm/solo.hpp>
#include <weft/weft.hpp>

#ifdef EIGEN_WORLD_VERSION
#error "A CUDA unit that does not ask for the Host backend sees Eigen"
#endif

using Model = weft::HunyuanDiT<weft::Cuda<float>>;
using World = weft::Solo<weft::cuda::Queue>;

template class weft::Engine<Model, weft::Local, World>;
