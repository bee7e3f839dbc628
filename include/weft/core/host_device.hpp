// WEFT_HOST_DEVICE: marks functions that run on the host and, compiled by nvcc, on the device too.
#pragma once

#ifdef __CUDACC__
#define WEFT_HOST_DEVICE __host__ __device__
#else
#define WEFT_HOST_DEVICE
#endif
