#include "on_rank.cuh"

template struct command::NcclRank<__nv_fp8_e4m3>;
